"""Random numbers from counters: 64 bits, and normals out of them.

The i-th number of a stream is SplitMix64's finaliser of `key + i * golden`: a bijection on 64-bit
integers (Steele, Lea, Flood, OOPSLA 2014). What the streams are for stands in `streams.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31, _32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)

_LOW_30 = np.uint32(0x3FFFFFFF)
_BIT_30, _BIT_31 = np.uint32(1 << 30), np.uint32(1 << 31)
_ONE_SHIFT, _9 = np.uint32(1), np.uint32(9)
_HALF = np.float32(0.5)
_UNIT_23, _UNIT_31 = np.float32(2.0**-23), np.float32(2.0**-31)
_EIGHTH_TURN = np.float32(np.pi / 2 * 2.0**-30)  # 30 bits onto a quarter of the circle
_QUARTER_PI = np.float32(np.pi / 4)
_ROOT_HALF_BITS = np.int32(np.float32(np.sqrt(0.5)).view(np.int32))
_MANTISSA = np.int32(23)
_MINUS_2_LN_2 = np.float32(-2 * np.log(2))


@kernel
def _mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> _30)) * _MIX_1
    value = (value ^ (value >> _27)) * _MIX_2
    return value ^ (value >> _31)


@kernel
def mix_keys(base: np.uint64, ids: NDArray[np.uint64], keys: NDArray[np.uint64]) -> None:
    """The key of every id's stream under a base that says what the streams are for."""
    for i in range(ids.size):
        keys[i] = _mix(base + _mix(ids[i] * _GOLDEN))


@kernel
def fill_bits(keys: NDArray[np.uint64], first: int, out: NDArray[np.uint64]) -> None:
    """Numbers first, first + 1, ... of every stream into uint64 `(n, count)`."""
    start = np.uint64(first)
    for row in range(out.shape[0]):
        key = keys[row] + start * _GOLDEN
        for column in range(out.shape[1]):
            out[row, column] = _mix(key + np.uint64(column) * _GOLDEN)


@kernel
def to_unit(bits: NDArray[np.uint32], out: NDArray[np.float32]) -> None:
    """The top 23 bits as float32 within (0, 1), end points left out; `out` may be `bits` itself."""
    for i in range(bits.size):
        out[i] = (np.float32(np.int32(bits[i] >> _9)) + _HALF) * _UNIT_23


@kernel
def fill_normal(keys: NDArray[np.uint64], first: int, out: NDArray[np.float32]) -> None:
    """Standard normals into float32 `(n, 2 * pairs)`: Box and Muller (1958), one number a pair.

    32 bits make the radius (so no value beyond 6.7), 30 an angle within an eighth of a turn of an
    axis, and two choose the axis. Pair j fills columns j and pairs + j.
    """
    start = np.uint64(first)
    pairs = out.shape[1] // 2
    for row in range(out.shape[0]):
        key = keys[row] + start * _GOLDEN
        for pair in range(pairs):
            number = _mix(key + np.uint64(pair) * _GOLDEN)
            radius = _radius(np.uint32(number >> _32))
            low = np.uint32(number)
            angle = np.float32(np.int32(low & _LOW_30)) * _EIGHTH_TURN - _QUARTER_PI
            along = _cosine(angle)
            across = _sine(angle)
            along = -along if low & _BIT_31 else along
            swap = low & _BIT_30
            out[row, pair] = radius * (across if swap else along)
            out[row, pairs + pair] = radius * (along if swap else across)


@kernel
def _radius(bits: np.uint32) -> np.float32:
    """sqrt(-2 ln u) for u uniform in (0, 1): the logarithm by its artanh series, to 1e-7."""
    u = (np.float32(np.int32(bits >> _ONE_SHIFT)) + _HALF) * _UNIT_31
    pattern = np.float32(u).view(np.int32)
    exponent = (pattern - _ROOT_HALF_BITS) >> _MANTISSA
    mantissa = np.int32(pattern - (exponent << _MANTISSA)).view(np.float32)  # in sqrt(1/2)..sqrt(2)
    ratio = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    square = ratio * ratio
    series = np.float32(1 / 9) * square + np.float32(1 / 7)
    series = series * square + np.float32(1 / 5)
    series = series * square + np.float32(1 / 3)
    series = series * square + np.float32(1)
    doubled = np.float32(exponent) * _MINUS_2_LN_2 - np.float32(4) * ratio * series
    root: np.float32 = np.sqrt(max(doubled, np.float32(0)))
    return root


@kernel
def _sine(angle: np.float32) -> np.float32:
    """Taylor's series; its error is below 1e-8 within an eighth of a turn."""
    square = angle * angle
    series = np.float32(1 / 362880) * square - np.float32(1 / 5040)
    series = series * square + np.float32(1 / 120)
    series = series * square - np.float32(1 / 6)
    return angle + angle * (square * series)


@kernel
def _cosine(angle: np.float32) -> np.float32:
    """Taylor's series; its error is below 3e-8 within an eighth of a turn."""
    square = angle * angle
    series = np.float32(1 / 40320) * square - np.float32(1 / 720)
    series = series * square + np.float32(1 / 24)
    series = series * square - _HALF
    return np.float32(1) + square * series

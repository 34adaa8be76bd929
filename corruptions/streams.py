"""Counter-based random numbers: every image has a stream of its own.

A stream is a 64-bit key. Its i-th number is a mix of (key, i) and of nothing else, so what an
image draws does not depend on the batch it came in, on its place there, or on the process.
The mix is SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, element by element; a bijection on 64-bit integers."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


@dataclass
class Streams:
    """One random stream an image; each method draws the next numbers of all of them.

    `keys` is uint64 `(n,)`. All results have n as their first axis. Row i depends on `keys[i]` and
    on how much was drawn before, never on the other rows.
    """

    keys: NDArray[np.uint64]
    _used: int = field(default=0)

    def __len__(self) -> int:
        return len(self.keys)

    def bits(self, *shape: int) -> NDArray[np.uint64]:
        """Uniform 64-bit integers, shape `(n, *shape)`."""
        from corruptions.kernels.noise import fill_bits

        drawn = np.empty((len(self), math.prod(shape)), np.uint64)
        fill_bits(self.keys, self._advance(drawn.shape[1]), drawn)
        return drawn.reshape(len(self), *shape)

    def bits32(self, *shape: int) -> NDArray[np.uint32]:
        """Uniform 32-bit integers, shape `(n, *shape)`: two out of each 64-bit number."""
        count = math.prod(shape)
        halves = self.bits((count + 1) // 2).view(np.uint32)
        return np.ascontiguousarray(halves[:, :count]).reshape(len(self), *shape)

    def uniform32(self, *shape: int) -> NDArray[np.float32]:
        """Uniform float32 in the open interval (0, 1), shape `(n, *shape)`, 23 random bits."""
        from corruptions.kernels.noise import to_unit

        bits = self.bits32(*shape)
        unit = bits.view(np.float32)
        to_unit(bits.reshape(-1), unit.reshape(-1))
        return unit

    def normal32(self, *shape: int) -> NDArray[np.float32]:
        """Standard normal float32, shape `(n, *shape)`: for whole images of noise."""
        from corruptions.kernels.noise import fill_normal

        count = math.prod(shape)
        pairs = (count + 1) // 2
        drawn = np.empty((len(self), 2 * pairs), np.float32)
        fill_normal(self.keys, self._advance(pairs), drawn)
        return np.ascontiguousarray(drawn[:, :count]).reshape(len(self), *shape)

    def uniform(
        self, low: float = 0.0, high: float = 1.0, shape: Sequence[int] = ()
    ) -> NDArray[np.float64]:
        """Uniform float64 in the open interval (low, high), shape `(n, *shape)`, 52 random bits."""
        unit = ((self.bits(*shape) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return low + (high - low) * unit

    def normal(
        self, mean: float = 0.0, sd: float = 1.0, shape: Sequence[int] = ()
    ) -> NDArray[np.float64]:
        """Normal float64 by the inverse distribution function, shape `(n, *shape)`."""
        from scipy.special import ndtri  # here: SciPy is not needed by operators without noise

        drawn: NDArray[np.float64] = ndtri(self.uniform(shape=shape))
        return mean + sd * drawn

    def integers(self, low: int, high: int, shape: Sequence[int] = ()) -> NDArray[np.int64]:
        """Integers in low..high-1, shape `(n, *shape)`; the bias is below 2**-20 for small ranges."""
        return low + np.floor(self.uniform(shape=shape) * (high - low)).astype(np.int64)

    def _advance(self, count: int) -> int:
        """Take `count` numbers of every stream; the place of the first of them."""
        first = self._used + 1
        self._used += count
        return first

    def at(self, rows: NDArray[np.intp]) -> Streams:
        """The streams of some rows, at the position where all of them stand now."""
        return Streams(self.keys[rows], self._used)


def streams(seed: int, operator: str, ids: NDArray[np.int64], step: int = 0) -> Streams:
    """Streams for one operator: keys from (seed, operator, image id, step in the chain)."""
    label = f"{seed}/{operator}/{step}".encode()
    base = np.uint64(int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "little"))
    return Streams(mix64(base + mix64(ids.astype(np.uint64) * _GOLDEN)))

"""Smearing along a line and zooming: weighted sums of shifted or of enlarged copies."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels import Indices, Reals, Values, cv2, kernel

_ROWS = 8  # of an image are summed together: longer loops, still within the first cache
_SPARSE_ROWS = 16  # of the sparse sum are built at a time


def smear(
    images: NDArray[Any], params: tuple[int, float], angles: Reals, dtype: type[np.floating]
) -> NDArray[Any]:
    """Sum shifted copies of `(n, h, w)` or `(n, h, w, 3)` in `dtype`, edges repeated; same shape.

    params: radius (2 * radius + 1 copies, a pixel apart) and sigma of the weights' half Gaussian,
    in pixels. angles: degrees `(n,)`, 0 reads to the right, 90 reads below.
    """
    height, width, *channels = images.shape[1:]
    weights = _fading_weights(*params).astype(dtype)
    places, counts = _shifts(len(weights), angles, height, width)
    pad = len(weights)
    framed = np.empty((len(images), height + 2 * pad, width + 2 * pad, *channels), images.dtype)
    for image, target in zip(images, framed, strict=True):
        cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE, dst=target)
    out = np.empty(images.shape, dtype)
    lines, step = framed.reshape(*framed.shape[:2], -1), math.prod(channels)
    _smear(lines, step, places, counts, weights, out.reshape(*images.shape[:2], -1))
    return out


def _fading_weights(radius: int, sigma: float) -> Reals:
    """They sum to 1 but for rounding, which shows: levels are cut, so a last digit moves pixels.

    NumPy's exp has other last digits on other processors, the C library's has not.
    """
    scale = np.sqrt(2 * np.pi) * sigma
    bell = [math.exp(-(step**2) / (2 * sigma**2)) / scale for step in range(2 * radius + 1)]
    faded: Reals = np.array(bell) / np.sum(bell)
    return faded


def _shifts(count: int, angles: Reals, height: int, width: int) -> tuple[Indices, Indices]:
    """Where copy 0..count-1 comes from, `(n, count, 2)` as rows and columns; and how many count.

    From the first one that has left the image on, none counts: the image gets darker.
    """
    turn = np.deg2rad(angles)
    ends = np.stack([count * np.sin(turn), count * np.cos(turn)], axis=-1)
    lengths = np.hypot(ends[:, 0], ends[:, 1])[:, None, None]
    steps = np.arange(count)[:, None]
    places = np.ceil(steps * ends[:, None, :] / lengths - 0.5).astype(np.int64)
    lost = (np.abs(places) >= (height, width)).any(axis=2)
    return places, np.where(lost.any(axis=1), lost.argmax(axis=1), count)


@kernel
def _smear(
    framed: NDArray[Any],
    channels: int,
    places: Indices,
    counts: Indices,
    weights: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Sum the shifted copies of `(n, h, w * channels)`, framed by as many pixels as there are."""
    height, pad, pitch = out.shape[1], weights.size, framed.shape[2]
    flat = np.empty(framed.shape[1] * pitch, weights.dtype)
    total = np.empty(_ROWS * pitch, weights.dtype)
    for image in range(out.shape[0]):
        _copy(framed[image].reshape(-1), flat)
        for y in range(0, height, _ROWS):
            rows = min(_ROWS, height - y)
            part = total[: rows * pitch - 2 * pad * channels]
            starts = (y + pad + places[image, :, 0]) * pitch
            starts += (pad + places[image, :, 1]) * channels
            _add_all(flat, starts[: counts[image]], weights, part)
            for row in range(rows):
                _copy(total[row * pitch :], out[image, y + row])


@kernel
def _add_all(flat: NDArray[Any], starts: Indices, weights: NDArray[Any], out: NDArray[Any]) -> None:
    """The weighted sum of the stretches from `starts` on: four trips of `out` to memory in one."""
    for x in range(out.size):
        out[x] = 0
    count = starts.size
    for step in range(0, count - 3, 4):
        first, second = flat[starts[step] :], flat[starts[step + 1] :]
        third, fourth = flat[starts[step + 2] :], flat[starts[step + 3] :]
        _add_four(first, second, third, fourth, weights[step : step + 4], out)
    for step in range(count - count % 4, count):
        _add(flat[starts[step] :], weights[step], out)


@kernel
def _add_four(
    first: NDArray[Any],
    second: NDArray[Any],
    third: NDArray[Any],
    fourth: NDArray[Any],
    weights: NDArray[Any],
    out: NDArray[Any],
) -> None:
    one, two, three, four = weights[0], weights[1], weights[2], weights[3]
    for x in range(out.size):
        total = out[x] + one * first[x] + two * second[x]
        out[x] = total + three * third[x] + four * fourth[x]


@kernel
def _add(source: NDArray[Any], weight: Any, out: NDArray[Any]) -> None:
    for x in range(out.size):
        out[x] += weight * source[x]


@kernel
def _copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    for x in range(target.size):
        target[x] = source[x]


# Zooming by linear interpolation.


def crop(length: int, factor: float) -> tuple[int, int]:
    """First pixel and length of the centred part that a zoom shows."""
    kept = math.ceil(length / factor)
    return (length - kept) // 2, kept


@functools.cache
def _line_zoom(length: int, factor: float) -> Reals:
    """Linear zoom of the centred part of a line, `(zoomed length, length)`.

    Read off SciPy's own zoom of unit vectors, so that its treatment of the ends is followed.
    """
    from scipy.ndimage import zoom

    first, kept = crop(length, factor)
    inner: Reals = zoom(np.eye(kept), (factor, 1), order=1)
    return np.pad(inner, ((0, 0), (first, length - first - kept)))


@functools.cache
def line_taps(length: int, factor: float, *, centred: bool = False) -> tuple[Indices, Reals]:
    """Each point of a zoomed line: its first source in the crop; weights of that and the next.

    `centred`: only the points left when both ends are trimmed to the old length.
    """
    first, kept = crop(length, factor)
    weights = _line_zoom(length, factor)[:, first : first + kept]
    left = np.minimum((weights != 0).argmax(axis=1), kept - 2)
    points = np.arange(len(weights))
    pairs = np.stack([weights[points, left], weights[points, left + 1]], axis=1)
    spare = (len(left) - length) // 2
    shown = slice(spare, spare + length) if centred else slice(None)
    return left[shown], pairs[shown]


@functools.lru_cache(maxsize=10)
def zoom_mean(height: int, width: int, factors: tuple[float, ...]) -> Any:
    """The mean of an image and its zooms, each cut to the image's size from the top left.

    A sparse float32 array that is multiplied with `(h * w, values)`.
    """
    import scipy.sparse as sp

    rows = [sp.csr_array(_line_zoom(height, factor)[:height]) for factor in factors]
    columns = [sp.csr_array(_line_zoom(width, factor)[:width]) for factor in factors]
    parts = []
    for top in range(0, height, _SPARSE_ROWS):
        end = top + _SPARSE_ROWS
        part: Any = sp.eye_array(height * width, format="csr")[top * width : end * width]
        for row, column in zip(rows, columns, strict=True):
            part = part + sp.kron(row[top:end], column, format="csr")
        parts.append((part / (len(factors) + 1)).astype(np.float32))
    return sp.vstack(parts, format="csr")


@kernel
def mean_zooms(
    images: NDArray[np.uint8],
    rows: Indices,
    row_weights: Values,
    columns: Indices,
    column_weights: Values,
    out: Values,
) -> None:
    """The mean of uint8 `(n, h, w * 3)` and its zooms, by taps `(zooms, h)` and `(zooms, w)`.

    The weights have a last axis of 2: of the first source and of the next.
    """
    height, size = images.shape[1], images.shape[2]
    share = np.float32(1 / (rows.shape[0] + 1))
    total, line = np.empty(size, np.float32), np.empty(size, np.float32)
    for image in range(images.shape[0]):
        for y in range(height):
            _copy(images[image, y], total)
            for layer in range(rows.shape[0]):
                upper = images[image, rows[layer, y]]
                lower = images[image, rows[layer, y] + 1]
                top, bottom = row_weights[layer, y]
                for x in range(size):
                    line[x] = top * np.float32(upper[x]) + bottom * np.float32(lower[x])
                _add_line(line, columns[layer], column_weights[layer], total)
            for x in range(size):
                out[image, y, x] = total[x] * share


@kernel
def _add_line(line: Values, columns: Indices, weights: Values, total: Values) -> None:
    for x in range(columns.size):
        source, left, right = 3 * columns[x], weights[x, 0], weights[x, 1]
        for channel in range(3):
            at = source + channel
            total[3 * x + channel] += left * line[at] + right * line[at + 3]

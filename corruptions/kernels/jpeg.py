"""What JPEG does to an image, without the file: the lossless coding in between is left out.

The integer arithmetic is that of baseline JPEG (ITU-T T.81, JFIF) as the IJG's library and
libjpeg-turbo settle it: 4:2:0, the "islow" transforms after Loeffler, Ligtenberg and Moschytz
(ICASSP 1989) with 13 fraction bits, and "fancy" triangle upsampling. So the bytes are Pillow's.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Words = NDArray[np.uint64]
Steps = NDArray[np.float32]

# T.81, tables K.1 and K.2: quantisation steps of quality 50, row by row.
_LUMA = """
    16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56
    14 17 22 29 51 87 80 62  18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92
    49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99
"""
_CHROMA = """
    17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
"""

_LANES = 16  # blocks are transformed side by side: for each coefficient 16 numbers, one a block
_LINE = 8 * _LANES
_BLOCKS = 8 * _LINE
_FRACTION = 13
_TO_ROUGH, _TO_WHOLE, _TO_PIXELS = 11, 15, 18  # bits dropped: two are kept between the passes


def _fixed(value: float) -> int:
    return round(value * (1 << _FRACTION))


_C6, _C2_LESS_C6, _C2_MORE_C6 = _fixed(0.541196100), _fixed(0.765366865), _fixed(1.847759065)
_ALL, _OUTER, _INNER = _fixed(1.175875602), _fixed(0.899976223), _fixed(2.562915447)
_ODD, _EVEN = _fixed(1.961570560), _fixed(0.390180644)
_1, _3, _5, _7 = (_fixed(v) for v in (1.501321110, 3.072711026, 2.053119869, 0.298631336))


@functools.cache
def steps(quality: int) -> tuple[Steps, Steps]:
    """Quantisation steps of luma and chroma, columns first, once a lane. quality: 1..100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = np.array([text.split() for text in (_LUMA, _CHROMA)], np.int64)
    scaled = np.clip((tables * scale + 50) // 100, 1, 255)
    by_column = scaled.reshape(2, 8, 8).transpose(0, 2, 1).reshape(2, 64)
    luma, chroma = by_column.repeat(_LANES, axis=1).astype(np.float32)
    return luma, chroma


@kernel
def through_jpeg(images: Bytes, luma_steps: Steps, chroma_steps: Steps, out: Bytes) -> None:
    """Code and decode uint8 `(n, h, w, 3)`."""
    height, width = images.shape[1], images.shape[2]
    luma = np.empty(((height + 15) // 16 * 16, (width + 15) // 16 * 16), np.uint8)
    blues, reds = np.empty_like(luma), np.empty_like(luma)
    blue = np.empty((luma.shape[0] // 2, luma.shape[1] // 2), np.uint8)
    red = np.empty_like(blue)
    halved_height, halved_width = (height + 1) // 2, (width + 1) // 2
    for image in range(images.shape[0]):
        _split(images[image], luma, blue, red, blues, reds)
        _code(luma, luma_steps)
        _code(blue, chroma_steps)
        _code(red, chroma_steps)
        _double(blue[:halved_height], halved_width, blues[: 2 * halved_height])
        _double(red[:halved_height], halved_width, reds[: 2 * halved_height])
        for y in range(height):
            _join(luma[y], blues[y], reds[y], out[image, y].reshape(width * 3))


@kernel
def _split(image: Bytes, luma: Bytes, blue: Bytes, red: Bytes, blues: Bytes, reds: Bytes) -> None:
    """To luma and halved chroma; the planes' margins repeat their last rows and columns."""
    height, width = image.shape[0], image.shape[1]
    size = luma.shape[1]
    if width == size:
        pixels = image.reshape(height * width * 3)
        planes = luma.reshape(luma.size), blues.reshape(luma.size), reds.reshape(luma.size)
        _split_pixels(pixels, planes[0], planes[1], planes[2])
    else:
        for y in range(height):
            _split_pixels(image[y].reshape(width * 3), luma[y], blues[y], reds[y])
            luma[y, width:] = luma[y, width - 1]
            blues[y, width:] = blues[y, width - 1]
            reds[y, width:] = reds[y, width - 1]
    for y in range(height, luma.shape[0]):
        luma[y] = luma[height - 1]
    if height % 2:
        blues[height], reds[height] = blues[height - 1], reds[height - 1]
    halved = (height + 1) // 2
    _halve(blues[: 2 * halved], blue)
    _halve(reds[: 2 * halved], red)


@kernel
def _split_pixels(pixels: Bytes, luma: Bytes, blue: Bytes, red: Bytes) -> None:
    """Red, green and blue side by side to luma, blue and red chroma apart.

    In two steps: loops over bytes alone and over numbers alone are better vectorised.
    """
    for i in range(pixels.size // 3):
        luma[i], blue[i], red[i] = pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]
    for i in range(pixels.size // 3):
        r, g, b = np.int32(luma[i]), np.int32(blue[i]), np.int32(red[i])
        luma[i] = np.int32(19595 * r + 38470 * g + 7471 * b + 32768) >> 16
        blue[i] = np.int32(32768 * b - 11059 * r - 21709 * g + 8421375) >> 16
        red[i] = np.int32(32768 * r - 27439 * g - 5329 * b + 8421375) >> 16


@kernel
def _halve(plane: Bytes, out: Bytes) -> None:
    """Means of 2x2 pixels; halves go down in even columns and up in odd ones."""
    rows = plane.shape[0] // 2
    pixels, pairs = plane.reshape(plane.size), np.empty((2 * rows, out.shape[1]), np.uint16)
    flat = pairs.reshape(pairs.size)
    for i in range(flat.size):
        flat[i] = np.int32(pixels[2 * i]) + np.int32(pixels[2 * i + 1])
    for y in range(out.shape[0]):
        upper, lower = pairs[min(2 * y, 2 * rows - 2)], pairs[min(2 * y + 1, 2 * rows - 1)]
        target = out[y]
        for x in range(target.size):
            total = np.int32(upper[x]) + np.int32(lower[x])
            target[x] = np.int32(total + 1 + (x & 1)) >> 2


@kernel
def _code(plane: Bytes, steps: Steps) -> None:
    """Transform, round to the steps, transform back: in place, 8x8 block by block."""
    words = plane.view(np.uint64)
    count = words.size // 8
    packed = np.zeros(_LINE, np.uint64)
    blocks, turned = np.empty(_BLOCKS, np.int32), np.empty(_BLOCKS, np.int32)
    for first in range(0, count, _LANES):
        lanes = min(_LANES, count - first)
        for lane in range(lanes):
            y, x = divmod(first + lane, words.shape[1])
            for row in range(8):
                packed[row * _LANES + lane] = words[8 * y + row, x]
        _unpack(packed, blocks)
        _forward(blocks, turned, _TO_ROUGH)
        _forward(turned, blocks, _TO_WHOLE)
        _quantise(blocks, steps)
        _inverse(blocks, turned, _TO_ROUGH)
        _inverse(turned, blocks, _TO_PIXELS)
        _pack(blocks, packed)
        for lane in range(lanes):
            y, x = divmod(first + lane, words.shape[1])
            for row in range(8):
                words[8 * y + row, x] = packed[row * _LANES + lane]


@kernel
def _unpack(packed: Words, blocks: Ints) -> None:
    """Rows of eight pixels each in a word (little-endian) to columns of numbers around 0."""
    for column in range(8):
        line, shift = blocks[column * _LINE : (column + 1) * _LINE], np.uint64(8 * column)
        for i in range(_LINE):
            line[i] = np.int32(packed[i] >> shift & np.uint64(255)) - 128


@kernel
def _pack(blocks: Ints, packed: Words) -> None:
    """Back again."""
    packed[:] = np.uint64(0)
    for column in range(8):
        line, shift = blocks[column * _LINE : (column + 1) * _LINE], np.uint64(8 * column)
        for i in range(_LINE):
            pixel = min(max(np.int32(line[i] + 128), np.int32(0)), np.int32(255))
            packed[i] |= np.uint64(np.uint32(pixel)) << shift


@kernel
def _forward(source: Ints, target: Ints, bits: int) -> None:
    """Transform all blocks along their first axis, and exchange the axes."""
    bits = bits & 31
    half = 1 << (bits - 1)
    for line in range(8):
        for lane in range(_LANES):
            i, o = line * _LANES + lane, line * _LINE + lane
            a, h = source[i], source[i + 7 * _LINE]
            b, g = source[i + _LINE], source[i + 6 * _LINE]
            c, f = source[i + 2 * _LINE], source[i + 5 * _LINE]
            d, e = source[i + 3 * _LINE], source[i + 4 * _LINE]
            outer, inner = np.int32(a + h + d + e), np.int32(b + g + c + f)
            first, second = np.int32(a + h - d - e), np.int32(b + g - c - f)
            turn = np.int32(first + second) * _C6
            target[o] = np.int32(((outer + inner) << _FRACTION) + half) >> bits
            target[o + 4 * _LANES] = np.int32(((outer - inner) << _FRACTION) + half) >> bits
            target[o + 2 * _LANES] = np.int32(turn + first * _C2_LESS_C6 + half) >> bits
            target[o + 6 * _LANES] = np.int32(turn - second * _C2_MORE_C6 + half) >> bits
            one, three = np.int32(a - h), np.int32(b - g)
            five, seven = np.int32(c - f), np.int32(d - e)
            whole = np.int32(one + three + five + seven) * _ALL + half
            ends, middle = np.int32(one + seven) * _OUTER, np.int32(three + five) * _INNER
            odd = whole - np.int32(three + seven) * _ODD
            even = whole - np.int32(five + one) * _EVEN
            target[o + _LANES] = np.int32(one * _1 - ends + even) >> bits
            target[o + 3 * _LANES] = np.int32(three * _3 - middle + odd) >> bits
            target[o + 5 * _LANES] = np.int32(five * _5 - middle + even) >> bits
            target[o + 7 * _LANES] = np.int32(seven * _7 - ends + odd) >> bits


@kernel
def _quantise(blocks: Ints, steps: Steps) -> None:
    """Eight times the coefficients to the nearest multiples of the steps, halves away from 0.

    float32 is exact enough: the quotient lies half a count from the next place to cut.
    """
    for i in range(_BLOCKS):
        value = np.float32(blocks[i])
        eighths = np.int32(abs(value)) + np.int32(steps[i] * np.float32(4))
        level = np.int32((np.float32(eighths) + np.float32(0.5)) / (steps[i] * np.float32(8)))
        rounded = np.int32(np.float32(level) * steps[i])
        blocks[i] = -rounded if value < 0 else rounded


@kernel
def _inverse(source: Ints, target: Ints, bits: int) -> None:
    """Transform all blocks back along their second axis, and exchange the axes."""
    bits = bits & 31
    half = 1 << (bits - 1)
    for line in range(8):
        for lane in range(_LANES):
            i, o = line * _LINE + lane, line * _LANES + lane
            zero, four = source[i], source[i + 4 * _LANES]
            two, six = source[i + 2 * _LANES], source[i + 6 * _LANES]
            turn = np.int32(two + six) * _C6
            low, high = turn + two * _C2_LESS_C6, turn - six * _C2_MORE_C6
            total = ((zero + four) << _FRACTION) + half
            change = ((zero - four) << _FRACTION) + half
            one, three = source[i + _LANES], source[i + 3 * _LANES]
            five, seven = source[i + 5 * _LANES], source[i + 7 * _LANES]
            whole = np.int32(one + three + five + seven) * _ALL
            ends, middle = np.int32(one + seven) * _OUTER, np.int32(three + five) * _INNER
            odd = whole - np.int32(three + seven) * _ODD
            even = whole - np.int32(one + five) * _EVEN
            a, b = one * _1 - ends + even, three * _3 - middle + odd
            c, d = five * _5 - middle + even, seven * _7 - ends + odd
            target[o] = np.int32(total + low + a) >> bits
            target[o + 7 * _LINE] = np.int32(total + low - a) >> bits
            target[o + _LINE] = np.int32(change + high + b) >> bits
            target[o + 6 * _LINE] = np.int32(change + high - b) >> bits
            target[o + 2 * _LINE] = np.int32(change - high + c) >> bits
            target[o + 5 * _LINE] = np.int32(change - high - c) >> bits
            target[o + 3 * _LINE] = np.int32(total - low + d) >> bits
            target[o + 4 * _LINE] = np.int32(total - low - d) >> bits


@kernel
def _double(chroma: Bytes, width: int, out: Bytes) -> None:
    """To twice the width and height: three parts of the nearer sample, one of the farther.

    The ends (after `width` samples, the rest is margin) are repeated.
    """
    rows, size = chroma.shape
    tall = np.empty((2 * rows, size), np.uint16)
    for y in range(rows):
        _blend(chroma[y], chroma[max(y - 1, 0)], tall[2 * y])
        _blend(chroma[y], chroma[min(y + 1, rows - 1)], tall[2 * y + 1])
    samples, wide = tall.reshape(tall.size), out.reshape(out.size)
    for i in range(1, samples.size - 1):
        middle = 3 * np.int32(samples[i])
        wide[2 * i] = np.int32(middle + np.int32(samples[i - 1]) + 8) >> 4
        wide[2 * i + 1] = np.int32(middle + np.int32(samples[i + 1]) + 7) >> 4
    for y in range(2 * rows):
        first, second = tall[y, 0], tall[y, 1]
        before, last = tall[y, width - 2], tall[y, width - 1]
        out[y, 0], out[y, 1] = (4 * first + 8) >> 4, (3 * first + second + 7) >> 4
        out[y, 2 * width - 2] = (3 * last + before + 8) >> 4
        out[y, 2 * width - 1] = (4 * last + 7) >> 4


@kernel
def _blend(near: Bytes, far: Bytes, out: NDArray[np.uint16]) -> None:
    for x in range(out.size):
        out[x] = 3 * np.int32(near[x]) + np.int32(far[x])


@kernel
def _join(luma: Bytes, blue: Bytes, red: Bytes, out: Bytes) -> None:
    """Back to red, green and blue side by side."""
    for x in range(out.size // 3):
        y = np.int32(luma[x])
        cb, cr = np.int32(blue[x]) - 128, np.int32(red[x]) - 128
        r = y + (np.int32(91881 * cr + 32768) >> 16)
        g = y + (np.int32(32768 - 22554 * cb - 46802 * cr) >> 16)
        b = y + (np.int32(116130 * cb + 32768) >> 16)
        out[3 * x] = min(max(np.int32(r), np.int32(0)), np.int32(255))
        out[3 * x + 1] = min(max(np.int32(g), np.int32(0)), np.int32(255))
        out[3 * x + 2] = min(max(np.int32(b), np.int32(0)), np.int32(255))

"""Grey levels through tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from corruptions.kernels.compiled import kernel

_UNIT = np.arange(256) / 255


@kernel
def look_up(images: NDArray[np.uint8], tables: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Each image's channels `(n, h, w, 3)` through tables of their own `(n, 3, 256)`."""
    for image in range(images.shape[0]):
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                out[image, y, x, 0] = tables[image, 0, images[image, y, x, 0]]
                out[image, y, x, 1] = tables[image, 1, images[image, y, x, 1]]
                out[image, y, x, 2] = tables[image, 2, images[image, y, x, 2]]


@kernel
def mean_channels(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    """The mean of each image's channels as 0..1, into `(n, 3)`; summed pixel after pixel.

    That is NumPy's order, and a mean's last bit decides whole levels in images of few levels.
    """
    pixels = images.shape[1] * images.shape[2]
    for image in range(images.shape[0]):
        red = green = blue = 0.0
        values = images[image].reshape(pixels, 3)
        for i in range(pixels):
            red += _UNIT[values[i, 0]]
            green += _UNIT[values[i, 1]]
            blue += _UNIT[values[i, 2]]
        out[image, 0], out[image, 1], out[image, 2] = red / pixels, green / pixels, blue / pixels

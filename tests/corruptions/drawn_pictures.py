"""Pictures that are hard to corrupt alike: flat, saturated, smooth, textured; and real cells."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]

CELLS = Path(__file__).parents[3] / "shared" / "data" / "training_set.npz"


def drawn(height: int, width: int) -> Pictures:
    """Five pictures, uint8 `(5, h, w, 3)`."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    noise = rng.integers(0, 256, (height, width, 3))
    blob = np.exp(-((y / height - 0.5) ** 2 + (x / width - 0.4) ** 2) * 12)[..., None]
    blobs = blob * [150, 60, 200] + (1 - blob) * [250, 235, 240]
    waves = np.stack([np.sin(x / 3) + np.cos(y / 7), np.sin(y / 2 + x / 9), np.cos(x / 11)], -1)
    steps = np.stack([(x * 256 // width) & 248, (y * 256 // height) & 240, (x + y) & 255], -1)
    cut = np.where((x // 16 + y // 12)[..., None] % 2, blobs + noise / 8 - 16, [255, 0, 128])
    greys = np.repeat(noise[::4, ::4].repeat(4, 0).repeat(4, 1)[:height, :width, :1], 3, -1)
    pictures = [blobs + noise / 20 - 6, 128 + 100 * waves, steps, cut, greys]
    clipped: NDArray[np.float64] = np.clip(np.stack(pictures), 0, 255)
    return clipped.astype(np.uint8)


def cells(count: int) -> Pictures:
    """The first cells of the challenge's set, without reading the rest; skips without the set."""
    if not CELLS.exists():
        pytest.skip("no ../shared/data/training_set.npz")
    with zipfile.ZipFile(CELLS) as archive, archive.open("images.npy") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        data = file.read(count * int(np.prod(shape[1:])))
    return np.frombuffer(data, np.uint8).reshape(count, *shape[1:]).copy()

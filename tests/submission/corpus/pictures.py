"""The numbers behind the corpus: images whose brightness is their class, and what tells it.

The eight classes have eight grey values, so a nearest-centre rule scores 1.0, and a scale mismatch
collapses it to one class, as it does with a trained network.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

CENTRES = np.array([60, 85, 110, 132, 152, 172, 192, 212], dtype="float64")


def npy(array: NDArray[np.generic]) -> bytes:
    """An array as the bytes of a .npy file."""
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


def npz(**arrays: NDArray[np.generic]) -> bytes:
    """Arrays as the bytes of a .npz file."""
    held = io.BytesIO()
    np.savez(held, **arrays)  # type: ignore[arg-type]  # its stub takes the names for options
    return held.getvalue()


CENTRES_NPY = npy(CENTRES)


def labelled_images(
    each: int = 12, side: int = 96, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 (8 * each, side, side, 3) and labels int64 in a shuffled order."""
    draws = np.random.default_rng(seed)
    truth = draws.permutation(np.repeat(np.arange(8), each))
    noise = draws.normal(0, 4, (len(truth), side, side, 3))
    shift = draws.normal(0, 2, (len(truth), 1, 1, 1))
    images = CENTRES[truth][:, None, None, None] + noise + shift
    return np.clip(images.round(), 0, 255).astype(np.uint8), truth

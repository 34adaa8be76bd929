"""The estimator's cells, and which images each of them is asked on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from corruptions.presets import LIBRARY, Cell, Preset, resolve
from evaluator.benchmark import CLEAN
from evaluator.estimation.inputs import LibraryCell

DRAWS = 8  # cells an image at first
_ORDER = 4  # what a random generator is for, beside the seed


def library() -> Preset:
    """The fixed list of cells, the same whatever preset is shown."""
    return resolve(LIBRARY)


def described(cells: tuple[Cell, ...]) -> tuple[LibraryCell, ...]:
    """What the estimate knows of cells: the clean one and the library's."""
    return tuple(
        LibraryCell(
            cell.name,
            cell.family,
            cell.severity,
            composite=len(cell.steps) > 1,
            clean=cell == CLEAN,
        )
        for cell in cells
    )


def cell_order(count: int, cells: int, draws: int, seed: int) -> NDArray[np.int64]:
    """For every image all cells, int64 `(count, cells)`, counted from 0: its first ones are asked first.

    Balanced and nested: in a row of `cells / draws` images, from the first one on, each cell comes
    once among the first `draws`, and as often as others among any further ones.
    """
    cycle = math.ceil(cells / draws)
    order = np.empty((count, cells), np.int64)
    for first in range(0, count, cycle):
        shuffled = np.random.default_rng((seed, _ORDER, first)).permutation(cells)
        for place in range(min(cycle, count - first)):
            order[first + place] = np.roll(shuffled, -draws * place)
    return order

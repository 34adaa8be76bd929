"""The benchmark: which image is damaged how. Pure, random access, the same for every submission."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions import corrupt_cell
from corruptions.presets import Cell, Preset

CLEAN = Cell("clean", "clean", (), 0.0)
_DEAL, _MIX = 1, 2  # what a random generator is for, beside the seed


@dataclass(frozen=True)
class Benchmark:
    """A preset drawn on a data set.

    cells: the clean cell, then the preset's. dealt: int64 `(n, draws)`, the cells that each image
    gets, as positions in `cells`; balanced, so that each cell gets its weight's share of images.
    """

    data: Dataset
    preset: Preset
    seed: int
    cells: tuple[Cell, ...]
    dealt: NDArray[np.int64]

    def images(self, cell: int, rows: NDArray[np.signedinteger]) -> NDArray[np.uint8]:
        """The images of some rows, damaged by one cell: uint8 `(len(rows), h, w, c)`."""
        damage = self.cells[cell]
        pictures = self.data.pictures(rows)
        if not damage.steps:
            return pictures
        return corrupt_cell(pictures, damage, self.seed, self.data.ids[rows])

    def questions(self) -> Questions:
        """Every image once clean and once for each cell it was dealt, in one seeded shuffle."""
        count, draws = self.dealt.shape
        rows = np.repeat(np.arange(count), draws + 1)
        cells = np.concatenate([np.zeros((count, 1), np.int64), self.dealt], axis=1).ravel()
        order = np.random.default_rng((self.seed, _MIX)).permutation(len(rows))
        return Questions(rows[order], cells[order])


@dataclass(frozen=True)
class Questions:
    """What the submission is asked, in order: row i of the data, damaged by cell i; `(m,)` each.

    Whole numbers of four bytes or eight: there may be millions.
    """

    rows: NDArray[np.signedinteger]
    cells: NDArray[np.signedinteger]

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self, size: int) -> list[Questions]:
        """Cut into blocks of at most `size` questions."""
        starts = range(0, len(self), size)
        return [Questions(self.rows[s : s + size], self.cells[s : s + size]) for s in starts]


def draw_benchmark(data: Dataset, preset: Preset, seed: int = 0) -> Benchmark:
    """Deal the preset's cells to the images. Row order counts: a prefix of the rows keeps its cells."""
    cells = (CLEAN, *preset.cells)
    weights = np.array([cell.weight for cell in preset.cells])
    draws = min(preset.draws, len(preset.cells))
    return Benchmark(data, preset, seed, cells, 1 + deal(len(data), weights, draws, seed))


def deal(count: int, weights: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.int64]:
    """Give each of `count` images `draws` different cells, int64 `(count, draws)`.

    Each cell's share follows its weight in every prefix, as far as different cells allow: the
    cells furthest behind their share come first, ties and near-ties broken by a seeded draw.
    """
    rng = np.random.default_rng((seed, _DEAL))
    share = weights / weights.sum()
    given = np.zeros(len(weights))
    dealt = np.empty((count, draws), np.int64)
    for image in range(count):
        behind = share * draws * (image + 1) - given + rng.random(len(weights))
        dealt[image] = np.argsort(-behind, kind="stable")[:draws]
        given[dealt[image]] += 1
    return dealt


def fill_block(
    benchmark: Benchmark, block: Questions, out: NDArray[np.uint8], workers: int
) -> None:
    """Write the images of a block of questions into `out`; its cells on several threads."""

    def fill(cell: np.int64) -> None:
        places = np.flatnonzero(block.cells == cell)
        out[places] = benchmark.images(int(cell), block.rows[places])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fill, np.unique(block.cells)))

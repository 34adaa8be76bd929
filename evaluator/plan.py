"""Which images, damaged how, in which rounds: everything that is known before anything is asked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions import corrupt_cell
from corruptions.chain import table_names, validate
from corruptions.presets import LIBRARY, Cell, Preset, Step, resolve
from corruptions.registry import get
from evaluator.choice import Choice, choose, find_split
from evaluator.estimate.inputs import LibraryCell
from evaluator.options import Options
from evaluator.store.rows import cell_text

FIRST_IMAGES = 128
_MIX = 5  # what a random generator is for, beside the seed
_PORTION = 1 << 16  # questions hashed at a time
SEVERITIES = range(1, 6)
SWEPT = 19  # cells an image: each corruption at some severity on average
SWEEP_TABLE = "cells-96"


@dataclass(frozen=True)
class Round:
    """A nested prefix: so many images, and so many of the library's cells for each."""

    images: int
    draws: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What may be asked of a submission.

    shown, library, sweep: benchmarks on the same images; the latter two may be None. whole: their
    cells together, each once, the clean one first. places: for each benchmark the position of
    each of its cells in `whole`. texts: the cells of `whole` as the store names them.
    """

    choice: Choice
    shown: Benchmark
    library: Benchmark | None
    sweep: Benchmark | None
    whole: Benchmark
    texts: tuple[str, ...]
    places: Mapping[str, NDArray[np.int64]]

    @property
    def data(self) -> Dataset:
        """The images, in an order whose every prefix is stratified by class."""
        return self.choice.data

    def benchmarks(self) -> Iterator[tuple[str, Benchmark]]:
        """Those that there are, by name."""
        for name in ("shown", "library", "sweep"):
            benchmark: Benchmark | None = getattr(self, name)
            if benchmark is not None:
                yield name, benchmark

    def rounds(self, options: Options) -> list[Round]:
        """What to ask, step by step; each contains the one before."""
        count = len(self.data)
        if self.library is None:
            return [Round(count, 0)]
        cells = self.library.dealt.shape[1]
        if options.full:
            return [Round(count, cells)]
        sizes = [n for n in _doubled(FIRST_IMAGES, count) if n < count]
        draws = [d for d in _doubled(DRAWS, cells) if d < cells]
        steps = [*((n, DRAWS) for n in sizes), *((count, d) for d in draws), (count, cells)]
        return [Round(*step) for step in steps]

    def questions(self, name: str, part: Round) -> Questions:
        """One benchmark's questions up to a round, clean ones among them, image by image."""
        benchmark: Benchmark = getattr(self, name)
        dealt = benchmark.dealt[: part.images]
        if name == "library":
            dealt = dealt[:, : part.draws]
        clean = np.zeros((len(dealt), 1), np.int32)
        cells = np.concatenate([clean, dealt], axis=1, dtype=np.int32, casting="same_kind")
        rows = np.arange(len(dealt), dtype=np.int32)
        return Questions(np.repeat(rows, cells.shape[1]), cells.ravel())

    def wanted(self, part: Round) -> Questions:
        """All questions up to a round, each once, with cells of `whole`, in no special order."""
        asked = np.zeros((part.images, len(self.whole.cells)), bool)
        for name, _ in self.benchmarks():
            questions = self.questions(name, part)
            asked[questions.rows, self.places[name].astype(np.int32)[questions.cells]] = True
        counts = asked.sum(axis=1)
        rows = np.repeat(np.arange(len(asked), dtype=np.int32), counts)
        every = np.arange(asked.shape[1], dtype=np.int32)
        return Questions(rows, np.broadcast_to(every, asked.shape)[asked])

    def shuffled(self, questions: Questions, secret: int) -> Questions:
        """In one shuffle, images and cells mixed as on the platform.

        secret: from 0; who does not know it learns nothing of an image from its place. The same
        secret and questions give the same order, other questions one that has nothing to do with it.
        """
        order = secret_order(len(questions), secret, questions.rows, questions.cells)
        return Questions(questions.rows[order], questions.cells[order])


def make_plan(submission: Path, data: Dataset, options: Options) -> Plan:
    """Choose the images and deal the cells. Raises what a wrong preset, split or data set raises."""
    preset = resolve(options.corrupt)
    validate(preset)
    count = None if options.full else options.images
    split = find_split(submission, options.split)
    choice = choose(data, split, count, options.seed, held_out=options.held_out)
    return plan_on(choice, options)


def plan_on(choice: Choice, options: Options) -> Plan:
    """Deal the cells to images that are chosen already."""
    shown = draw_benchmark(choice.data, resolve(options.corrupt), options.seed)
    if options.full:
        every = np.arange(1, len(shown.cells), dtype=np.int64)
        shown = replace(shown, dealt=np.tile(every, (len(choice.data), 1)))
    estimated = _in_order(choice.data, library(), DRAWS, options) if options.estimate else None
    swept = _in_order(choice.data, _sweep(), SWEPT, options) if options.sweep else None
    if swept is not None and not options.full:
        swept = replace(swept, dealt=swept.dealt[:, :SWEPT])
    there = {"shown": shown, "library": estimated, "sweep": swept}
    named = {name: [cell_text(c) for c in b.cells] for name, b in there.items() if b is not None}
    cells: dict[str, Cell] = {}
    for name, texts in named.items():
        for text, cell in zip(texts, there[name].cells, strict=True):  # type: ignore[union-attr]  # named has those that are there
            cells.setdefault(text, cell)
    position = {text: place for place, text in enumerate(cells)}
    places = {name: np.array([position[t] for t in texts]) for name, texts in named.items()}
    whole = replace(shown, cells=tuple(cells.values()))
    return Plan(choice, shown, estimated, swept, whole, tuple(cells), places)


def secret_order(
    count: int, secret: int, *what: NDArray[np.signedinteger] | bytes
) -> NDArray[np.int64]:
    """A permutation of 0..count-1, int64 `(count,)`, that a secret and what is asked determine."""
    whole = hashlib.sha256()
    for part in what:
        if isinstance(part, bytes):
            whole.update(part)
            continue
        for first in range(0, len(part), _PORTION):  # as eight bytes each, a portion at a time
            whole.update(part[first : first + _PORTION].astype(np.int64).tobytes())
    rng = np.random.default_rng((secret, _MIX, int.from_bytes(whole.digest()[:16])))
    return rng.permutation(count)


def prefix(benchmark: Benchmark, images: int) -> Benchmark:
    """The benchmark on its first images alone."""
    data = benchmark.data
    if images == len(data):
        return benchmark
    return replace(benchmark, data=data.view(np.arange(images)), dealt=benchmark.dealt[:images])


def _in_order(data: Dataset, preset: Preset, draws: int, options: Options) -> Benchmark:
    """A benchmark whose `dealt` holds every cell for every image, those to ask first in front."""
    order = cell_order(len(data), len(preset.cells), draws, options.seed)
    return Benchmark(data, preset, options.seed, (CLEAN, *preset.cells), 1 + order)


def _sweep() -> Preset:
    """The 19 corruptions at every severity."""
    pairs = [(name, level) for name in table_names() for level in SEVERITIES]
    cells = tuple(
        Cell(f"{name}:{level}", get(name).family, (Step(name, level),), 1 / len(pairs), SWEEP_TABLE)
        for name, level in pairs
    )
    return Preset("sweep", cells, SWEPT, "The 19 corruptions at all severities.")


def _doubled(first: int, last: int) -> Iterator[int]:
    while first < last:
        yield first
        first *= 2


__all__ = ["Plan", "Round", "make_plan", "plan_on", "prefix", "secret_order"]


# The benchmark: which image is damaged how. Pure, random access, the same for every submission.


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


# The estimator's cells, and which images each of them is asked on.


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

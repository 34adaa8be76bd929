"""Which images, damaged how, in which rounds: everything that is known before anything is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions.batches import table_names
from corruptions.chain import validate
from corruptions.presets import Cell, Preset, Step, resolve
from corruptions.registry import get
from evaluator.benchmark import CLEAN, Benchmark, Questions, draw_benchmark
from evaluator.choice import Choice, choose, find_split
from evaluator.library import DRAWS, cell_order, library
from evaluator.options import Options
from evaluator.storing.rows import cell_text

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

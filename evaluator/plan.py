"""Which images, damaged how, in which rounds: everything that is known before anything is asked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions import corrupt_condition
from corruptions.chain import table_names, validate
from corruptions.presets import LIBRARY, Condition, Preset, Step, resolve
from corruptions.registry import get
from evaluator.choice import Choice, choose, find_split
from evaluator.estimate.inputs import LibraryCondition
from evaluator.options import Options
from evaluator.store.rows import condition_text

FIRST_IMAGES = 128
_PORTION = 1 << 16  # questions hashed at a time
SEVERITIES = range(1, 6)
SWEPT = 19  # conditions an image: each corruption at some severity on average
SWEEP_TABLE = "cells-96"


class Stream(IntEnum):
    """What a random generator is for, beside the seed: no two uses may share their draws."""

    DEAL = 1
    SHUFFLE = 2
    RESAMPLE = 3
    ORDER = 4
    ASK = 5
    FLIP = 6
    HALVE = 7


@dataclass(frozen=True)
class Round:
    """A nested prefix: so many images, and so many of the library's conditions for each."""

    images: int
    draws: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What may be asked of a submission.

    shown, library, sweep: benchmarks on the same images; the latter two may be None. whole: their
    conditions together, each once, the clean one first. places: for each benchmark the position of
    each of its conditions in `whole`. texts: the conditions of `whole` as the store names them.
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
        conditions = self.library.dealt.shape[1]
        if options.full:
            return [Round(count, conditions)]
        sizes = [n for n in _doubled(FIRST_IMAGES, count) if n < count]
        draws = [d for d in _doubled(DRAWS, conditions) if d < conditions]
        steps = [*((n, DRAWS) for n in sizes), *((count, d) for d in draws), (count, conditions)]
        return [Round(*step) for step in steps]

    def questions(self, name: str, part: Round) -> Questions:
        """One benchmark's questions up to a round, clean ones among them, image by image."""
        benchmark: Benchmark = getattr(self, name)
        dealt = benchmark.dealt[: part.images]
        if name == "library":
            dealt = dealt[:, : part.draws]
        clean = np.zeros((len(dealt), 1), np.int32)
        conditions = np.concatenate([clean, dealt], axis=1, dtype=np.int32, casting="same_kind")
        rows = np.arange(len(dealt), dtype=np.int32)
        return Questions(np.repeat(rows, conditions.shape[1]), conditions.ravel())

    def wanted(self, part: Round) -> Questions:
        """All questions up to a round, each once, with conditions of `whole`, in no special order."""
        asked = np.zeros((part.images, len(self.whole.conditions)), bool)
        for name, _ in self.benchmarks():
            questions = self.questions(name, part)
            asked[questions.rows, self.places[name].astype(np.int32)[questions.conditions]] = True
        counts = asked.sum(axis=1)
        rows = np.repeat(np.arange(len(asked), dtype=np.int32), counts)
        every = np.arange(asked.shape[1], dtype=np.int32)
        return Questions(rows, np.broadcast_to(every, asked.shape)[asked])

    def shuffled(self, questions: Questions, secret: int) -> Questions:
        """In one shuffle, images and conditions mixed as on the platform.

        secret: from 0; who does not know it learns nothing of an image from its place. The same
        secret and questions give the same order, other questions one that has nothing to do with it.
        """
        order = secret_order(len(questions), secret, questions.rows, questions.conditions)
        return Questions(questions.rows[order], questions.conditions[order])


def make_plan(submission: Path, data: Dataset, options: Options) -> Plan:
    """Choose the images and deal the conditions. Raises what a wrong preset, split or data set raises."""
    preset = resolve(options.corrupt)
    validate(preset)
    count = None if options.full else options.images
    split = find_split(submission, options.split)
    choice = choose(data, split, count, options.seed, held_out=options.held_out)
    return plan_on(choice, options)


def plan_on(choice: Choice, options: Options) -> Plan:
    """Deal the conditions to images that are chosen already."""
    shown = draw_benchmark(choice.data, resolve(options.corrupt), options.seed)
    if options.full:
        every = np.arange(1, len(shown.conditions), dtype=np.int64)
        shown = replace(shown, dealt=np.tile(every, (len(choice.data), 1)))
    estimated = _in_order(choice.data, library(), DRAWS, options) if options.estimate else None
    swept = _in_order(choice.data, _sweep(), SWEPT, options) if options.sweep else None
    if swept is not None and not options.full:
        swept = replace(swept, dealt=swept.dealt[:, :SWEPT])
    there = {"shown": shown, "library": estimated, "sweep": swept}
    named = {
        name: [condition_text(c) for c in b.conditions]
        for name, b in there.items()
        if b is not None
    }
    conditions: dict[str, Condition] = {}
    for name, texts in named.items():
        for text, condition in zip(texts, there[name].conditions, strict=True):  # type: ignore[union-attr]  # named has those that are there
            conditions.setdefault(text, condition)
    position = {text: place for place, text in enumerate(conditions)}
    places = {name: np.array([position[t] for t in texts]) for name, texts in named.items()}
    whole = replace(shown, conditions=tuple(conditions.values()))
    return Plan(choice, shown, estimated, swept, whole, tuple(conditions), places)


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
    rng = np.random.default_rng((secret, Stream.ASK, int.from_bytes(whole.digest()[:16])))
    return rng.permutation(count)


def prefix(benchmark: Benchmark, images: int) -> Benchmark:
    """The benchmark on its first images alone."""
    data = benchmark.data
    if images == len(data):
        return benchmark
    return replace(benchmark, data=data.view(np.arange(images)), dealt=benchmark.dealt[:images])


def _in_order(data: Dataset, preset: Preset, draws: int, options: Options) -> Benchmark:
    """A benchmark whose `dealt` holds every condition for every image, those to ask first in front."""
    order = condition_order(len(data), len(preset.conditions), draws, options.seed)
    return Benchmark(data, preset, options.seed, (CLEAN, *preset.conditions), 1 + order)


def _sweep() -> Preset:
    """The 19 corruptions at every severity."""
    pairs = [(name, level) for name in table_names() for level in SEVERITIES]
    conditions = tuple(
        Condition(
            f"{name}:{level}", get(name).family, (Step(name, level),), 1 / len(pairs), SWEEP_TABLE
        )
        for name, level in pairs
    )
    return Preset("sweep", conditions, SWEPT, "The 19 corruptions at all severities.")


def _doubled(first: int, last: int) -> Iterator[int]:
    while first < last:
        yield first
        first *= 2


__all__ = ["Plan", "Round", "make_plan", "plan_on", "prefix", "secret_order"]


# The benchmark: which image is damaged how. Pure, random access, the same for every submission.


CLEAN = Condition("clean", "clean", (), 0.0)


@dataclass(frozen=True)
class Benchmark:
    """A preset drawn on a data set.

    conditions: the clean condition, then the preset's. dealt: int64 `(n, draws)`, the conditions that each image
    gets, as positions in `conditions`; balanced, so that each condition gets its weight's share of images.
    """

    data: Dataset
    preset: Preset
    seed: int
    conditions: tuple[Condition, ...]
    dealt: NDArray[np.int64]

    def images(self, condition: int, rows: NDArray[np.signedinteger]) -> NDArray[np.uint8]:
        """The images of some rows, damaged by one condition: uint8 `(len(rows), h, w, c)`."""
        damage = self.conditions[condition]
        pictures = self.data.pictures(rows)
        if not damage.steps:
            return pictures
        return corrupt_condition(pictures, damage, self.seed, self.data.ids[rows])

    def questions(self) -> Questions:
        """Every image once clean and once for each condition it was dealt, in one seeded shuffle."""
        count, draws = self.dealt.shape
        rows = np.repeat(np.arange(count), draws + 1)
        conditions = np.concatenate([np.zeros((count, 1), np.int64), self.dealt], axis=1).ravel()
        order = np.random.default_rng((self.seed, Stream.SHUFFLE)).permutation(len(rows))
        return Questions(rows[order], conditions[order])


@dataclass(frozen=True)
class Questions:
    """What the submission is asked, in order: row i of the data, damaged by condition i; `(m,)` each.

    Whole numbers of four bytes or eight: there may be millions.
    """

    rows: NDArray[np.signedinteger]
    conditions: NDArray[np.signedinteger]

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self, size: int) -> list[Questions]:
        """Cut into blocks of at most `size` questions."""
        starts = range(0, len(self), size)
        return [Questions(self.rows[s : s + size], self.conditions[s : s + size]) for s in starts]


def draw_benchmark(data: Dataset, preset: Preset, seed: int = 0) -> Benchmark:
    """Deal the preset's conditions to the images. Row order counts: a prefix of the rows keeps its conditions."""
    conditions = (CLEAN, *preset.conditions)
    weights = np.array([condition.weight for condition in preset.conditions])
    draws = min(preset.draws, len(preset.conditions))
    return Benchmark(data, preset, seed, conditions, 1 + deal(len(data), weights, draws, seed))


def deal(count: int, weights: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.int64]:
    """Give each of `count` images `draws` different conditions, int64 `(count, draws)`.

    Each condition's share follows its weight in every prefix, as far as different conditions allow: the
    conditions furthest behind their share come first, ties and near-ties broken by a seeded draw.
    """
    rng = np.random.default_rng((seed, Stream.DEAL))
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
    """Write the images of a block of questions into `out`; its conditions on several threads."""

    def fill(condition: np.int64) -> None:
        places = np.flatnonzero(block.conditions == condition)
        out[places] = benchmark.images(int(condition), block.rows[places])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fill, np.unique(block.conditions)))


# The estimator's conditions, and which images each of them is asked on.


DRAWS = 8  # conditions an image at first


def library() -> Preset:
    """The fixed list of conditions, the same whatever preset is shown."""
    return resolve(LIBRARY)


def described(conditions: tuple[Condition, ...]) -> tuple[LibraryCondition, ...]:
    """What the estimate knows of conditions: the clean one and the library's."""
    return tuple(
        LibraryCondition(
            condition.name,
            condition.family,
            condition.severity,
            composite=len(condition.steps) > 1,
            clean=condition == CLEAN,
        )
        for condition in conditions
    )


def condition_order(count: int, conditions: int, draws: int, seed: int) -> NDArray[np.int64]:
    """For every image all conditions, int64 `(count, conditions)`, counted from 0: its first ones are asked first.

    Balanced and nested: in a row of `conditions / draws` images, from the first one on, each condition comes
    once among the first `draws`, and as often as others among any further ones.
    """
    cycle = math.ceil(conditions / draws)
    order = np.empty((count, conditions), np.int64)
    for first in range(0, count, cycle):
        shuffled = np.random.default_rng((seed, Stream.ORDER, first)).permutation(conditions)
        for place in range(min(cycle, count - first)):
            order[first + place] = np.roll(shuffled, -draws * place)
    return order

"""Which images, damaged how, in which rounds: everything that is known before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions.chain import corrupt_condition, table_names, validate
from corruptions.named import named, parse
from corruptions.presets import Condition, Preset, Step, resolve
from corruptions.registry import get
from evaluator.beliefs import asked_library, belief_weights
from evaluator.dealing import believed_first, condition_order, deal, secret_order
from evaluator.estimate.inputs import LibraryCondition
from evaluator.options import Choice, Options, choose, find_split
from evaluator.store.rows import condition_text

CLEAN = Condition("clean", "clean", (), 0.0)
FIRST_IMAGES = 128
DRAWS = 8  # conditions of the library that an image is asked under at first
SWEPT = 19  # and of the sweep: each corruption at some severity on average
SEVERITIES = range(1, 6)
SWEEP_TABLE = "cells-96"
POLICIES = ("randaugment", "augmix")  # families of operators that draw several corruptions


@dataclass(frozen=True)
class Benchmark:
    """A preset drawn on a data set.

    conditions: the clean condition, then the preset's. dealt: int64 `(n, draws)`, the conditions
    that each image gets, as positions in `conditions`; balanced, so that each gets its share.
    """

    data: Dataset
    preset: Preset
    seed: int
    conditions: tuple[Condition, ...]
    dealt: NDArray[np.int64]

    def images(self, condition: int, rows: NDArray[np.signedinteger]) -> NDArray[np.uint8]:
        """The images of some rows, damaged by one condition: uint8 `(len(rows), h, w, c)`."""
        damage, pictures = self.conditions[condition], self.data.pictures(rows)
        if not damage.steps:
            return pictures
        return corrupt_condition(pictures, damage, self.seed, self.data.ids[rows])


@dataclass(frozen=True)
class Questions:
    """What a submission is asked, in order: row i of the data under condition i; `(m,)` each.

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

    def shuffled(self, secret: int) -> Questions:
        """In one shuffle, images and conditions mixed as on the platform.

        secret: from 0; who does not know it learns nothing of an image from its place. The same
        secret and questions give the same order, others one that has nothing to do with it.
        """
        order = secret_order(len(self), secret, self.rows, self.conditions)
        return Questions(self.rows[order], self.conditions[order])


@dataclass(frozen=True)
class Round:
    """A nested prefix: so many images, and so many of the library's conditions for each."""

    images: int
    draws: int


@dataclass(frozen=True, eq=False)
class Subset:
    """The questions that a plan asks for one purpose.

    places: int64 `(k,)`, its conditions' positions in the plan's, the clean one first. dealt: int64
    `(n, draws)`, for each image the conditions that it is asked under beside the clean one, as
    positions in `places`, those to be asked first in front.
    """

    preset: Preset
    places: NDArray[np.int64]
    dealt: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What may be asked of a submission.

    conditions: all of them, each once, the clean one first; texts: as the store names them.
    subsets: "shown" is the preset of the report; there may be "library", what the estimate is made
    from, and "sweep", the 19 corruptions at every severity.
    """

    choice: Choice
    seed: int
    conditions: tuple[Condition, ...]
    texts: tuple[str, ...]
    subsets: Mapping[str, Subset]

    @property
    def data(self) -> Dataset:
        """The images, in an order whose every prefix is stratified by class."""
        return self.choice.data

    def rounds(self, options: Options) -> list[Round]:
        """What to ask, step by step; each contains the one before."""
        count = len(self.data)
        if "library" not in self.subsets:
            return [Round(count, 0)]
        conditions = self.subsets["library"].dealt.shape[1]
        if options.full:
            return [Round(count, conditions)]
        sizes, draws = _doubled(FIRST_IMAGES, count), _doubled(DRAWS, conditions)
        steps = [*((n, DRAWS) for n in sizes), *((count, d) for d in draws), (count, conditions)]
        return [Round(*step) for step in steps]

    def questions(self, name: str, part: Round) -> Questions:
        """A subset's questions up to a round, clean ones among them, image by image.

        Their conditions are positions in the subset's `places`.
        """
        dealt = self.subsets[name].dealt[: part.images]
        if name == "library":
            dealt = dealt[:, : part.draws]
        clean = np.zeros((len(dealt), 1), np.int32)
        conditions = np.concatenate([clean, dealt], axis=1, dtype=np.int32, casting="same_kind")
        rows = np.arange(len(dealt), dtype=np.int32)
        return Questions(np.repeat(rows, conditions.shape[1]), conditions.ravel())

    def wanted(self, part: Round) -> Questions:
        """All questions up to a round, each once, with conditions of the plan, image by image."""
        asked = np.zeros((part.images, len(self.conditions)), bool)
        for name, subset in self.subsets.items():
            questions = self.questions(name, part)
            asked[questions.rows, subset.places.astype(np.int32)[questions.conditions]] = True
        rows = np.repeat(np.arange(len(asked), dtype=np.int32), asked.sum(axis=1))
        every = np.arange(asked.shape[1], dtype=np.int32)
        return Questions(rows, np.broadcast_to(every, asked.shape)[asked])

    def benchmark(self, name: str, images: int | None = None) -> Benchmark:
        """A subset as a benchmark of its own, on the first images alone if a number is given."""
        subset, data = self.subsets[name], self.data
        if images not in (None, len(data)):
            data = data.view(np.arange(images))
        conditions = (CLEAN, *subset.preset.conditions)  # with its own names and weights
        return Benchmark(data, subset.preset, self.seed, conditions, subset.dealt[:images])


def make_plan(submission: Path, data: Dataset, options: Options) -> Plan:
    """Choose images and deal conditions. Raises what a wrong preset, split or data set raises."""
    named(options.corrupt)
    for one in options.believe or ():
        validate(resolve(one.preset))
    count = None if options.full else options.images
    split = find_split(submission, options.split)
    choice = choose(data, split, count, options.seed, held_out=options.held_out)
    return plan_on(choice, options)


def plan_on(choice: Choice, options: Options) -> Plan:
    """Deal the conditions to images that are chosen already."""
    count, seed = len(choice.data), options.seed
    shown = draw_benchmark(choice.data, parse(options.corrupt), seed)
    every = np.arange(1, len(shown.conditions), dtype=np.int64)
    drawn = {"shown": (shown.preset, np.tile(every, (count, 1)) if options.full else shown.dealt)}
    if options.estimate:
        library = asked_library(options.believe or ())
        order = condition_order(count, len(library.conditions), DRAWS, seed)
        first = believed_first(order, belief_weights(options.believe or (), library), seed)
        drawn["library"] = library, 1 + first
    if options.sweep:
        sweep = _sweep()
        order = condition_order(count, len(sweep.conditions), SWEPT, seed)
        drawn["sweep"] = sweep, 1 + (order if options.full else order[:, :SWEPT])
    conditions: dict[str, Condition] = {}
    named = {name: (CLEAN, *preset.conditions) for name, (preset, _) in drawn.items()}
    texts = {name: [condition_text(one) for one in own] for name, own in named.items()}
    for name, own in named.items():
        for text, condition in zip(texts[name], own, strict=True):
            conditions.setdefault(text, condition)
    position = {text: place for place, text in enumerate(conditions)}
    subsets = {
        name: Subset(preset, np.array([position[text] for text in texts[name]]), dealt)
        for name, (preset, dealt) in drawn.items()
    }
    return Plan(choice, seed, tuple(conditions.values()), tuple(conditions), subsets)


def draw_benchmark(data: Dataset, preset: Preset, seed: int = 0) -> Benchmark:
    """Deal the preset's conditions to the images; a prefix of the rows keeps its conditions."""
    weights = np.array([condition.weight for condition in preset.conditions])
    draws = min(preset.draws, len(preset.conditions))
    dealt = 1 + deal(len(data), weights, draws, seed)
    return Benchmark(data, preset, seed, (CLEAN, *preset.conditions), dealt)


def described(conditions: tuple[Condition, ...]) -> tuple[LibraryCondition, ...]:
    """What the estimate knows of conditions: the clean one and the library's."""
    return tuple(
        LibraryCondition(
            condition.name,
            condition.family,
            condition.severity,
            composite=len(condition.steps) > 1 or _is_policy(condition),
            clean=condition == CLEAN,
        )
        for condition in conditions
    )


def _is_policy(condition: Condition) -> bool:
    """Whether its steps are several corruptions themselves, drawn anew for each image."""
    return any(get(step.corruption, condition.table).family in POLICIES for step in condition.steps)


def fill_block(
    benchmark: Benchmark, block: Questions, out: NDArray[np.uint8], workers: int
) -> None:
    """Write the images of a block of questions into `out`; its conditions on several threads."""

    def fill(condition: np.int64) -> None:
        places = np.flatnonzero(block.conditions == condition)
        out[places] = benchmark.images(int(condition), block.rows[places])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fill, np.unique(block.conditions)))


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

"""Hold submissions against the first one, and each one's benchmark against its clean images.

All of them answered the same questions. Every other submission is held against the first, the one
that the user would replace: a row each, where all pairs would be many more claims, each of which
might be false, and nobody asks which of two losers is the worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Answers
from evaluator.comparison.paired import (
    Contrast,
    Difference,
    Floats,
    Side,
    judged_together,
    measure,
    side_scores,
)
from evaluator.estimate.gaussians import one_thread
from evaluator.metrics import Score, answer_weights, resamples

_SHA_SHOWN = 8


@dataclass(frozen=True)
class Standing:
    """One submission: its accuracies, and gap: the benchmark's held against the clean images'."""

    name: str
    sha256: str
    clean: Score
    benchmark: Score
    gap: Difference


@dataclass(frozen=True)
class Pair:
    """A submission held against the first one; a change above 0: it is better."""

    base: str
    name: str
    benchmark: Difference
    clean: Difference
    families: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    images: base images. answers: of each submission. notes: sentences that qualify the figures.
    """

    preset: str
    data: str
    seed: int
    images: int
    answers: int
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The comparison as JSON (docs/comparing.md)."""
        from evaluator.comparison.text import to_json

        return to_json(self)

    def __str__(self) -> str:
        from evaluator.comparison.text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from evaluator.comparison.text import to_html

        return to_html(self)


@dataclass(frozen=True, eq=False)
class Answered:
    """A sheet's answers counted by base image: all of the benchmark, the clean ones, each family."""

    benchmark: Side
    clean: Side
    families: Mapping[str, Side]


@dataclass(frozen=True, eq=False)
class Common:
    """What all sheets share: the questions, and what follows from them.

    rows: the base images asked about, int64 `(n,)`. place: each question's image among them.
    """

    sheet: Answers

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the data, ascending."""
        return np.unique(self.sheet.questions.rows)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Position in `rows`, one for each question."""
        return np.searchsorted(self.rows, self.sheet.questions.rows)

    @property
    def truth(self) -> NDArray[np.int64]:
        """The images' labels."""
        return np.asarray(self.sheet.benchmark.data.labels[self.rows])

    def answered(self, sheet: Answers) -> Answered:
        """Count one sheet's answers."""
        benchmark, conditions = sheet.benchmark, sheet.questions.conditions
        weights = answer_weights(benchmark, sheet.questions)
        families = {
            family: self._side(sheet, weights * np.isin(conditions, _inside(sheet, family)))
            for family in dict.fromkeys(condition.family for condition in benchmark.conditions[1:])
        }
        return Answered(
            self._side(sheet, weights),
            self._side(sheet, np.where(conditions == 0, 1.0, 0.0)),
            {name: side for name, side in families.items() if side.asked.any()},
        )

    def _side(self, sheet: Answers, weights: Floats) -> Side:
        n = len(self.rows)
        right = np.bincount(self.place, weights * sheet.right, n)
        asked = np.bincount(self.place, weights, n)
        return Side(right.astype(np.float64), asked.astype(np.float64))


@one_thread()
def compare(sheets: Sequence[Answers], notes: Sequence[str] = ()) -> Comparison:
    """Hold every other sheet against the first. One sheet alone: its benchmark against its clean images.

    notes: passed on. Raises `EvaluationError` unless all sheets answer the same questions, some on
    clean images and some on damaged ones.
    """
    first = check_same(sheets)
    common = Common(first)
    counted = [common.answered(sheet) for sheet in sheets]
    names = titles(sheets)
    return Comparison(
        first.benchmark.preset.name,
        first.benchmark.data.source,
        first.benchmark.seed,
        len(common.rows),
        len(first.questions),
        _standings(sheets, names, counted, common),
        _pairs(names, counted, common),
        tuple(notes),
    )


def check_same(sheets: Sequence[Answers]) -> Answers:
    """The first sheet. Raises `EvaluationError` where the others answer other questions."""
    if not sheets:
        raise EvaluationError("Nothing to compare: give at least one submission.")
    first = sheets[0]
    for sheet in sheets[1:]:
        if not _same(first, sheet):
            raise EvaluationError(
                f"{sheet.name} has not answered the questions that {first.name} has: compare them "
                "on the same images, preset and seed."
            )
    clean = first.questions.conditions == 0
    for there, what in ((clean, "clean"), (~clean, "damaged")):
        if not there.any():
            raise EvaluationError(
                f"{first.name} has no answers to {what} images: nothing to compare."
            )
    return first


def titles(sheets: Sequence[Answers]) -> list[str]:
    """The submissions' names; with the start of the zip's SHA-256 where several have the same."""
    count = Counter(sheet.name for sheet in sheets)
    return [
        f"{sheet.name} ({sheet.sha256[:_SHA_SHOWN]})" if count[sheet.name] > 1 else sheet.name
        for sheet in sheets
    ]


def _same(one: Answers, two: Answers) -> bool:
    mine, other = one.benchmark, two.benchmark
    return (
        (mine.seed, mine.conditions) == (other.seed, other.conditions)
        and np.array_equal(one.questions.rows, two.questions.rows)
        and np.array_equal(one.questions.conditions, two.questions.conditions)
        and (mine.data is other.data or mine.data.fingerprint() == other.data.fingerprint())
    )


def _standings(
    sheets: Sequence[Answers], names: Sequence[str], counted: Sequence[Answered], common: Common
) -> tuple[Standing, ...]:
    seed = common.sheet.benchmark.seed
    draws = resamples(common.truth, seed)
    gaps = measure(
        [Contrast("gap", one.clean, one.benchmark) for one in counted], common.truth, seed
    )
    clean, benchmark = (
        side_scores(sides, draws)
        for sides in ([one.clean for one in counted], [one.benchmark for one in counted])
    )
    return tuple(
        Standing(name, sheet.sha256, own, damaged, gap)
        for sheet, name, own, damaged, gap in zip(
            sheets, names, clean, benchmark, gaps, strict=True
        )
    )


def _pairs(names: Sequence[str], counted: Sequence[Answered], common: Common) -> tuple[Pair, ...]:
    """Holm's correction goes over all pairs: the overall changes, the clean ones, the families."""
    seed = common.sheet.benchmark.seed
    base, others = counted[0], counted[1:]
    overall = [Contrast("benchmark", base.benchmark, one.benchmark) for one in others]
    clean = [Contrast("clean", base.clean, one.clean) for one in others]
    families = [
        Contrast(name, side, one.families[name])
        for one in others
        for name, side in base.families.items()
    ]
    found = measure([*overall, *clean, *families], common.truth, seed)
    n = len(others)
    by_kind = [judged_together(part) for part in (found[:n], found[n : 2 * n], found[2 * n :])]
    width = len(base.families)
    return tuple(
        Pair(
            names[0],
            names[i + 1],
            by_kind[0][i],
            by_kind[1][i],
            by_kind[2][i * width : (i + 1) * width],
        )
        for i in range(n)
    )


def _inside(sheet: Answers, family: str) -> list[int]:
    """The conditions of a family, as positions; never the clean condition in front."""
    conditions = sheet.benchmark.conditions
    return [i for i, condition in enumerate(conditions) if i and condition.family == family]

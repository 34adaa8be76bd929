"""Where predictions and references line up, row by row, and which metric the score is of them.

Nobody says which file a scoring program reads, nor what it computes. So every pair of a column that
ingestion left and one of the reference data is tried with a small table of metrics; one that gives
the platform's own score, of every run, is it. Where none does, there is no interval: nothing is
guessed.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.validate import read_left
from evaluator.bundles.image_sets import DAMAGE
from evaluator.bundles.row_metrics import (
    Metric,
    Values,
    metrics_for,
    resampled,
    value,
)

LARGEST_FILE = 4 << 20  # bytes; larger ones are not looked into
MOST_FILES, MOST_COLUMNS = 20, 12
NEAR = 1e-6  # of a score, relatively: what programs print is rounded
_TEXTS = (".csv", ".txt", ".tsv", ".predict", ".solution", ".labels", "")
_LEVEL = (2.5, 97.5)  # percentiles
Files = Mapping[str, bytes]  # name -> content
Columns = dict[str, Values]  # where it stands -> rows


@dataclass(frozen=True)
class Line:
    """What lines up. found, truth: where the columns stand. metric: the score's name."""

    found: str
    truth: str
    metric: str

    def __str__(self) -> str:
        return f"{self.metric} of {self.found} against {self.truth}"


@dataclass(frozen=True, eq=False)
class Aligned:
    """Rows of several runs that line up with one reference, and the metric of their scores."""

    line: Line
    truth: Values
    answers: tuple[Values | None, ...]  # by run; None where they do not line up

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.truth)

    @property
    def metric(self) -> Metric:
        """Of truth, answers and weights."""
        return metrics_for(self.truth, self._known[0])[self.line.metric]

    @property
    def is_perfect(self) -> bool:
        """Whether every answer of every run is the truth."""
        return all(bool(np.all(one == self.truth)) for one in self._known)

    @property
    def _known(self) -> list[Values]:
        return [one for one in self.answers if one is not None]

    def spread(self, seed: int) -> list[NDArray[np.float64] | None]:
        """Each run's score on resamples of the rows, the same ones for all."""
        pairs = [(self.truth, one) for one in self._known]
        drawn = iter(resampled(self.metric, pairs, seed))
        return [None if one is None else next(drawn) for one in self.answers]


def left_files(folder: Path) -> dict[str, bytes]:
    """The small files that programs left, or that lie in a folder of references, by their names."""
    found: dict[str, bytes] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.rglob("*")):
        if len(found) == MOST_FILES:
            break
        kind = path.suffix.lower()
        if kind not in (*_TEXTS, ".npy", ".npz") or path.name in ("metadata", "metadata.yaml"):
            continue
        content = read_left(path, LARGEST_FILE)
        if content is not None:
            found[path.relative_to(folder).as_posix()] = content
    return found


def align(runs: Sequence[tuple[Files, float]], references: Files) -> Aligned | None:
    """What lines up in all runs, the first of them the clean one.

    runs: files that ingestion left, and the score. None where no metric gives every score, and
    where several give one that never changes, though not all is right: all but one by chance.
    """
    scores = [score for _, score in runs]
    fits = _fitting(runs, scores, references)
    if not all(_is_near(score, scores[0]) for score in scores):
        return next(fits, None)
    every = list(fits)
    perfect = next((one for one in every if one.is_perfect), None)
    sure = len({one.line.metric for one in every}) == 1
    return perfect or (every[0] if sure else None)


def _fitting(
    runs: Sequence[tuple[Files, float]], scores: Sequence[float], references: Files
) -> Iterator[Aligned]:
    """Whatever gives the score of every run."""
    truths = columns_of(references)
    answers = [columns_of(files) for files, _ in runs]
    for name, found in answers[0].items():
        for other, truth in truths.items():
            if len(found) != len(truth) or found.dtype.kind != truth.dtype.kind:
                continue
            for metric in metrics_for(truth, found):
                made = Aligned(Line(name, other, metric), truth, _by_run(answers, name, truth))
                if _gives(made, scores):
                    yield made


def interval(drawn: NDArray[np.float64]) -> tuple[float, float] | None:
    """The middle 95 % of a score on resamples; None where too few of them have one."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2:
        return None
    low, high = np.percentile(known, _LEVEL)
    return float(low), float(high)


def columns_of(files: Files) -> Columns:
    """All columns of numbers or texts in some files, each with where it stands."""
    found: Columns = {}
    for name, content in files.items():
        try:
            columns = list(_columns(name, content))
        except DAMAGE:
            continue
        for place, values in columns[:MOST_COLUMNS]:
            if len(values) > 1:
                found[f"{name}{place}"] = values
    return found


def _by_run(answers: Sequence[Columns], name: str, truth: Values) -> tuple[Values | None, ...]:
    """A column of every run; None where it is not of as many rows of that kind."""
    found = [one.get(name) for one in answers]
    return tuple(
        one
        if one is not None and one.shape == truth.shape and one.dtype.kind == truth.dtype.kind
        else None
        for one in found
    )


def _gives(made: Aligned, scores: Sequence[float]) -> bool:
    """Whether the metric gives the score of every run."""
    return all(
        answers is not None and _is_near(value(made.metric, made.truth, answers), score)
        for answers, score in zip(made.answers, scores, strict=True)
    )


def _is_near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=NEAR, abs_tol=1e-9)


def _columns(name: str, content: bytes) -> Iterator[tuple[str, Values]]:
    if name.lower().endswith(".npy"):
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        yield from _of_array(array)
    elif name.lower().endswith(".npz"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.file_size <= LARGEST_FILE:
                    array = np.lib.format.read_array(
                        io.BytesIO(archive.read(info)), allow_pickle=False
                    )
                    key = info.filename.removesuffix(".npy")
                    yield from ((f"/{key}{place}", one) for place, one in _of_array(array))
    else:
        yield from _of_text(content.decode("utf-8-sig"))


def _of_array(array: Values) -> Iterator[tuple[str, Values]]:
    """Columns of an array, and for scores by class the label of the highest."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind in "iufb":
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            return
    elif array.dtype.kind != "U":
        return
    if array.ndim == 1:
        yield "", array
    elif array.ndim == 2:
        if array.dtype.kind == "f":
            yield " (its highest column)", array.argmax(1).astype(np.float64)
        places = [array.shape[1] - 1, *range(array.shape[1] - 1)]  # the last one is the answer
        yield from ((f", column {place + 1}", array[:, place]) for place in places)


def _of_text(text: str) -> Iterator[tuple[str, Values]]:
    """Columns of a table, separated by commas, semicolons, tabs or spaces, with a header or not."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return
    sign = next((one for one in ",;\t" if one in lines[0]), None)
    rows = list(csv.reader(lines, delimiter=sign)) if sign else [line.split() for line in lines]
    if len({len(row) for row in rows}) != 1:
        rows = rows[1:] if len({len(row) for row in rows[1:]}) == 1 else []
    if not rows:
        return
    yield from _of_rows(rows, "")
    yield from _of_rows(rows[1:], " below its first line")


def _of_rows(rows: Sequence[Sequence[str]], said: str) -> Iterator[tuple[str, Values]]:
    table = np.array([[one.strip() for one in row] for row in rows])
    if not len(table):
        return
    try:
        whole = table.astype(np.float64)
    except ValueError:
        whole = None
    if whole is not None:
        yield from ((f"{place}{said}", one) for place, one in _of_array(whole))
        return
    for place in reversed(range(table.shape[1])):
        values: Values = table[:, place]
        with suppress(ValueError):
            values = values.astype(np.float64)
        where = f", column {place + 1}" if table.shape[1] > 1 else ""
        yield f"{where}{said}", values

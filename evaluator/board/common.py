"""The questions that most submissions have answered: figures of the same images, or none.

Two submissions that were asked different images differ for that alone. So one set of questions is
chosen that as many submissions as possible have answered all of; the others are shown, not ranked.
Runs are read one after the other, so that memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.store.measured import Truth
from evaluator.store.rows import Run
from evaluator.store.store import Store
from evaluator.stored_answers import rows_of

Mask = NDArray[np.bool_]  # (images, conditions)
MOST_SETS = 12  # sets of questions that are looked at as candidates, the commonest ones
FEWEST_SHARE = 0.25  # of the median's images that a set must have: one hasty run is not to decide
_CLEAN = 0  # the clean condition's place


@dataclass(frozen=True, eq=False)
class RightAnswers:
    """One run's answers. known, right: by image and condition, bool `(n, k)` each."""

    known: Mask
    right: Mask


class RunReader:
    """Reads one run at a time and holds it against the right labels.

    texts: the conditions that count, as the store names them, the clean one first.
    """

    def __init__(self, store: Store, truth: Truth, texts: Sequence[str]) -> None:
        self.truth, self.texts = truth.labels, tuple(texts)
        self._store = store
        self._place = {text: place for place, text in enumerate(texts)}

    def read(self, run: Run) -> RightAnswers:
        """What the run has answered of the conditions that count."""
        found = self._store.run_answers(run, self.texts)
        places = np.array([self._place.get(text, -1) for text in found.conditions], np.int64)
        ids, conditions = found.ids(), np.repeat(places, found.counts)
        rows = rows_of(self.truth.ids, ids)
        own = (self.truth.ids[rows] == ids) & (conditions >= 0)
        rows, conditions = rows[own], conditions[own]
        known = np.zeros((len(self.truth), len(self.texts)), bool)
        right = known.copy()
        known[rows, conditions] = True
        right[rows, conditions] = found.labels[own] == self.truth.labels[rows]
        return RightAnswers(known, right)


@dataclass(frozen=True, eq=False)
class Common:
    """One set of questions. asked: bool `(n, k)`. runs: places of those that answered all of it."""

    asked: Mask
    runs: tuple[int, ...]

    @property
    def images(self) -> NDArray[np.intp]:
        """The rows of its images."""
        return np.flatnonzero(self.asked.any(axis=1))


@dataclass(frozen=True)
class _Set:
    """Runs that answered exactly the same questions, by their places."""

    runs: tuple[int, ...]
    images: int
    answers: int


def in_common(reader: RunReader, runs: Sequence[Run]) -> Common | None:
    """The set that most runs have answered; of several the largest. None where there is none."""
    sets = _sets(reader, runs)
    if not sets:
        return None
    images = np.repeat([one.images for one in sets], [len(one.runs) for one in sets])
    fewest = max(1.0, FEWEST_SHARE * float(np.median(images)))
    found = [one for one in _candidates(reader, runs, sets) if one.any(axis=1).sum() >= fewest]
    covered: list[list[int]] = [[] for _ in found]
    for one in sets:
        known = reader.read(runs[one.runs[0]]).known
        for place, asked in enumerate(found):
            if not (asked & ~known).any():
                covered[place] += one.runs
    best = max(range(len(found)), key=lambda at: (len(covered[at]), int(found[at].sum())))
    return Common(found[best], tuple(sorted(covered[best])))


def comparable(known: Mask) -> Mask:
    """Without images that lack a clean answer, or have no other one."""
    kept = known[:, _CLEAN] & known[:, _CLEAN + 1 :].any(axis=1)
    return np.asarray(known & kept[:, None])


def _sets(reader: RunReader, runs: Sequence[Run]) -> list[_Set]:
    """What was asked, the commonest and largest first; runs without a comparable answer are out."""
    found: dict[bytes, _Set] = {}
    for place, run in enumerate(runs):
        known = comparable(reader.read(run).known)
        images, answers = int(known.any(axis=1).sum()), int(known.sum())
        if images:
            digest = hashlib.sha256(np.packbits(known).tobytes()).digest()
            before = found[digest].runs if digest in found else ()
            found[digest] = _Set((*before, place), images, answers)
    return sorted(found.values(), key=lambda one: (-len(one.runs), -one.answers))


def _candidates(reader: RunReader, runs: Sequence[Run], sets: Sequence[_Set]) -> Iterator[Mask]:
    """The commonest sets, and what each has in common with all commoner ones."""
    shared: Mask | None = None
    for one in sets[:MOST_SETS]:
        known = comparable(reader.read(runs[one.runs[0]]).known)
        yield known
        shared = known if shared is None else comparable(shared & known)
        if shared is not known:
            yield shared

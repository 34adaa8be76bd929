"""Whether the answers would be right under another reading: a mistake the platform never shows.

Read from the answers alone: class numbers shifted by one, or renumbered. Asked once more for each:
the common ways to get the scale or the preprocessing wrong. A reading is a diagnosis only if it is
better than the present one, better than guessing, and near the best that any reading gives: with
nine readings tried on a model that answers 0.000, one at chance level is "significantly better"
too. An image whose label changes when it is asked again is right under no other reading: dice that
happen to fall well under one of a dozen readings are no network that counts from 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.rehearsal.questions import (
    Interview,
    Labels,
    Question,
    counted_in_class,
    rows_in_time,
)
from submission.model_page import MODES

ALPHA = 0.01  # that a right submission is blamed, over all readings together
NEAR = 0.03  # of the best reading's accuracy: as good, so that the simpler one is named
LEAST_GAIN = 0.02
DOUBT = 0.05
FEWEST = 20  # images; of fewer nothing can be said
DEALS = 1999  # of the permutation test
Values = NDArray[np.float32]
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """Another way to read the answers, or to feed the images. advice: what to do if it is right.

    turn: float32 (n, h, w, c) in 0..255 -> what is fed; None where the answers are read anew.
    """

    name: str
    advice: str
    turn: Callable[[Values], Values] | None = None

    def fed(self, images: NDArray[np.uint8]) -> Values:
        """The images as they are fed, float32 (n, h, w, c)."""
        values = images.astype(np.float32)
        return values if self.turn is None else self.turn(values).astype(np.float32, copy=False)

    def __str__(self) -> str:
        return self.name if self.turn is None else f"when fed {self.name} instead"


@dataclass(frozen=True)
class ReadingDifference:
    """Accuracy as it is and under a reading on the same images.

    low, high: the gain's exact interval; p: that so many more are right by chance; guessing: that a
    guesser is right so often. All are corrected for the number of readings tried.
    """

    reading: Reading
    plain: float
    changed: float
    low: float
    high: float
    p: float
    guessing: float
    images: int

    @property
    def holds(self) -> bool:
        """Whether it is better than the present reading, and better than guessing."""
        gain = self.changed - self.plain >= LEAST_GAIN and self.low > 0
        return gain and self.p <= ALPHA and self.guessing <= ALPHA


@functools.cache
def feeds(channels: int) -> tuple[Reading, ...]:
    """The ways to feed the images; those of one value a channel for colour images only."""
    text = resources.files("codabench_rehearsal.rehearsal") / "readings.toml"
    found = parse_toml(text.read_text(encoding="utf-8"))["feeds"]
    grey = ("mode", "undone", "reverse")
    kept = (how for how in found if channels == 3 or not any(name in how for name in grey))
    return tuple(Reading(how["name"], how["advice"], _turn(how)) for how in kept)


def relabelled(answers: Labels, truth: Labels, classes: int) -> list[tuple[Reading, Right]]:
    """The readings of the same answers, each with the images that are then right, bool (n,)."""
    less = Reading("read as counted from 1", "The labels count from 1: return them minus 1.")
    more = Reading("read one higher", "The labels are one too low: return them plus 1.")
    order, right = _renumbered(answers, truth, classes)
    moves = ", ".join(f"{i}->{k}" for i, k in enumerate(order) if i != k)
    advice = (
        "Either the labels of the data or the network's classes are in another order than the "
        "challenge's (folders are read in alphabetical order). If it is the network's: return "
        f"np.array({list(map(int, order))})[labels]."
    )
    renumbered = Reading(f"if the class numbers are renumbered {moves}", advice)
    found = [(less, answers - 1 == truth), (more, answers + 1 == truth)]
    return [*found, (renumbered, right)] if moves else found


def compare(
    reading: Reading, plain: Right, changed: Right, truth: Labels, family: int
) -> ReadingDifference:
    """plain, changed: whether each image is right, bool (n,); truth: int64 (n,).

    family: readings tried. The interval of the gain is exact, given the images on which the two
    differ (Clopper-Pearson).
    """
    gained, lost = int((changed & ~plain).sum()), int((plain & ~changed).sum())
    differing, count = gained + lost, len(plain)
    low, high = _clopper_pearson(gained, differing, ALPHA / family)
    share = differing / max(count, 1)
    constant = float(np.bincount(truth).max()) / max(count, 1)
    return ReadingDifference(
        reading,
        plain=float(plain.mean()),
        changed=float(changed.mean()),
        low=share * (2 * low - 1),
        high=share * (2 * high - 1),
        p=min(1.0, family * _at_least(gained, differing, 0.5)),
        guessing=min(1.0, family * _at_least(int(changed.sum()), count, constant)),
        images=count,
    )


def ask_readings(interview: Interview, classes: int) -> dict[str, ReadingDifference]:
    """Every reading of the labelled images; nothing where there are no labels."""
    labels, again = interview.images.labels, interview.answers.get("again")
    if labels is None or again is None or interview.failed:
        return {}
    every = interview.images.plain
    rows = np.intersect1d(rows_in_time(interview, again.seconds), every)

    def ask(reading: Reading) -> Labels | None:
        answer = interview.ask(Question(f"scale {reading.name}", [rows], "float32", reading.fed))
        return None if answer is None else answer.labels

    some = np.searchsorted(every, rows)
    channels = interview.images.values.shape[3]
    known = interview.known(every)
    steady = again.labels[every] == known
    return try_readings(known, labels[every], some, ask, channels, classes, steady)


def try_readings(
    known: Labels,
    truth: Labels,
    some: Labels,
    ask: Callable[[Reading], Labels | None],
    channels: int,
    classes: int,
    steady: Right | None = None,
) -> dict[str, ReadingDifference]:
    """Every reading, by its name.

    known, truth: int64 (n,), the labels answered and the true ones. ask: what is answered to those
    at the places `some` (int64 (m,)) when they are fed in another way; None where that fails, and
    no further way is tried. steady: bool (n,), whether the same was answered twice; None for all.
    """
    tried = feeds(channels)
    family, plain = len(tried) + 3, known == truth
    same = np.ones(len(truth), np.bool_) if steady is None else steady
    found = [
        compare(reading, plain, right & same, truth, family)
        for reading, right in relabelled(known, truth, classes)
    ]
    for reading in tried if len(some) else ():
        answers = ask(reading)
        if answers is None:
            break
        right = (answers == truth[some]) & same[some]
        found.append(compare(reading, plain[some], right, truth[some], family))
    return {difference.reading.name: difference for difference in found}


def diagnosis(differences: Sequence[ReadingDifference]) -> ReadingDifference | None:
    """The first reading that holds, of those about as good as the best; None where none does."""
    best = max((d.changed for d in differences), default=0.0)
    return next((d for d in differences if d.holds and d.changed >= best - NEAR), None)


def guess_level(answers: Labels, truth: Labels, metric: str = "accuracy") -> tuple[str, bool]:
    """Why labels are no better than guessed, "" if they are; and whether that may be an error.

    answers, truth: int64 (n,). Guessed are labels that fit the images no better than when they are
    dealt to them anew (a permutation test, in doubt from p = 0.01 to 0.05), and, where accuracy is
    what counts, labels that always answering the commonest class surely beats.
    """
    right, count = int((answers == truth).sum()), len(truth)
    if count < FEWEST:
        return "", False
    constant = float(np.bincount(truth).max()) / count
    said = f"accuracy is {right / count:.3f} on {count} labelled images"
    draws = np.random.default_rng(0)
    dealt = sum((draws.permutation(answers) == truth).sum() >= right for _ in range(DEALS))
    p = float((1 + dealt) / (1 + DEALS))
    if p > ALPHA and right < count:
        doubt = "no better than" if p > DOUBT else "hardly better than"
        by_chance = "the chance that the same answers in random order are right as often"
        return f"{said}: {doubt} guessing (p = {p:.2g}: {by_chance})", p > DOUBT
    if metric == "accuracy" and _clopper_pearson(right, count, 2 * ALPHA)[1] <= constant:
        gives = f"always answering the most frequent class gives {constant:.3f} (p < {ALPHA})"
        return f"{said}: no better than guessing, as {gives}", True
    return "", False


def worse(before: Right, after: Right) -> float:
    """The chance that so many more images are wrong after than before by chance alone (exact)."""
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return _at_least(lost, lost + gained, 0.5)


def _turn(how: Mapping[str, Any]) -> Callable[[Values], Values]:
    """What `readings.toml` says of one way, all in float32."""
    if "mode" in how:
        return MODES[how["mode"]].apply
    mode = MODES[how.get("undone", "none")]
    mean, deviation = np.array(mode.mean, np.float32), np.array(mode.deviation, np.float32)
    # The network sees channel c of (v / divisor - mean) / deviation, perhaps in reverse order.
    order = slice(None, None, -1) if mode.reverse or "reverse" in how else slice(None)
    if "undone" in how:
        return lambda x: ((x * deviation + mean) * np.float32(mode.divisor))[..., order]
    first, times, divide, add = (
        np.float32(how.get(name, usual))
        for name, usual in (("first", 0), ("times", 1), ("divide", 1), ("add", 0))
    )
    return lambda x: ((x + first) * times / divide + add)[..., order]


def _renumbered(answers: Labels, truth: Labels, classes: int) -> tuple[Labels, Right]:
    """The best renumbering, and which images are right under one found without them.

    An assignment is fitted to the very images that it is judged by, and gains by that: each half
    of the images is therefore judged by the other half's.
    """
    fold, right = counted_in_class(truth) % 2, np.zeros(len(truth), np.bool_)
    for half in (0, 1):
        order = _assigned(answers[fold != half], truth[fold != half], classes)
        right[fold == half] = order[answers[fold == half]] == truth[fold == half]
    return _assigned(answers, truth, classes), right


def _assigned(answers: Labels, truth: Labels, classes: int) -> Labels:
    from scipy.optimize import linear_sum_assignment  # a third of a second: not for --help

    counts = np.zeros((classes, classes))
    np.add.at(counts, (answers, truth), 1)
    counts += 1e-6 * np.eye(classes)  # what nothing speaks for stays where it is
    order: Labels = linear_sum_assignment(counts, maximize=True)[1].astype(np.int64)
    return order


def _clopper_pearson(hits: int, trials: int, alpha: float) -> tuple[float, float]:
    """The exact interval of a share."""
    from scipy.special import betaincinv

    low = betaincinv(hits, trials - hits + 1, alpha / 2) if hits else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - alpha / 2) if hits < trials else 1.0
    return float(low), float(high)


def _at_least(hits: int, trials: int, p: float) -> float:
    """The chance of so many hits or more."""
    from scipy.special import bdtrc

    return float(bdtrc(hits - 1, trials, p)) if hits > 0 else 1.0

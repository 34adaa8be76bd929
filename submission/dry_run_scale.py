"""Whether the weights want other values than they are fed: a mistake that the platform never shows.

The submission is asked about its images as they come, and once more for each common way to get the
scale wrong. When a variant answers better, the weights were trained on that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from submission.dry_run_questions import Interview, Question, rows_in_time
from submission.preprocessing import MODES

CONFIDENCE = 0.95  # that no variant is blamed wrongly, over all of them together
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """One way to feed the images. what: what is fed instead. advice: when it answers better."""

    name: str
    what: str
    advice: str
    turn: Callable[[NDArray[np.uint8]], Values]


@dataclass(frozen=True)
class Difference:
    """Accuracy as it comes and under a variant on the same images, and the gain's interval."""

    variant: Variant
    plain: float
    changed: float
    low: float
    high: float
    images: int


def _reversed(name: str) -> Callable[[NDArray[np.uint8]], Values]:
    """What the named preprocessing would turn back into 0..255."""
    mode = MODES[name]
    mean, deviation = np.array(mode.mean, np.float32), np.array(mode.deviation, np.float32)

    def undo(images: NDArray[np.uint8]) -> Values:
        # The network sees channel c of (v / divisor - mean) / deviation, perhaps in reverse order.
        order = slice(None, None, -1) if mode.reverse else slice(None)
        wanted = images.astype(np.float32)
        values: Values = (wanted * deviation + mean) * np.float32(mode.divisor)
        return values[..., order]

    return undo


def _applied(name: str) -> Callable[[NDArray[np.uint8]], Values]:
    return lambda images: np.asarray(MODES[name].apply(images), np.float32)


def variants(channels: int) -> tuple[Variant, ...]:
    """All that are tried; those with one value a channel for colour images only."""
    scale = "pack with --scale {}, or do the same in your own predict"
    found = [
        Variant("X / 255", "0..1", f"The weights want 0..1 but model.py feeds 0..255: {scale.format('0..1')}.", lambda x: x.astype(np.float32) / np.float32(255)),
        Variant("X * 255", "0..65025", "The weights want 0..255 but model.py divides by 255, or the network rescales itself: leave one of them out (--scale 0..255).", lambda x: x.astype(np.float32) * np.float32(255)),
        Variant("X / 127.5 - 1", "-1..1", f"The weights want -1..1 but model.py feeds 0..255: {scale.format('-1..1')}.", lambda x: x.astype(np.float32) / np.float32(127.5) - 1),
        Variant("(X + 1) * 127.5", "127.5..32640", "The weights want 0..255 but model.py feeds -1..1: leave the scaling out (--scale 0..255).", lambda x: (x.astype(np.float32) + 1) * np.float32(127.5)),
    ]  # fmt: skip
    if channels == 3:
        named = "The weights want {}'s preprocess_input but model.py feeds 0..255: pack with --preprocess {}."
        undone = "The weights want 0..255 but model.py applies {}'s preprocess_input: leave it out (--scale 0..255)."
        found += [
            Variant("caffe", "BGR minus the means", named.format("caffe (ResNet50, VGG)", "caffe"), _applied("caffe")),
            Variant("caffe undone", "what caffe's preprocessing turns back", undone.format("caffe (ResNet50, VGG)"), _reversed("caffe")),
            Variant("torch", "scaled by ImageNet's mean and deviation", named.format("torch (DenseNet)", "torch"), _applied("torch")),
            Variant("torch undone", "what torch's preprocessing turns back", undone.format("torch (DenseNet)"), _reversed("torch")),
            Variant("BGR", "the channels in reverse order", "The weights want the channels in the order BGR: reverse them, X[..., ::-1].", lambda x: x[..., ::-1].astype(np.float32)),
        ]  # fmt: skip
    return tuple(found)


def compare(
    variant: Variant,
    plain: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    family: int,
) -> Difference:
    """plain, changed: whether each image was answered rightly, bool (n,). family: variants tried.

    The interval of the gain is exact, given the images on which the two differ (Clopper-Pearson).
    """
    gained = int((changed & ~plain).sum())
    lost = int((plain & ~changed).sum())
    low, high = _clopper_pearson(gained, gained + lost, (1 - CONFIDENCE) / family)
    share = (gained + lost) / max(len(plain), 1)
    return Difference(
        variant,
        float(plain.mean()),
        float(changed.mean()),
        share * (2 * low - 1),
        share * (2 * high - 1),
        len(plain),
    )


def ask_scale(interview: Interview) -> dict[str, Difference]:
    """Ask once for each variant, on the labelled images; nothing where there are no labels.

    A submission that fails for a variant is not asked further.
    """
    labels, again = interview.images.labels, interview.answers.get("again")
    if labels is None or again is None or interview.failed:
        return {}
    rows = np.intersect1d(rows_in_time(interview, again.seconds), interview.images.plain)
    tried, truth = variants(interview.images.values.shape[3]), labels[rows]
    plainly = interview.known(rows) == truth
    compared: dict[str, Difference] = {}
    for variant in tried:
        question = Question(f"scale {variant.name}", [rows], "float32", variant.turn)
        answer = interview.ask(question)
        if answer is None:
            break
        compared[variant.name] = compare(variant, plainly, answer.labels == truth, len(tried))
    return compared


def _clopper_pearson(hits: int, trials: int, alpha: float) -> tuple[float, float]:
    """The exact interval of a share, to 1e-6."""
    low = 0.0 if hits == 0 else _solve(lambda p: _at_least(hits, trials, p) - alpha / 2)
    high = (
        1.0 if hits == trials else _solve(lambda p: alpha / 2 - 1 + _at_least(hits + 1, trials, p))
    )
    return low, high


def _at_least(hits: int, trials: int, p: float) -> float:
    return sum(
        math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(hits, trials + 1)
    )


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2

"""How well trained networks tell the classes: one by one, and together as the zip will have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes.feed import fixed
from codabench_rehearsal.recipes.folder import Member
from codabench_rehearsal.recipes.system import Chain


@dataclass(frozen=True)
class Accuracy:
    """Shares of images told right: by all networks together, and by each of them."""

    together: float
    each: tuple[float, ...]


def accuracy(
    members: Sequence[Member],
    sides: Sequence[Dataset],
    chain: Chain,
    *,
    classes: int,
    seed: int,
    ensemble: str,
    pictures: Sequence[NDArray[np.uint8] | None],
) -> Accuracy:
    """The networks' accuracy on the same images after a chain of augmentations.

    sides, pictures: for each network the images, and what overlays blend in (None: only their own),
    in its size. Where a chain mixes two images, the class
    that the larger share belongs to counts.
    """
    answers, right = [], np.zeros(0, dtype=np.int64)
    for member, side, own in zip(members, sides, pictures, strict=True):
        images, targets = fixed(side, member.system, classes, seed, chain, pictures=own)
        answers.append(_probabilities(member, images))
        right = targets.argmax(axis=1)
    each = tuple(_share(answer, right) for answer in answers)
    return Accuracy(_share(together(answers, ensemble), right), each)


def together(answers: Sequence[NDArray[np.floating]], ensemble: str) -> NDArray[np.floating]:
    """Scores (n, classes): the mean of the networks' probabilities, or how many vote for a class."""
    if ensemble == "vote":
        answers = [_votes(answer) for answer in answers]
    scores: NDArray[np.floating] = np.mean(answers, axis=0)
    return scores


def _votes(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """As the zip's model.py: 1 for the highest score; the others only break ties."""
    highest = scores.max(axis=1, keepdims=True)
    votes: NDArray[np.floating] = (scores == highest) + 1e-6 * scores
    return votes


def _share(scores: NDArray[np.floating], right: NDArray[np.int64]) -> float:
    return float(np.mean(scores.argmax(axis=1) == right))


def _probabilities(member: Member, images: NDArray[np.generic]) -> NDArray[np.floating]:
    batch = member.system.batch
    parts = [
        np.asarray(member.model.predict_on_batch(images[start : start + batch]), np.float64)
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)

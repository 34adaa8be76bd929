"""The size of the hidden set, read out of unrounded scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, LibraryCondition, PastScore, Target
from evaluator.estimate.sizes import size_of

Shown = tuple[float, int]


def drawn(images: int, scores: int, decimals: int | None, rng: np.random.Generator) -> list[Shown]:
    """Scores on so many images; as Python prints them, or with so many decimals."""
    values = [int(k) / images for k in rng.binomial(images, rng.uniform(0.5, 0.95, scores))]
    if decimals is None:
        return [(value, len(repr(value)) - 2) for value in values]
    return [(round(value, decimals), decimals) for value in values]


TOLD = [
    ([(2139 / 2392, 16), (2005 / 2392, 16), (1801 / 2392, 15)], 2392, 3),  # as Python prints them
    ([(0.894333, 6), (0.871667, 6), (0.905333, 6), (0.8825, 6)], 6000, 4),  # rounded to six
    ([(0.894648, 6), (0.838210, 6), (0.752926, 6)], 2392, 3),  # the third is cut, not rounded
    ([(0.8945, 4), (0.891, 3), (0.8735, 4), (0.9015, 4), (0.8605, 4), (0.884, 3)], 2000, 4),
]


@pytest.mark.parametrize(("scores", "images", "fine"), TOLD)
def test_the_size_follows_from_the_scores(scores: list[Shown], images: int, fine: int) -> None:
    """Else the interval rests on 2,000 images although the scores tell how many there are."""
    found = size_of(scores)
    assert found is not None
    assert (found.images, found.scores) == (images, fine)
    assert f"The hidden set has {images:,} images, or a multiple of that, by" in str(found)


SILENT: list[list[Shown]] = [
    [],
    [(2139 / 2392, 16)],  # one score alone
    [(2139 / 2392, 16), (2139 / 2392, 16)],  # the same twice
    [(0.89, 2), (0.83, 2), (0.9, 2), (0.71, 2), (0.86, 2)],  # any size fits
    [(0.894, 3), (0.831, 3), (0.9, 3), (0.717, 3), (0.866, 3)],
    [(1.0, 16), (0.0, 16), (0.5, 16)],
    [(0.8941471571906354, 16), (0.8765432109876543, 16)],  # no number of images gives both
]


@pytest.mark.parametrize("scores", SILENT)
def test_scores_that_do_not_tell_say_nothing(scores: list[Shown]) -> None:
    """Else a made-up size would narrow the interval."""
    assert size_of(scores) is None


@pytest.mark.parametrize("decimals", [None, 6, 4])
@pytest.mark.parametrize("scores", [2, 3, 5])
def test_it_is_as_right_as_it_says(decimals: int | None, scores: int) -> None:
    """Else "87 % sure" would be a figure of speech."""
    rng = np.random.default_rng(scores)
    sizes = (500, 1196, 2000, 2392, 3000)
    made = [(n, size_of(drawn(n, scores, decimals, rng))) for n in sizes for _ in range(5)]
    said = [(images, found) for images, found in made if found is not None]
    right = sum(found.images == images for images, found in said)
    sure = [found.certainty for _, found in said]
    deviation = sum(one * (1 - one) for one in sure) ** 0.5
    assert right > sum(sure) - 3 * deviation - 1
    assert sum(images % found.images == 0 for images, found in said) >= 0.9 * len(said)


def test_what_somebody_said_outranks_what_scores_say() -> None:
    """Else --hidden-images could not correct it."""
    found = size_of(TOLD[0][0])
    library = [LibraryCondition("a", "f", 1), LibraryCondition("b", "g", 1)]
    own = Figures("x", (0.8, 0.7))
    past = [PastScore(own, value, decimals) for value, decimals in TOLD[0][0]]
    told = Target(found=found)
    assert (told.size, replace(told, hidden=500).size, Target().size) == (2392, 500, 2000)
    assumed = " ".join(estimate(library, own, past, told).assumed)
    assert (
        "The hidden set has 2,392 images, or a multiple of that, by 3 unrounded scores" in assumed
    )
    assert "nobody said" not in assumed
    assert "hidden set has" not in " ".join(
        estimate(library, own, past, replace(told, hidden=500)).assumed
    )
    as_said = estimate(library, own, past, Target(hidden=2392))
    as_found = estimate(library, own, past, told)
    assert (as_found.low, as_found.high) == (as_said.low, as_said.high)

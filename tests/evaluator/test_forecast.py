"""When to stop asking: what more answers of this submission would still change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, LibraryCondition, PastScore, Target
from evaluator.estimate.result import TOLERANCE, Estimate
from evaluator.expectation import as_prediction
from evaluator.report.expected import chance, explained, headline

CONDITIONS = [
    LibraryCondition(f"c{i}", f"f{i % 6}", i % 5 + 1, composite=i % 7 == 0) for i in range(60)
]
RNG = np.random.default_rng(4)
SKILL = RNG.uniform(0.3, 0.9, 60)


def figures(name: str, images: int | None) -> Figures:
    """A model near the others in skill."""
    rng = np.random.default_rng(len(name))
    shares = np.clip(SKILL + rng.normal(0, 0.05, 60), 0.01, 0.99)
    return Figures(name, tuple(map(float, shares)), None if images is None else (images,) * 60)


def past(count: int, images: int | None) -> list[PastScore]:
    """Past submissions whose scores are their means."""
    made = [figures("m" * (i + 2), images) for i in range(count)]
    return [PastScore(f, float(np.mean(f.accuracies)), 3, 2000) for f in made]


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_more_images_leave_less_to_gain(count: int) -> None:
    """Else asking would never end, or end at once."""
    shares = [
        estimate(CONDITIONS, figures("x", images), past(count, 64), Target()).own_share
        for images in (4, 16, 64, 256, 4096)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.02


@pytest.mark.parametrize("images", [4, 64])
def test_coarse_past_figures_do_not_keep_it_asking(images: int) -> None:
    """Else a past submission with few answers would make every new one ask all there is."""
    coarse = estimate(CONDITIONS, figures("x", 2000), past(6, images), Target())
    assert coarse.own_share < TOLERANCE
    exact = estimate(CONDITIONS, figures("x", None), past(6, images), Target())
    assert exact.own_share == pytest.approx(0, abs=1e-9)


def test_the_store_keeps_what_was_said() -> None:
    """Else the history would compare scores with something else than was shown."""
    made = estimate(CONDITIONS, figures("x", 100), past(5, 100), Target(phase=""))
    kept = as_prediction(made, "dev")
    assert (kept.value, kept.low, kept.high) == (made.median, made.low, made.high)
    assert (kept.known, kept.phase) == (5, "dev")
    assert kept.level == pytest.approx(0.9)


CHANCES = [
    (0.0, "under 1 %"),
    (0.004, "under 1 %"),
    (0.5, "50 %"),
    (0.714, "71 %"),
    (1.0, "over 99 %"),
]


@pytest.mark.parametrize(("share", "said"), CHANCES)
def test_chances_are_never_certain(share: float, said: str) -> None:
    """Else a user would take an estimate for a promise."""
    assert chance(share) == said


def made(count: int) -> Estimate:
    """An estimate from so many past scores."""
    return estimate(CONDITIONS, figures("x", 50), past(count, 50), Target())


def test_the_card_says_what_it_rests_on() -> None:
    """Else a guess without a single score would look like a measured forecast."""
    assert "no past score and no belief" in headline(made(0))
    assert "local-eval record" in " ".join(explained(made(0)))
    assert "record baseline.zip --score 0.61 --not-mine" in " ".join(explained(made(0)))
    assert "--not-mine --phase final" in " ".join(explained(made(0), phase="final"))
    assert "baseline" not in " ".join(explained(made(1)))
    assert "from 1 past score;" in headline(made(1))
    assert "a model unlike those" in " ".join(explained(made(1)))
    assert "from 6 past scores;" in headline(made(6))
    assert "chance of beating your best" in headline(made(6))
    assert "missed by" in " ".join(explained(made(6)))


def test_a_baseline_is_no_best_of_yours() -> None:
    """Else the chance of beating the organisers' baseline would be sold as a record."""
    theirs = [replace(score, mine=False) for score in past(2, 50)]
    alone = estimate(CONDITIONS, figures("x", 50), theirs, Target())
    assert (alone.past, alone.best, alone.beats_best) == (2, None, None)
    assert headline(alone).endswith("from 2 past scores, none of your own.")
    low = replace(past(1, 50)[0], value=0.2)
    both = estimate(CONDITIONS, figures("x", 50), [low, *theirs], Target())
    assert (both.past, both.best) == (3, 0.2)
    same = estimate(CONDITIONS, figures("x", 50), past(2, 50), Target())
    assert (alone.low, alone.median, alone.high) == (same.low, same.median, same.high)


def test_the_card_names_what_would_narrow_it() -> None:
    """Else nobody would know that more local images help."""
    coarse = replace(made(6), finite_share=0.4, widened=1.5)
    said = " ".join(explained(coarse))
    assert (
        "40 % of this uncertainty (its variance) is due to the number of images; --full runs"
        in said
    )
    assert "1.5 times as wide" in said

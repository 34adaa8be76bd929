"""Learning rates, early stopping and the best epoch, from validation accuracies alone."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.recipes.schedule import Schedule
from codabench_rehearsal.recipes.system import Phase

ACCURACIES = st.lists(st.sampled_from([None, 0.0, 0.25, 0.5, 0.5001, 1.0]), max_size=30)
PHASES = st.builds(
    Phase,
    name=st.just("p"),
    epochs=st.integers(1, 25),
    learning_rate=st.sampled_from([1e-3, 0.5]),
    decay=st.sampled_from(["", "cosine"]),
    patience=st.sampled_from([None, 1, 3]),
    plateau=st.sampled_from([None, 1, 2]),
)


def told(phase: Phase, accuracies: list[float | None], steps: int = 4) -> Schedule:
    """A schedule that has seen these until it was over."""
    schedule = Schedule(phase, steps)
    for accuracy in accuracies:
        if schedule.over:
            break
        schedule.saw(accuracy)
    return schedule


@given(phase=PHASES, before=ACCURACIES, after=ACCURACIES)
def test_a_restored_schedule_goes_on_the_same(
    phase: Phase, before: list[float | None], after: list[float | None]
) -> None:
    """Else a resumed training has another learning rate or ends at another epoch."""
    one = told(phase, before)
    other = Schedule(phase, 4, **json.loads(json.dumps(one.state())))
    for accuracy in after:
        assert one == other
        assert [one.rate(step) for step in range(4)] == [other.rate(step) for step in range(4)]
        assert one.over == other.over
        if one.over:
            return
        one.saw(accuracy)
        other.saw(accuracy)


@pytest.mark.parametrize(
    ("accuracies", "best", "epochs"),
    [
        ([0.1, 0.2, 0.3], 3, 3),
        ([0.3, 0.3, 0.3, 0.9], 1, 3),  # equals: the first; two without better: over
        ([0.3, 0.2, 0.4, 0.1, 0.1, 0.9], 3, 5),
        ([0.0, 0.0, 0.0], 1, 3),
        ([None, None, None, None], 0, 4),  # nothing measured: nothing to be patient about
    ],
)
def test_patience_counts_epochs_since_the_best(
    accuracies: list[float | None], best: int, epochs: int
) -> None:
    """Else training stops too early, or the wrong epoch's weights are taken."""
    schedule = told(Phase("p", 20, 1e-3, patience=2), accuracies)
    assert (schedule.best_epoch, schedule.epochs) == (best, epochs)


@given(phase=PHASES, accuracies=st.lists(st.floats(0, 1), min_size=25, max_size=25))
def test_a_phase_ends_in_time_and_at_its_best(phase: Phase, accuracies: list[float]) -> None:
    """Else a phase runs on, or a better epoch is thrown away."""
    schedule = told(phase, list(accuracies))
    seen = accuracies[: schedule.epochs]
    assert schedule.over
    assert schedule.epochs <= phase.epochs
    assert schedule.best_epoch == seen.index(max(seen)) + 1
    if schedule.epochs < phase.epochs:
        assert schedule.epochs == schedule.best_epoch + (phase.patience or 0)


@pytest.mark.parametrize(
    ("accuracies", "rate"),
    [
        ([0.5, 0.5], 1.0),
        ([0.5, 0.5, 0.5], 0.2),  # two epochs without a better one
        ([0.5, 0.5, 0.5, 0.5], 0.2),  # the count begins again
        ([0.5, 0.5, 0.5, 0.5, 0.5], 0.04),
        ([0.5, 0.5, 0.6, 0.5], 1.0),
    ],
)
def test_the_rate_drops_on_a_plateau(accuracies: list[float | None], rate: float) -> None:
    """Else a recipe's ReduceLROnPlateau is another one than the team's."""
    phase = Phase("p", 20, 1.0, plateau=2, factor=0.2)
    assert told(phase, accuracies).rate() == pytest.approx(rate)


def test_cosine_goes_down_over_all_steps() -> None:
    """Else the decay jumps from epoch to epoch or never reaches the bottom."""
    schedule = Schedule(Phase("p", 5, 0.3, decay="cosine"), steps=8)
    rates = []
    while not schedule.over:
        rates += [schedule.rate(step) for step in range(8)]
        schedule.saw(0.5)
    wanted = [0.3 * (1 + math.cos(math.pi * step / 40)) / 2 for step in range(40)]
    assert rates == pytest.approx(wanted)
    assert schedule.varies


def test_a_constant_rate_stays() -> None:
    """Else a phase without decay trains at another rate than the recipe says."""
    schedule = told(Phase("p", 9, 2e-4), [0.1] * 9)
    assert {schedule.rate(step) for step in range(4)} == {2e-4}
    assert not schedule.varies

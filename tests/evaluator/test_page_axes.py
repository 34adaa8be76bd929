"""Scales: values lie where they should, ticks can be read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.report.svg import Scale, around, log_odds, share_text

SHARES = st.floats(0, 1)


@given(st.lists(SHARES, min_size=1, max_size=12), st.booleans())
def test_every_value_lies_inside(values: list[float], odds: bool) -> None:
    """Else a point would be drawn outside of its figure."""
    scale = around(values, 40, 340, odds=odds)
    assert all(40 <= scale(value) <= 340 for value in values)


@given(st.lists(SHARES, min_size=2, max_size=12), st.booleans())
def test_larger_values_lie_further_on(values: list[float], odds: bool) -> None:
    """Else a better submission would be drawn below a worse one."""
    scale = around(values, 300, 10, odds=odds)
    assert all(scale(a) >= scale(b) for a, b in pairwise(sorted(values)))


@given(st.floats(0, 0.98), st.floats(0.01, 1), st.booleans())
def test_ticks_are_apart_and_inside(low: float, width: float, odds: bool) -> None:
    """Else the numbers at an axis would run into each other."""
    scale = around([low, min(1.0, low + width)], 30, 370, odds=odds)
    places = [scale(tick) for tick in scale.ticks()]
    assert all(30 <= place <= 370 for place in places)
    assert all(b - a >= 25 for a, b in pairwise(places))


def test_linear_ticks_are_even() -> None:
    """Else an axis of 0.1, 0.3, 0.5, 0.8 would look bent."""
    assert Scale(0.3, 1.0, 0, 200).ticks() == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert Scale(0.0, 1.0, 0, 80).ticks() == [0.0, 0.5, 1.0]


def test_odds_are_symmetric() -> None:
    """Else 0.9 and 0.1 would not weigh the same, which is what the axis is for."""
    assert log_odds(0.9) == pytest.approx(-log_odds(0.1))
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))


TICKS = [(0.5, "0.5"), (0.85, "0.85"), (0.0, "0"), (1.0, "1"), (0.1, "0.1")]


@pytest.mark.parametrize(("value", "said"), TICKS)
def test_ticks_have_no_idle_decimals(value: float, said: str) -> None:
    """Else an axis would promise a precision that it does not have."""
    assert share_text(value) == said

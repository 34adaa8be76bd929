"""Times in options: in the units that people type, and refused in one line where they are none."""

from __future__ import annotations

import argparse

import pytest

from codabench_rehearsal.console.arguments import seconds

TIMES = {"90": 90, "90s": 90, "2m": 120, "2min": 120, "1.5h": 5400, "0.5": 0.5, "1e3s": 1000}
NONE = ("", "m", "0", "-1m", "inf", "nanh", "2 weeks", "2mm", "1h30")


@pytest.mark.parametrize("text", TIMES)
def test_a_time_may_have_a_unit(text: str) -> None:
    """Else whoever types `--budget 2m` is sent away to multiply by sixty."""
    assert seconds(text) == TIMES[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    """Else a slip of the finger runs for ever, or not at all."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"such as 90, 2m or 1\.5h"):
        seconds(text)

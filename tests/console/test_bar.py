"""What takes long is said, and not too often."""

from __future__ import annotations

import io
import sys
import time

import pytest

from codabench_rehearsal.console import bar


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize(("stream", "pause", "said"), [(Terminal(), 0.3, "reading ...\n"), (Terminal(), 0.0, ""), (io.StringIO(), 0.3, "")])  # fmt: skip
def test_only_what_takes_long_is_said(
    stream: io.StringIO, pause: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a user would think that it hangs, or a log be full of such lines."""
    monkeypatch.setattr(bar, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(sys, "stderr", stream)
    with bar.said_when_slow("reading"):
        time.sleep(pause)
    assert stream.getvalue() == said


SAID = [
    ([10.0, 59.0], 600.0, []),
    ([60.1, 61.0, 119.0], 600.0, ["no answer for 60 s; ended at 600 s"]),
    ([61.0, 121.0, 300.0, 599.0], 600.0, [f"no answer for {s} s; ended at 600 s" for s in (61, 121, 300)]),
    ([65.0, 0.0, 65.0, 0.0, 65.0], 600.0, ["no answer for 65 s; ended at 600 s"]),
    ([700.0, 1199.0, 1201.0], None, ["no answer for 700 s", "no answer for 1201 s"]),
]  # fmt: skip


@pytest.mark.parametrize(("waited", "due", "said"), SAID)
def test_waiting_is_told_at_sensible_times(
    waited: list[float], due: float | None, said: list[str]
) -> None:
    """Else a run that hangs is silent for ten minutes, or a slow one fills the log."""
    lines: list[str] = []
    waiting = bar.Waiting(lines.append)
    for seconds in waited:
        waiting.tell(seconds, due)
    assert lines == said

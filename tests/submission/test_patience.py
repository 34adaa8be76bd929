"""What takes long is said, once, and only on a terminal."""

from __future__ import annotations

import io
import sys
import time

import pytest

from submission import patience


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
    monkeypatch.setattr(patience, "SECONDS", 0.1)
    monkeypatch.setattr(sys, "stderr", stream)
    with patience.said_when_slow("reading"):
        time.sleep(pause)
    assert stream.getvalue() == said

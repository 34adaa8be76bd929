"""Progress in a notebook: seen while it lasts, one line when it is done."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.console import bar, notebook
from tests.jupyter import jupyter

WORK = """
import time
from codabench_rehearsal.console import bar
bar.PAINTED_EVERY = 0.2
for name in ("first", "second"):
    with bar.progress("starting", counts=True) as shown:
        for done in range(300):
            shown.update(f"{name} <zip>", done, 300)
            time.sleep(0.005)
"""
CHILD = """
import time
from codabench_rehearsal.console.bar import progress
with progress("starting", counts=True) as shown:
    for done in range(200):
        shown.update("asking", done, 199)
        time.sleep(0.005)
"""


def plain(outputs: list[dict[str, Any]]) -> list[str]:
    """The text of each."""
    return ["".join(one.get("data", {}).get("text/plain", one.get("text", ""))) for one in outputs]


@pytest.mark.slow
def test_one_line_is_left_in_a_real_notebook(tmp_path: Path) -> None:
    """Else a notebook would store 722 frames of a spinner, or be silent for minutes."""
    (cell,) = jupyter(tmp_path).executed([WORK])
    (line,) = plain(cell["outputs"])
    assert line.startswith("done: 299 of 300, ")
    assert "\n" not in line


@pytest.mark.slow
def test_a_cell_that_fails_says_how_far_it_was(tmp_path: Path) -> None:
    """Else an interrupted cell would seem to be running still."""
    failing = (
        "try:\n    with bar.progress('x') as shown:\n        1 / 0\nexcept ZeroDivisionError: pass"
    )
    cells = jupyter(tmp_path).executed(["from codabench_rehearsal.console import bar", failing])
    assert plain(cells[1]["outputs"])[0].startswith("ended, ")


@pytest.mark.slow
def test_a_command_in_a_cell_leaves_a_line(tmp_path: Path) -> None:
    """Else `!local-eval` would store each frame, as its output is a terminal there."""
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    (cell,) = jupyter(tmp_path).executed([f"!{sys.executable} child.py"])
    kept = "".join(plain(cell["outputs"]))
    assert len(kept) < 400
    assert kept.rstrip().split("\r")[-1].startswith("done: 199 of 199, ")


def frames(environment: dict[str, str]) -> str:
    """What the child writes on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", CHILD], stderr=theirs, env=environment):
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 1 << 16):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return said.decode()


def test_a_terminal_of_a_notebook_gets_few_frames() -> None:
    """Else `!local-eval` would fill the notebook; a real terminal keeps its spinner."""
    clean = {k: v for k, v in os.environ.items() if k not in ("JPY_PARENT_PID", "MPLBACKEND")}
    clean["TERM"] = "xterm"
    seldom, often = frames(clean | {"JPY_PARENT_PID": "1"}), frames(clean)
    assert seldom.rstrip().split("\r")[-1].startswith("done: 199 of 199, ")
    assert len(seldom) < 400 < len(often)
    assert "\x1b" not in seldom


def test_colour_by_force_makes_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else notebooks, which set FORCE_COLOR, would get a spinner into a file."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with bar.progress("reading", into=stream) as shown:
        shown.update("reading on")
    assert not shown.is_shown
    assert stream.getvalue() == ""


SIGNS = [({}, False), ({"JPY_PARENT_PID": "7"}, True), ({"MPLBACKEND": "agg"}, False), ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, True)]  # fmt: skip


@pytest.mark.parametrize(("environment", "expected"), SIGNS)
def test_what_a_notebook_starts_is_known(environment: dict[str, str], expected: bool) -> None:
    """Else a terminal would lose its spinner, or a notebook get one."""
    assert notebook.started_by_notebook(environment) is expected


def test_no_notebook_is_seen_where_there_is_none() -> None:
    """Else a script would need IPython."""
    assert notebook.running_shell() is None
    assert "IPython" not in sys.modules

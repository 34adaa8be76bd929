"""Reports on terminals of 60, 80 and 200 columns, and in a pipe, where no line is broken."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from codabench_rehearsal.console.words import uncoloured
from tests.console.stage import BIN, Stage, stage

REPORT = "local-eval z.zip --data set.npz --corrupt light --images 16"
LIST = "train-recipe list"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Inputs to report on."""
    return stage(tmp_path_factory.mktemp("widths"))


@pytest.fixture(scope="module")
def piped(folder: Stage) -> str:
    """A report in a pipe; its answers are in the store, so that what follows is quick."""
    done = folder.run(REPORT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_terminal(folder: Stage, line: str, columns: int) -> list[str]:
    """The lines that a terminal of so many columns shows."""
    inside, outside = pty.openpty()
    fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = folder.environment(TERM="xterm")
    environment.pop("COLUMNS", None)
    name, *words = line.split()
    with subprocess.Popen(
        [str(BIN / name), *words], cwd=folder.folder, env=environment,
        stdin=subprocess.DEVNULL, stdout=outside, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        os.close(outside)
        shown = bytearray()
        with suppress(OSError):  # Linux's end of a terminal
            while part := os.read(inside, 1 << 16):
                shown += part
        assert child.wait() == 0
    os.close(inside)
    return uncoloured(shown.decode()).split("\n")


def test_no_line_is_broken_in_a_pipe(folder: Stage, piped: str) -> None:
    """Else `local-eval ... | grep` finds half a sentence, and a log has lines of 80 signs."""
    texts = {
        "--score 0.61 --not-mine": piped,
        "4,700 images of 96x96": folder.run(LIST, COLUMNS="80").stdout,
    }
    for end, text in texts.items():
        found = [line for line in text.splitlines() if end in line]
        assert len(found[0]) > 100
        assert max(map(len, text.splitlines())) < 900  # nothing is drawn as wide as it may be
    assert "estimate ─" not in piped
    assert [line for line in piped.splitlines() if line != line.rstrip()] == []


@pytest.mark.usefixtures("piped")
@pytest.mark.parametrize(
    "columns",
    [60, pytest.param(80, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.slow)],
)
def test_a_report_fits_the_terminal(folder: Stage, columns: int) -> None:
    """Else tables fall apart on a narrow terminal, or sentences are cut in their words."""
    lines = on_terminal(folder, REPORT, columns)
    # "runs with PYTHON" and the last line, a command to be copied, are broken by nobody.
    drawn = [one for one in lines if not one.startswith(("runs with", "after the upload"))]
    assert max(map(len, drawn)) <= columns
    assert any("estimate ─" in one for one in drawn)
    words = " ".join(" ".join(one.strip("│ \r") for one in drawn).split())
    assert "Assumed: about 2,000 hidden images, as nobody said how many." in words


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_table_fits_the_terminal(folder: Stage, columns: int) -> None:
    """Else its cells run into each other."""
    lines = [line.rstrip("\r") for line in on_terminal(folder, LIST, columns)]
    assert max(map(len, lines)) <= columns
    assert any("los_pollos_hermanos" in line for line in lines)


@pytest.mark.parametrize("columns", ["60", "200"])
def test_an_error_is_one_line_whatever_the_width(tmp_path: Path, columns: str) -> None:
    """Else a command in a message cannot be copied, and a log has it in pieces."""
    done = subprocess.run(
        [str(BIN / "local-eval"), "no.zip"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": columns}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "local-eval: no.zip: no such file. Build one: make-submission WEIGHTS\n"

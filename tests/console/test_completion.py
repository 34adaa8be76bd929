"""Completion in a real bash: what the Tab key offers, and that it costs nothing elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console.stage import BIN

ASK = """\
eval "$(register-python-argcomplete "$1")"
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
_python_argcomplete "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""
OFFERED = [  # what is typed, and what the Tab key offers
    ("local-eval ra", {"rank"}),
    ("local-eval rank", {"rank"}),
    ("local-eval --help-", {"--help-all"}),
    ("local-eval rank --upl", {"--uploads-per-day"}),
    ("local-eval rank a.zip --device ", {"cpu", "gpu"}),
    ("local-eval sub", {"submission.zip"}),
    ("local-eval compare a.zip --data ce", {"cells.npz"}),
    ("codabench-challenge s", {"show", "status"}),
    ("codabench-challenge check --li", {"--list-checks"}),
    ("train-recipe over", {"overfitting_gods"}),
    ("train-recipe pi", {"picture"}),
    ("make-submission a.keras --tta f", {"flips"}),
    ("make-submission --shri", {"--shrink"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files to offer, and defaults that cannot be read."""
    for name in ("submission.zip", "cells.npz"):
        (tmp_path / name).touch()
    (tmp_path / "rehearsal.toml").write_text("no = [", encoding="utf-8")
    return tmp_path


def environment(**further: str) -> dict[str, str]:
    """This process's, with our commands."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **further}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(("line", "offered"), OFFERED, ids=[line for line, _ in OFFERED])
def test_the_tab_key_knows_words_options_and_files(
    folder: Path, line: str, offered: set[str]
) -> None:
    """Else the key offers files where an option stands, or runs the command."""
    pytest.importorskip("argcomplete")
    words = ["bash", "-c", ASK, "ask", line.split()[0], line]
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert {word.strip() for word in done.stdout.split("\n")} - {""} == offered, done.stderr


def test_without_argcomplete_the_tab_key_runs_nothing(folder: Path, tmp_path: Path) -> None:
    """Else a shell that completes every Python program starts a rehearsal at each Tab."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/argcomplete.py").write_text("raise ImportError", encoding="utf-8")
    line = "local-eval submission.zip "
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = subprocess.run(
        [str(BIN / "local-eval")], cwd=folder, capture_output=True, text=True, check=False,
        env=environment(PYTHONPATH=str(tmp_path / "hidden"), **asked),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize(
    "name", ["local_eval", "make_submission", "train_recipe", "codabench_challenge"]
)
def test_the_marker_is_found_and_nothing_is_imported(name: str) -> None:
    """Else global completion passes the command over, or every start pays for it."""
    code = (
        f"import sys, codabench_rehearsal.commands.{name} as one\n"
        "try: one.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.stderr.write(f\"{'argcomplete' in sys.modules} {one.__file__}\")"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, file = done.stderr.split(" ", 1)
    assert imported == "False"
    assert b"PYTHON_ARGCOMPLETE_OK" in Path(file).read_bytes()[:1024]

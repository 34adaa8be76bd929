"""The last line of `make test`: what did not run, and how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CONFTEST = TESTS / "conftest.py"

REASONS = [
    ("no Chromium on PATH or in $CHROMIUM (apt install chromium)",
     "2 browser tests (no Chromium: apt install chromium)"),
    ("no mkdocs (make docs)", "2 tests of the site (make docs)"),
    ("no font Noto Sans (apt install fonts-noto-core)",
     "2 browser tests in Noto Sans (not here: apt install fonts-noto-core)"),
    ("/work/shared/data/training_set.npz is not there", "2 tests on ../shared data (not here)"),
    ("no ../shared/data/training_set.npz", "2 tests on ../shared data (not here)"),
    ("the shared cells are not here", "2 tests on ../shared data (not here)"),
    ("no environment with Keras 3.4.1: uv is missing",
     "2 tests in the server's Keras 3.4.1 (it cannot be built here)"),
    ("could not import 'openpyxl': No module named 'openpyxl'", "2 tests with openpyxl (pip install openpyxl)"),
    ("root may write\n everywhere", "2 tests (root may write everywhere)"),
    ("x" * 300, f"2 tests ({'x' * 80})"),
    ("", "2 tests (skipped without a reason)"),
]  # fmt: skip


def run(folder: Path, body: str, *words: str, **variables: str) -> tuple[int, list[str]]:
    """A pytest of its own with our conftest: its exit code and the lines that it printed."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, str(folder)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), "COLUMNS": "80", **variables},
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("quiet", [False, True])
def test_each_kind_is_named_with_the_way_to_get_it(tmp_path: Path, quiet: bool) -> None:
    """Else a newcomer would not know that a third of the page was never looked at."""
    body = f"""
import pytest
@pytest.mark.parametrize("reason", {[reason for reason, _ in REASONS] * 2!r})
def test_it(reason):
    pytest.skip(reason)
@pytest.mark.skipif(True, reason="no ../shared/data/training_set.npz")
def test_marked():
    pass
"""
    code, lines = run(tmp_path, body, *(["-q"] if quiet else []))
    assert code == 0
    assert f"{2 * len(REASONS) + 1} skipped" in lines[-2], "pytest's own closing line"
    assert lines[-1].startswith("skipped: 7 tests on ../shared data (not here), 2 ")
    for _, said in REASONS:
        assert said in lines[-1] or "../shared" in said


def test_nothing_skipped_nothing_said(tmp_path: Path) -> None:
    """Else the line would be noise that nobody reads when it matters."""
    code, lines = run(tmp_path, "def test_it():\n    pass\n")
    assert code == 0
    assert "1 passed" in lines[-1]


BROWSER = """
from tests.evaluator.browser import needed_chromium
def test_it():
    needed_chromium()
"""
MACHINES = [
    ("true", 1, "1 failed"),
    ("1", 1, "1 failed"),
    ("", 0, "skipped: 1 browser test (no Chromium: apt install chromium)"),
    ("false", 0, "skipped: 1 browser test (no Chromium: apt install chromium)"),
]


@pytest.mark.parametrize(("ci", "code", "last"), MACHINES)
def test_ci_never_does_without_a_browser(tmp_path: Path, ci: str, code: int, last: str) -> None:
    """Else every page test could be skipped for months behind a green sign."""
    (tmp_path / "bin").mkdir()
    done, lines = run(tmp_path, BROWSER, CI=ci, CHROMIUM="", PATH=str(tmp_path / "bin"))
    assert done == code
    assert last in lines[-1]
    assert ci not in ("true", "1") or any("apt install chromium" in line for line in lines)


FONTS = "fontconfig fonts-dejavu-core fonts-liberation fonts-noto-core fonts-droid-fallback"
CI_RUNS = [
    # found on PATH, user, apt's exit code -> what is installed, what is said
    (("chromium", "fc-list"), 0, 0, [], []),
    (("google-chrome", "fc-list"), 0, 0, [], []),
    (("fc-list",), 0, 0, ["chromium"], ["installed chromium"]),
    ((), 0, 0, ["chromium", FONTS], ["installed chromium", f"installed {FONTS}"]),
    (("chromium",), 0, 0, [FONTS], [f"installed {FONTS}"]),
    (("fc-list",), 0, 100, [], ["apt could not install chromium: E: no network"]),
    (("fc-list",), 1000, 0, [], ["not installed, for that needs root: apt install chromium"]),
]
STUBS = {
    "chromium": "",
    "google-chrome": "",
    "fc-list": "echo /fonts/some.ttf",
    "make": 'echo "made $* with CI=$CI"',
}
TOOLS = ("bash", "env", "dirname", "mktemp", "tail", "rm", "timeout")


@pytest.mark.parametrize(("found", "user", "apt", "installed", "said"), CI_RUNS)
def test_ci_brings_its_browser(
    tmp_path: Path,
    found: tuple[str, ...],
    user: int,
    apt: int,
    installed: list[str],
    said: list[str],
) -> None:
    """Else CI would skip the page's tests, hide why, or fail before a single test has run."""
    stubs = {name: STUBS[name] for name in (*found, "make")}
    stubs["id"] = f"echo {user}"
    stubs["apt-get"] = f'echo "$*" >> {tmp_path}/asked; echo "E: no network" >&2; exit {apt}'
    for name, body in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for name in TOOLS:
        (tmp_path / name).symlink_to(shutil.which(name) or "/missing")
    done = subprocess.run(
        [str(TESTS.parent / ".ci" / "run")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    asked = (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []
    wanted = [
        line.partition("--no-install-recommends ")[2] for line in asked if " install " in line
    ]
    assert done.returncode == 0, done.stderr
    assert wanted == installed
    assert done.stdout.splitlines() == [
        *(f".ci/run: {line}" for line in said),
        "made docs-tools with CI=true",
        "made test with CI=true",
    ]

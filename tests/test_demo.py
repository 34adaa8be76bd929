"""`make demo`: it says what it will do, is never silent for long, and keeps what it made."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import resource
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from codabench_rehearsal.commands import evaluate, make_submission, recipe_train, show

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tools" / "demo.py"
MOST_SECONDS, MOST_AGAIN, CORES = 110, 30, 2
PARSERS = {
    "train-recipe": recipe_train.parser,
    "make-submission": make_submission.new_parser,
    "local-eval show": show.parser,
    "local-eval": evaluate.parser,
}


def loaded() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module  # where a dataclass looks for its names
    spec.loader.exec_module(module)
    return module


# A demo of steps that take no time, in a Python of its own.
SMALL = """
import sys
sys.path.insert(0, {tools!r})
import demo
demo.QUIET_SECONDS = 0.1
say = "python -c " + chr(34) + "import sys, time; {body}" + chr(34)
demo.STEPS = (
    demo.Step("Make one", 7, "python -c \\"open('demo/one', 'w')\\"", "demo/one"),
    demo.Step("Make two", 8, "python -c \\"open('demo/two', 'w')\\"", "demo/two", "demo/one"),
    demo.Step("Look", 9, say, of="demo/two", answers="demo/three"),
)
sys.exit(demo.main())
"""


def small(folder: Path, body: str, *, terminal: bool = False) -> tuple[int, str]:
    """Run such a demo, the last step being `body`: its exit code and what was shown."""
    code = SMALL.format(tools=str(SCRIPT.parent), body=body)
    ours, theirs = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdout=theirs, stderr=theirs
    ) as child:
        os.close(theirs)
        said = b""
        while more := _read(ours):
            said += more
        os.close(ours)
        return child.wait(), said.decode()


def _read(number: int) -> bytes:
    try:
        return os.read(number, 4096)
    except OSError:  # a terminal at its end
        return b""


def test_it_opens_with_what_it_will_do(tmp_path: Path) -> None:
    """Else a newcomer does not know whether to wait or to come back later."""
    code, said = small(tmp_path, "print('seen')")
    assert code == 0
    first = said.splitlines()[0]
    assert first == "3 of 3 steps to do, about 24 s on two cores:"
    assert said.index("3. Look (about 9 s)") < said.index("[1/3] Make one")
    assert said.index("seen") < said.index("Done in ")
    assert "of processor time" in said


def test_a_slow_machine_is_told_its_own_seconds(tmp_path: Path) -> None:
    """Else who has half a machine waits on and on for the seconds that an idle one takes."""
    demo = loaded()
    steps = (demo.Step("One", 10, "x"), demo.Step("Two", 20, "x"))
    assert demo.to_go(steps, 2.0) == "; about 60 s to go at this pace"
    assert demo.to_go((), 2.0) == ""
    _, said = small(tmp_path, "pass")
    assert said.count("to go at this pace") == 2, "behind each step but the last"


def test_what_is_made_is_kept_and_said(tmp_path: Path) -> None:
    """Else the second time takes as long as the first, or shows what an older step made."""
    small(tmp_path, "pass")
    before = (tmp_path / "demo" / "two").stat().st_mtime_ns
    (tmp_path / "demo" / "three").touch()
    _, again = small(tmp_path, "print('seen')")
    assert again.splitlines()[0] == "1 of 3 steps to do, about 5 s on two cores:"
    assert "kept from last time: demo/two" in again
    assert "seen" in again
    assert (tmp_path / "demo" / "two").stat().st_mtime_ns == before
    os.utime(tmp_path / "demo" / "one")
    _, third = small(tmp_path, "pass")
    assert "kept from last time: demo/one" in third
    assert "kept from last time: demo/two" not in third


def test_silence_is_dotted(tmp_path: Path) -> None:
    """Else the demo looks as if it hung, while it trains."""
    waits = "time.sleep(1); print('seen'); sys.stdout.flush(); time.sleep(1)"
    code, said = small(tmp_path, waits)
    assert code == 0
    before, after = said.split("seen\n")
    assert before.endswith("..\n")
    assert after.startswith("      ..")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_command_sees_a_terminal_where_there_is_one(tmp_path: Path, terminal: bool) -> None:
    """Else the progress of our own commands is hidden from whoever types make demo."""
    code, said = small(tmp_path, "print('terminal', sys.stdout.isatty())", terminal=terminal)
    assert code == 0
    assert f"terminal {terminal}" in said


def test_it_stops_where_a_step_fails(tmp_path: Path) -> None:
    """Else the end says Done, over an error in the middle."""
    code, said = small(tmp_path, "sys.exit(3)")
    assert code == 3
    assert "Stopped at step 3" in said
    assert "Done" not in said


@pytest.mark.parametrize("begun", [False, True])
def test_a_training_that_was_cut_off_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Else make demo after a Ctrl-C ends with "holds a training that was cut off"."""
    demo = loaded()
    (tmp_path / "train-recipe").write_text('#!/bin/sh\necho "with $*"\n', encoding="utf-8")
    (tmp_path / "train-recipe").chmod(0o755)
    if begun:
        (tmp_path / "demo" / "training" / "checkpoint").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "BIN", tmp_path)
    assert demo.run("train-recipe baseline --out demo/training") == 0
    said = capfd.readouterr().out
    assert ("with baseline --out demo/training --resume" in said) == begun


def test_its_commands_are_those_that_there_are() -> None:
    """Else the first thing that a newcomer sees is an unknown option."""
    steps = loaded().STEPS
    for step in steps[1:]:
        words = shlex.split(step.command)
        name = next(one for one in PARSERS if step.command.startswith(one))
        PARSERS[name]().parse_args(words[1 + name.endswith(" show") :])
    assert sum(step.seconds for step in steps) <= MOST_SECONDS
    assert sum(step.seconds for step in steps if not step.makes) <= MOST_AGAIN


@pytest.mark.slow
def test_the_demo_takes_minutes_and_then_seconds(tmp_path: Path) -> None:
    """Else a newcomer gives up before the first page; counted in processor time, whatever else runs."""
    for most in (MOST_SECONDS, MOST_AGAIN):
        before = _used()
        done = subprocess.run(
            [sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=1800, check=False
        )  # fmt: skip
        assert done.returncode == 0, textwrap.shorten(done.stdout + done.stderr, 3000)
        assert "validation (clean)" in done.stdout
        assert _used() - before < CORES * most
    assert len(re.findall("kept from last time: demo/", done.stdout)) == 4
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

"""`import codabench_rehearsal as rehearsal`: its names, beside folders and files of the user's own."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from tests.tables import thinned

ROOT = Path(__file__).parent.parent
ROOMS = ("corruptions", "evaluator", "submission")


def run(
    code: str, folder: Path, *, path: Path | None = None, python: str | Path = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run code with `folder` as the working folder, which comes first; path: what comes after."""
    further = {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run(
        [str(python), "-c", code], cwd=folder, env={**os.environ, **further}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_a_name_is_loaded_from_where_it_is() -> None:
    """Else a module that moves leaves a name that nobody can import."""
    assert {"__version__", *rehearsal._HOMES} == set(rehearsal.__all__)
    for name, room in rehearsal._HOMES.items():
        spec = importlib.util.find_spec(room)
        assert spec is not None, room
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        made = {getattr(node, "name", "") for node in tree.body}
        assert name in made, f"{room} has no {name}"


def test_the_old_imports_go_on() -> None:
    """Else notebooks of last year end at their first line."""
    import corruptions
    import evaluator
    import submission

    assert submission.check is rehearsal.check
    assert evaluator.local_eval is rehearsal.local_eval
    assert evaluator.Report is rehearsal.Report
    assert issubclass(evaluator.EvaluationError, rehearsal.UserError)
    assert corruptions.corrupt is rehearsal.corrupt
    assert corruptions.presets.resolve("heavy").name == "heavy"


def test_importing_it_is_free() -> None:
    """Else every notebook waits for TensorFlow, or for numpy at least."""
    code = "import sys, codabench_rehearsal as r; r.__version__; dir(r); print(*sys.modules)"
    loaded = run(code, ROOT).stdout.split()
    assert not {"numpy", "tensorflow", "keras", "rich", "psutil", "evaluator"} & set(loaded)
    with pytest.raises(AttributeError, match="has no attribute 'chekc'"):
        rehearsal.chekc  # noqa: B018


THEIRS = {"with": {"__init__.py": "MARK = 'theirs'"}, "without": {}}
OURS = {  # of each room, what must be found beside the user's own
    "submission": "from submission.archive import Archive",
    "evaluator": "from evaluator.options import Options",
    "corruptions": "from corruptions.presets import resolve",
}
USES = (
    "import {room}.mine as mine; assert mine.OWN; {ours}",
    "{ours}; import {room}.mine as mine; assert mine.OWN",
    "import codabench_rehearsal as r; r.check; r.corrupt; import {room}.mine as mine; {ours}",
    "import {room}.mine; import codabench_rehearsal as r; r.record; r.corrupt; {ours}",
)


def theirs(folder: Path, room: str, init: str) -> None:
    """A user's own package, or plain folder, of a room's name."""
    (folder / room).mkdir()
    for name, text in {"mine.py": "OWN = True", **THEIRS[init]}.items():
        (folder / room / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("room", "init"), thinned(product(ROOMS, THEIRS), every=5))
def test_a_folder_of_the_users_own_stands_beside_ours(tmp_path: Path, room: str, init: str) -> None:
    """Else a project's own submission/ stops importing once this is installed, or hides ours."""
    theirs(tmp_path, room, init)
    begin = "import codabench_rehearsal; " if init == "with" else ""  # their package comes first
    for use in USES:
        code = use.format(room=room, ours=OURS[room])
        done = run(begin + code, tmp_path, path=ROOT)
        assert done.returncode == 0, f"theirs first: {code}\n{done.stderr}"
        done = run(code, ROOT, path=tmp_path)
        assert done.returncode == 0, f"ours first: {code}\n{done.stderr}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_file_that_hides_a_room_is_named(tmp_path: Path, room: str) -> None:
    """Else a notebook with a submission.py beside it ends in a riddle about packages."""
    (tmp_path / f"{room}.py").write_text("MINE = True", encoding="utf-8")
    said = f"{tmp_path / room}.py hides the {room} of codabench-rehearsal: give that file another"
    for name in ("local_eval", "rank"):
        done = run(f"import codabench_rehearsal as r; r.{name}", tmp_path, path=ROOT)
        assert done.stderr.splitlines()[-1].startswith(f"ImportError: {said}")
    done = run(
        f"import {room}; assert {room}.MINE; import codabench_rehearsal", tmp_path, path=ROOT
    )
    assert done.returncode == 0, done.stderr
    words = [sys.executable, "-m", "codabench_rehearsal", "local-eval", "--help"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    asked = subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert asked.stderr.startswith(f"python -m codabench_rehearsal: {said}")
    assert len(asked.stderr.splitlines()) == 1


MODULE = [sys.executable, "-m", "codabench_rehearsal"]
COMMANDS = ("make-submission", "local-eval", "train-recipe", "codabench-challenge")


def test_the_module_lists_the_commands_and_runs_one(tmp_path: Path) -> None:
    """Else somebody whose PATH lacks them finds no command."""
    listed = subprocess.run(MODULE, capture_output=True, text=True, check=True).stdout
    assert all(command in listed for command in COMMANDS)
    env = {**os.environ, "LOCAL_EVAL_STORE": str(tmp_path)}
    history = [*MODULE, "local-eval", "history"]
    done = subprocess.run(history, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Nothing here yet")
    assert subprocess.run([*MODULE, "nothing"], capture_output=True, check=False).returncode == 2


VERSIONED = [
    [],
    *([command] for command in COMMANDS),
    ["local-eval", "record"],
    ["train-recipe", "list"],
]


@pytest.mark.parametrize("words", VERSIONED, ids=" ".join)
def test_every_command_says_its_version(words: list[str]) -> None:
    """Else nobody can say which version a report of a fault is about."""
    asked = subprocess.run(
        [*MODULE, *words, "--version"], capture_output=True, text=True, check=True
    )
    assert asked.stdout == f"codabench-rehearsal {rehearsal.__version__}\n"

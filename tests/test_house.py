"""The house: arrows between the rooms, the size of files, and what a command may import."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
HOUSE: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "house.py"))
OWN = "codabench_rehearsal"
GROUND = f"{OWN}.console"  # everyone stands on it
IMAGES, SANDBOX, CHALLENGE = f"{OWN}.images", f"{OWN}.sandbox", f"{OWN}.challenge"
REHEARSAL, RECIPES, COMMANDS = f"{OWN}.rehearsal", f"{OWN}.recipes", f"{OWN}.commands"
BELOW_EVALUATOR = {IMAGES, SANDBOX, CHALLENGE, REHEARSAL, "corruptions", "submission"}
EVERY = {*BELOW_EVALUATOR, "evaluator", RECIPES, COMMANDS}
# What a room may reach, on whatever way: through other rooms too.
MAY_REACH: dict[str, set[str]] = {
    OWN: EVERY,  # the door: lazy
    GROUND: set(),
    IMAGES: set(),
    SANDBOX: set(),
    CHALLENGE: {SANDBOX},  # the worker alone: profile and bundle stand on the ground
    "corruptions": set(),
    "submission": {CHALLENGE},
    REHEARSAL: BELOW_EVALUATOR,
    "evaluator": BELOW_EVALUATOR,
    RECIPES: {"corruptions", IMAGES, "submission", CHALLENGE},
    COMMANDS: EVERY,
}
KERAS_ALLOWED = (
    *("codabench_rehearsal/recipes/", "submission/template/", "corruptions/pipeline.py"),
    "evaluator/callback.py",  # in a training script, which has it loaded
)
IN_FUNCTIONS = {"h5py", "pyflakes", "rich"}  # of submission's core: only where they are needed
LONGEST_FILE, THIN = 330, 60
# How many breaches of a rule there may be.
CEILINGS = {"longer than 330 lines": 0, "under 60 lines": 15}


@cache  # read by the first test that asks: whoever only collects the tests waits for none of it
def files() -> dict[str, str]:
    """The text of every Python file of the rooms, by its name."""
    found = {}
    for room in (OWN, "corruptions", "evaluator", "submission"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if "__pycache__" not in path.parts:
                found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    return found


@cache
def trees() -> dict[str, ast.Module]:
    """Each of them parsed."""
    return {name: ast.parse(text) for name, text in files().items()}


@cache
def graph() -> dict[str, set[str]]:
    """Which module imports which, at whatever time."""
    found: dict[str, set[str]] = HOUSE["graph"](HOUSE["modules"](), at_once=False)
    return found


def room_of(module: str) -> str:
    """The room that a module belongs to."""
    rooms = sorted(MAY_REACH, key=len, reverse=True)
    return next(one for one in rooms if f"{module}.".startswith(f"{one}."))


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of every import in a tree."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in a tree."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_arrows() -> None:
    """Else a room drags in another, and nothing can be used or understood alone."""
    wrong = []
    for module in graph():
        room = room_of(module)
        allowed = MAY_REACH[room] | {room, GROUND}
        rooms = {room_of(one): one for one in HOUSE["reached"](graph(), module)}
        wrong += [f"{module} -> {by}" for to, by in rooms.items() if to not in allowed]
    assert wrong == []


def test_no_circles() -> None:
    """Else none of the files in it can be understood before the others."""
    found = HOUSE["circles"](graph())
    assert found == []


def long_files() -> list[str]:
    """Files of more than one idea."""
    sizes = {name: len(text.splitlines()) for name, text in files().items()}
    kept = {n: s for n, s in sizes.items() if "/programs/" not in n and "/template/" not in n}
    return [f"{name} {size}" for name, size in kept.items() if size > LONGEST_FILE]


def thin_modules() -> list[str]:
    """Modules without an idea of their own."""
    sizes = {m: len(files()[f"{m.replace('.', '/')}.py"].splitlines()) for m in graph()}
    return [m for m, size in sizes.items() if size < THIN and not m.endswith("__init__")]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("longer than 330 lines", long_files),
        ("under 60 lines", thin_modules),
    ],
)
def test_a_file_holds_one_idea(rule: str, found: Any) -> None:
    """Else the file list stops telling the story."""
    assert len(found()) <= CEILINGS[rule], found()


def test_keras_stays_where_it_is_needed() -> None:
    """Else a command would start TensorFlow, seconds and hundreds of megabytes."""
    wrong = [
        name
        for name, tree in trees().items()
        if not name.startswith(KERAS_ALLOWED) and imported(tree) & {"keras", "tensorflow"}
    ]
    assert wrong == []


def test_submission_core_needs_the_standard_library_only() -> None:
    """Else a zip could not be checked on a machine without the scientific stack."""
    standard, wrong = set(sys.stdlib_module_names) | {"submission", OWN, "__future__"}, []
    for name, tree in trees().items():
        if not name.startswith("submission/") or "/template/" in name:
            continue
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wrong += [f"{name}: {one}" for one in imported(tree) - standard - IN_FUNCTIONS]
        wrong += [f"{name}: {one}" for one in imported(ast.Module(list(top), [])) - standard]
    assert wrong == []


HEAVY = ("tensorflow", "keras", "numba", "cv2", "sklearn", "scipy", "httpx", "yaml")
LIGHT_CALLS = [
    "from codabench_rehearsal.commands.make_submission import main; main(['--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['inspect', '--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['board', '--help'])",
    "from codabench_rehearsal.commands.train_recipe import main; main(['--help'])",
    "from codabench_rehearsal.commands.codabench_challenge import main; main(['check', '--help'])",
    "from codabench_rehearsal.commands.codabench_challenge import main; main(['show', '--help'])",
    "from codabench_rehearsal.commands.codabench_challenge import main; main(['login', '--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['history', '--help'])",
    "from codabench_rehearsal.commands.codabench_challenge import main; main(['make', '--help'])",
    "from codabench_rehearsal.commands.train_recipe import main; main(['list'])",
]


@pytest.mark.parametrize("call", LIGHT_CALLS)
def test_help_imports_nothing_heavy(call: str) -> None:
    """Else every --help takes seconds."""
    said = "sys.stderr.write(' '.join(sys.modules))"
    code = f"import sys\ntry:\n    {call}\nexcept SystemExit: pass\n{said}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stderr.split())


def test_exactly_one_cv2_is_installed() -> None:
    """Else two OpenCV builds overwrite each other's files."""
    from importlib.metadata import distributions

    names = {d.metadata["Name"].lower() for d in distributions() if d.metadata["Name"]}
    assert [n for n in sorted(names) if n.startswith("opencv")] == ["opencv-python-headless"]


def unfit_for_terminals(name: str, call: ast.Call) -> str:
    """What a call would do that no terminal of ours may."""
    made = getattr(call.func, "id", "")
    marked = {word.arg: ast.unparse(word.value) for word in call.keywords}.get("markup")
    if made == "Console" and name != "codabench_rehearsal/console/command.py":
        return "use codabench_rehearsal.console.command.console"
    if made == "TextColumn" and marked != "False":
        return "say markup=False"
    return "nobody is asked: a notebook would wait for ever" if made == "input" else ""


def test_terminals_show_foreign_text_as_it_is() -> None:
    """Else a class called [/red] ends a report with a fault of ours: rich reads it as an order."""
    said = {f"{n}: {unfit_for_terminals(n, c)}" for n, tree in trees().items() for c in calls(tree)}
    assert sorted(line for line in said if not line.endswith(": ")) == []


OWN_TEXTS = {  # which read back what we wrote ourselves
    *(f"{OWN}/images/dataset.py", f"{OWN}/recipes/checkpoint.py", f"{OWN}/recipes/search.py"),
    *(f"{OWN}/commands/evaluation_arguments.py", "submission/keras_tables.py"),
}


WRITES_H5 = ("submission/h5.py", "submission/backport.py", "submission/shrink.py")


def test_foreign_files_come_in_by_one_door() -> None:
    """Else one reader waits for ever for a pipe, or breaks on a hundred thousand brackets."""
    wrong, parsers = [], {"json.loads", "json.load", "tomllib.loads", "tomllib.load"}
    for name, tree in trees().items():
        if name.startswith((f"{OWN}/sandbox/", f"{OWN}/console/")) or name in OWN_TEXTS:
            continue
        made = {ast.unparse(call.func) for call in calls(tree)}
        wrong += [f"{name}: use codabench_rehearsal.console.reading"] if made & parsers else []
        if "h5py.File" in made and name not in WRITES_H5:
            wrong.append(f"{name}: use submission.h5")
    assert wrong == []


def test_the_picture_shows_the_house() -> None:
    """Else CONTRIBUTING leads a newcomer to rooms and files that are not there."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "\n".join(HOUSE["picture"]()) in page, "python tools/house.py --picture"

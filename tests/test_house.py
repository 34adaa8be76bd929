"""The arrows between the rooms, and what a command may import before it needs it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OWN = "codabench_rehearsal"
GROUND = f"{OWN}.console"  # everyone stands on it
IMAGES, SANDBOX, CHALLENGE = f"{OWN}.images", f"{OWN}.sandbox", f"{OWN}.challenge"
REHEARSAL, RECIPES, COMMANDS = f"{OWN}.rehearsal", f"{OWN}.recipes", f"{OWN}.commands"
BELOW_EVALUATOR = {IMAGES, SANDBOX, CHALLENGE, REHEARSAL, "corruptions", "submission"}
MAY_IMPORT: dict[str, set[str]] = {
    OWN: set(),
    GROUND: set(),
    IMAGES: set(),
    SANDBOX: set(),
    CHALLENGE: set(),
    "corruptions": set(),
    "submission": {CHALLENGE},
    REHEARSAL: {"submission", SANDBOX, CHALLENGE, IMAGES, "corruptions"},
    "evaluator": BELOW_EVALUATOR,
    RECIPES: {"corruptions", IMAGES, "submission", CHALLENGE},
    COMMANDS: {*BELOW_EVALUATOR, "evaluator", RECIPES},
}
ROOMS = (OWN, "corruptions", "evaluator", "submission")
# The doors that notebooks use: loaded by the first name that needs it.
ALSO = {
    **{f"{room}/__init__.py": {OWN} for room in ("corruptions", "evaluator", "submission")},
    f"{OWN}/__init__.py": {*BELOW_EVALUATOR, "evaluator", COMMANDS},
}
KERAS_ALLOWED = (
    *("codabench_rehearsal/recipes/", "submission/template/", "corruptions/pipeline.py"),
    "evaluator/callback.py",  # in a training script, which has it loaded
)
IN_FUNCTIONS = {"h5py", "pyflakes", "rich"}  # of submission's core: only where they are needed
FILES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "__pycache__" not in path.parts
)
LONGEST_FILE = 430


def room_of(module: str) -> str | None:
    """The room that a module belongs to; None for others' modules."""
    rooms = sorted(MAY_IMPORT, key=len, reverse=True)
    return next((one for one in rooms if f"{module}.".startswith(f"{one}.")), None)


def named(tree: ast.AST) -> set[str]:
    """Every module that a tree imports, wherever it stands; of `from a import b` also `a.b`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of every import in a tree."""
    return {name.split(".")[0] for name in named(tree)}


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows(path: Path) -> None:
    """Else a room drags in another, and nothing can be used or understood alone."""
    name = str(path.relative_to(ROOT))
    room = room_of(name.removesuffix(".py").replace("/", ".")) or ""
    allowed = MAY_IMPORT[room] | ALSO.get(name, set()) | {room, GROUND}
    assert {room_of(module) for module in named(parsed(path))} - {None} <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_keras_stays_where_it_is_needed(path: Path) -> None:
    """Else a command would start TensorFlow, seconds and hundreds of megabytes."""
    name = str(path.relative_to(ROOT))
    if not name.startswith(KERAS_ALLOWED):
        assert not imported(parsed(path)) & {"keras", "tensorflow"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_holds_one_idea(path: Path) -> None:
    """Else the file list stops telling the story."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_submission_core_needs_the_standard_library_only() -> None:
    """Else a zip could not be checked on a machine without the scientific stack."""
    standard = set(sys.stdlib_module_names) | {"submission", OWN, "__future__"}
    for path in FILES:
        name = str(path.relative_to(ROOT))
        if name.startswith("submission/") and name not in ALSO and "/template/" not in name:
            tree = parsed(path)
            top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            assert imported(tree) <= standard | IN_FUNCTIONS, name
            assert imported(ast.Module(list(top), [])) <= standard, name


HEAVY = ("numpy", "tensorflow", "keras", "numba", "cv2", "sklearn", "scipy", "psutil")
LIGHT_CALLS = [
    "from codabench_rehearsal.commands.make_submission import main; main(['--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['inspect', '--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['record', '--help'])",
    "from codabench_rehearsal.commands.local_eval import main; main(['rank', '--help'])",
    "from codabench_rehearsal.commands.train_recipe import main; main(['--help'])",
    "from codabench_rehearsal.commands.train_recipe import main; main(['list'])",
]


@pytest.mark.parametrize("call", LIGHT_CALLS)
def test_help_imports_nothing_heavy(call: str) -> None:
    """Else every --help takes seconds."""
    code = f"import sys\ntry:\n    {call}\nexcept SystemExit: pass\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stderr.split())


def test_exactly_one_cv2_is_installed() -> None:
    """Else two OpenCV builds overwrite each other's files."""
    from importlib.metadata import distributions

    names = {d.metadata["Name"].lower() for d in distributions() if d.metadata["Name"]}
    assert [n for n in sorted(names) if n.startswith("opencv")] == ["opencv-python-headless"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_terminals_show_foreign_text_as_it_is(path: Path) -> None:
    """Else a class called [/red] ends a report with a fault of ours: rich reads orders in brackets."""
    name = str(path.relative_to(ROOT))
    calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    for call in calls:
        made = getattr(call.func, "id", "")
        assert made != "Console" or name == "codabench_rehearsal/console/command.py", (
            "use codabench_rehearsal.console.command.console"
        )
        plain = any(
            word.arg == "markup" and ast.unparse(word.value) == "False" for word in call.keywords
        )
        assert made != "TextColumn" or plain, "say markup=False"
        assert made != "input", "nobody is asked: a notebook would wait for ever"


OWN_TEXTS = {  # which read back what we wrote ourselves
    *(f"{OWN}/images/dataset.py", f"{OWN}/recipes/checkpoint.py", f"{OWN}/recipes/search.py"),
    *(f"{OWN}/commands/several.py", "submission/backport.py"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_foreign_files_come_in_by_one_door(path: Path) -> None:
    """Else one reader waits for ever for a pipe, or breaks on a hundred thousand brackets."""
    name = str(path.relative_to(ROOT))
    if name.startswith((f"{OWN}/sandbox/", f"{OWN}/console/")) or name in OWN_TEXTS:
        return
    calls = {ast.unparse(n.func) for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)}
    assert not calls & {"json.loads", "json.load", "tomllib.loads", "tomllib.load"}, (
        "use codabench_rehearsal.console.reading"
    )
    written = ("submission/h5.py", "submission/backport_h5.py")
    assert "h5py.File" not in calls or name in written, "use submission.h5"

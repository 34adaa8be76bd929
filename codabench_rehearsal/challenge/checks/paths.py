"""Checks of the places that programs and commands name: which of them the worker has, and when."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator

from codabench_rehearsal.challenge.bundle_files import Tree, plain_name
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.console.words import few, shown

# What either generation of the worker has in either job.
PLACES = (
    *("/app/program", "/app/output", "/app/data", "/app/input_data", "/app/ingested_program"),
    *("/app/input", "/app/shared"),
    "/app/ingestion_program",  # $program of an ingestion that runs during scoring
)
_DATA = {  # of a kind of program -> the task's key, and where it lies
    "ingestion": ("input_data", "/app/input_data/"),
    "scoring": ("reference_data", "/app/input/ref/"),
}
_SCORING_ALONE = ("/app/input", "/app/shared")
_WRITING = ("w", "a", "x", "w+", "wb", "ab", "xb")
_HOMES = re.compile(r"^(/(home|Users|mnt|content|kaggle|root)/|~/|[A-Z]:[\\/])")


@check("B150", "warning")
def places_that_no_worker_has(subject: Subject) -> Iterator[str]:
    """Use what the worker gives: /app/input_data and /app/ingested_program in ingestion,
    /app/input/ref and /app/input/res in scoring, /app/output in both.
    """
    for program in subject.programs:
        for where, path in _named(program):
            if not _below(path, PLACES):
                yield f"{program.name}: {where} names {shown(path)}, which the worker does not have"


@check("B151", "warning")
def places_of_the_other_job(subject: Subject) -> Iterator[str]:
    """Ingestion has /app/input_data, scoring has /app/input/ref and /app/input/res; neither sees
    the other's. Let ingestion write what scoring needs into /app/output.
    """
    together = any(t.get("ingestion_only_during_scoring") for _, t in subject.tables("tasks"))
    for program in subject.programs:
        for where, path in () if together else _named(program):
            if program.kind == "ingestion" and _below(path, _SCORING_ALONE):
                yield f"{program.name}: {where} names {shown(path)}, which only scoring has"
            if program.kind == "scoring" and _below(path, ("/app/input_data",)):
                yield f"{program.name}: {where} names {shown(path)}, which only ingestion has"


@check("B152", "warning")
def places_of_one_generation(subject: Subject) -> Iterator[str]:
    """Do without: the site moves between two generations of its worker, and one of them has no such
    folder there, or lets nobody write into it.
    """
    for program in subject.programs:
        for where, path in _named(program):
            if program.kind == "scoring" and _below(path, ("/app/ingested_program",)):
                job = "the scoring job of the newer worker alone has"
                yield f"{program.name}: {where} names {shown(path)}, which {job}"
        for where, path in _written(program):
            if _below(path, ("/app/ingested_program", "/app/data", "/app/input")):
                yield f"{program.name}: {where} writes to {shown(path)}, which may be read only"


@check("B153", "warning")
def places_of_your_own_machine(subject: Subject) -> Iterator[Said]:
    """Read it from the command's arguments, or from a place below /app: the container has no such
    folder.
    """
    for program in subject.programs:
        found = [(w, t) for w, t in _texts(program) if _HOMES.match(t) and "\n" not in t]
        if found:
            names = few([text for _, text in found], 3)
            yield Said(f"{program.name}: {found[0][0]} names {names}")


@check("B154", "warning")
def files_that_the_data_lack(subject: Subject) -> Iterator[str]:
    """Name the file as the data hold it: a program that finds none ends there, whatever the
    submission holds.
    """
    for program in subject.programs:
        key, place = _DATA[program.kind]
        data = _data_of(subject, program, key)
        for where, path in _opened(program) if data else ():
            name = path.removeprefix(place)
            if path.startswith(place) and not any(name in tree.sizes for tree in data):
                what = f"and {key} has no such file{_near(name, data)}"
                yield f"{program.name}: {where} names {shown(path)}, {what}"


def _data_of(subject: Subject, program: Program, key: str) -> list[Tree]:
    """The data of every task of a program; none where some of them are not in the bundle."""
    named = [
        subject.inside(task.get(key))
        for _, task in subject.tables("tasks")
        if plain_name(str(task.get(f"{program.kind}_program"))) == program.name
    ]
    found = [tree for tree in named if tree is not None and tree.sizes]
    return found if len(found) == len(named) else []


def _opened(program: Program) -> Iterator[tuple[str, str]]:
    """The files below /app that the code names, but for those that it tries or looks for."""
    for name in program.used:
        tree = program.modules[name]
        every = [*ast.walk(tree)] if tree else []
        tried = {
            id(inner)
            for node in every
            if isinstance(node, ast.Try) or (isinstance(node, ast.Call) and _looks(node))
            for inner in ast.walk(node)
        }
        looked = {n.value for n in every if isinstance(n, ast.Constant) and id(n) in tried}
        for node in every:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain = re.sub(r"/+", "/", node.value)
                if node.value not in looked and re.fullmatch(r"/app/[\w./-]+\.\w{1,5}", plain):
                    yield f"{name} line {node.lineno}", plain


def _looks(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return bool(re.search(r"exists|is_?file|is_?dir|glob", str(name)))


def _near(name: str, data: list[Tree]) -> str:
    """A file that was perhaps meant."""
    last = name.rpartition("/")[2]
    names = [one for tree in data for one in tree.sizes]
    same = [one for one in names if one.rpartition("/")[2].lower() == last.lower()]
    near = same or difflib.get_close_matches(name, names, 1)
    return f"; there is {shown(near[0])}" if near else ""


def _named(program: Program) -> Iterator[tuple[str, str]]:
    """The places below /app that a program's command and code name, each once, with where."""
    seen: set[str] = set()
    for where, text in _texts(program):
        path = text.split("=", 1)[-1] if text.startswith("--") else text
        plain = re.sub(r"/+", "/", path).rstrip("/")
        is_path = plain.startswith("/app/") and re.fullmatch(r"[\w./%{}*-]+", plain)
        if is_path and plain not in seen:
            seen.add(plain)
            yield where, plain


def _texts(program: Program) -> Iterator[tuple[str, str]]:
    """The texts of a program: the words of its command, the constants of the code that it runs."""
    yield from (("its command", word) for word in program.replaced)
    for name in program.used:
        tree = program.modules[name]
        documents = {id(node) for node in _documents(tree)} if tree else set()
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Constant) and id(node) not in documents:
                yield f"{name} line {node.lineno}", str(node.value)


def _documents(tree: ast.AST) -> Iterator[ast.AST]:
    """Texts that stand alone: docstrings, and what is put aside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _written(program: Program) -> Iterator[tuple[str, str]]:
    """The places that a program opens for writing, as far as they stand there."""
    for name in program.used:
        tree = program.modules[name]
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open":
                values = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if len(values) > 1 and isinstance(values[0], str) and values[1] in _WRITING:
                    yield f"{name} line {node.lineno}", values[0]


def _below(path: str, places: tuple[str, ...]) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for place in places)

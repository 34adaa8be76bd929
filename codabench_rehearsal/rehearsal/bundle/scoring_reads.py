"""Which files of a submission a scoring program opens: read from its source, never run.

A path is put together as far as its parts are told; what is not is a gap. It is the submission's
where it leads through `input/res`, or begins with a name that speaks of predictions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from codabench_rehearsal.challenge.bundle_files import opened_tree
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.program_source.runs import Runs
from codabench_rehearsal.challenge.program_source.submission_imports import last_of, text_of

GAP = "*"
_DEEPEST = 10
_LONGEST = 400
_IN_RES = re.compile(r"(?:^|/)res/+(.+)$")
_NAMED = re.compile(r"^<([^<>]*)>/+(.+)$")
_THEIRS = re.compile(r"pred|subm|^res(ults?)?(_|$)|answer|ingestion_out|user", re.IGNORECASE)
_ORGANISERS = re.compile(r"ref|truth|true|gold|solution|target|label|output_dir", re.IGNORECASE)
_JOINS = ("join", "joinpath", "Path", "PurePath")
_SAME = ("abspath", "realpath", "normpath", "str", "fspath", "resolve", "expanduser", "strip")
_ASKS = ("exists", "isfile", "is_file", "isdir", "is_dir", "access", "getsize")
_SEARCHES = ("listdir", "glob", "rglob", "iterdir", "walk", "scandir")


@dataclass(frozen=True)
class Read:
    """A file that is opened. name: below the submission, `*` for what is not told. place: line.

    sure: whether every run needs it: it is not asked for first, and has no gap.
    """

    name: str
    place: str
    sure: bool

    def is_in(self, names: Iterable[str]) -> bool:
        """Whether it is among the files of a zip."""
        return any(fnmatchcase(name, self.name) for name in names)


@dataclass(frozen=True)
class Reads:
    """files: in the order of the source. searches: whether scoring also looks for files itself."""

    files: tuple[Read, ...] = ()
    searches: bool = False

    @property
    def only(self) -> str:
        """The only file that scoring opens, "" where there are several, or a gap in its name."""
        names = {one.name for one in self.files}
        return names.pop() if len(names) == 1 and GAP not in "".join(names) else ""


def reads_of(scoring: Path) -> Reads:
    """What the scoring program in a folder opens of a submission.

    Raises `SubmissionError`, `OSError` for a folder that cannot be read.
    """
    with opened_tree(scoring) as tree:
        program = Program("scoring", scoring.name, tree)
        trees = {name: code for name in program.used if (code := program.modules[name])}
    reader = Runs(trees)
    searches = any(last_of(node) in _SEARCHES for _, node in reader.nodes)
    found: dict[str, Read] = {}
    for file, code in trees.items():
        for name, node in _Texts(code).files():
            asked = _is_asked_for(reader, node)
            sure = GAP not in name and not searches and not asked and reader.is_sure(node)
            known = found.get(name)
            place = f"{file}:{getattr(node, 'lineno', 1)}"
            if known is None:
                found[name] = Read(name, place, sure)
            elif asked:
                found[name] = Read(name, known.place, sure=False)
    return Reads(tuple(found.values()), searches)


def _is_asked_for(reader: Runs, node: ast.AST) -> bool:
    """Whether a path is only asked for, here or where its variable is used."""
    names = set()
    for outer in reader.above(node):
        if isinstance(outer, ast.Call) and last_of(outer.func) in _ASKS:
            return True
        if isinstance(outer, ast.Assign):
            names |= {last_of(one) for one in outer.targets}
    for _, other in reader.nodes:
        if isinstance(other, ast.Call) and last_of(other.func) in _ASKS:
            inner = {last_of(n) for n in ast.walk(other)}
            if names & inner:
                return True
    return False


class _Texts:
    """Puts paths of one module together."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = list(ast.walk(tree))
        self._values: dict[str, ast.expr | None] = {}
        self._defaults = dict(self._options())
        for node in self.nodes:
            for name, value in _bound(node):
                self._values[name] = value if name not in self._values else None

    def _options(self) -> Iterator[tuple[str, str]]:
        """Options of the command line -> their defaults: `add_argument("--pred-dir", default=)`."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and last_of(node.func) == "add_argument":
                default = next((k.value for k in node.keywords if k.arg == "default"), None)
                names = [text_of(arg).lstrip("-").replace("-", "_") for arg in node.args]
                if default is not None and (text := text_of(default)):
                    yield from ((name, text) for name in names if name)

    def files(self) -> Iterator[tuple[str, ast.AST]]:
        """The files below a submission's folder that whole expressions name, and where."""
        parts = {id(inner) for node in self.nodes for inner in _within(node)}
        for node in self.nodes:
            plain = isinstance(node, ast.BinOp | ast.JoinedStr | ast.Constant) or _joins(node)
            if not plain or not isinstance(node, ast.expr) or id(node) in parts:
                continue
            if name := _below_results(self.of(node)):
                yield name, node

    def of(self, node: ast.expr | None, depth: int = 0) -> str:
        """An expression as a path; `*` for a gap, `<name>` for a folder that is not told."""
        if node is None or depth > _DEEPEST:
            return GAP
        text = self._of(node, depth + 1)
        return text if len(text) <= _LONGEST else GAP

    def _of(self, node: ast.expr, depth: int) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value) if isinstance(node.value, str | int) else GAP
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node, depth)
        if isinstance(node, ast.BinOp):
            left, right = self.of(node.left, depth), self.of(node.right, depth)
            if isinstance(node.op, ast.Mod):
                return re.sub(r"%[\d.]*[sdrfi]", GAP, left)
            if isinstance(node.op, ast.Div):
                return _joined([left, right])
            return left + right if isinstance(node.op, ast.Add) else GAP
        if isinstance(node, ast.JoinedStr):
            return "".join(self.of(part, depth) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self.of(node.value, depth)
        return self._called(node, depth) if isinstance(node, ast.Call) else GAP

    def _named(self, node: ast.Name | ast.Attribute, depth: int) -> str:
        name = last_of(node)
        told = self._values.get(name)
        text = self.of(told, depth) if told is not None else GAP
        if isinstance(node, ast.Attribute) and text == GAP:
            text = self._defaults.get(name, GAP)
        return f"<{name}>" if text == GAP else text

    def _called(self, node: ast.Call, depth: int) -> str:
        name = last_of(node.func)
        held = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        if name in _JOINS:
            start = held if name == "joinpath" else []
            return _joined([self.of(one, depth) for one in (*start, *node.args)])
        if name in _SAME:
            return self.of(next(iter((*node.args, *held)), None), depth)
        if name == "format" and held:
            return re.sub(r"\{[^{}]*\}", GAP, self.of(held[0], depth))
        return GAP


def _below_results(path: str) -> str:
    """The part of a path below the submission's folder, "" for another path."""
    plain = path.replace("\\", "/")
    if found := _IN_RES.search(plain):
        return _gaps(found[1])
    found = _NAMED.match(plain)
    if found and _THEIRS.search(found[1]) and not _ORGANISERS.search(found[1]):
        return _gaps(found[2])
    return ""


def _gaps(name: str) -> str:
    plain = re.sub(r"<[^<>]*>", GAP, name).strip("/")
    return "" if set(plain) <= {GAP, "/"} or plain == "metadata" else plain


def _joined(parts: list[str]) -> str:
    """Parts of a path, as os.path.join has them."""
    path = ""
    for part in parts:
        path = part if part.startswith("/") or not path else f"{path.rstrip('/')}/{part}"
    return path


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """What is no path by itself: parts of a longer one, and texts that stand alone."""
    if isinstance(node, ast.BinOp | ast.JoinedStr) or _joins(node):
        yield from (inner for inner in ast.walk(node) if inner is not node)
    elif isinstance(node, ast.Expr):
        yield node.value


def _joins(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_of(node.func) in _JOINS


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names and attributes that a statement binds, with their value where it is one whole."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            whole = isinstance(target, ast.Name | ast.Attribute)
            for inner in [target] if whole else ast.walk(target):
                if isinstance(inner, ast.Name | ast.Attribute):
                    yield last_of(inner), node.value if whole else None
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield last_of(node.target), node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield from ((last_of(n), None) for n in ast.walk(node.target) if isinstance(n, ast.Name))
    elif isinstance(node, ast.arg):
        yield node.arg, None

"""Which files the code opens as it runs, as far as their names can be told."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from submission.checks.modules import Function, Module
from submission.checks.paths import Paths, Place

if TYPE_CHECKING:
    from submission.checks.subject import Subject

OPENERS = frozenset(
    ("open", "load", "load_model", "load_weights", "File", "loadtxt", "genfromtxt", "fromfile", "read_csv", "read_text", "read_bytes", "imread", "ZipFile", "TFSMLayer", "Interpreter", "memmap", "read_parquet", "loadmat")
)  # fmt: skip
OBJECTS = frozenset(("read_text", "read_bytes"))  # methods of the path itself; `open` may be one
ARGUMENTS = frozenset(("filepath", "file", "path", "filename", "model_path", "name", "fname", "fp"))
ASKS = frozenset(("exists", "isfile", "isdir", "is_file", "is_dir", "access"))
# Where the platform unpacks the zip, and where one generation of its worker copies it to.
PLATFORM = {"/app/ingested_program/": "zip", "/app/output/": "output"}
WRITES = re.compile(r"[wax+]")
Move = tuple[Function | None, int, Place]  # in which function, on which line, to which folder


@dataclass(frozen=True)
class Opened:
    """A file that code opens. opener: the call's last name. checked: the code asks first, or catches."""

    module: Module
    call: ast.Call
    place: Place
    opener: str
    checked: bool

    @property
    def where(self) -> str:
        """File and line."""
        return self.module.line(self.call)


def opened_files(subject: Subject) -> Iterator[Opened]:
    """Follow each call that opens a file by name."""
    readers: dict[Module, Paths] = {}
    moves = list(_moves(subject, readers))
    for module, call in subject.live.calls:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name not in OPENERS or _is_own(subject, module, call) or _writes(call):
            continue
        paths = _reader(readers, module)
        expression = _argument(call, name)
        for place in paths.of(expression) if expression is not None else ():
            seen = _after(moves, module, call, place)
            yield Opened(module, call, seen, name, _is_checked(module, call))


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    if name in OBJECTS or (name == "open" and isinstance(call.func, ast.Attribute) and not _takes_path(call)):  # fmt: skip
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg in ARGUMENTS), None)


def _takes_path(call: ast.Call) -> bool:
    """Whether `x.open(...)` is a module's function, as `io.open(path)` or `gzip.open(path)`."""
    return getattr(getattr(call.func, "value", None), "id", "") in ("io", "gzip", "bz2", "lzma", "os", "codecs", "Image")  # fmt: skip


def _is_own(subject: Subject, module: Module, call: ast.Call) -> bool:
    """Whether it calls a function of the zip that only happens to have such a name."""
    name = module.full_name(call.func)
    first = name.split(".")[0]
    if first in ("self", "cls"):
        return name.count(".") == 1
    if subject.file_of(name.rpartition(".")[0] or first) and first != subject.challenge.module:
        return True
    return name in module.definitions


def _writes(call: ast.Call) -> bool:
    modes = [*call.args[:2], *(k.value for k in call.keywords if k.arg == "mode")]
    texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
    return any(len(text) < 4 and WRITES.search(text) is not None for text in texts)


def _reader(readers: dict[Module, Paths], module: Module) -> Paths:
    """One reader a module: it remembers what it has read."""
    return readers.setdefault(module, readers.get(module) or Paths(module))


def _moves(subject: Subject, readers: dict[Module, Paths]) -> Iterator[Move]:
    """The places where the code goes to a folder of the zip."""
    for module, call in subject.live.calls:
        if module.full_name(call.func) == "os.chdir" and call.args:
            for place in _reader(readers, module).of(call.args[0]):
                if place.anchor == "zip":
                    yield module.function_of(call), call.lineno, place


def _after(moves: list[Move], module: Module, call: ast.Call, place: Place) -> Place:
    """The place as it is once the code has gone to the zip's own folder, or named the platform's."""
    for root, anchor in PLATFORM.items() if place.anchor == "absolute" else ():
        if place.path.startswith(root):
            return Place(anchor, place.path.removeprefix(root))
    for function, line, folder in moves if place.anchor in ("text", "cwd") else ():
        same = function is module.function_of(call) and line < call.lineno
        if function is None or same:
            return Place("zip", posixpath.normpath(posixpath.join(folder.path, place.path)))
    return place


def _is_checked(module: Module, call: ast.Call) -> bool:
    inner: ast.AST = call
    for outer in module.above(call):
        if isinstance(outer, ast.Try) and outer.handlers and any(inner is part for part in outer.body):  # fmt: skip
            return True
        if isinstance(outer, ast.If | ast.IfExp | ast.While) and any(
            getattr(n, "attr", getattr(n, "id", "")) in ASKS for n in ast.walk(outer.test)
        ):
            return True
        inner = outer
    return False

"""What the code opens as it runs."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import PurePosixPath

from submission.checks.modules import Function, Module, argument, called, constant, last_name, words
from submission.checks.paths import FilePlace, Paths
from submission.checks.program import Program

OPENERS = words(
    "open load load_model load_weights File loadtxt genfromtxt fromfile read_csv read_text "
    "read_bytes imread ZipFile TFSMLayer Interpreter memmap read_parquet loadmat"
)
OBJECTS = words("read_text read_bytes")  # methods of the path itself; `open` may be one
ARGUMENTS = words("filepath file path filename model_path name fname fp")
TAKE_PATHS = words("io gzip bz2 lzma os codecs Image")  # whose `open` is a function, not a method
ASKS = words("exists isfile isdir is_file is_dir access")
# Where the platform unpacks the zip, and where one generation of its worker copies it to.
PLATFORM = {"/app/ingested_program/": "zip", "/app/output/": "output"}
WRITES = re.compile(r"[wax+]")
_SEARCHES = re.compile(r"\b(glob|rglob|iterdir|listdir|scandir|walk|json|yaml)\b")
_BUILDS = re.compile(r"f['\"]|\.format\(|%\s*[\w(]|\+\s*['\"]\.")
Move = tuple[Function | None, int, FilePlace]  # in which function, on which line, to which folder


@dataclass(frozen=True)
class OpenedFile:
    """A file that code opens. opener: the call's last name; checked: it asks first, or catches."""

    module: Module
    call: ast.Call
    place: FilePlace
    opener: str
    checked: bool

    @property
    def where(self) -> str:
        """File and line."""
        return self.module.line(self.call)


class OpenedFiles:
    """The files that the code opens. `surely` holds those whose names can be told."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._paths = cache(Paths)  # one reader a module: it remembers what it has read

    @cached_property
    def surely(self) -> tuple[OpenedFile, ...]:
        """One for each name that each call may be given."""
        return tuple(self._surely())

    def _surely(self) -> Iterator[OpenedFile]:
        moves = list(self._moves())
        for module, call in self.program.live.calls:
            name = called(call)
            if name not in OPENERS or _is_own(self.program, module, call) or _writes(call):
                continue
            for place in self._paths(module).of(_path_given(call, name)):
                after = _after(moves, module, call, place)
                yield OpenedFile(module, call, after, name, _is_checked(module, call))

    def _moves(self) -> Iterator[Move]:
        """The places where the code goes to a folder of the zip."""
        for module, call in self.program.live.calls:
            if module.full_name(call.func) == "os.chdir" and call.args:
                for place in self._paths(module).of(call.args[0]):
                    if place.anchor == "zip":
                        yield module.function_of(call), call.lineno, place

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(opened.place.plain for opened in self.surely)

    @cached_property
    def _texts(self) -> frozenset[str]:
        texts = self.program.texts
        ends = {posixpath.basename(text) for text in texts if text.startswith("/")}
        return (texts | ends) - {""}

    @cached_property
    def _ways(self) -> tuple[bool, bool]:
        """Whether the code finds files by a pattern, and whether it builds names."""
        text = self.program.source
        return bool(_SEARCHES.search(text)), bool(_BUILDS.search(text))

    def perhaps(self, name: str) -> bool:
        """Whether code may open the zip's file of that name.

        It names it, or a part of its name where names are built, or finds files by a pattern.
        """
        own, (searches, builds) = PurePosixPath(name).name, self._ways
        if searches or name in self._names or {own, name} & self._texts:
            return True
        parts = (text for text in self._texts if len(text) > 1)
        return builds and any(text in own or own in text for text in parts)


def _path_given(call: ast.Call, name: str) -> ast.expr | None:
    func = call.func
    if isinstance(func, ast.Attribute):
        is_method = name == "open" and getattr(func.value, "id", "") not in TAKE_PATHS
        if is_method or name in OBJECTS:
            return func.value
    elif name in OBJECTS:
        return None
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg in ARGUMENTS), None)


def _is_own(program: Program, module: Module, call: ast.Call) -> bool:
    """Whether it calls a function of the zip that only happens to have such a name."""
    name = module.full_name(call.func)
    first = name.split(".")[0]
    if first in ("self", "cls"):
        return name.count(".") == 1
    if program.file_of(name.rpartition(".")[0] or first) and first != program.asked.module:
        return True
    return name in module.definitions


def _writes(call: ast.Call) -> bool:
    texts = [constant(mode) for mode in (*call.args[:2], argument(call, "mode"))]
    return any(isinstance(text, str) and len(text) < 4 and WRITES.search(text) for text in texts)


def _after(moves: list[Move], module: Module, call: ast.Call, place: FilePlace) -> FilePlace:
    """The place once the code has gone to the zip's own folder, or named the platform's."""
    for root, anchor in PLATFORM.items() if place.anchor == "absolute" else ():
        if place.path.startswith(root):
            return FilePlace(anchor, place.path.removeprefix(root))
    for function, line, folder in moves if place.anchor in ("text", "cwd") else ():
        if function is None or (function is module.function_of(call) and line < call.lineno):
            return FilePlace("zip", posixpath.normpath(posixpath.join(folder.path, place.path)))
    return place


def _is_checked(module: Module, call: ast.Call) -> bool:
    for inner, outer in pairwise((call, *module.above(call))):
        if isinstance(outer, ast.Try) and outer.handlers and inner in outer.body:
            return True
        asks = outer.test if isinstance(outer, ast.If | ast.IfExp | ast.While) else None
        if asks and any(last_name(node) in ASKS for node in ast.walk(asks)):
            return True
    return False

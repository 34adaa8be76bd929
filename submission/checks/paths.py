"""Which file an expression names: constants, f-strings, os.path, pathlib and `__file__`."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from submission.checks.modules import Module, constant, last_name, words

MOST = 64  # values that one expression may have; with more of them none is told
LONGEST = 4096  # signs of a path, as Linux has it
LARGEST = 10**18  # a larger number is no file's
DEEPEST = 12
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
SAME = words(
    "PosixPath fspath abspath realpath normpath expandvars resolve absolute as_posix __str__ bytes "
    "fsencode list sorted tuple enumerate"
)
Places = Iterable["FilePlace"]


@dataclass(frozen=True)
class FilePlace:
    """Where a path leads. path: posix, relative to the anchor; for "zip" to the zip's root.

    anchor: "zip" (beside the module), "cwd", "home", "absolute", "text", "number". "text" is a bare
    name: the working folder's, once it is opened; "number" is none yet.
    """

    anchor: str
    path: str

    @property
    def plain(self) -> str:
        """The path without detours."""
        return posixpath.normpath(self.path)

    @property
    def name(self) -> str:
        """The path's last part."""
        return posixpath.basename(self.path)

    def up(self, steps: int) -> FilePlace:
        """The folder so many steps above."""
        path = self.path
        for _ in range(steps):
            path = posixpath.dirname(path)
        return FilePlace(self.anchor if self.anchor != "text" else "cwd", path)

    def as_text(self) -> FilePlace:
        """The same, a number as its digits."""
        return FilePlace("text", self.path) if self.anchor == "number" else self


def anchored(anchor: str, path: str) -> FilePlace:
    """A place with its path made plain."""
    if anchor == "text" and (path.startswith("/") or _DRIVE.match(path)):
        return FilePlace("absolute", path)
    if anchor == "text" and path.startswith("~"):
        return FilePlace("home", path)
    if anchor in ("text", "absolute") or not path:
        return FilePlace(anchor, path)
    return FilePlace(anchor, posixpath.normpath(path))


_CHANGES: dict[str, Callable[[FilePlace], FilePlace]] = {
    **dict.fromkeys(SAME, lambda place: place),
    "str": FilePlace.as_text,
    "dirname": lambda place: place.up(1),
    "basename": lambda place: anchored("text", place.name),
}


class Paths:
    """Reads path expressions of one module.

    Nothing is built that is cut afterwards: values are drawn one after the other and given up at
    `MOST`, and each expression is read once a depth, so that short code cannot ask for much.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self._known: dict[tuple[ast.AST, int], tuple[FilePlace, ...]] = {}
        self._readers: dict[type[ast.AST], Callable[[Any, int], Places]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.JoinedStr: self._text,
            ast.BinOp: self._operation,
            ast.Call: self._call,
            ast.Subscript: self._element,
            ast.List: self._elements,
            ast.Tuple: self._elements,
        }

    def of(self, node: ast.AST | None, depth: int = 0) -> tuple[FilePlace, ...]:
        """Every place that the expression may name; none where it cannot be told."""
        if depth > DEEPEST or node is None:
            return ()
        if (node, depth) not in self._known:
            reader = self._readers.get(type(node))
            self._known[node, depth] = _few(reader(node, depth + 1)) if reader else ()
        return self._known[node, depth]

    def _constant(self, node: ast.Constant, _depth: int) -> Places:
        value = node.value
        if isinstance(value, str):
            return (anchored("text", value),)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST:
            return (FilePlace("number", str(value)),)
        return ()

    def _name(self, node: ast.Name, depth: int) -> Places:
        if node.id == "__file__":
            return (FilePlace("zip", self.module.file),)
        return self.of(self.module.values.get(node.id), depth)

    def _attribute(self, node: ast.Attribute, depth: int) -> Places:
        if node.attr == "parent":
            return (place.up(1) for place in self.of(node.value, depth))
        if node.attr in ("name", "stem", "suffix"):
            return (anchored("text", _part(p, node.attr)) for p in self.of(node.value, depth))
        if getattr(node.value, "id", "") in ("self", "cls") or node.attr.isupper():
            return self.of(self.module.values.get(f".{node.attr}"), depth)
        return ()

    def _text(self, node: ast.JoinedStr, depth: int) -> Places:
        if any(isinstance(p, ast.FormattedValue) and p.format_spec for p in node.values):
            return ()
        values = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
        return _concatenated((p.as_text() for p in self.of(part, depth)) for part in values)

    def _operation(self, node: ast.BinOp, depth: int) -> Places:
        left, right = self.of(node.left, depth), self.of(node.right, depth)
        if any(place.anchor == "number" for place in (*left, *right)):
            return ()  # arithmetic
        if isinstance(node.op, ast.Div):
            return _below(left, right)
        return _concatenated((left, right)) if isinstance(node.op, ast.Add) else ()

    def _call(self, node: ast.Call, depth: int) -> Places:
        name, last = self.module.full_name(node.func), last_name(node.func)
        if name == "os.getcwd" or last == "cwd":
            return (FilePlace("cwd", ""),)
        if name == "os.path.expanduser" or last in ("home", "expanduser"):
            return (FilePlace("home", ""),)
        if name in ("os.path.join", "posixpath.join") or last in ("joinpath", "Path", "PurePath"):
            return self._joined(node, last, depth)
        if last in ("with_name", "with_suffix", "with_stem"):
            return self._renamed(node, last, depth)
        if last == "range":
            return _numbers(node)
        change = _CHANGES.get(last)
        return map(change, self.of(_object_or_first(node), depth)) if change else ()

    def _joined(self, node: ast.Call, last: str, depth: int) -> Places:
        parts: list[ast.expr] = list(node.args)
        if last == "joinpath" and isinstance(node.func, ast.Attribute):
            parts.insert(0, node.func.value)
        if not parts:
            return (FilePlace("cwd", ""),) if last in ("Path", "PurePath") else ()
        places = self.of(parts[0], depth)
        for part in parts[1:] if places else ():
            places = _few(_below(places, self.of(part, depth)))
        return places

    def _renamed(self, node: ast.Call, last: str, depth: int) -> Places:
        held = node.func.value if isinstance(node.func, ast.Attribute) else None
        for old, new in product(self.of(held, depth), self.of(_object_or_first(node), depth)):
            name = new.path if last == "with_name" else _part(old, "stem") + new.path
            yield anchored(old.anchor, posixpath.join(posixpath.dirname(old.path), name))

    def _element(self, node: ast.Subscript, depth: int) -> Places:
        index, held = constant(node.slice), node.value
        if isinstance(held, ast.Attribute) and held.attr == "parents":
            if not isinstance(index, int) or not 0 <= index < DEEPEST:
                return ()
            return (place.up(index + 1) for place in self.of(held.value, depth))
        meant = self.module.values.get(held.id) if isinstance(held, ast.Name) else held
        if not isinstance(meant, ast.List | ast.Tuple) or not isinstance(index, int):
            return ()
        inside = -len(meant.elts) <= index < len(meant.elts)
        return self.of(meant.elts[index], depth) if inside else ()

    def _elements(self, node: ast.List | ast.Tuple, depth: int) -> Places:
        found: dict[FilePlace, None] = {}
        for element in node.elts:
            part = self.of(element, depth)
            found.update(dict.fromkeys(part))
            if not part or len(found) > MOST:
                return ()
        return found


def _object_or_first(call: ast.Call) -> ast.expr | None:
    """The first argument, or the object whose method it is."""
    if call.args:
        return call.args[0]
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def _numbers(call: ast.Call) -> Places:
    values = [constant(arg) for arg in call.args]
    if not values or not all(isinstance(v, int) and abs(v) < LARGEST for v in values):
        return ()
    try:
        numbers = range(*map(int, values[:3]))
    except ValueError:
        return ()
    return (FilePlace("number", str(i)) for i in numbers[: MOST + 1])


def _few(places: Places) -> tuple[FilePlace, ...]:
    """Each place once; none where they are too many, or too long for any file."""
    found: dict[FilePlace, None] = {}
    for place in islice(places, MOST * MOST + 1):
        found[place] = None
        if len(found) > MOST or len(place.path) > LONGEST:
            return ()
    return tuple(found)


def _below(folders: Places, names: tuple[FilePlace, ...]) -> Places:
    """Every name below every folder; one that has a place of its own stays there."""
    for folder, name in product(folders, names):
        own = name.anchor != "text"
        yield name if own else anchored(folder.anchor, posixpath.join(folder.path, name.path))


def _concatenated(parts: Iterable[Places]) -> Places:
    """The texts of all parts, one behind the other; none where there are too many."""
    joined: tuple[FilePlace, ...] = ()
    for number, part in enumerate(parts):
        joined = _few(_behind(joined, part) if number else part)
        if not joined:
            return
    for place in joined:
        rooted = place.anchor not in ("text", "absolute")
        yield anchored(place.anchor, place.path.lstrip("/") if rooted else place.path)


def _behind(firsts: Places, seconds: Places) -> Places:
    for first, second in product(firsts, seconds):
        # Only the first may have another anchor: `folder + "/w"`.
        if second.anchor in ("text", "absolute"):
            yield FilePlace(first.anchor, first.path + second.path)


def _part(place: FilePlace, part: str) -> str:
    stem, suffix = posixpath.splitext(place.name)
    return {"name": place.name, "stem": stem, "suffix": suffix}[part]

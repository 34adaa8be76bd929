"""Which file an expression names: constants, f-strings, os.path, pathlib and `__file__` followed."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice, product

from submission.checks.modules import Module

MOST = 64  # values that one expression may have; with more of them none is told
LONGEST = 4096  # signs of a path, as Linux has it
LARGEST = 10**18  # a larger number is no file's
DEEPEST = 12
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
SAME = frozenset(
    ("str", "Path", "PurePath", "PosixPath", "fspath", "abspath", "realpath", "normpath", "expandvars", "resolve", "absolute", "as_posix", "__str__", "bytes", "fsencode", "list", "sorted", "tuple", "enumerate")
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a path leads. anchor: "zip" (beside the module), "cwd", "home", "absolute", "text", "number".

    "text" is a bare name: the working folder's, once it is opened; "number" is none yet. path: posix,
    relative to the anchor; for "zip" relative to the zip's root.
    """

    anchor: str
    path: str

    def joined(self, other: Place) -> Place | None:
        """The other below this one; None where it cannot be told."""
        if other.anchor != "text":
            return other
        return anchored(self.anchor, posixpath.join(self.path, other.path))


def anchored(anchor: str, path: str) -> Place:
    """A place with its path made plain."""
    if anchor == "text" and (path.startswith("/") or _DRIVE.match(path)):
        return Place("absolute", path)
    if anchor == "text" and path.startswith("~"):
        return Place("home", path)
    if anchor in ("text", "absolute"):
        return Place(anchor, path)
    return Place(anchor, posixpath.normpath(path) if path else "")


Reader = Callable[[ast.AST, int], Iterable[Place]]


class Paths:
    """Reads path expressions of one module.

    Nothing is built that is cut afterwards: values are drawn one after the other and given up at
    `MOST`, and each expression is read once a depth, so that short code cannot ask for much.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self._values = _assigned(module)
        self._known: dict[tuple[ast.AST, int], tuple[Place, ...]] = {}

    def of(self, node: ast.AST, depth: int = 0) -> tuple[Place, ...]:
        """Every place that the expression may name; none where it cannot be told."""
        if depth > DEEPEST:
            return ()
        if isinstance(node, ast.Constant):
            return _few(_of_constant(node.value))
        if (node, depth) not in self._known:
            reader: Reader | None = self._readers().get(type(node))
            self._known[node, depth] = _few(reader(node, depth + 1)) if reader else ()
        return self._known[node, depth]

    def _readers(self) -> dict[type[ast.AST], Reader]:
        return {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.JoinedStr: self._text,
            ast.BinOp: self._operation,
            ast.Call: self._call,
            ast.Subscript: self._element,
            ast.List: self._elements,
            ast.Tuple: self._elements,
        }

    def _name(self, node: ast.AST, depth: int) -> Iterable[Place]:
        name = getattr(node, "id", "")
        if name == "__file__":
            return (Place("zip", self.module.file),)
        return self._value(name, depth)

    def _value(self, name: str, depth: int) -> Iterable[Place]:
        value = self._values.get(name)
        return self.of(value, depth) if value is not None else ()

    def _attribute(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.Attribute)  # noqa: S101  for the type checker
        if node.attr == "parent":
            return map(_parent, self.of(node.value, depth))
        if node.attr in ("name", "stem", "suffix"):
            return (anchored("text", _part(p, node.attr)) for p in self.of(node.value, depth))
        if getattr(node.value, "id", "") in ("self", "cls") or node.attr.isupper():
            return self._value(f".{node.attr}", depth)
        return ()

    def _text(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.JoinedStr)  # noqa: S101  for the type checker
        if any(isinstance(p, ast.FormattedValue) and p.format_spec for p in node.values):
            return ()
        values = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
        return _concatenated(map(_as_text, self.of(part, depth)) for part in values)

    def _operation(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.BinOp)  # noqa: S101  for the type checker
        left, right = self.of(node.left, depth), self.of(node.right, depth)
        if any(place.anchor == "number" for place in (*left, *right)):
            return ()  # arithmetic
        if isinstance(node.op, ast.Div):
            return _below(left, right)
        return _concatenated((left, right)) if isinstance(node.op, ast.Add) else ()

    def _call(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.Call)  # noqa: S101  for the type checker
        name, last = self.module.full_name(node.func), _last(node.func)
        if name in ("os.getcwd", "pathlib.Path.cwd") or last == "cwd":
            return (Place("cwd", ""),)
        if name in ("os.path.expanduser", "pathlib.Path.home") or last in ("home", "expanduser"):
            return (Place("home", ""),)
        if name in ("os.path.join", "posixpath.join") or last in ("joinpath", "Path", "PurePath"):
            return self._joined(node, last, depth)
        if last == "dirname":
            return map(_parent, self._first(node, depth))
        if last == "basename":
            return (anchored("text", _part(p, "name")) for p in self._first(node, depth))
        if last in ("with_name", "with_suffix", "with_stem") and isinstance(
            node.func, ast.Attribute
        ):
            return self._renamed(node, node.func, depth)
        if last == "range":
            return self._numbers(node)
        found = self._first(node, depth) if last in SAME else ()
        return map(_as_text, found) if last == "str" else found

    def _first(self, node: ast.Call, depth: int) -> Iterable[Place]:
        """The first argument's places, or those of the object whose method it is."""
        if node.args:
            return self.of(node.args[0], depth)
        return self.of(node.func.value, depth) if isinstance(node.func, ast.Attribute) else ()

    def _joined(self, node: ast.Call, last: str, depth: int) -> Iterable[Place]:
        parts: list[ast.expr] = list(node.args)
        if last == "joinpath" and isinstance(node.func, ast.Attribute):
            parts.insert(0, node.func.value)
        if not parts:
            return (Place("cwd", ""),) if last in ("Path", "PurePath") else ()
        places = self.of(parts[0], depth)
        for part in parts[1:] if places else ():
            places = _few(_below(places, self.of(part, depth)))
        return places

    def _renamed(self, node: ast.Call, func: ast.Attribute, depth: int) -> Iterable[Place]:
        for old, new in product(self.of(func.value, depth), self._first(node, depth)):
            name = new.path if func.attr == "with_name" else _part(old, "stem") + new.path
            yield anchored(old.anchor, posixpath.join(posixpath.dirname(old.path), name))

    def _numbers(self, node: ast.Call) -> Iterable[Place]:
        values = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
        if values and all(isinstance(value, int) for value in values):
            try:
                numbers = range(*(int(str(value)) for value in values[:3]))
            except (ValueError, TypeError):
                return ()
            return (Place("number", str(i)) for i in numbers[: MOST + 1])
        return ()

    def _element(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.Subscript)  # noqa: S101  for the type checker
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if _last(node.value) == "parents" and isinstance(node.value, ast.Attribute):
            if not isinstance(index, int) or not 0 <= index < DEEPEST:
                return ()
            return (_up(place, index + 1) for place in self.of(node.value.value, depth))
        held = (
            self._values.get(_last(node.value)) if isinstance(node.value, ast.Name) else node.value
        )
        if not isinstance(held, ast.List | ast.Tuple) or not isinstance(index, int):
            return ()
        return self.of(held.elts[index], depth) if -len(held.elts) <= index < len(held.elts) else ()

    def _elements(self, node: ast.AST, depth: int) -> Iterable[Place]:
        assert isinstance(node, ast.List | ast.Tuple)  # noqa: S101  for the type checker
        found: dict[Place, None] = {}
        for element in node.elts:
            part = self.of(element, depth)
            found.update(dict.fromkeys(part))
            if not part or len(found) > MOST:
                return ()
        return found


def _few(places: Iterable[Place]) -> tuple[Place, ...]:
    """Each place once; none where they are too many, or too long for any file."""
    found: dict[Place, None] = {}
    for place in islice(places, MOST * MOST + 1):
        found[place] = None
        if len(found) > MOST or len(place.path) > LONGEST:
            return ()
    return tuple(found)


def _below(folders: Iterable[Place], names: tuple[Place, ...]) -> Iterable[Place]:
    """Every name below every folder, as far as it can be told."""
    return (place for folder in folders for name in names if (place := folder.joined(name)))


def _concatenated(parts: Iterable[Iterable[Place]]) -> Iterable[Place]:
    """The texts of all parts, one behind the other; none where there are too many."""
    joined: tuple[Place, ...] = ()
    for number, part in enumerate(parts):
        joined = _few(_behind(joined, part)) if number else _few(part)
        if not joined:
            return ()
    return (_rooted(place) for place in joined)


def _behind(firsts: tuple[Place, ...], seconds: Iterable[Place]) -> Iterable[Place]:
    # Only the first part may have an anchor: `folder + "/w.keras"`.
    for first, second in product(firsts, seconds):
        if second.anchor in ("text", "absolute"):
            yield Place(first.anchor, first.path + second.path)


def _rooted(place: Place) -> Place:
    rooted = place.anchor not in ("text", "absolute")
    return anchored(place.anchor, place.path.lstrip("/") if rooted else place.path)


def _assigned(module: Module) -> dict[str, ast.expr]:
    """Names bound once, and attributes bound once as `.name` -> their values; loops give all of theirs."""
    values: dict[str, ast.expr] = {}
    counts: dict[str, int] = dict(module.stores)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            counts[f".{node.attr}"] = counts.get(f".{node.attr}", 0) + 1
        for target, value in _bindings(node):
            key = (
                f".{target.attr}"
                if isinstance(target, ast.Attribute)
                else getattr(target, "id", "")
            )
            values[key] = value
            if isinstance(target, ast.Name) and isinstance(module.parents.get(node), ast.ClassDef):
                values[f".{target.id}"] = value
                counts[f".{target.id}"] = counts.get(f".{target.id}", 0) + 1
    return {name: value for name, value in values.items() if counts.get(name, 0) == 1}


def _bindings(node: ast.AST) -> Iterable[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield node.target, node.iter


def _of_constant(value: object) -> tuple[Place, ...]:
    if isinstance(value, str):
        return (anchored("text", value),)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST:
        return (Place("number", str(value)),)
    return ()


def _as_text(place: Place) -> Place:
    return Place("text", place.path) if place.anchor == "number" else place


def _last(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _part(place: Place, part: str) -> str:
    name = posixpath.basename(place.path)
    stem, suffix = posixpath.splitext(name)
    return {"name": name, "stem": stem, "suffix": suffix}[part]


def _parent(place: Place) -> Place:
    return _up(place, 1)


def _up(place: Place, steps: int) -> Place:
    path = place.path
    for _ in range(steps):
        path = posixpath.dirname(path)
    return Place(place.anchor if place.anchor != "text" else "cwd", path)

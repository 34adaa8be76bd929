"""Checks of imports: what the server may lack, and what the zip's own modules do not have."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.modules import Module, imports
from submission.checks.packages import OURS, OWN_FILES, is_there
from submission.checks.registry import Subject, check

Import = tuple[Module, ast.stmt, str, str]
CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))


@check("S211", "warning")
def package_may_be_missing(subject: Subject) -> Iterator[str]:
    """Do without it, or put its code into the zip: what the server has installed is not known."""
    seen: set[str] = set()
    for module, node, base in _missing(subject, tried=False):
        top = base.split(".")[0]
        if top not in seen and top not in OWN_FILES:
            seen.add(top)
            near = next((f for f in subject.archive.names if f.lower() == f"{top.lower()}.py"), "")
            hint = f"; the zip has {near}, and names are case-sensitive" if near else ""
            yield f"{module.line(node)}: imports {top}, which is not in the zip and which the server may lack{hint}"


@check("S227", "error")
def own_file_missing(subject: Subject) -> Iterator[str]:
    """Put the file into the zip: make-submission ... --include FILE."""
    for module, node, base in _missing(subject, tried=False):
        if base.split(".")[0] in OWN_FILES:
            yield f"{module.line(node)}: imports {base}, a file of your own that is not in the zip"


@check("S212", "note")
def optional_package(subject: Subject) -> Iterator[str]:
    """Nothing, if the code does as well without it: the server may lack it."""
    for module, node, base in _missing(subject, tried=True):
        yield f"{module.line(node)}: tries to import {base.split('.')[0]}"


def _missing(subject: Subject, *, tried: bool) -> Iterator[tuple[Module, ast.stmt, str]]:
    """The imports of what is neither in the zip nor surely on the server; tried: those that may fail."""
    for module, node, base, _ in _imports(subject):
        known = _is_relative(node) or _is_known(subject, base.split(".")[0])
        if not known and _is_tried(module, node) == tried:
            yield module, node, base


def _is_known(subject: Subject, top: str) -> bool:
    own = subject.file_of(top) or any(n.startswith(f"{top}/") for n in subject.archive.names)
    own = own or (subject.moves_the_path and _is_somewhere(subject, top))
    return bool(own) or top in OURS or is_there(top, subject.challenge)


def _is_somewhere(subject: Subject, top: str) -> bool:
    """Whether any folder of the zip has a module of that name."""
    ends = (f"/{top}.py", f"/{top}/__init__.py")
    return any(name.endswith(ends) for name in subject.archive.names)


@check("S213", "error")
def our_own_rooms(subject: Subject) -> Iterator[str]:
    """Copy what you need into the zip: this tool is not installed on the platform."""
    for module, node, base, _ in _imports(subject):
        top = base.split(".")[0]
        own = any(n.startswith((f"{top}/", f"{top}.py")) for n in subject.archive.names)
        if top in OURS and not own and not _is_tried(module, node):
            yield f"{module.line(node)}: imports {base}, a part of codabench-rehearsal"


@check("S214", "error")
def relative_import(subject: Subject) -> Iterator[str]:
    """Write `from layers import ...`: the module is imported from a folder that is no package."""
    for module, node, _, _ in _imports(subject):
        if isinstance(node, ast.ImportFrom) and node.level > module.name.count(".") + _is_package(module) and not _is_tried(module, node):  # fmt: skip
            yield f"{module.line(node)}: a relative import, and {module.file} is in no package"


def _is_package(module: Module) -> int:
    return int(module.file.endswith("/__init__.py"))


@check("S215", "error")
def name_not_in_module(subject: Subject) -> Iterator[str]:
    """Define it in that file, or import it from where it is."""
    for module, node, base, taken in _imports(subject):
        other = subject.module_named(base)
        if not taken or taken == "*" or other is None or other.tree is None:
            continue
        if not _has(subject, other, base, taken) and not _is_tried(module, node):
            yield f"{module.line(node)}: {other.file} defines no {taken}"


def _has(subject: Subject, other: Module, base: str, name: str) -> bool:
    if name in other.stores or name.startswith("__") or subject.file_of(f"{base}.{name}"):
        return True
    folder = f"{base.replace('.', '/')}/{name}/"
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in other.nodes)
    made_up = any(
        isinstance(n, ast.Name) and n.id in ("globals", "exec", "__getattr__", "setattr")
        for n in other.nodes
    )
    return stars or made_up or "__getattr__" in other.stores or any(n.startswith(folder) for n in subject.archive.names)  # fmt: skip


def _imports(subject: Subject) -> Iterator[Import]:
    """The imports that run: module, statement, the module imported, the name taken from it."""
    for module in subject.modules:
        for node, base, taken in imports(module):
            if node in subject.live:
                yield module, node, base, taken


def _is_relative(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level > 0


def _is_tried(module: Module, node: ast.stmt) -> bool:
    """Whether the code is ready for the import to fail."""
    inner: ast.AST = node
    for outer in module.above(node):
        tried = isinstance(outer, ast.Try) and any(inner is part for part in outer.body)
        if tried and any(_catches(handler) for handler in getattr(outer, "handlers", ())):
            return True
        if isinstance(outer, ast.With) and "suppress" in ast.dump(outer.items[0].context_expr):
            return True
        if isinstance(outer, ast.If) and "version_info" in ast.dump(outer.test):
            return True
        inner = outer
    return False


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in CATCHES for n in ast.walk(handler.type))

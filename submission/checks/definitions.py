"""Checks of names that are used but never defined, as pyflakes finds them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.modules import Function, Module
from submission.checks.registry import Subject, check

Found = tuple[str, str]  # where, and the name


@check("S208", "error")
def undefined_names(subject: Subject) -> Iterator[str]:
    """Import or define it in this file: what a notebook defined is not there on the platform."""
    for module in subject.modules:
        for where, name in _undefined(subject, module, live=True):
            yield f"{where}: {name} is used but never defined or imported"


@check("S209", "warning")
def doubtful_names(subject: Subject) -> Iterator[str]:
    """Define it, or remove the code: nothing seems to run it, and it would fail if something did."""
    for module in subject.modules:
        for where, name in _undefined(subject, module, live=False):
            yield f"{where}: {name} may not be defined when it is used"


def _undefined(subject: Subject, module: Module, *, live: bool) -> Iterator[Found]:
    """Each name once: those in code that surely runs, or the others."""
    if module.tree is None:
        return
    places = {(n.lineno, n.col_offset, n.id): n for n in module.nodes if isinstance(n, ast.Name)}
    skipped = _unevaluated(module)
    certain = not any(isinstance(n, ast.Name) and n.id in ("exec", "globals", "vars", "locals") for n in module.nodes)  # fmt: skip
    seen: set[str] = set()
    for message in module.name_messages:
        name = str(message.message_args[0])
        node = places.get((message.lineno, message.col, name))
        if node is None or node in skipped or name in seen:
            continue  # a text that looks like an annotation, or one that nothing evaluates
        surely = certain and type(message).__name__ == "UndefinedName" and node in subject.live
        if surely == live:
            seen.add(name)
            yield module.line(node), name


def _unevaluated(module: Module) -> set[ast.AST]:
    """The nodes of annotations that Python never evaluates."""
    future = module.aliases.get("annotations", "").startswith("__future__")
    roots: list[ast.expr | None] = []
    for node in module.nodes:
        if isinstance(node, ast.AnnAssign) and (future or module.function_of(node) is not None):
            roots.append(node.annotation)
        elif future and isinstance(node, ast.arg | Function):
            roots.append(node.annotation if isinstance(node, ast.arg) else node.returns)
    return {inner for root in roots if root is not None for inner in ast.walk(root)}

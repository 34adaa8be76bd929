"""Checks of the module by its syntax tree; it is parsed here, never imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from submission.checks.registry import Subject, check


@check("S201", "error")
def does_not_parse(subject: Subject) -> Iterator[str]:
    """Run `python -m py_compile` on it; notebook magics (%, !) are no Python."""
    if subject.module_file not in subject.archive.names or subject.tree is not None:
        return
    if subject.source is None:
        yield f"{subject.module_file} is not text in UTF-8"
        return
    try:
        ast.parse(subject.source)
    except SyntaxError as error:
        yield f"{subject.module_file} line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        yield f"{subject.module_file} cannot be parsed: {type(error).__name__}"


@check("S202", "error")
def no_class(subject: Subject) -> Iterator[str]:
    """Define the class in the module, with this very name."""
    if subject.tree is None or subject.model_class is not None:
        return
    name = subject.challenge.class_name
    if {name, "*"} & _bound_names(subject.tree):
        return  # imported from another file of the zip, or assigned: only a run can tell
    yield f"{subject.module_file} defines no class {name}"


@check("S203", "error")
def init_needs_arguments(subject: Subject) -> Iterator[str]:
    """Give every argument a default: the platform calls the class without any."""
    init = _method(subject, "__init__")
    if init is not None and (needed := _needed(init)[1:]):
        name = subject.challenge.class_name
        yield f"{name}.__init__ needs {', '.join(needed)}, but is called as {name}()"


@check("S204", "error")
def predict_signature(subject: Subject) -> Iterator[str]:
    """Define predict(self, X): it is called with the images and nothing else."""
    found, name = subject.model_class, subject.challenge.method
    if found is None:
        return
    predict = _method(subject, name)
    if predict is None:
        if not found.bases and name not in _bound_names(found):
            yield f"class {found.name} has no method {name}"
    elif not _takes_one(predict):
        yield f"{found.name}.{name} cannot be called as {name}(X): {ast.unparse(predict.args)}"


def _method(subject: Subject, name: str) -> ast.FunctionDef | None:
    body = subject.model_class.body if subject.model_class else []
    return next((n for n in body if isinstance(n, ast.FunctionDef) and n.name == name), None)


def _needed(function: ast.FunctionDef) -> list[str]:
    spec = function.args
    plain = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    needed = plain[: len(plain) - len(spec.defaults)]
    named = [a.arg for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is None]
    return needed + named


def _takes_one(function: ast.FunctionDef) -> bool:
    spec = function.args
    decorators = {ast.unparse(node) for node in function.decorator_list}
    own = 0 if "staticmethod" in decorators else 1
    most = len(spec.posonlyargs) + len(spec.args)
    return len(_needed(function)) <= own + 1 and (most >= own + 1 or spec.vararg is not None)


def _bound_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names

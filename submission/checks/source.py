"""Checks of the module's shape: it parses, and has the class and the method that are asked for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from submission.checks.modules import UNPARSABLE, Function, Module, own_nodes, parsed
from submission.checks.registry import Subject, check

MAGIC = re.compile(r"^(\s*)(%{1,2}[A-Za-z].*|![A-Za-z./].*|\?{1,2}[A-Za-z].*|[A-Za-z_][\w.]*\?{1,2})\s*$")  # fmt: skip


@check("S201", "error")
def does_not_parse(subject: Subject) -> Iterator[str]:
    """Run `python -m py_compile` on it, with the server's Python if you know which it is."""
    for module in subject.modules:
        if module.text is None:
            yield from [f"{module.file} {module.problem}"] if module.problem else []
        elif module.tree is None:
            yield from _fault(module, _without_magics(module.text))


def _fault(module: Module, text: str) -> Iterator[str]:
    try:
        parsed(text)
    except SyntaxError as error:
        yield f"{module.file} line {error.lineno}: {error.msg}"
    except UNPARSABLE as error:
        yield f"{module.file} cannot be parsed: {type(error).__name__}"


@check("S205", "error")
def notebook_magics(subject: Subject) -> Iterator[str]:
    """Remove the lines that begin with % or !: only notebooks understand them, Python does not."""
    for module in subject.modules:
        if module.text is not None and module.tree is None:
            lines = [(i, m[2]) for i, m in enumerate(map(MAGIC.match, module.text.split("\n")), 1) if m]  # fmt: skip
            if lines:
                yield f"{module.file} line {lines[0][0]} is a notebook's, no Python: {lines[0][1][:40]}"


def _without_magics(text: str) -> str:
    return "\n".join(MAGIC.sub(r"\1pass", line) for line in text.split("\n"))


@check("S202", "error")
def no_class(subject: Subject) -> Iterator[str]:
    """Define the class in the module, with this very name."""
    if subject.main is None or subject.main.tree is None or subject.model_class is not None:
        return
    name, main = subject.challenge.class_name, subject.main
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in main.nodes)
    made_up = any(isinstance(n, ast.Name) and n.id in ("globals", "exec") for n in main.nodes)
    if stars or made_up or _bound_outside(main, name):
        return  # imported from elsewhere, or assigned: only a run can tell
    other = (
        sorted(n.name for n in main.tree.body if isinstance(n, ast.ClassDef)) if main.tree else []
    )
    has = f"; it defines {', '.join(other[:3])}" if other else ""
    yield f"{main.file} defines no class {name}{has}"


def _bound_outside(module: Module, name: str) -> bool:
    """Whether a name is bound at the module's own level, under conditions too."""
    for node in module.nodes:
        if module.function_of(node) is None and module.class_of(node) is None:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if any((alias.asname or alias.name) == name for alias in node.names):
                    return True
            elif (isinstance(node, ast.ClassDef) and node.name == name) or (
                isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            ):
                return True
    return False


@check("S203", "error")
def init_needs_arguments(subject: Subject) -> Iterator[str]:
    """Give every argument a default: the platform calls the class without any."""
    init, name = subject.method("__init__"), subject.challenge.class_name
    if init is None or init.decorator_list:
        return
    if not (init.args.posonlyargs or init.args.args or init.args.vararg):
        yield f"{name}.__init__ lacks self: write def __init__(self)"
    elif needed := needed_arguments(init)[1:]:
        yield f"{name}.__init__ needs {', '.join(needed)}, but is called as {name}()"


@check("S204", "error")
def predict_signature(subject: Subject) -> Iterator[str]:
    """Define predict(self, X): it is called with the images and nothing else, and returns an array."""
    found, name, predict = subject.model_class, subject.challenge.method, subject.predict
    if found is None:
        return
    if predict is None:
        if not found.bases and not found.decorator_list and not _has(found, name, "__getattr__"):
            yield f"class {found.name} has no method {name}"
    elif not _takes_one(predict) and not _decorated(predict):
        yield f"{found.name}.{name} cannot be called as {name}(X): it takes ({ast.unparse(predict.args)})"
    elif isinstance(predict, ast.AsyncFunctionDef):
        yield f"{found.name}.{name} is a coroutine: nobody waits for it"
    elif any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(predict)):
        yield f"{found.name}.{name} yields: it returns a generator and no array"


def _has(found: ast.ClassDef, *names: str) -> bool:
    """Whether a class's body binds one of the names."""
    for node in ast.walk(found):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names:
            return True
        if isinstance(node, Function) and node.name in names:
            return True
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and node.attr in names
        ):
            return True
    return False


def needed_arguments(function: Function) -> list[str]:
    """The arguments without a default, `self` among them."""
    spec = function.args
    plain = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    needed = plain[: len(plain) - len(spec.defaults)]
    named = [a.arg for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is None]
    return needed + named


def _takes_one(function: Function) -> bool:
    spec = function.args
    own = 0 if "staticmethod" in _decorators(function) else 1
    most = len(spec.posonlyargs) + len(spec.args)
    return len(needed_arguments(function)) <= own + 1 and (
        most >= own + 1 or spec.vararg is not None
    )


def _decorated(function: Function) -> bool:
    """Whether a decorator could change what the method takes."""
    return bool(_decorators(function) - {"staticmethod", "classmethod"})


def _decorators(function: Function) -> set[str]:
    return {ast.unparse(node) for node in function.decorator_list}

"""Checks of calls: the zip's own functions, methods and classes, with arguments they do not take."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from submission.checks.modules import Function, Module
from submission.checks.subject import Subject, check

HARMLESS = frozenset(("staticmethod", "classmethod", "tensorflow.function", "functools.cache", "functools.lru_cache", "lru_cache", "cache"))  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """What can be given to a function. names: by position; most is None behind `*args`."""

    names: tuple[str, ...]
    needed: frozenset[str]
    named: frozenset[str]  # by keyword only
    positional_only: frozenset[str] = frozenset()
    stars: bool = False
    any_name: bool = False

    def fault(self, call: ast.Call) -> str:
        """Why a call does not fit, or ""."""
        given = [keyword.arg for keyword in call.keywords]
        if None in given or any(isinstance(arg, ast.Starred) for arg in call.args):
            return ""
        count, keywords = len(call.args), [name for name in given if name]
        if count > len(self.names) and not self.stars:
            return f"takes {len(self.names)} argument(s) by position, and is given {count}"
        by_place = self.names[:count]
        known = (set(self.names) - self.positional_only) | self.named
        for name in keywords:
            if name in by_place and name not in self.positional_only:
                return f"is given {name!r} twice"
            if name not in known and not self.any_name:
                return f"has no argument {name!r}"
        missing = [n for n in sorted(self.needed) if n not in by_place and n not in keywords]
        return f"needs {', '.join(missing)}" if missing else ""


@check("S210", "error")
def arguments_not_taken(subject: Subject) -> Iterator[str]:
    """Call it with the arguments that its definition has."""
    for module, call in subject.live.calls:
        found = _callee(subject, module, call)
        if found is None or any(isinstance(outer, ast.Try) for outer in module.above(call)):
            continue
        where, name, signature = found
        if fault := signature.fault(call):
            yield f"{module.line(call)}: {name} {fault} (defined in {where})"


def _callee(subject: Subject, module: Module, call: ast.Call) -> tuple[str, str, Signature] | None:
    """What a call calls, where it surely is one of the zip's own: place, name, signature."""
    func = call.func
    if isinstance(func, ast.Name):
        return _by_name(subject, module, func.id)
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        if func.value.id == "self":
            return _by_self(subject, module, call, func.attr)
        other = _imported_module(subject, module, func.value.id)
        return _defined(other, func.attr) if other else None
    return None


def _by_name(subject: Subject, module: Module, name: str) -> tuple[str, str, Signature] | None:
    if module.stores.get(name) != 1:
        return None
    if (found := _defined(module, name)) is not None:
        return found
    base, _, taken = module.aliases.get(name, "").rpartition(".")
    other = subject.module_named(base) if base else None
    return _defined(other, taken) if other else None


def _imported_module(subject: Subject, module: Module, name: str) -> Module | None:
    if module.stores.get(name) != 1 or name not in module.aliases:
        return None
    return subject.module_named(module.aliases[name])


def _defined(module: Module, name: str) -> tuple[str, str, Signature] | None:
    """A function or class that a module defines once, at its own level."""
    found = module.definitions.get(name, [])
    if len(found) != 1 or module.stores.get(name) != 1:
        return None
    node = found[0]
    signature = _of_class(module, node) if isinstance(node, ast.ClassDef) else _of(module, node, 0)
    return (module.line(node), name, signature) if signature else None


def _by_self(
    subject: Subject, module: Module, call: ast.Call, name: str
) -> tuple[str, str, Signature] | None:
    owner, function = module.class_of(call), module.function_of(call)
    if owner is None or function is None or module.parents.get(function) is not owner:
        return None
    if owner.name in subject.base_names or name in subject.replaced_names:
        return None
    found = [n for n in owner.body if isinstance(n, Function) and n.name == name]
    if len(found) != 1:
        return None
    own = 0 if _has_decorator(module, found[0], "staticmethod") else 1
    signature = _of(module, found[0], own)
    return (module.line(found[0]), f"self.{name}", signature) if signature else None


def _has_decorator(module: Module, function: Function, name: str) -> bool:
    return any(module.full_name(node) == name for node in function.decorator_list)


def _of(module: Module, function: Function, own: int) -> Signature | None:
    """A function's signature without its first `own` arguments; None where a decorator may change it."""
    names = {module.full_name(n.func if isinstance(n, ast.Call) else n) for n in function.decorator_list}  # fmt: skip
    if names - HARMLESS:
        return None
    spec = function.args
    plain = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    needed = plain[: len(plain) - len(spec.defaults)]
    named = {a.arg: d is None for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)}
    return Signature(
        names=tuple(plain[own:]),
        needed=frozenset(needed[own:]) | {name for name, must in named.items() if must},
        named=frozenset(named),
        positional_only=frozenset(arg.arg for arg in spec.posonlyargs),
        stars=spec.vararg is not None,
        any_name=spec.kwarg is not None,
    )


def _of_class(module: Module, found: ast.ClassDef) -> Signature | None:
    """What a plain class takes; None where bases, a metaclass or decorators may change it."""
    methods = {node.name: node for node in found.body if isinstance(node, Function)}
    if found.keywords or "__new__" in methods:
        return None
    if found.decorator_list:
        return (
            _of_dataclass(module, found) if not found.bases and "__init__" not in methods else None
        )
    names = {module.full_name(base) for base in found.bases}
    if any(name != "object" and not name.startswith("keras.") for name in names):
        return None
    if "__init__" in methods:
        return _of(module, methods["__init__"], 1)
    return None if names - {"object"} else Signature((), frozenset(), frozenset())


def _of_dataclass(module: Module, found: ast.ClassDef) -> Signature | None:
    [decorator, *more] = found.decorator_list
    options = decorator.keywords if isinstance(decorator, ast.Call) else []
    name = module.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if more or name != "dataclasses.dataclass" or any(o.arg in ("init", "kw_only", None) for o in options):  # fmt: skip
        return None
    names: list[str] = []
    needed: set[str] = set()
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = ast.unparse(node.annotation)
            if any(word in text for word in ("ClassVar", "InitVar", "KW_ONLY")):
                return None
            if isinstance(node.value, ast.Call) and any(k.arg in ("init", "kw_only") for k in node.value.keywords):  # fmt: skip
                return None
            names.append(node.target.id)
            needed |= {node.target.id} if _has_no_default(node.value) else set()
    return Signature(tuple(names), frozenset(needed), frozenset())


def _has_no_default(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return not any(k.arg in ("default", "default_factory") for k in value.keywords) and "field" in ast.unparse(value.func)  # fmt: skip
    return value is None


# Checks of names that are used but never defined, as pyflakes finds them.


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

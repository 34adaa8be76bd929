"""Checks of names and calls: what is never defined, and arguments that are not taken."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from submission.checks.modules import Function, Module, argument, words
from submission.checks.subject import Subject, check

HARMLESS = words(
    "staticmethod classmethod tensorflow.function functools.cache functools.lru_cache lru_cache "
    "cache"
)


@dataclass(frozen=True)
class Signature:
    """What can be given to a function. names: by position; needed: those without a default."""

    names: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()  # by keyword only
    positional_only: frozenset[str] = frozenset()
    stars: bool = False
    any_name: bool = False

    def fault(self, count: int, keywords: Iterable[str] = ()) -> str:
        """Why so many arguments by position, and these by keyword, do not fit, or ""."""
        if count > len(self.names) and not self.stars:
            return f"takes {len(self.names)} argument(s) by position, and is given {count}"
        by_place, given = self.names[:count], set(keywords)
        known = (set(self.names) - self.positional_only) | self.named
        for name in keywords:
            if name in by_place and name not in self.positional_only:
                return f"is given {name!r} twice"
            if name not in known and not self.any_name:
                return f"has no argument {name!r}"
        missing = sorted(set(self.needed) - {*by_place, *given})
        return f"needs {', '.join(missing)}" if missing else ""


def signature_of(function: Function, own: int) -> Signature:
    """A function's signature without its first `own` arguments, decorators left aside."""
    spec = function.args
    plain = [arg.arg for arg in (*spec.posonlyargs, *spec.args)]
    needed = plain[: len(plain) - len(spec.defaults)][own:]
    named = {a.arg: d is None for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)}
    return Signature(
        names=tuple(plain[own:]),
        needed=(*needed, *(name for name, must in named.items() if must)),
        named=frozenset(named),
        positional_only=frozenset(arg.arg for arg in spec.posonlyargs),
        stars=spec.vararg is not None,
        any_name=spec.kwarg is not None,
    )


Callee = tuple[str, str, Signature]  # where it is defined, its name, what it takes


@check("S210", "error")
def arguments_not_taken(subject: Subject) -> Iterator[str]:
    """Call it with the arguments that its definition has."""
    for module, call in subject.live.calls:
        given = [keyword.arg for keyword in call.keywords]
        if None in given or any(isinstance(arg, ast.Starred) for arg in call.args):
            continue
        found = _callee(subject, module, call)
        if found is None or any(isinstance(outer, ast.Try) for outer in module.above(call)):
            continue
        where, name, signature = found
        if fault := signature.fault(len(call.args), [name for name in given if name]):
            yield f"{module.line(call)}: {name} {fault} (defined in {where})"


def _callee(subject: Subject, module: Module, call: ast.Call) -> Callee | None:
    """What a call calls, where it surely is one of the zip's own."""
    func = call.func
    held = func.value if isinstance(func, ast.Attribute) else func
    if not isinstance(held, ast.Name):
        return None
    if isinstance(func, ast.Attribute) and held.id == "self":
        return _by_self(subject, module, call, func.attr)
    if module.stores[held.id] != 1:
        return None
    meant = module.aliases.get(held.id, "")
    if isinstance(func, ast.Attribute):
        other = subject.module_named(meant) if meant else None
        return _defined(other, func.attr) if other else None
    base, _, taken = meant.rpartition(".")
    other = subject.module_named(base) if base else None
    return _defined(module, held.id) or (_defined(other, taken) if other else None)


def _defined(module: Module, name: str) -> Callee | None:
    """A function or class that a module defines once, at its own level."""
    found = module.definitions.get(name, [])
    if len(found) != 1 or module.stores[name] != 1:
        return None
    node = found[0]
    if isinstance(node, ast.ClassDef):
        signature = _of_class(module, node)
    else:
        signature = of_function(module, node)
    return (module.line(node), name, signature) if signature else None


def _by_self(subject: Subject, module: Module, call: ast.Call, name: str) -> Callee | None:
    owner, function = module.class_of(call), module.function_of(call)
    if owner is None or function is None or module.parents.get(function) is not owner:
        return None
    if owner.name in subject.base_names or name in subject.replaced_names:
        return None
    found = [n for n in owner.body if isinstance(n, Function) and n.name == name]
    if len(found) != 1:
        return None
    static = any(module.full_name(node) == "staticmethod" for node in found[0].decorator_list)
    signature = of_function(module, found[0], 0 if static else 1)
    return (module.line(found[0]), f"self.{name}", signature) if signature else None


def of_function(module: Module, function: Function, own: int = 0) -> Signature | None:
    """A function's signature without its first arguments; None where a decorator may change it."""
    names = {_name(module, decorator) for decorator in function.decorator_list}
    return None if names - HARMLESS else signature_of(function, own)


def _name(module: Module, decorator: ast.expr) -> str:
    return module.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _of_class(module: Module, found: ast.ClassDef) -> Signature | None:
    """What a plain class takes; None where bases, a metaclass or decorators may change it."""
    methods = {node.name: node for node in found.body if isinstance(node, Function)}
    if found.keywords or "__new__" in methods:
        return None
    if found.decorator_list:
        plain = not found.bases and "__init__" not in methods
        return of_dataclass(module, found) if plain else None
    names = {module.full_name(base) for base in found.bases} - {"object"}
    if any(not name.startswith("keras.") for name in names):
        return None
    if "__init__" in methods:
        return of_function(module, methods["__init__"], 1)
    return None if names else Signature()


def of_dataclass(module: Module, found: ast.ClassDef) -> Signature | None:
    """What a dataclass takes; None where that is not told."""
    [decorator, *more] = found.decorator_list
    options = decorator.keywords if isinstance(decorator, ast.Call) else []
    odd = any(option.arg in ("init", "kw_only", None) for option in options)
    if more or odd or _name(module, decorator) != "dataclasses.dataclass":
        return None
    names: list[str] = []
    needed: list[str] = []
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value, text = node.value, ast.unparse(node.annotation)
            own = isinstance(value, ast.Call) and (
                argument(value, "init") or argument(value, "kw_only")
            )
            if own or any(word in text for word in ("ClassVar", "InitVar", "KW_ONLY")):
                return None
            names.append(node.target.id)
            needed += [node.target.id] if _has_no_default(value) else []
    return Signature(tuple(names), tuple(needed))


def _has_no_default(value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Call):
        return value is None
    given = argument(value, "default") or argument(value, "default_factory")
    return not given and "field" in ast.unparse(value.func)


@check("S208", "error")
def undefined_names(subject: Subject) -> Iterator[str]:
    """Import or define it in this file: what a notebook defined is not there on the platform."""
    for where, name in _undefined(subject, live=True):
        yield f"{where}: {name} is used but never defined or imported"


@check("S209", "warning")
def doubtful_names(subject: Subject) -> Iterator[str]:
    """Define it, or remove the code: nothing seems to run it, and it would fail if
    something did.
    """
    for where, name in _undefined(subject, live=False):
        yield f"{where}: {name} may not be defined when it is used"


def _undefined(subject: Subject, *, live: bool) -> Iterator[tuple[str, str]]:
    """Place and name, each once a module, by pyflakes: in code that surely runs, or not."""
    for module in subject.modules:
        names = [node for node in module.nodes if isinstance(node, ast.Name)]
        places = {(node.lineno, node.col_offset, node.id): node for node in names}
        certain = words("exec globals vars locals").isdisjoint(node.id for node in names)
        skipped = _unevaluated(module)
        seen: set[str] = set()
        for message in module.name_messages if module.tree else ():
            name = str(message.message_args[0])
            node = places.get((message.lineno, message.col, name))
            if node is None or node in skipped or name in seen:
                continue  # a text that looks like an annotation, or one that nothing evaluates
            is_undefined = type(message).__name__ == "UndefinedName"
            if (certain and is_undefined and node in subject.live) == live:
                seen.add(name)
                yield module.line(node), name


def _unevaluated(module: Module) -> set[ast.AST]:
    """The nodes of annotations that Python never evaluates."""
    future = module.has_future_annotations
    roots: list[ast.expr | None] = []
    for node in module.nodes:
        if isinstance(node, ast.AnnAssign) and (future or module.function_of(node) is not None):
            roots.append(node.annotation)
        elif future and isinstance(node, ast.arg | Function):
            roots.append(node.annotation if isinstance(node, ast.arg) else node.returns)
    return {inner for root in roots if root is not None for inner in ast.walk(root)}

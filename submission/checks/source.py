"""Checks of the module's shape: it parses, and has the class and the method that are asked for."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator

from submission.checks.imports import pythons
from submission.checks.modules import UNPARSABLE, Function, Module, own_nodes, parsed
from submission.checks.subject import Subject, check

MAGIC = re.compile(r"^(\s*)(%{1,2}[A-Za-z].*|![A-Za-z./].*|\?{1,2}[A-Za-z].*|[A-Za-z_][\w.]*\?{1,2})\s*$")  # fmt: skip

Defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MADE_UP = frozenset(("globals", "vars", "locals", "exec", "setattr", "eval", "modules"))


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
    if subject.main_file != subject.module_file and subject.module_file in subject.archive.names:
        return  # a package stands before the file, which has a check of its own
    name, main = subject.challenge.class_name, subject.main
    stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in main.nodes)
    made_up = any(getattr(n, "id", getattr(n, "attr", "")) in MADE_UP for n in main.nodes)
    if stars or made_up or any(_bound_outside(main, n) for n in (name, "__getattr__")):
        return  # imported from elsewhere, assigned or made: only a run can tell
    other = sorted(n.name for n in subject.main.tree.body if isinstance(n, Defined))
    has = f"; it defines {', '.join(other[:3])}" if other else ""
    yield f"{main.file} defines no class {name}{has}"


def _bound_outside(module: Module, name: str) -> bool:
    """Whether a name is bound at the module's own level, under conditions too."""
    for node in module.nodes:
        if module.function_of(node) is None and module.class_of(node) is None:
            if isinstance(node, ast.Import | ast.ImportFrom):
                if any((alias.asname or alias.name) == name for alias in node.names):
                    return True
            elif (isinstance(node, Defined) and node.name == name) or (
                isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            ):
                return True
    return False


@check("S203", "error")
def init_needs_arguments(subject: Subject) -> Iterator[str]:
    """Give every argument a default: the platform makes the object as it is said here."""
    init, name = subject.method("__init__"), subject.challenge.class_name
    if init is None or init.decorator_list:
        return
    given = subject.challenge.arguments
    call = f"{name}({', '.join(given)})"
    spec = init.args
    most = len(spec.posonlyargs) + len(spec.args) - 1
    if most < 0 and not spec.vararg:
        yield f"{name}.__init__ lacks self: write def __init__(self)"
    elif len(needed := needed_arguments(init)[1:]) > len(given):
        yield f"{name}.__init__ needs {', '.join(needed)}, but is called as {call}"
    elif most < len(given) and not spec.vararg:
        yield f"{name}.__init__ takes no argument, but is called as {call}"


@check("S204", "error")
def predict_signature(subject: Subject) -> Iterator[str]:
    """Define predict(self, X): it is called with the images and nothing else, and returns an array."""
    found, name, predict = subject.model_class, subject.challenge.method, subject.predict
    if found is None:
        return
    if name in subject.replaced_names:
        return  # put there afterwards: only a run can tell
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


OTHERS = ("fit", "train", "load", "transform", "partial_fit", "predict_proba", "act", "solve")


@check("S228", "warning")
def another_interface(subject: Subject) -> Iterator[str]:
    """Name the challenge it is for with --challenge; for this one, all has to be ready once the object is made."""
    found, challenge = subject.model_class, subject.challenge
    if found is None or subject.main is None:
        return
    if sign := _sign_of_another(subject, found):
        yield (
            f"this looks like a submission for another kind of challenge ({found.name} {sign}); "
            f"{challenge.name} makes {found.name}({', '.join(challenge.arguments)}) and calls {challenge.method}(X)"
        )


def _sign_of_another(subject: Subject, found: ast.ClassDef) -> str:
    """What the class has that other challenges ask for, "" if nothing: unused methods, more arguments."""
    methods = [n.name for n in found.body if isinstance(n, Function)]
    called = {getattr(n.func, "attr", "") for n in ast.walk(found) if isinstance(n, ast.Call)}
    known = called | {subject.challenge.method}
    odd = [name for name in OTHERS if name in methods and name not in known]
    if odd:
        return f"has {' and '.join(odd)}"
    predict = subject.predict
    needed = needed_arguments(predict)[1:] if predict else []
    return f"has {subject.challenge.method}({', '.join(needed)})" if len(needed) > 1 else ""


# Checks of what the module asks of the server's Python, whose version is seldom known.


Version = tuple[int, int]
# Names of the standard library -> the Python that brought them.
NEWER: dict[str, Version] = {
    "itertools.pairwise": (3, 10), "itertools.batched": (3, 12), "datetime.UTC": (3, 11),
    "enum.StrEnum": (3, 11), "enum.ReprEnum": (3, 11), "contextlib.chdir": (3, 11),
    "contextlib.aclosing": (3, 10), "math.cbrt": (3, 11), "math.exp2": (3, 11),
    "math.sumprod": (3, 12), "typing.Self": (3, 11), "typing.Never": (3, 11),
    "typing.LiteralString": (3, 11), "typing.assert_never": (3, 11), "typing.Unpack": (3, 11),
    "typing.override": (3, 12), "typing.TypeAlias": (3, 10), "typing.ParamSpec": (3, 10),
    "typing.TypeGuard": (3, 10), "ExceptionGroup": (3, 11), "aiter": (3, 10), "anext": (3, 10),
    "types.NoneType": (3, 10), "types.UnionType": (3, 10),
    "asyncio.TaskGroup": (3, 11), "asyncio.timeout": (3, 11),
}  # fmt: skip
KEYWORDS: dict[tuple[str, str], Version] = {
    ("zip", "strict"): (3, 10), ("map", "strict"): (3, 14), ("dataclass", "slots"): (3, 10),
    ("dataclass", "kw_only"): (3, 10), ("dataclasses.dataclass", "slots"): (3, 10),
    ("dataclasses.dataclass", "kw_only"): (3, 10),
}  # fmt: skip


@check("S206", "error")
def newer_than_the_server(subject: Subject) -> Iterator[str]:
    """Write it for the challenge's Python: what is newer does not run there."""
    if subject.challenge.python:
        yield from _newer(subject)


@check("S207", "warning")
def newer_than_some_servers(subject: Subject) -> Iterator[str]:
    """Write it for Python 3.9, or find out what the server has: TensorFlow 2.17 runs on 3.9 to 3.12."""
    if not subject.challenge.python:
        yield from _newer(subject)


def _newer(subject: Subject) -> Iterator[str]:
    oldest, _ = pythons(subject.challenge.python)
    has = f"the server has {subject.challenge.python}" if subject.challenge.python else f"the server may have {oldest[0]}.{oldest[1]}"  # fmt: skip
    for module in subject.modules:
        where, needs, what = max(_needs(subject, module), key=lambda found: found[1], default=("", oldest, ""))  # fmt: skip
        if needs > oldest:
            yield f"{where}: {what} needs Python {needs[0]}.{needs[1]}, and {has}"


def _needs(subject: Subject, module: Module) -> Iterator[tuple[str, Version, str]]:
    """Places that ask for a version: where, which, and what it is."""
    if module.tree is None or module.text is None:
        return
    yield from _syntax(module, module.text)
    for node in subject.live.nodes.get(module, ()):
        version, what = _of_node(module, node)
        if version and not _is_conditional(module, node):
            yield module.line(node), version, what


def _syntax(module: Module, text: str) -> Iterator[tuple[str, Version, str]]:
    for minor in range(9, min(12, sys.version_info[1]) + 1):
        try:
            parsed(text, (3, minor))
        except SyntaxError as error:
            what = (error.msg or "its syntax").split(" is only supported")[0]
            yield f"{module.file} line {error.lineno}", (3, minor + 1), what
        except UNPARSABLE:
            return
    if sys.version_info >= (3, 12) and (line := _nested_quotes(text)):
        yield f"{module.file} line {line}", (3, 12), "an f-string with its own quotes inside"


def _nested_quotes(text: str) -> int:
    """The line of an f-string that Pythons before 3.12 cannot read; 0 if there is none."""
    quotes: list[str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            if kind == "FSTRING_START":
                quotes.append(token.string.lstrip("rRfFbBuU"))
            elif kind == "FSTRING_END":
                quotes.pop()
            elif kind == "STRING" and quotes and token.string.rstrip()[-1] in quotes[-1]:
                return token.start[0]
            if kind == "FSTRING_START" and len(quotes) > 1 and quotes[-1] == quotes[-2]:
                return token.start[0]
    except (tokenize.TokenError, SyntaxError, IndexError):
        return 0
    return 0


def _of_node(module: Module, node: ast.AST) -> tuple[Version | None, str]:
    if isinstance(node, ast.Call):
        name = module.full_name(node.func)
        for keyword in node.keywords:
            if version := KEYWORDS.get((name, keyword.arg or "")):
                return version, f"{name}({keyword.arg}=)"
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        name = module.full_name(node)
        return (NEWER.get(name), name) if module.stores.get(name, 0) == 0 else (None, "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_union(node) and not _future(module):  # fmt: skip
        return (3, 10), f"the type {ast.unparse(node)}"
    return None, ""


def _is_union(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(side, ast.Constant) and side.value is None for side in sides)


def _future(module: Module) -> bool:
    return module.aliases.get("annotations", "").startswith("__future__")


def _is_conditional(module: Module, node: ast.AST) -> bool:
    """Whether the code asks for the version first, or is ready to fail."""
    for outer in module.above(node):
        if isinstance(outer, ast.Try):
            return True
        if isinstance(outer, ast.If) and "version_info" in ast.dump(outer.test):
            return True
    return False

"""Checks of the module's shape: it parses, by which Pythons, and has the class and the method."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator

from submission.checks.calls import signature_of
from submission.checks.imports import Version, by_version, pythons
from submission.checks.modules import (
    UNPARSABLE,
    Function,
    Module,
    bound_names,
    constant,
    last_name,
    own_nodes,
    parsed,
    words,
)
from submission.checks.subject import Subject, check

MAGIC = re.compile(
    r"^(\s*)(%{1,2}[A-Za-z].*|![A-Za-z./].*|\?{1,2}[A-Za-z].*|[A-Za-z_][\w.]*\?{1,2})\s*$"
)
Defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MADE_UP = words("globals vars locals exec setattr eval modules")
OTHERS = ("fit", "train", "load", "transform", "partial_fit", "predict_proba", "act", "solve")
NEWER, KEYWORDS = by_version("names"), by_version("keywords")


@check("S201", "error")
def does_not_parse(subject: Subject) -> Iterator[str]:
    """Run `python -m py_compile` on it, with the server's Python if you know which it is."""
    for module in subject.modules:
        if module.text is None:
            yield from [f"{module.file} {module.problem}"] if module.problem else []
        elif module.tree is None:  # perhaps for a notebook's lines alone, which S205 tells
            try:
                parsed("\n".join(MAGIC.sub(r"\1pass", line) for line in module.text.split("\n")))
            except SyntaxError as error:
                yield f"{module.file} line {error.lineno}: {error.msg}"
            except UNPARSABLE as error:
                yield f"{module.file} cannot be parsed: {type(error).__name__}"


@check("S205", "error")
def notebook_magics(subject: Subject) -> Iterator[str]:
    """Remove the lines that begin with % or !: only notebooks understand them, Python does not."""
    for module in subject.modules:
        lines = module.text.split("\n") if module.text is not None and module.tree is None else []
        magics = ((number, MAGIC.match(line)) for number, line in enumerate(lines, 1))
        if first := next(((number, found[2]) for number, found in magics if found), None):
            yield f"{module.file} line {first[0]} is a notebook's, no Python: {first[1][:40]}"


@check("S202", "error")
def no_class(subject: Subject) -> Iterator[str]:
    """Define the class in the module, with this very name."""
    main, name = subject.main, subject.asked.class_name
    if main is None or main.tree is None or subject.model_class is not None:
        return
    if subject.main_file != subject.module_file and subject.module_file in subject.names:
        return  # a package stands before the file, which has a check of its own
    made_up = any(_makes_names(node) for node in main.nodes)
    if main.has_stars or made_up or _is_bound_outside(main, {name, "__getattr__"}):
        return  # imported from elsewhere, assigned or made: only a run can tell
    other = sorted(node.name for node in main.tree.body if isinstance(node, Defined))
    has = f"; it defines {', '.join(other[:3])}" if other else ""
    yield f"{main.file} defines no class {name}{has}"


def _makes_names(node: ast.AST) -> bool:
    """Whether it may bind names that do not stand in the code. Not so `net.eval()`."""
    if isinstance(node, ast.Attribute) and node.attr in ("eval", "exec"):
        return last_name(node.value) in ("builtins", "__builtins__")
    return last_name(node) in MADE_UP


def _is_bound_outside(module: Module, wanted: set[str]) -> bool:
    """Whether one of the names is bound at the module's own level, under conditions too."""
    found = [node for node in module.nodes if wanted.intersection(bound_names(node))]
    return any(not any(isinstance(n, Defined) for n in module.above(node)) for node in found)


@check("S203", "error")
def init_needs_arguments(subject: Subject) -> Iterator[str]:
    """Give every argument a default: the platform makes the object as it is said here."""
    init, name = subject.method("__init__"), subject.asked.class_name
    if init is None or init.decorator_list:
        return
    given = subject.challenge.arguments
    call = f"{name}({', '.join(given)})"
    takes = signature_of(init, 1)
    if not (init.args.posonlyargs or init.args.args or takes.stars):
        yield f"{name}.__init__ lacks self: write def __init__(self)"
    elif len(takes.needed) > len(given):
        yield f"{name}.__init__ needs {', '.join(takes.needed)}, but is called as {call}"
    elif len(takes.names) < len(given) and not takes.stars:
        yield f"{name}.__init__ takes no argument, but is called as {call}"


@check("S204", "error")
def predict_signature(subject: Subject) -> Iterator[str]:
    """Define predict(self, X): it is called with the images and nothing else, and
    returns an array.
    """
    found, name, predict = subject.model_class, subject.asked.method, subject.predict
    if found is None or name in subject.replaced_names:
        return  # perhaps put there afterwards: only a run can tell
    if predict is None:
        changed = found.bases or found.decorator_list or _binds(found, {name, "__getattr__"})
        if not changed:
            yield f"class {found.name} has no method {name}"
        return
    decorators = {ast.unparse(node) for node in predict.decorator_list}
    known = decorators <= {"staticmethod", "classmethod"}
    takes = signature_of(predict, 0 if "staticmethod" in decorators else 1)
    if known and takes.fault(1):
        takes_now = ast.unparse(predict.args)
        yield f"{found.name}.{name} cannot be called as {name}(X): it takes ({takes_now})"
    elif isinstance(predict, ast.AsyncFunctionDef):
        yield f"{found.name}.{name} is a coroutine: nobody waits for it"
    elif any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(predict)):
        yield f"{found.name}.{name} yields: it returns a generator and no array"


def _binds(found: ast.ClassDef, names: set[str]) -> bool:
    """Whether a class's body binds one of the names."""
    nodes = list(ast.walk(found))
    stored = {last_name(n) for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)}
    return not names.isdisjoint(stored | {n.name for n in nodes if isinstance(n, Function)})


@check("S228", "warning")
def another_interface(subject: Subject) -> Iterator[str]:
    """Name the challenge it is for with --challenge; for this one, all has to be ready once the
    object is made.
    """
    found, challenge = subject.model_class, subject.challenge
    if found and (sign := _sign_of_another(subject, found)):
        call = f"{found.name}({', '.join(challenge.arguments)})"
        yield (
            f"this looks like a submission for another kind of challenge ({found.name} {sign}); "
            f"{challenge.name} makes {call} and calls {challenge.method}(X)"
        )


def _sign_of_another(subject: Subject, found: ast.ClassDef) -> str:
    """What the class has for other challenges: unused methods, more arguments; "" if nothing."""
    methods = {node.name for node in found.body if isinstance(node, Function)}
    called = {getattr(n.func, "attr", "") for n in ast.walk(found) if isinstance(n, ast.Call)}
    known = called | {subject.asked.method}
    if odd := [name for name in OTHERS if name in methods and name not in known]:
        return f"has {' and '.join(odd)}"
    needed = signature_of(subject.predict, 1).needed if subject.predict else ()
    return f"has {subject.asked.method}({', '.join(needed)})" if len(needed) > 1 else ""


@check("S206", "error")
def newer_than_the_server(subject: Subject) -> Iterator[str]:
    """Write it for the challenge's Python: what is newer does not run there."""
    if subject.challenge.python:
        yield from _newer(subject)


@check("S207", "warning")
def newer_than_some_servers(subject: Subject) -> Iterator[str]:
    """Write it for Python 3.9, or find out what the server has: TensorFlow 2.17 runs on 3.9 to
    3.12.
    """
    if not subject.challenge.python:
        yield from _newer(subject)


def _newer(subject: Subject) -> Iterator[str]:
    known = subject.challenge.python
    oldest, _ = pythons(known)
    has = f"has {known}" if known else f"may have {oldest[0]}.{oldest[1]}"
    for module in subject.modules:
        needs = _needs(subject, module)
        where, version, what = max(needs, key=lambda found: found[1], default=("", oldest, ""))
        if version > oldest:
            yield f"{where}: {what} needs Python {version[0]}.{version[1]}, and the server {has}"


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
    for minor in range(7, min(12, sys.version_info[1]) + 1):
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
                if quotes[-1:] == quotes[-2:-1]:
                    return token.start[0]
            elif kind == "FSTRING_END":
                quotes.pop()
            elif kind == "STRING" and quotes and token.string.rstrip()[-1] in quotes[-1]:
                return token.start[0]
    except (tokenize.TokenError, SyntaxError, IndexError):
        return 0
    return 0


def _of_node(module: Module, node: ast.AST) -> tuple[Version | None, str]:
    if isinstance(node, ast.Call):
        name = module.full_name(node.func)
        for keyword in node.keywords:
            if version := KEYWORDS.get(f"{name} {keyword.arg}"):
                return version, f"{name}({keyword.arg}=)"
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        name = module.full_name(node)
        return (None, "") if module.stores[name] else (NEWER.get(name), name)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (node.left, node.right)
        union = any(isinstance(side, ast.Constant) and constant(side) is None for side in sides)
        if union and not module.has_future_annotations:
            return (3, 10), f"the type {ast.unparse(node)}"
    return None, ""


def _is_conditional(module: Module, node: ast.AST) -> bool:
    """Whether the code asks for the version first, or is ready to fail."""
    return any(
        isinstance(outer, ast.Try)
        or (isinstance(outer, ast.If) and "version_info" in ast.dump(outer.test))
        for outer in module.above(node)
    )

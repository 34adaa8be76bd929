"""Checks of what the module asks of the server's Python, whose version is seldom known."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator

from submission.checks.modules import UNPARSABLE, Module, parsed
from submission.checks.packages import pythons
from submission.checks.registry import Subject, check

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

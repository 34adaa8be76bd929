"""Which packages a program cannot do without: read from its source, never imported.

A false alarm costs as much as a miss: what stands in a `try` that catches its absence, behind an
`if`, or in a function that nothing calls, is not counted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Protocol

from codabench_rehearsal.challenge.program_source.submission_imports import (
    ODD,
    candidates,
    moves_the_path,
)
from codabench_rehearsal.console.reading import parse_toml

# What pip calls a package that is imported by another name.
PIP_NAMES: Mapping[str, str] = parse_toml(
    (resources.files("codabench_rehearsal.challenge.program_source") / "pip_names.toml").read_text(
        "utf-8"
    )
)
_CATCHES = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
_INSTALLS = re.compile(r"\bpip3? install\b|\binstall\.packages\b|\bconda install\b")
_SHELLS = ("system", "popen", "run", "call", "check_call", "check_output", "Popen", "getoutput")
_NETWORK = ("requests", "urllib3", "httpx", "aiohttp", "wget", "gdown", "boto3", "huggingface_hub")


class Sources(Protocol):
    """What is read of a program: its Python files, which it uses, its text, its command."""

    @property
    def modules(self) -> Mapping[str, ast.Module | None]: ...  # noqa: D102 - see checks/program.py
    @property
    def used(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def texts(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def command(self) -> str: ...  # noqa: D102


def needed(program: Sources, others: Collection[str] = ()) -> dict[str, str]:
    """The top-level packages that a program loads -> where first ("ingestion.py:3").

    Its own modules and the submission's are left out, those of the standard library are not: which
    it has depends on the Python. others: further modules that it finds beside itself.
    """
    own = {part.removesuffix(".py") for name in program.modules for part in name.split("/")}
    asked = _perhaps_the_submissions(program.modules)
    loading = _Loading()
    for name in program.used:
        loading.file(name, program.modules[name])
    loading.follow()
    left_out = own | asked | set(others)
    return {name: place for name, place in loading.found.items() if name not in left_out}


def installs(program: Sources) -> str:
    """The words by which a program installs something while it runs; "" where it does not.

    What stands in comments and in texts for people does not count.
    """
    others = (text for name, text in program.texts.items() if not name.endswith(".py"))
    lines = [program.command, *(line.partition("#")[0] for t in others for line in t.splitlines())]
    trees = (tree for tree in program.modules.values() if tree is not None)
    lines += [words for tree in trees for node in ast.walk(tree) for words in _started(node)]
    return next((found.group() for line in lines if (found := _INSTALLS.search(line))), "")


def _perhaps_the_submissions(modules: Mapping[str, ast.Module | None]) -> frozenset[str]:
    """Every top-level name that a program may import of a submission, or of what lies by it.

    Where it looks into no folder but its own, a name must be a usual one.
    """
    trees = {name: tree for name, tree in modules.items() if tree is not None}
    moves = any(moves_the_path(node) for tree in trees.values() for node in ast.walk(tree))
    found = candidates(trees).items()
    return frozenset(one.module.split(".")[0] for one, unsure in found if moves or unsure < ODD)


def _started(node: ast.AST) -> list[str]:
    """Words of a command, as a list of them or as a shell's line."""
    if isinstance(node, ast.List | ast.Tuple):
        return [" ".join(str(getattr(one, "value", "")) for one in node.elts)]
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _SHELLS:
        return [ast.unparse(one) for one in node.args]
    return []


def reaches_out(program: Sources) -> str:
    """A package for the network that a program loads; "" for none."""
    return next((name for name in needed(program) if name in _NETWORK), "")


def distribution(module: str) -> str:
    """What pip calls the package that is imported by this name."""
    return PIP_NAMES.get(module, module.replace("_", "-").lower())


@dataclass
class _Loading(ast.NodeVisitor):
    """Follows what is done as files are loaded into the functions that are named there."""

    found: dict[str, str] = field(default_factory=dict)
    _named: set[str] = field(default_factory=lambda: {"__init__", "__call__", "__enter__"})
    _waiting: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = field(default_factory=list)
    _name: str = ""
    _sure: bool = True

    def file(self, name: str, tree: ast.Module | None) -> None:
        """What loading one file does."""
        self._name = name
        if tree is not None:
            self.visit(tree)

    def follow(self) -> None:
        """Go on into functions for as long as new ones are named."""
        while ready := [one for one in self._waiting if one[1].name in self._named]:
            self._waiting = [one for one in self._waiting if one not in ready]
            for name, function in ready:
                self._name = name
                self._each(function.body)

    def visit_Import(self, node: ast.Import) -> None:
        """Count it."""
        for alias in node.names:
            self._count(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Count it, unless it is of its own package."""
        if node.module and not node.level:
            self._count(node.module, node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Leave its body for later."""
        self._later(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Leave its body for later."""
        self._later(node)

    def visit_Name(self, node: ast.Name) -> None:
        """A function may be called by it."""
        self._named.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """A method may be called by it."""
        self._named.add(node.attr)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        """Either way may be taken; a script's own part surely is."""
        if "__main__" in ast.unparse(node.test):
            self._each(node.body)
        else:
            self._perhaps([node.test, *node.body, *node.orelse])

    def visit_Try(self, node: ast.Try) -> None:
        """What is caught where it is not there is no need."""
        caught = any(_catches(one) for one in node.handlers)
        (self._perhaps if caught else self._each)(node.body)
        self._perhaps(node.handlers)
        self._each([*node.orelse, *node.finalbody] if not caught else node.finalbody)
        self._perhaps(node.orelse if caught else [])

    def _later(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._waiting.append((self._name, node))
        self._each([*node.decorator_list, *node.args.defaults])

    def _each(self, nodes: Collection[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _perhaps(self, nodes: Collection[ast.AST]) -> None:
        before, self._sure = self._sure, False
        self._each(nodes)
        self._sure = before

    def _count(self, module: str, node: ast.stmt) -> None:
        if self._sure:
            self.found.setdefault(module.split(".")[0], f"{self._name}:{node.lineno}")


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches that a module is not there."""
    kind = handler.type
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    names = {getattr(one, "id", getattr(one, "attr", "")) for one in kinds if one is not None}
    return kind is None or bool(names & set(_CATCHES))

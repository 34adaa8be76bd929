"""What an ingestion program takes from a submission: read from its source, never imported.

Told by names: a value is followed into variables, attributes, parameters and returned values of
the same name anywhere in the program. Where a program finds the submission in a way that its source
does not show (a computed name, a process of its own), nothing is said.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codabench_rehearsal.challenge.program_source.submission_imports import (
    Imported,
    imports_of,
    last_of,
)

_ROUNDS = 6  # a value that goes through more hands is lost
_MOST = 40
_LONGEST = 60  # characters of an argument


@dataclass(frozen=True)
class Called:
    """A call of what was imported, or of a method of what that gave. arguments: as source."""

    name: str
    arguments: tuple[str, ...]
    place: str

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class Interface:
    """imports: of the submission. made: calls of them. methods: of what those calls gave.

    Places are "ingestion.py:94". Nothing in it means that the source does not tell.
    """

    imports: tuple[Imported, ...] = ()
    made: tuple[Called, ...] = ()
    methods: tuple[Called, ...] = ()

    @property
    def module(self) -> str:
        """The module that a submission must have, as `model`; "" where that is not told."""
        return self.imports[0].module if self.imports else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the module must define."""
        taken = [one.name for one in self.imports if one.module == self.module and one.name]
        return tuple(dict.fromkeys(taken))


def read_interface(program: Path, data: Path | None = None) -> Interface:
    """What the ingestion program in a folder imports of a submission. Raises `OSError`.

    data: the input data, whose own modules are none of the submission's: where data are sent in,
    the model lies there.
    """
    found: dict[str, ast.Module | None] = {}
    for path in sorted(program.rglob("*.py")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in other people's texts
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found[path.relative_to(program).as_posix()] = tree
    beside = {path.name: ast.Module([], []) for path in data.glob("*.py")} if data else {}
    return read_interface_of({**found, **{n: t for n, t in beside.items() if n not in found}})


def read_interface_of(modules: Mapping[str, ast.Module | None]) -> Interface:
    """The same of syntax trees by their files' names; None for what did not parse."""
    trees = {name: tree for name, tree in modules.items() if tree is not None}
    imports = imports_of(trees)
    if not imports:
        return Interface()
    follower = _Follower(trees, imports)
    return Interface(tuple(imports), *follower.calls())


@dataclass
class _Follower:
    """Follows what was imported through a program's trees, by names."""

    trees: Mapping[str, ast.Module]
    imports: list[Imported]
    callables: dict[str, str] = field(default_factory=dict)  # name in the program -> the real one
    values: set[str] = field(default_factory=set)  # names of what those calls gave
    givers: set[str] = field(default_factory=set)  # functions of the program that return it

    def __post_init__(self) -> None:
        wanted = {(one.module, one.name) for one in self.imports}
        self.nodes = [(f, node) for f, tree in self.trees.items() for node in ast.walk(tree)]
        self.functions = {
            node.name: node
            for _, node in self.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.callables |= {one.name: one.name for one in self.imports if one.name}
        for _, node in self.nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (node.module, alias.name) in wanted:
                        self.callables[alias.asname or alias.name] = alias.name
        self.modules = {one.module.split(".")[-1] for one in self.imports if not one.name}
        for _ in range(_ROUNDS):
            before = (len(self.callables), len(self.values), len(self.givers))
            for _, node in self.nodes:
                self._step(node)
            if before == (len(self.callables), len(self.values), len(self.givers)):
                break

    def calls(self) -> tuple[tuple[Called, ...], tuple[Called, ...]]:
        """The calls of what was imported, and those of methods of what they gave."""
        made: dict[tuple[str, tuple[str, ...]], Called] = {}
        methods: dict[tuple[str, tuple[str, ...]], Called] = {}
        for file, node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            one, place = self._called(node), f"{file}:{node.lineno}"
            if one:
                made.setdefault((one, ()), Called(one, arguments_of(node), place))
                continue
            name, given = self._method(node), arguments_of(node)
            if name:
                methods.setdefault((name, given), Called(name, given, place))
        return tuple(made.values())[:_MOST], tuple(methods.values())[:_MOST]

    def _method(self, call: ast.Call) -> str:
        """The method that a call asks of what the submission gave; "" for another call."""
        if isinstance(call.func, ast.Attribute) and self._is_value(call.func.value):
            return call.func.attr
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        return "__call__" if name in self.values and name not in self.functions else ""

    def _step(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self._bind({last_of(one) for one in targets} - {""}, node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            gives = (n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
            if any(self._is_value(value) for value in gives):
                self.givers.add(node.name)
        elif isinstance(node, ast.Call):
            self._pass_on(node)

    def _bind(self, names: set[str], value: ast.expr) -> None:
        if self._is_value(value):
            self.values |= names
        elif last_of(value) in self.callables and not isinstance(value, ast.Call):
            self.callables |= dict.fromkeys(names, self.callables[last_of(value)])

    def _pass_on(self, call: ast.Call) -> None:
        """What is given to a function of the program has the parameter's name there."""
        function = self.functions.get(last_of(call.func))
        if function is None:
            return
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if names[:1] == ["self"]:
            names = names[1:]
        given = [*zip(names, call.args, strict=False)]
        given += [(word.arg, word.value) for word in call.keywords if word.arg]
        for name, value in given:
            self._bind({name}, value)

    def _is_value(self, node: ast.AST | None) -> bool:
        """Whether an expression stands for what a call of the submission gave."""
        if isinstance(node, ast.Call):
            name = self._called(node)
            if name:
                return _is_maker(name)
            fits = isinstance(node.func, ast.Attribute) and node.func.attr == "fit"
            inner = fits and self._is_value(getattr(node.func, "value", None))
            return bool(inner) or last_of(node.func) in self.givers
        return isinstance(node, ast.Name | ast.Attribute) and last_of(node) in self.values

    def _called(self, node: ast.Call) -> str:
        """The submission's own name for what a call calls; "" for another."""
        if isinstance(node.func, ast.Name):
            return self.callables.get(node.func.id, "")
        if isinstance(node.func, ast.Attribute):
            if last_of(node.func.value) in self.modules:
                return node.func.attr
            is_plain = isinstance(node.func.value, ast.Name)
            taken = self.callables.get(node.func.attr, "")
            return taken if is_plain and last_of(node.func.value) not in self.values else ""
        return ""


def _is_maker(name: str) -> bool:
    """Whether a name makes a model, rather than predictions."""
    plain = name.lower()
    return name[:1].isupper() or "model" in plain or "estimator" in plain or plain == "submission"


def arguments_of(call: ast.Call) -> tuple[str, ...]:
    """What a call is given, as source; long ones are cut."""
    try:
        given = [ast.unparse(one) for one in call.args]
        given += [f"{word.arg or '**'}={ast.unparse(word.value)}" for word in call.keywords]
    except RecursionError:  # a sum of a thousand terms
        return ("...",)
    return tuple(one if len(one) <= _LONGEST else f"{one[:_LONGEST]}..." for one in given)

"""What a submission surely needs, of what an ingestion program takes from it.

`interface.py` finds what is imported and called anywhere. Here is what of it is in every run: not
what is tried, asked for first, under a condition, or in a function that nobody names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codabench_rehearsal.challenge.bundle_files import opened_tree
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.program_source.interface import (
    Called,
    Interface,
    arguments_of,
    read_interface,
)
from codabench_rehearsal.challenge.program_source.packages import installs, needed
from codabench_rehearsal.challenge.program_source.runs import Runs
from codabench_rehearsal.challenge.program_source.submission_imports import (
    Imported,
    is_usual,
    last_of,
    text_of,
)

_SEARCHES = ("walk", "glob", "rglob", "iglob", "listdir", "iterdir", "scandir")
_MOVES = ("copytree", "copy2", "copyfile", "unpack_archive", "extractall")
_ROUNDS = 3  # hands that a found folder goes through


@dataclass(frozen=True)
class Need:
    """A module that is imported, and a name that it has to define ("" for the module alone).

    sure: whether its name says that it is the submission's; else it may be a package.
    """

    module: str
    name: str
    place: str
    sure: bool

    @property
    def file(self) -> str:
        """The module as a file of the zip."""
        return f"{self.module.replace('.', '/')}.py"


@dataclass(frozen=True)
class Use:
    """A call that is surely made. count: arguments by position; is_used: what it gives."""

    name: str
    count: int
    keywords: tuple[str, ...]
    text: str
    place: str
    is_used: bool


@dataclass(frozen=True)
class Needs:
    """made: calls of what is imported. methods: of what those give. own: modules of the program.

    packages: what the program itself imports. words: parts of the texts in it, such as names of
    folders. searches: whether it looks for the submission's folder. installs: packages, as it runs.
    """

    interface: Interface
    imports: tuple[Need, ...] = ()
    made: tuple[Use, ...] = ()
    methods: tuple[Use, ...] = ()
    own: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    searches: bool = False
    installs: bool = False


def needs_of(program: Path, data: Path | None = None) -> Needs:
    """What the ingestion program in a folder surely needs. Raises `SubmissionError`, `OSError`.

    data: the input data, see `read_interface`.
    """
    with opened_tree(program) as tree:
        read = Program("ingestion", program.name, tree)
        interface = read_interface(program, data)
        trees = {name: code for name in read.used if (code := read.modules[name]) is not None}
        packages, installing = frozenset(needed(read)), bool(installs(read))
    reader = _Reader(trees, interface)
    every = (name.removesuffix(".py").split("/") for name in read.modules)
    return Needs(
        interface,
        tuple(reader.imports()),
        tuple(reader.uses(interface.made)),
        tuple(use for use in reader.uses(interface.methods, is_method=True)),
        frozenset(part for parts in every for part in parts),
        packages,
        frozenset(reader.words()),
        reader.looks_for_modules(),
        installing,
    )


class _Reader(Runs):
    """Reads a program's trees for what it surely needs."""

    def __init__(self, trees: Mapping[str, ast.Module], interface: Interface) -> None:
        super().__init__(trees)
        self.interface = interface

    def imports(self) -> Iterator[Need]:
        """The imports of the submission that surely run, and names taken of its modules."""
        sure = [one for one in self.interface.imports if self._is_sure_import(one)]
        for one in sure:
            yield Need(one.module, one.name, one.place, is_usual(one.module))
        alone = [one for one in sure if not one.name]
        taken = {one.name for one in self.interface.imports}
        if len(alone) == len({one.module for one in self.interface.imports}) == 1:
            for use in self.uses(self.interface.made):
                if use.name not in taken:
                    yield Need(alone[0].module, use.name, use.place, is_usual(alone[0].module))

    def _is_sure_import(self, one: Imported) -> bool:
        file, _, line = one.place.rpartition(":")
        found = [node for name, node in self.nodes if name == file and _is_import(node, int(line))]
        if not found or not all(map(self.is_sure, found)):
            return False
        plain = any(isinstance(node, ast.Import | ast.ImportFrom) for node in found)
        return plain or not one.name or self._is_taken(one.name)

    def _is_taken(self, name: str) -> bool:
        """Whether a name is surely taken from a module that a call has loaded."""
        uses = [n for _, n in self.nodes if isinstance(n, ast.Attribute) and n.attr == name]
        return not self.is_asked_for(name) and any(map(self.is_sure, uses))

    def uses(self, called: tuple[Called, ...], *, is_method: bool = False) -> Iterator[Use]:
        """Those of some calls that are surely made as they stand there."""
        for one in called:
            node = self._node_of(one)
            if node is None or not self.is_sure(node) or self.is_asked_for(one.name):
                continue
            if is_method and not self._is_the_submissions(node):
                continue
            keywords = tuple(word.arg for word in node.keywords if word.arg)
            used = not isinstance(self.parents.get(node), ast.Expr)
            yield Use(one.name, len(node.args), keywords, str(one), one.place, used)

    def _node_of(self, one: Called) -> ast.Call | None:
        """The call itself; None where it hands on arguments that nobody can count."""
        file, _, line = one.place.rpartition(":")
        for name, node in self.nodes:
            here = isinstance(node, ast.Call) and name == file and node.lineno == int(line)
            if here and isinstance(node, ast.Call) and arguments_of(node) == one.arguments:
                starred = any(isinstance(arg, ast.Starred) for arg in node.args)
                return None if starred or any(k.arg is None for k in node.keywords) else node
        return None

    def _is_the_submissions(self, call: ast.Call) -> bool:
        """Whether nothing but what the submission gave has the name of a call's object."""
        is_method = isinstance(call.func, ast.Attribute)
        held = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        if isinstance(held, ast.Call):
            return is_method
        name = last_of(held)
        for _, node in self.nodes:
            if name in {last_of(one) for one in _loose_targets(node)}:
                return False
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if name in map(last_of, targets) and not self._may_be_given(node.value):
                    return False
        return True

    def _may_be_given(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Constant):
            return value.value is None
        if isinstance(value, ast.Call):
            names = {one.name for one in self.interface.imports} | {"fit"}
            names |= {one.name for one in self.interface.made} | self.functions | self._aliases
            return last_of(value.func) in names
        return isinstance(value, ast.Name | ast.Attribute)

    @cached_property
    def _aliases(self) -> frozenset[str]:
        wanted = {(one.module, one.name) for one in self.interface.imports}
        return frozenset(
            alias.asname
            for _, node in self.nodes
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.asname and (node.module, alias.name) in wanted
        )

    def looks_for_modules(self) -> bool:
        """Whether modules may be loaded from folders that are found, or files put elsewhere."""
        if any(isinstance(n, ast.Call) and last_of(n.func) in _MOVES for _, n in self.nodes):
            return True
        found: set[str] = set()
        for _ in range(_ROUNDS):
            for _, node in self.nodes:
                found |= _bound_to_found(node, found)
        return any(
            _is_found(argument, found)
            for _, node in self.nodes
            if isinstance(node, ast.Call) and _loads(node)
            for argument in node.args
        )

    def words(self) -> Iterator[str]:
        """The parts of all texts, as of paths."""
        for _, node in self.nodes:
            yield from (part for part in text_of(node).split("/") if part)


def _is_found(value: ast.AST, found: set[str]) -> bool:
    """Whether an expression holds what a search through folders gave."""
    return any(
        last_of(node) in found
        if isinstance(node, ast.Name | ast.Attribute)
        else isinstance(node, ast.Call) and last_of(node.func) in _SEARCHES
        for node in ast.walk(value)
    )


def _bound_to_found(node: ast.AST, found: set[str]) -> set[str]:
    """Names that a node binds to what a search gave; a function that returns it is one, too."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.For | ast.comprehension) and _is_found(node.iter, found):
        targets = [node.target]
    elif isinstance(node, ast.Assign) and _is_found(node.value, found):
        targets = node.targets
    elif isinstance(node, ast.FunctionDef):
        gives = (n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
        return {node.name} if any(_is_found(value, found) for value in gives) else set()
    inner = (n for target in targets for n in ast.walk(target))
    return {last_of(n) for n in inner if isinstance(n, ast.Name | ast.Attribute)} - {"self"}


def _loads(call: ast.Call) -> bool:
    """Whether a call loads a module from a path, or lets Python look for some there."""
    if last_of(call.func) == "spec_from_file_location":
        return True
    held = call.func.value if isinstance(call.func, ast.Attribute) else None
    return last_of(call.func) in ("insert", "append") and last_of(held) == "path"


def _loose_targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a loop, a `with` or an unpacking binds: to a part of something else."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.For | ast.comprehension):
        targets = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars:
        targets = [node.optional_vars]
    elif isinstance(node, ast.Assign):
        targets = [one for one in node.targets if isinstance(one, ast.Tuple | ast.List)]
    for target in targets:
        yield from (n for n in ast.walk(target) if isinstance(n, ast.Name | ast.Attribute))


def _is_import(node: ast.AST, line: int) -> bool:
    kinds = (ast.Import, ast.ImportFrom, ast.Call)
    return isinstance(node, kinds) and node.lineno == line

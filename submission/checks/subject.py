"""What the checks look at: the zip, the challenge, the syntax trees, the weights. All cached."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from codabench_rehearsal.challenge.profile import Challenge
from submission.archive import MOST_FILES, Archive, Member
from submission.checks.flow import Flow, Live, find_networks, follow_images
from submission.checks.keras_files import Weights, read_weights
from submission.checks.modules import DYNAMIC, MOST_MODULES, Function, Module, imports, read_module
from submission.checks.opened import Opened, opened_files
from submission.findings import KINDS, Finding, Said, Severity, known_codes, without

LONGEST_NAME = 200


class Subject:
    """A submission under examination."""

    def __init__(self, archive: Archive, challenge: Challenge, zip_name: str) -> None:
        self.archive, self.challenge, self.zip_name = archive, challenge, zip_name

    @property
    def module_file(self) -> str:
        """The file that the platform imports, `model.py` in most challenges."""
        return f"{self.challenge.module}.py"

    @cached_property
    def main_file(self) -> str:
        """The file that an import of the module runs: a package of that name comes first."""
        return self.file_of(self.challenge.module) or self.module_file

    @cached_property
    def main(self) -> Module | None:
        """The module that the platform imports, or None if it is not in the zip."""
        return self._module(self.main_file)

    @cached_property
    def python_files(self) -> tuple[str, ...]:
        """The Python files of the zip that could be imported."""
        names = sorted(name for name in self.archive.names if name.endswith(".py"))
        return tuple(name for name in names if not name.startswith(("__MACOSX", ".")))[
            :MOST_MODULES
        ]

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """The main module and what it imports of the zip, each once, in the order of importing."""
        found: dict[str, Module] = {}
        waiting = [self.main_file]
        while waiting:
            file = waiting.pop(0)
            module = None if file in found else self._module(file)
            if module is not None:
                found[file] = module
                waiting += self._imported_files(module)
        return tuple(found.values())

    @cached_property
    def moves_the_path(self) -> bool:
        """Whether the code looks for modules in further folders."""
        names = {module.full_name(node) for module in self.modules for node in module.nodes}
        return bool(names & {"sys.path", "site.addsitedir", "sys.meta_path", "sys.path_hooks"})

    @cached_property
    def live(self) -> Live:
        """What runs of them."""
        roots = (self.challenge.class_name, self.challenge.method)
        return Live([module for module in self.modules if module.tree], roots)

    @cached_property
    def texts(self) -> frozenset[str]:
        """The string constants of the modules."""
        return frozenset(
            node.value
            for module in self.modules
            for node in module.nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )

    @cached_property
    def model_class(self) -> ast.ClassDef | None:
        """The class that the platform makes an object of, where the module defines it itself."""
        body = self.main.tree.body if self.main and self.main.tree else []
        found = [n for n in body if isinstance(n, ast.ClassDef) and n.name == self._class_name]
        return found[-1] if found else None

    @cached_property
    def predict(self) -> Function | None:
        """The method that is asked, where that class defines it itself."""
        return self.method(self.challenge.method)

    def method(self, name: str) -> Function | None:
        """A method of the model's class; the last definition counts."""
        body = self.model_class.body if self.model_class else []
        found = [n for n in body if isinstance(n, Function) and n.name == name]
        return found[-1] if found else None

    @cached_property
    def weights(self) -> tuple[Weights, ...]:
        """What the `.keras` and HDF5 files say of themselves."""
        target = self.challenge.keras
        names = [member.name for member in self._keras_members()]
        return tuple(read_weights(self.archive, name, target) for name in dict.fromkeys(names))

    @cached_property
    def base_names(self) -> frozenset[str]:
        """Names of classes that others derive from: their methods may be others'."""
        classes = [n for m in self.modules for n in m.nodes if isinstance(n, ast.ClassDef)]
        return frozenset(getattr(b, "attr", getattr(b, "id", "")) for n in classes for b in n.bases)

    @cached_property
    def replaced_names(self) -> frozenset[str]:
        """Names of attributes that the code assigns or deletes anywhere."""
        nodes = (n for m in self.modules for n in m.nodes if isinstance(n, ast.Attribute))
        return frozenset(n.attr for n in nodes if not isinstance(n.ctx, ast.Load))

    @cached_property
    def opened(self) -> tuple[Opened, ...]:
        """The files that the code opens, as far as their names can be told."""
        return tuple(opened_files(self))

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """The functions that the images go through."""
        return tuple(follow_images(self))

    @cached_property
    def networks(self) -> frozenset[str]:
        """The names that hold networks."""
        return find_networks(self)

    def file_of(self, module_name: str) -> str | None:
        """The zip's file that an import of that absolute name runs, if the zip has one."""
        path = module_name.replace(".", "/")
        return next((f for f in (f"{path}/__init__.py", f"{path}.py") if f in self._names), None)

    def module_named(self, module_name: str) -> Module | None:
        """The zip's module of that name, if anything imports it."""
        file = self.file_of(module_name)
        return next((module for module in self.modules if module.file == file), None)

    def _keras_members(self) -> Iterator[Member]:
        for member in self.archive.members:
            if member.name.lower().endswith((".keras", ".h5", ".hdf5")) and not member.is_encrypted:
                yield member

    def _module(self, file: str) -> Module | None:
        return read_module(self.archive, file) if file in self._names else None

    def _imported_files(self, module: Module) -> Iterator[str]:
        for _, base, taken in imports(module):
            parts = base.split(".")
            names = [".".join(parts[:i]) for i in range(1, len(parts) + 1)]
            names += [f"{base}.{taken}"] if taken else []
            yield from filter(None, map(self.file_of, names))
        yield from self._files_by_text(module)

    def _files_by_text(self, module: Module) -> Iterator[str]:
        """The files that importlib is given by name, as far as the names stand in the text."""
        calls = [n for n in module.nodes if isinstance(n, ast.Call)]
        if any(module.full_name(call.func).rpartition(".")[2] in DYNAMIC for call in calls):
            for node in module.nodes:
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and len(text) < LONGEST_NAME:
                    file = self.file_of(text) or (text if text in self.python_files else None)
                    yield from [file] if file else []

    @property
    def _names(self) -> frozenset[str]:
        return self.archive.names

    @property
    def _class_name(self) -> str:
        return self.challenge.class_name


# The list of checks: one function each, coded; its docstring is the advice that a user reads.


# In the order of work: unpacking the weights comes before the checksums, which then need not.
_MODULES = (
    "archive", "names", "source", "calls", "imports", "images", "answers", "opening", "weights",
    "networks", "layers", "size",
)  # fmt: skip
_STATIC = ("S1", "S2", "S3", "S4")
TOO_MANY = "S105"

Look = Callable[[Subject], Iterator[str | Said] | Iterator[str] | Iterator[Said]]


@dataclass(frozen=True)
class Check:
    """A coded check: `look` yields one message for each thing it finds."""

    code: str
    severity: Severity
    name: str
    advice: str
    look: Look


_registry: dict[str, Check] = {}


def check(code: str, severity: Severity) -> Callable[[Look], Look]:
    """Register the decorated function as the check `code`."""

    def register(look: Look) -> Look:
        advice = " ".join(inspect.cleandoc(look.__doc__ or "").split())
        if code in _registry or not (advice or sys.flags.optimize > 1):
            raise ValueError(f"{code}: registered twice, or without advice in its docstring")
        _registry[code] = Check(code, severity, look.__name__, advice, look)
        return look

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check, by code."""
    for module in _MODULES:
        importlib.import_module(f"submission.checks.{module}")
    return tuple(_registry[code] for code in sorted(_registry))


def examine(
    archive: Archive,
    challenge: Challenge,
    zip_name: str = "",
    ignored: Iterable[str] = (),
    only: Iterable[str] = (),
) -> list[Finding]:
    """Run every check on an open zip, without executing anything in it.

    zip_name: the name it will be uploaded under; its own when left out. ignored: codes whose
    findings are left out; raises `SubmissionError` for a code S1-S4 that there is not. only: the
    codes of the checks to run, all when left out.
    """
    wanted = frozenset(only)
    checks = tuple(found for found in all_checks() if not wanted or found.code in wanted)
    own = [code for code in ignored if code.strip().upper().startswith(_STATIC)]
    codes = known_codes(own, [found.code for found in all_checks()])
    subject = Subject(archive, challenge, zip_name or archive.path.name)
    if len(archive.members) > MOST_FILES:
        checks = tuple(
            found for found in checks if found.code == TOO_MANY
        )  # a bomb: no more is asked
    kept, _ = without((f for found in checks for f in _look(found, subject)), codes)
    return kept


def _look(found: Check, subject: Subject) -> Iterator[Finding]:
    try:
        for said in found.look(subject):
            yield _finding(found, said if isinstance(said, Said) else Said(said))
    except RecursionError:
        said = f"{found.name.replace('_', ' ')}: not checked, the code is nested too deeply"
        yield Finding(found.code, "note", said, "Nothing, if a run works.")


def _finding(found: Check, said: Said) -> Finding:
    severity = said.severity or found.severity
    kind = said.kind if said.kind is not None else KINDS.get(found.code, "")
    kind = "fails" if severity == "error" else kind
    return Finding(found.code, severity, said.message, said.advice or found.advice, kind=kind)


__all__ = ["Check", "Subject", "all_checks", "check", "examine"]

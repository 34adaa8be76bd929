"""The checks: one function each, coded; its docstring is the advice that a user reads."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from submission.archive import Archive
from submission.challenge import Challenge
from submission.errors import SubmissionError
from submission.findings import Finding, Severity

_MODULES = ("archive", "source", "weights", "size")


class Subject:
    """What a check looks at: the zip, the challenge, and the syntax tree of its module."""

    def __init__(self, archive: Archive, challenge: Challenge, zip_name: str) -> None:
        self.archive, self.challenge, self.zip_name = archive, challenge, zip_name

    @property
    def module_file(self) -> str:
        """The file that the platform imports, `model.py` in most challenges."""
        return f"{self.challenge.module}.py"

    @cached_property
    def source(self) -> str | None:
        """The module's text, or None if it is not there or cannot be read."""
        if self.module_file not in self.archive.names:
            return None
        try:
            return self.archive.read(self.module_file).decode("utf-8")
        except (SubmissionError, UnicodeDecodeError):
            return None

    @cached_property
    def tree(self) -> ast.Module | None:
        """The module's syntax tree, or None if there is no text or it does not parse."""
        try:
            return None if self.source is None else ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    @cached_property
    def model_class(self) -> ast.ClassDef | None:
        """The class that the platform makes an object of, where the module defines it itself."""
        body = self.tree.body if self.tree else []
        name = self.challenge.class_name
        return next((n for n in body if isinstance(n, ast.ClassDef) and n.name == name), None)


Look = Callable[[Subject], Iterator[str]]


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
        if code in _registry or not advice:
            raise ValueError(f"{code}: registered twice, or without advice in its docstring")
        _registry[code] = Check(code, severity, look.__name__, advice, look)
        return look

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check, by code."""
    for module in _MODULES:
        importlib.import_module(f"submission.checks.{module}")
    return tuple(_registry[code] for code in sorted(_registry))


def examine(archive: Archive, challenge: Challenge, zip_name: str = "") -> list[Finding]:
    """Run every check on an open zip, without executing anything in it.

    zip_name: the name it will be uploaded under; its own when left out.
    """
    subject = Subject(archive, challenge, zip_name or archive.path.name)
    return [
        Finding(found.code, found.severity, message, found.advice)
        for found in all_checks()
        for message in found.look(subject)
    ]

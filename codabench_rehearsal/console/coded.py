"""Coded checks: functions that yield what they find; a check's docstring is its advice.

What is checked, and what a finding is, is each room's own: S is the subject, F what a check yields.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Severity = Literal["error", "warning", "note"]
S = TypeVar("S")
F = TypeVar("F")


@dataclass(frozen=True)
class Check(Generic[S, F]):
    """A check: `look` yields one message for each thing it finds. name: of its function."""

    code: str
    severity: Severity
    name: str
    advice: str
    look: Callable[[S], Iterator[F]]


class Registry(Generic[S, F]):
    """The checks of some modules of a package, which are imported when they are first asked for."""

    def __init__(self, package: str, modules: Sequence[str]) -> None:
        self._modules = [f"{package}.{name}" for name in modules]
        self._checks: dict[str, Check[S, F]] = {}

    def check(
        self, code: str, severity: Severity
    ) -> Callable[[Callable[[S], Iterator[F]]], Callable[[S], Iterator[F]]]:
        """Register the decorated function; raises `ValueError` for one code twice, or no advice."""

        def register(look: Callable[[S], Iterator[F]]) -> Callable[[S], Iterator[F]]:
            advice = " ".join(inspect.cleandoc(look.__doc__ or "").split())
            if code in self._checks or not (advice or sys.flags.optimize > 1):
                raise ValueError(f"{code}: registered twice, or without advice in its docstring")
            self._checks[code] = Check(code, severity, look.__name__, advice, look)
            return look

        return register

    def all(self) -> tuple[Check[S, F], ...]:
        """Every check, by its code."""
        for name in self._modules:
            importlib.import_module(name)
        return tuple(self._checks[code] for code in sorted(self._checks))

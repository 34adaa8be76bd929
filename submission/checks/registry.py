"""The list of checks: one function each, coded; its docstring is the advice that a user reads."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from codabench_rehearsal.challenge.profile import Challenge
from submission.archive import MOST_FILES, Archive
from submission.checks.subject import Subject
from submission.codes import KINDS
from submission.findings import Finding, Said, Severity, known_codes, without

# In the order of work: unpacking the weights comes before the checksums, which then need not.
_MODULES = (
    "archive", "names", "source", "versions", "definitions", "calls", "imports", "network",
    "images", "answers", "opening", "weights", "keras_ages", "layers", "fit", "size",
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

"""What is wrong with a submission, in a form that people and programs can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity: "error" would fail or score garbage on the platform, "warning" fails on some servers
    or costs score, "note" is waste. message: what was found. advice: what to do about it.
    detail: a trimmed traceback or log, when there is one.
    """

    code: str
    severity: Severity
    message: str
    advice: str = ""
    detail: str = ""


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of them is an error."""
    return any(finding.severity == "error" for finding in findings)

"""What is wrong with a submission, in a form that people and programs can read.

Four kinds of verdict are never mixed. "fails": the platform would end with Failed, an error.
"unknown": it hangs on what nobody knows of the server, a warning. "rules": against the challenge's
words or good sense, but scored, a warning. "scores": it runs, and is scored as if it were broken;
an error, and only ever from labelled images.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import one_line, several_lines

Severity = Literal["error", "warning", "note"]
Kind = Literal["fails", "unknown", "rules", "scores", ""]
LONGEST_MESSAGE = 2000  # characters


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity: "error" would fail or score garbage on the platform, "warning" fails on some servers
    or costs score, "note" is waste, or was read and refuted by a run. message: what was found.
    advice: what to do about it. detail: a trimmed traceback or log, when there is one. kind: of the
    verdict, see above; "" for what is none.

    Names and texts from files are cleaned here, on their way in (`console.words`): message and advice
    are one line each, detail keeps its lines.
    """

    code: str
    severity: Severity
    message: str
    advice: str = ""
    detail: str = ""
    kind: Kind = ""

    def __post_init__(self) -> None:
        for name in ("message", "advice"):
            object.__setattr__(self, name, one_line(getattr(self, name), LONGEST_MESSAGE))
        object.__setattr__(self, "detail", several_lines(self.detail))

    @property
    def is_unknown(self) -> bool:
        """Whether it hangs on what nobody knows of the server: it is told under "not checked"."""
        return self.kind == "unknown" and self.severity == "warning"


@dataclass(frozen=True)
class Said:
    """What a check says of one thing, where it is less or more than the check's own rule."""

    message: str
    severity: Severity | None = None
    advice: str = ""
    kind: Kind | None = None


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of them is an error."""
    return any(finding.severity == "error" for finding in findings)


def without(
    findings: Iterable[Finding], ignored: frozenset[str]
) -> tuple[list[Finding], dict[str, int]]:
    """The findings whose codes are not ignored, and how often each ignored code was found."""
    kept: list[Finding] = []
    left_out: dict[str, int] = {}
    for finding in findings:
        if finding.code in ignored:
            left_out[finding.code] = left_out.get(finding.code, 0) + 1
        else:
            kept.append(finding)
    return kept, left_out


def known_codes(given: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Codes as a user writes them, any case. Raises `SubmissionError` for one that there is not."""
    among = sorted(set(known))
    codes = frozenset(code.strip().upper() for code in given if code.strip())
    for code in sorted(codes):
        if code not in among:
            near = difflib.get_close_matches(code, among, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "--list-checks prints them all."
            raise SubmissionError(f"No check {code!r}; {hint}")
    return codes

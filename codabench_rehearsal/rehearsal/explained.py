"""From the platform's message and its logs to the cause and the mend.

Words that name a cause come first, then exceptions in the submission's own code, then others; what
only follows from something else ("Child task failed") counts where nothing better is there. Words
that libraries print and go on are a cause only where an exception says them, and words on answers
only where the challenge's program says them: a wrong cause costs another upload.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Literal

from codabench_rehearsal.challenge.tracebacks import Raised, plain_lines, raised_in
from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import one_line
from codabench_rehearsal.rehearsal.failures import advice_for
from codabench_rehearsal.sandbox.outcome import Problem

LARGEST = 20 << 20  # bytes of a log that are read
_LONGEST = 300
_ORDER = ("platform", "log", "raised", "also", "after")
_ENDS = ("KeyboardInterrupt", "SystemExit")
_STAMP = r"(\d{4}-\d\d-\d\d [\d:.]+ )?[IWE](\d{4} [\d:.]+ +\d+)?"
_TENSORFLOW = re.compile(rf"^{_STAMP} \S+\.cc:\d+\]")  # it says so, and goes on
Place = Literal["platform", "log", "raised", "also", "after"]


@dataclass(frozen=True)
class Explained:
    """A cause. evidence: the line that it rests on. sure: False where it may be another's result.

    detail: the traceback, "" for none.
    """

    cause: str
    advice: str
    evidence: str
    sure: bool = True
    detail: str = ""
    place: Place = "log"

    def document(self) -> dict[str, Any]:
        """All of it, for machines."""
        return asdict(self)


def explain_text(text: str) -> tuple[Explained, ...]:
    """What a message or a log says, likeliest cause first; () where nothing in it is known.

    Foreign text may stand in what comes back: its lines are cleaned.
    """
    lines = plain_lines(text)
    raised = [one for one in raised_in(lines) if one.kind not in _ENDS]
    own = {_last_line(one) for one in raised if one.in_submission}
    meant = _meanings(lines, own, {_last_line(one) for one in raised})
    found = [*meant, *_exceptions(raised)]
    told: dict[str, Explained] = {}
    for one in sorted(found, key=lambda one: _ORDER.index(one.place)):
        told.setdefault(one.cause, one)
    causes = list(told.values())
    if any(one.place != "after" for one in causes):
        causes = [one for one in causes if one.place != "after"]
    return tuple(causes)


def meaning_of(said: str) -> Explained | None:
    """What the message of an exception means; None where nothing in it is known."""
    lines = plain_lines(said)
    return next(_meanings(lines, set(), set(lines)), None)


@functools.cache
def _table() -> tuple[dict[str, Any], ...]:
    text = resources.files("codabench_rehearsal.rehearsal") / "explanations.toml"
    rows = parse_toml(text.read_text(encoding="utf-8"))["meanings"]
    return tuple({**row, "said": re.compile(row["said"], re.IGNORECASE)} for row in rows)


def _meanings(lines: list[str], own: set[str], raised: set[str]) -> Iterator[Explained]:
    """own, raised: last lines of tracebacks, those of the submission's own code and all."""
    for row in _table():
        passed_over = own if row.get("of_answers") else set()
        for line in lines:
            found = row["said"].search(line[:2000]) if line not in passed_over else None
            is_printed = bool(row.get("printed")) and line not in raised
            if found and not (is_printed and _TENSORFLOW.match(line)):
                yield _of_row(row, found, line, is_printed=is_printed)
                break


def _of_row(row: dict[str, Any], found: re.Match[str], line: str, *, is_printed: bool) -> Explained:
    words = {key: one_line(value, 80) for key, value in found.groupdict().items()}
    cause, advice = (row[key].format(**words) for key in ("cause", "advice"))
    sure = row.get("sure", True) and not is_printed
    place: Place = "also" if is_printed else row["place"]
    return Explained(cause, advice, one_line(line, _LONGEST), sure, place=place)


def _last_line(one: Raised) -> str:
    """The line of an exception in its log."""
    return one.text.rpartition("\n")[2]


def _exceptions(raised: list[Raised]) -> Iterator[Explained]:
    """Exceptions that no meaning speaks of: the submission's own first."""
    for one in sorted(raised, key=lambda one: not one.in_submission):
        said = f"{one.kind}: {one.message}"
        rows = (row for row in _table() if not (row.get("of_answers") and one.in_submission))
        if not any(row["said"].search(said) for row in rows):
            yield _of_exception(one, said)
            return


def _of_exception(one: Raised, said: str) -> Explained:
    where = f" ({one.file}, line {one.line})" if one.file else ""
    whose = "the submission's own code" if one.in_submission else "a program of the challenge"
    advice = advice_for(Problem("predict", one.kind, one.message), {})
    usual = "Run it here with the same worker: make-submission --check-only ZIP --challenge BUNDLE."
    return Explained(
        f"{whose} ended with {one_line(said, _LONGEST)}{where}",
        advice or usual,
        one_line(said, _LONGEST),
        sure=one.in_submission or one.kind in ("ModuleNotFoundError", "ImportError"),
        detail=one.text,
        place="raised",
    )

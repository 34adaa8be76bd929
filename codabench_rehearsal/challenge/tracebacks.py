"""Python's tracebacks in a log: what was raised, where, and whether in the submission's code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from codabench_rehearsal.console.words import cleaned, uncoloured

_FRAME = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in .+)?$')
_RAISED = re.compile(r"^(?P<kind>(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (?P<message>.*))?$")
_BEGIN = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
# The last two are places of a run without mounts.
_SUBMISSION = ("/app/ingested_program/", "/submission/", "/input/res/")
_MOST_LINES = 60
_MOST = 200  # tracebacks of one log


@dataclass(frozen=True)
class Raised:
    """An exception. file, line: the innermost place in the submission, else in no library.

    kind: its type's last name. text: the traceback, its end where it is long.
    """

    kind: str
    message: str
    file: str = ""
    line: int = 0
    in_submission: bool = False
    text: str = ""


def plain_lines(log: str) -> list[str]:
    """A foreign log's lines, without escapes and control characters."""
    return [cleaned(line, "\t").rstrip() for line in uncoloured(log).splitlines()]


def raised_in(lines: Sequence[str]) -> list[Raised]:
    """The exceptions in a log, in turn; of those raised while handling another the last one."""
    begins = [at for at, line in enumerate(lines) if line.strip() == _BEGIN]
    if not begins:  # a syntax error of the script itself has no such line
        begins = [at for at, line in enumerate(lines) if _FRAME.match(line)][-1:]
    found: list[Raised] = []
    for at, start in list(enumerate(begins))[-_MOST:]:
        end = begins[at + 1] if at + 1 < len(begins) else len(lines)
        one = _of(lines[start:end])
        if one is None:
            continue
        if found and any(line.startswith(_CHAINED) for line in lines[max(0, start - 3) : start]):
            found.pop()
        found.append(one)
    return found


def _of(lines: Sequence[str]) -> Raised | None:
    """What one traceback ends with; None where its end is not there."""
    for at, line in enumerate(lines[1:], 1):
        if line[:1] in ("", " ", "\t") or not (match := _RAISED.match(line)):
            continue
        more = [part.strip() for part in lines[at + 1 : at + 3] if part.strip()]
        message = match["message"] or (" ".join(more) if ":" in line else "")
        shown = lines[max(0, at + 1 - _MOST_LINES) : at + 1]
        return Raised(
            match["kind"].rpartition(".")[2], message, *_place(lines[:at]), "\n".join(shown)
        )
    return None


def _place(lines: Sequence[str]) -> tuple[str, int, bool]:
    found = [(match["file"], int(match["line"])) for line in lines if (match := _FRAME.match(line))]
    own = [one for one in found if any(part in one[0] for part in _SUBMISSION)]
    others = [one for one in found if "site-packages" not in one[0] and not _is_pythons(one[0])]
    for places, is_own in ((own, True), (others, False)):
        if places:
            file, line = places[-1]
            return PurePosixPath(file).name, line, is_own
    return "", 0, False


def _is_pythons(file: str) -> bool:
    return file.startswith("<") or bool(re.search(r"/lib/python\d", file))

"""How a run failed, in plain words: the submission's own traceback, and what it means.

The causes are in `failures.toml`, the particular before the general.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import cleaned, uncoloured
from codabench_rehearsal.sandbox.outcome import Problem
from submission.findings import Finding, found

LONGEST_TRACE = 30  # lines
_LIMITS = ("time", "memory", "processes", "log", "disk")
_ELSEWHERE = (
    "Whether it runs cannot be told from here: check it where user namespaces are allowed, or do "
    "without them."
)


def explain(problem: Problem, challenge: Challenge) -> Finding:
    """The finding for a failed run: code, one sentence, what to do, and the trimmed traceback.

    What this machine alone refused is unknown of the platform, and no error.
    """
    stages = failures()["stages"]
    code, what = stages.get(problem.stage, stages["start"])
    names = {
        "module": challenge.module,
        "class": challenge.class_name,
        "method": challenge.method,
        "kind": problem.kind,
    }
    raised = problem.stage not in ("answer", "exit", *_LIMITS)
    said = f"{problem.kind}: {problem.message}" if raised else problem.message
    message, detail = f"{what.format(**names)}: {plain(said, 400)}", trim(problem.trace)
    if problem.refused:
        message += f" ({problem.refused} are refused on this machine and not on the platform)"
        return found(code, message, "warning", _ELSEWHERE, detail, "unknown")
    causes = (cause for cause in failures()["causes"] if _fits(cause, problem, names))
    return found(code, message, advice=next(causes, {"advice": ""})["advice"], detail=detail)


def plain(text: str, longest: int) -> str:
    """Foreign text on one line: no escapes or control characters, cut to a length."""
    line = cleaned(" ".join(uncoloured(text[: 50 * longest]).split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def trim(trace: str) -> str:
    """The end of a traceback or log, without terminal escapes."""
    lines = [cleaned(line[:300], "\t") for line in uncoloured(trace).rstrip().split("\n")]
    if len(lines) > LONGEST_TRACE:
        lines = [f"[... {len(lines) - LONGEST_TRACE} lines cut ...]", *lines[-LONGEST_TRACE:]]
    return "\n".join(lines)


@functools.cache
def failures() -> dict[str, Any]:
    """What `failures.toml` holds."""
    text = resources.files("codabench_rehearsal.rehearsal") / "failures.toml"
    return parse_toml(text.read_text(encoding="utf-8"))


def _fits(cause: Mapping[str, Any], problem: Problem, names: Mapping[str, str]) -> bool:
    said = cause.get("said", "")
    for name in ("class", "method"):
        said = said.replace(f"{{{name}}}", re.escape(names[name]))
    return (
        problem.kind in cause.get("kinds", [problem.kind])
        and problem.stage in cause.get("stages", [problem.stage])
        and bool(re.search(said, problem.message, re.IGNORECASE))
    )

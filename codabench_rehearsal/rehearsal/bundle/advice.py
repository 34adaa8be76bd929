"""What to do about a submission that failed in a bundle, and which fault was read before it ran."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from codabench_rehearsal.challenge.explain import Cause
from codabench_rehearsal.challenge.worker.job import Machine
from codabench_rehearsal.challenge.worker.outcome import RanTask
from codabench_rehearsal.challenge.worker.scores_file import NO_SCORES
from codabench_rehearsal.rehearsal.explained import meaning_of
from codabench_rehearsal.rehearsal.failures import advice_for, missing_package
from codabench_rehearsal.sandbox.outcome import Problem
from codabench_rehearsal.sandbox.places import python_at
from submission.findings import Finding

_IN_PROGRAM = (
    "It ended in the challenge's own program: what the zip gave it has another form than it takes "
    "(codabench-challenge show BUNDLE says which), or the fault is its organisers'."
)
_TOO_LONG = (
    "It has to be faster: train less, predict in larger batches, or take a smaller model. This "
    "machine may be slower than the platform's, or faster."
)
_NOTHING_LEFT = (
    "Ingestion ended with exit code 0 and left no such file: look in the submission for "
    "sys.exit(), exit() or os._exit(), which end the challenge's program too."
)
_NO_SCORES = (
    "Scoring ended with exit code 0 and left no scores file: what it printed stands below. It may "
    "give up so where it finds no answers; else its organisers have to fix it."
)
_NO_REFERENCE = "The reference data have no such file: look at what --reference-data names."
_RESULT = re.compile(r"No such file or directory: '/app/input/res/")
# Kinds of exceptions -> how each names what was missing. "" stands for the file that it is in.
_NAMES = {
    "ModuleNotFoundError": r"No module named '(\w+)",
    "FileNotFoundError": r"'/app/ingested_program/(?:[^']*/)?([^/']+)'",
    "ImportError": r"cannot import name '(\w+)'",
    "AttributeError": r"has no attribute '(\w+)'",
    "TypeError": r"(\w+)(?:\.__init__)?\(\)",
    "NameError": r"name '(\w+)' is not defined",
    **dict.fromkeys(("SyntaxError", "IndentationError", "TabError", "EOFError"), ""),
}
# Codes of what is read -> the kinds of exceptions that such a fault ends with.
_ENDS_WITH: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("S102", "S103"), ("ModuleNotFoundError", "FileNotFoundError", "ImportError")),
    **dict.fromkeys(("S120", "S213", "S227"), ("ModuleNotFoundError", "ImportError")),
    "S201": ("SyntaxError", "IndentationError", "TabError"),
    "S202": ("ImportError", "AttributeError"),
    **dict.fromkeys(("S203", "S204", "S205"), ("AttributeError", "TypeError")),
    **dict.fromkeys(("S208", "S210"), ("NameError",)),
    "S226": ("EOFError",),
}


def advice(task: RanTask, cause: Cause | None, machine: Machine, read: Sequence[Finding]) -> str:
    """What to do about a task's end; "" for its code's own advice. read: what was seen before."""
    if same := next((one for one in read if is_same(one, cause)), None):
        return f"{same.message}. {same.advice}"
    if cause is None:
        return _NO_SCORES if task.reason == NO_SCORES else _meant(task.reason)
    if package := missing_package(Problem("predict", cause.kind, cause.message)):
        if machine.image is not None:
            return ""
        install = python_at(machine.python).install(package)
        return f"Install it here: {install}. The image of the challenge may lack it, or have it."
    if cause.message == "the time limit":
        return _TOO_LONG
    of_file = next((one for one in read if _is_of_predictions(one)), None)
    if of_file and not cause.in_submission:
        return f"Most likely it is what was read of the file ({of_file.code}): {of_file.advice}"
    return _of_exception(task, cause)


def is_same(one: Finding, cause: Cause | None) -> bool:
    """Whether what was read is the fault that a program ended with."""
    if cause is None or cause.kind not in _ENDS_WITH.get(one.code, ()):
        return False
    pattern = _NAMES[cause.kind]
    named = re.search(pattern, cause.message) if pattern else None
    name = named[1] if named else "" if pattern else cause.file
    return bool(name) and bool(re.search(rf"\b{re.escape(name)}\b", one.message))


def told_once(read: Iterable[Finding], causes: Iterable[Cause]) -> list[Finding]:
    """What was read, without what a run ended with: there it is told, with its advice."""
    ends = list(causes)
    return [one for one in read if not any(is_same(one, cause) for cause in ends)]


def _of_exception(task: RanTask, cause: Cause) -> str:
    """By what was raised, or by the exit code."""
    problem = Problem("predict", cause.kind, cause.message)
    is_own = cause.in_submission or cause.program == "submission"
    if is_own or cause.kind in ("ModuleNotFoundError", "ImportError"):
        return advice_for(problem, {})
    if "'/app/input/ref/" in cause.message:
        return _NO_REFERENCE
    if re.search("'/app/(ingested_program|input_data)/", cause.message):
        return advice_for(Problem("predict", "", cause.message), {})
    if _RESULT.search(cause.message) and _ingestion_was_well(task):
        return _NOTHING_LEFT
    return _meant(f"{cause.kind}: {cause.message}") or _IN_PROGRAM


def _ingestion_was_well(task: RanTask) -> bool:
    steps = [job.step("ingestion") for job in task.jobs]
    return any(step is not None and step.exit_code == 0 for step in steps)


def _meant(said: str) -> str:
    meaning = meaning_of(said)
    return meaning.advice if meaning else ""


def _is_of_predictions(one: Finding) -> bool:
    return one.code.startswith("S8") and one.severity != "note"

"""What the answers of a dry run mean: one finding for each thing that would cost points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sandbox.outcome import Outcome, Problem
from submission.amounts import human_bytes
from submission.challenge import Challenge
from submission.dry_run_cost import PLATFORMS_SECONDS, Cost
from submission.dry_run_images import Images
from submission.dry_run_questions import Answer, Interview
from submission.dry_run_scale import Difference
from submission.failures import Failure, explain, plain
from submission.findings import Finding, Severity
from submission.run_codes import found

TOLERATED = 0.01  # of the images; below it floating point may be the reason
CONSTANT_SHARE = 0.95
_OF_QUESTION = {
    "again": ("S701", "answers once and fails the second time"),
    "order": ("S703", "fails for the same images in another order"),
    "small": ("S702", "answers all images at once, and fails in small blocks (of {count})"),
    "float32": ("S704", "answers uint8 images, and fails for the same values as float32"),
    "float64": ("S704", "answers uint8 images, and fails for the same values as float64"),
}
_DIFFERS = (
    ("order", "S703", "in another order"),
    ("small", "S702", "in blocks of 1, 3 and 7"),
    ("large", "S702", "in a block of {count:,}"),
    ("float32", "S704", "fed as float32 of the same values"),
    ("float64", "S704", "fed as float64 of the same values"),
)
# Colours and erasing to the end of the line are what progress bars print (Keras's own too).
_ESCAPE = re.compile(r"\x1b(?!\[[0-9;]*[mK])")


@dataclass(frozen=True)
class Bounds:
    """The platform's limits; None where unknown."""

    seconds: float | None = None
    memory_bytes: int | None = None


def judge_failure(
    interview: Interview, outcome: Outcome, challenge: Challenge, guards: Mapping[str, str]
) -> Iterator[Finding]:
    """The finding for a question that was not answered.

    guards: "time", "memory" -> what ended the child where the platform's own limit is not known.
    """
    problem = outcome.problem
    if problem is None or interview.failed.startswith("scale "):
        return
    explained = explain(_failure(problem), challenge.module, challenge.class_name, challenge.method)
    raised = problem.stage in ("predict", "answer")
    if not (raised and interview.failed in _OF_QUESTION):
        guard = guards.get(problem.stage)
        message = f"{explained.message} ({guard})" if guard else explained.message
        yield replace(explained, message=message)
        return
    code, what = _OF_QUESTION[interview.failed]
    severity: Severity = "warning" if code == "S704" else "error"
    asked = problem.block - interview.blocks
    count = "images" if not 0 <= asked < len(interview.posed) else f"{interview.posed[asked]}"
    message = f"{challenge.method} {what.format(count=count)}: {_said(problem)}"
    yield found(code, message, severity, detail=explained.detail)


def judge_answers(interview: Interview, challenge: Challenge) -> Iterator[Finding]:
    """Whether the same images got the same labels, and whether there is more than one label."""
    first, again = interview.answers.get("first"), interview.answers.get("again")
    if first is not None:
        yield from _constant(first, interview.images, challenge)
    if again is None:
        return
    changed = _difference(interview, again)
    yield from _differing("S701", "asked the same again", changed, len(again.rows))
    if _is_too_many(changed, len(again.rows)):
        return  # whatever else differs may differ for this reason
    said: set[str] = set()
    for name, code, how in _DIFFERS:
        answer = interview.answers.get(name)
        if answer is None or code in said:
            continue
        changed, count = _difference(interview, answer), len(answer.rows)
        if changed:
            said.add(code)  # blocks of another size, or other floats, add nothing to it
        yield from _differing(code, how.format(count=count), changed, count)


def judge_traces(outcome: Outcome, submission: str) -> Iterator[Finding]:
    """What it left behind or reached for. submission: the folder it stood in."""
    seen = outcome.seen
    left = [*(f"thread {plain(name, 60)}" for name in seen.threads)]
    left += [f"process {plain(name, 60)}" for name in seen.processes]
    if left:
        yield found("S710", f"still running 2 s after the last answer: {_some(left)}")
    if seen.hosts:
        yield found("S711", f"it tried to reach {_some(_plain(seen.hosts))}")
    if _ESCAPE.search(outcome.result.log):
        yield found("S712", "its output holds terminal escapes that move, clear or rename")
    if seen.changed:
        yield found("S713", f"it changed or removed its own files: {_some(_plain(seen.changed))}")
    elif seen.added:
        yield found(
            "S713", f"it wrote files beside model.py: {_some(_plain(seen.added))}", "warning"
        )
    if seen.moved_to:
        home = seen.moved_to in (".", submission)
        severity: Severity = "note" if home else "warning"
        where = "its own folder" if home else plain(seen.moved_to, 80)
        yield found("S715", f"it changed the working folder to {where}", severity)


def judge_cost(cost: Cost, bounds: Bounds) -> Iterator[Finding]:
    """Whether the whole hidden set would stay within the limits that are known."""
    for_all = f"for {cost.images:,} images (asked here: {cost.measured:,})"
    if bounds.seconds is not None and cost.seconds > bounds.seconds:
        message = f"it would need {_about(cost)} {for_all}; the limit is {bounds.seconds:g} s"
        yield found("S706", message)
    if bounds.memory_bytes is not None and cost.peak_bytes > bounds.memory_bytes:
        needs, limit = human_bytes(cost.peak_bytes), human_bytes(bounds.memory_bytes)
        yield found("S707", f"it would need about {needs} {for_all}; the limit is {limit}")


def judge_scale(differences: Mapping[str, Difference]) -> Iterator[Finding]:
    """The variant that answers better by the most, if chance does not explain it."""
    better = [d for d in differences.values() if d.low > 0]
    if not better:
        return
    best = max(better, key=lambda d: d.changed)
    message = (
        f"accuracy is {best.plain:.3f} as fed now and {best.changed:.3f} when fed {best.variant.name} "
        f"instead, on the same {best.images} images (95 % interval of the gain "
        f"{best.low:+.3f} to {best.high:+.3f}, over all {len(differences)} variants tried)"
    )
    yield found("S708", message, advice=best.variant.advice)


def unchecked_cost(cost: Cost | None, bounds: Bounds) -> Iterator[str]:
    """The limits that nobody wrote down, with what would be needed."""
    if bounds.seconds is None:
        needs = f" (needs {_about(cost)} here for {cost.images:,} images" if cost else ""
        beyond = cost is not None and cost.seconds > PLATFORMS_SECONDS
        usual = f"; {PLATFORMS_SECONDS} s is Codabench's default" if beyond else ""
        yield f"time limit{needs}{usual}{')' if cost else ''}"
    if bounds.memory_bytes is None:
        needs = f" (needs about {human_bytes(cost.peak_bytes)} here)" if cost else ""
        yield f"memory limit{needs}"


def _constant(first: Answer, images: Images, challenge: Challenge) -> Iterator[Finding]:
    labels = first.labels[images.plain]
    truth = None if images.labels is None else images.labels[images.plain]
    if truth is not None and len(np.unique(truth)) < 2:
        return
    most = int(np.bincount(labels).argmax())
    share = float((labels == most).mean())
    if share >= CONSTANT_SHARE:
        kind = "drawn" if truth is None else "real"
        message = f"the answer is {challenge.label_names[most]!r} for {share:.0%} of the {len(labels)} {kind} images"
        yield found("S709", message, "warning" if truth is None else "error")


def _difference(interview: Interview, answer: Answer) -> int:
    return int((answer.labels != interview.known(answer.rows)).sum())


def _is_too_many(changed: int, count: int) -> bool:
    return changed > 1 and changed > TOLERATED * count


def _differing(code: str, how: str, changed: int, count: int) -> Iterator[Finding]:
    if not changed:
        return
    message = f"{changed} of {count:,} images get another label when {how}"
    if _is_too_many(changed, count):
        yield found(code, message)
    else:
        yield found(code, message, "note", "So few may be floating point; nothing to do.")


def _failure(problem: Problem) -> Failure:
    return Failure(problem.stage, problem.kind, problem.message, problem.trace)


def _said(problem: Problem) -> str:
    named = problem.stage != "answer"
    return plain(f"{problem.kind}: {problem.message}" if named else problem.message, 300)


def _about(cost: Cost) -> str:
    return f"about {max(cost.seconds, 1):.0f} s"


def _plain(names: tuple[str, ...]) -> list[str]:
    return [plain(name, 80) for name in names]


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

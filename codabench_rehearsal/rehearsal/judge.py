"""What a dry run means: one finding for each thing that would fail, or cost points.

The platform asks once, for all images, as `first` and `large` do: only what fails there would fail
on it. The other questions show what a score would hang on; they warn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge, WorkingFolder
from codabench_rehearsal.rehearsal.failures import explain, failures, plain
from codabench_rehearsal.rehearsal.questions import Answer, Interview
from codabench_rehearsal.rehearsal.scale import ReadingDifference, diagnosis, guess_level
from codabench_rehearsal.sandbox.outcome import Outcome, Problem
from submission.findings import Finding, Kind, found

TOLERATED = 0.01  # of the images; below it floating point may be the reason
SO_FEW = "So few may be floating point; nothing to do."
CONSTANT_SHARE = 0.95
FEWEST_LABELLED = 100  # images for the verdict that a submission only guesses
_READ_ONLY = ("Read-only file system", "Errno 30", "Permission denied", "not writable")
_INTEGERS = re.compile(r"u?int\d+|[<>=|]?[iu]\d")
# Colours and erasing to the end of the line are what progress bars print (Keras's own too).
_ESCAPE = re.compile(r"\x1b(?!\[[0-9;]*[mK])")


def judge_failure(
    interview: Interview,
    outcome: Outcome,
    challenge: Challenge,
    guards: Mapping[str, str],
    whole: Outcome | None = None,
) -> Iterator[Finding]:
    """The finding for a question that was not answered.

    guards: "time", "memory" -> what ended the child where the platform's own limit is not known.
    whole: what came of as many images as the hidden set has, where a few were not answered.
    """
    problem, asked = outcome.problem, failures()["questions"].get(interview.failed, {})
    if problem is None or interview.failed.startswith("scale "):
        return
    explained = explain(problem, challenge)
    if problem.refused:
        yield explained
    # Processes that the first pass left behind may be counted when the next question is put.
    elif whole is not None and whole.problem is None:
        yield _of_some_sizes(explained, interview, challenge)
    elif "fails" not in asked or problem.stage == "processes":
        guard = guards.get(problem.stage)
        yield replace(explained, message=f"{explained.message} ({guard})") if guard else explained
    else:
        block, posed = problem.block - interview.blocks, interview.posed
        count = posed[block] if 0 <= block < len(posed) else "images"
        message = f"{challenge.method} {asked['fails'].format(count=count)}: {_said(problem)}"
        advice = asked.get("advice", "")
        yield found(asked["code"], message, advice=advice, detail=explained.detail)


def judge_answers(
    interview: Interview, outcome: Outcome, challenge: Challenge, hidden: int
) -> Iterator[Finding]:
    """Whether the same images got the same labels, and of what type they are.

    hidden: images of the hidden set, for what a change would do to the score.
    """
    answers, said = interview.answers, set[str]()
    if "first" in answers:
        yield from _other_type(outcome.returned, challenge)
    for name, question in failures()["questions"].items():
        if "again" not in answers or name not in answers or question["code"] in said:
            continue  # blocks of another size, or other floats, add nothing to what was said
        answer = answers[name]
        changed = int((answer.labels != interview.known(answer.rows)).sum())
        count = len(answer.rows)
        if not changed:
            continue
        said.add(question["code"])
        how = question["differs"].format(count=count)
        message = f"{changed} of {count:,} images get another label when {how}"
        if name == "again":
            message += _moves(interview, answer, hidden)
        if is_too_many(changed, count):
            yield found(question["code"], message)
        else:
            yield found(question["code"], message, "note", SO_FEW, kind="")
        if name == "again" and is_too_many(changed, count):
            return  # whatever else differs may differ for this reason


def judge_meaning(
    interview: Interview, readings: Mapping[str, ReadingDifference], challenge: Challenge
) -> Iterator[Finding]:
    """Whether the labels are right under another reading, all the same, or guessed."""
    first = interview.answers.get("first")
    if first is None:
        return
    rows, truth = interview.images.plain, interview.images.labels
    labels = first.labels[rows]
    if truth is not None:
        yield from judge_labels(labels, truth[rows], readings, challenge)
        return
    # Drawn images mean nothing to a model of real ones: one class for all of them is a warning.
    most = int(np.bincount(labels).argmax())
    share = float((labels == most).mean())
    if share >= CONSTANT_SHARE:
        name = plain(challenge.label_names[most], 60)
        message = f"the answer is {name!r} for {share:.0%} of the {len(labels)} made-up images"
        yield found("S709", message, "warning")


def judge_labels(
    labels: NDArray[np.int64],
    truth: NDArray[np.int64],
    readings: Mapping[str, ReadingDifference],
    challenge: Challenge,
) -> Iterator[Finding]:
    """The same for labels answered and true ones, int64 (n,): at most one finding."""
    seen, classes = len(np.unique(truth)), challenge.classes
    if best := diagnosis(list(readings.values())):
        message = (
            f"accuracy is {best.plain:.3f} as fed now and {best.changed:.3f} {best.reading}, on "
            f"the same {best.images} images (99 % interval of the gain {best.low:+.3f} to "
            f"{best.high:+.3f}, p = {best.p:.1g}, corrected for {len(readings)} ways tried)"
        )
        yield found("S708", message, advice=best.reading.advice)
    elif seen < 2:
        return
    elif len(np.unique(labels)) == 1:
        name = plain(challenge.label_names[int(labels[0])], 60)
        message = f"the answer is {name!r} for every one of the {len(labels)} labelled images"
        yield found("S709", message)
    else:
        words, certain = guess_level(labels, truth, challenge.metric)
        few = 2 * seen <= classes and classes > 2
        certain = certain and len(truth) >= FEWEST_LABELLED and not few
        hold = f"; the labels given have only {seen} of {classes} classes" if few else ""
        if words:
            yield found("S716", words + hold, "error" if certain else "warning")


def other_folder(challenge: Challenge) -> WorkingFolder:
    """The working folder that the challenge does not name."""
    return "program" if challenge.working_folder == "submission" else "submission"


def judge_folder(moved: Outcome, outcome: Outcome, challenge: Challenge) -> Iterator[Finding]:
    """Whether it hangs on the folder where the platform stands."""
    names = {"program": "the platform's program folder", "submission": "the zip's own folder"}
    there, known = names[other_folder(challenge)], names[challenge.working_folder]
    if outcome.problem is not None and moved.problem is None:
        message = f"it runs in {there} and fails in {known}, where this challenge's server runs it"
        yield found("S705", message, "error", kind="fails")
    if outcome.problem is None and moved.problem is not None:
        said = plain(f"{moved.problem.kind}: {moved.problem.message}", 200)
        message = f"it fails when the working folder is {there} ({said})"
        yield found("S705", message, detail=moved.problem.trace)


def judge_traces(outcome: Outcome, submission: str) -> Iterator[Finding]:
    """What it left behind or reached for. submission: the folder it stood in."""
    seen = outcome.seen
    left = [f"thread {name}" for name in _plain(seen.threads, 60)]
    left += [f"process {name}" for name in _plain(seen.processes, 60)]
    if left:
        yield found("S710", f"still running 2 s after the last answer: {_some(left)}")
    if seen.hosts:
        yield found("S711", f"it tried to reach {_some(_plain(seen.hosts))}")
    if _ESCAPE.search(outcome.result.log):
        yield found(
            "S712",
            "it prints control codes that move the cursor, clear the screen or rename the window",
        )
    if seen.metadata:
        yield found("S718", "it wrote a file `metadata` into /app/output")
    if seen.moved_to:
        home = seen.moved_to in (".", submission)
        where = "its own folder" if home else plain(seen.moved_to, 80)
        message = f"it changed the working folder to {where}"
        yield found("S715", message, "note" if home else "warning")


def judge_worker(outcome: Outcome, newer: Outcome | None) -> Iterator[Finding]:
    """What one generation of Codabench's worker alone allows.

    outcome: as the worker of 2026-03 runs it, whose submission may write its own folder and finds a
    copy of itself in /app/output. newer: a few images under the rules of 2026-10; None if not
    asked.
    """
    changed, added = outcome.seen.changed, outcome.seen.added
    touched = _plain((*changed, *added))
    verb = "changed or removed its own files" if changed else "wrote files beside model.py"
    what = f"it {verb}: {_some(touched)}" if touched else ""
    if newer is not None and newer.problem is not None:
        refused = any(sign in newer.problem.message for sign in _READ_ONLY)
        opens = (
            "it opens its own files for writing"
            if refused
            else "it needs the rules of the older worker"
        )
        message = (
            f"{what or opens}; under Codabench's worker of 2026-10 the folder is read only and "
            f"/app/output empty, and there it fails: {_said(newer.problem)}"
        )
        yield found("S713" if touched or refused else "S717", message)
    elif touched:
        held = "" if newer is None else "; it runs where they are read only too"
        yield found("S713", f"{what}{held}", "note", kind="")


def is_too_many(changed: int, count: int) -> bool:
    """Whether more labels changed than floating point explains."""
    return changed > 1 and changed > TOLERATED * count


def _of_some_sizes(explained: Finding, interview: Interview, challenge: Challenge) -> Finding:
    """It answers as many images as the hidden set has, and not any number."""
    known = challenge.hidden_images is not None
    size = f"{challenge.assumed_images:,}{'' if known else ', as many as we assume'}"
    asked = sum(interview.posed)
    message = f"{explained.message} (for {asked:,} images; it answers for {size})"
    advice = "Take any number of images: pad the last batch, or let it be smaller."
    kind: Kind = "rules" if known else "unknown"
    return replace(explained, severity="warning", message=message, advice=advice, kind=kind)


def _other_type(returned: Mapping[str, str], challenge: Challenge) -> Iterator[Finding]:
    """What scoring takes for labels, and the challenge's words do not ask for."""
    kind, dtype, shape = (returned.get(key, "") for key in ("type", "dtype", "shape"))
    if challenge.answers != "labels" or not kind:
        return
    if kind != "numpy.ndarray":
        what = f"{plain(kind, 60)}, not a numpy array"
    elif "," in shape.rstrip(",)"):
        what = f"an array of shape {plain(shape, 40)}, not (n,)"
    elif dtype and not _INTEGERS.fullmatch(dtype):
        what = f"{plain(dtype, 20)}, not integers"
    else:
        return
    yield found("S614", f"{challenge.method} returns {what}: scored rightly by accuracy_score")


def _moves(interview: Interview, again: Answer, hidden: int) -> str:
    """By how much a score of `hidden` images moves from run to run, for S701."""
    before, truth = interview.known(again.rows), interview.images.labels
    changed = before != again.labels
    if truth is not None:
        changed = (before == truth[again.rows]) != (again.labels == truth[again.rows])
    return f": the score moves by about ±{1.96 * math.sqrt(changed.mean() / hidden):.2g}"


def _said(problem: Problem) -> str:
    named = problem.stage != "answer"
    return plain(f"{problem.kind}: {problem.message}" if named else problem.message, 300)


def _plain(names: tuple[str, ...], longest: int = 80) -> list[str]:
    return [plain(name, longest) for name in names]


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

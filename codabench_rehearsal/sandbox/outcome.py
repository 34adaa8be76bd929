"""What a run left behind, read with suspicion: answers validated, notes for show only."""

from __future__ import annotations

import errno
import json
import re
import resource
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.feeding import Clock, answer_path
from codabench_rehearsal.sandbox.isolation import LOCAL_REFUSED, other_paths
from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.run import largest_bytes
from codabench_rehearsal.sandbox.validate import Fault, Rule, read_answers, read_left

LARGEST_NOTE_BYTES = 1_000_000
MOST_NAMES = 20  # of what the child lists: threads, files, hosts
Labels = NDArray[np.int64]
_HELD = ("time", "memory", "processes", "log", "disk")
_FAMILY = f"[Errno {errno.EAFNOSUPPORT}]"
_DENIED = f"[Errno {errno.EACCES}]"
_PLATFORMS = re.compile(r"/app/(program|input_data|output|ingested_program)\b")
_SHARED = re.compile(re.escape(_DENIED) + r"[^'\"]*['\"](/tmp|/var/tmp|/dev/shm)(/[^'\"]*)?['\"]")
_NO_SOCKET = re.compile(r"\bsocket\.py\b.*\n\w*Error: " + re.escape(_DENIED) + r"[^'\n]*\n", re.S)
# One that waited for a thread or process which met the wall, and said so in the log alone.
_WAITED = re.compile(r"EOFError|Connection\w+|Broken\w+|RuntimeError|TimeoutError|Empty")
_STAGES = {
    "import": "importing the module",
    "init": "making the object",
    "predict": "predicting",
    "answer": "handing over the answer",
    "waiting": "waiting for images",
    "done": "ending",
}


@dataclass(frozen=True)
class Problem:
    """How a submission failed.

    stage: start, import, class, init, method, predict, answer, time, memory, processes, log, disk
    or exit. kind: the exception's type or the fault's kind. trace: the submission's own traceback,
    or the end of its output. block: the question that was being answered. refused: what this
    machine's walls refused it and the platform's do not, which explains it; "" for nothing.
    """

    stage: str
    kind: str
    message: str
    trace: str = ""
    block: int = 0
    refused: str = ""


@dataclass(frozen=True)
class Call:
    """One call of `predict`: its wall time, and the child's peak memory after it, in bytes."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Seen:
    """What the ingestion program saw the submission do; its own word, for show only.

    threads, processes: left running at the end. hosts: whom it tried to reach. changed, added: its
    own files that it changed or removed, and new ones. moved_to: its working folder if it left it,
    "." for its own.
    """

    threads: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    moved_to: str = ""
    metadata: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it: the labels of every block answered, and the problem that stopped it, if any.

    start_seconds: wall time until the model stood ready; load_seconds: its constructor alone.
    calls: one for each block answered. loaded_bytes: the child's peak memory when the model stood.
    """

    labels: tuple[Labels, ...]
    problem: Problem | None
    result: JobResult
    versions: Mapping[str, str]
    returned: Mapping[str, str]
    start_seconds: float
    load_seconds: float
    predict_seconds: float
    calls: tuple[Call, ...] = ()
    loaded_bytes: int = 0
    seen: Seen = Seen()


def read_note(path: Path) -> dict[str, Any]:
    """A JSON object that the child left, or nothing: what it says is for show only."""
    try:
        left = read_left(path, LARGEST_NOTE_BYTES) or b""
        found = json.loads(left.decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_labels(
    output: Path, sizes: Sequence[int], classes: int, first: int = 0, rule: Rule = "labels"
) -> tuple[list[Labels], Problem | None]:
    """The labels of the blocks from `first` on that were answered, and the fault that ends them."""
    labels: list[Labels] = []
    for index, size in enumerate(sizes, start=first):
        path = answer_path(output, index)
        if not path.is_file():
            break
        answer = read_answers(path, size, classes, rule)
        if isinstance(answer, Fault):
            return labels, Problem("answer", answer.kind, answer.message, block=index)
        labels.append(answer)
    return labels, _wrong_type(output, first + len(labels)) if rule == "strict" else None


def read_outcome(
    output: Path,
    sizes: Sequence[int],
    classes: int,
    result: JobResult,
    clock: Clock,
    rule: Rule = "labels",
    *,
    in_container: bool = False,
) -> Outcome:
    """Read the answers to all blocks.

    No figure that the child notes itself exceeds what `clock` and the kernel saw of it. What a
    container holds is not seen from here, only what the machine has.
    """
    labels, fault = read_labels(output, sizes, classes, rule=rule)
    status = read_note(output / "status.json")
    ready = result.seconds if clock.first is None else clock.first
    complete = len(labels) == len(sizes) and (output / "done").is_file()
    # The kernel's high-water mark is not told where it is below our own (see `run.Running`).
    ours = largest_bytes(resource.getrusage(resource.RUSAGE_SELF))
    seen_bytes = max(result.peak_memory_bytes, ours)
    most_bytes = psutil.virtual_memory().total if in_container else seen_bytes
    return Outcome(
        tuple(labels),
        fault or _ending(result, output, len(labels), complete=complete),
        result,
        _texts(status.get("versions")),
        _texts(status.get("returned")),
        max(0.0, _number(status.get("loaded_at"), clock.started + ready) - clock.started),
        _number(status.get("load_seconds"), ready),
        _number(status.get("predict_seconds"), result.seconds),
        _calls(status.get("calls"), clock.spans, most_bytes),
        int(_number(status.get("loaded_bytes"), most_bytes)),
        _seen(status),
    )


def refused_here(outcome: Outcome, problem: Problem, own: Iterable[str]) -> str:
    """What of this machine's walls explains the problem; "" where nothing does.

    Where Landlock and seccomp must do alone (most containers, Colab) a child has no /tmp and no
    network of its own, no sockets with names, and none of the platform's folders. What fails for
    that says nothing. own: the job's folders, whose rules are the platform's.
    """
    limits, said = outcome.result.limits, f"{problem.message}\n{problem.trace}"
    if other_paths(limits) and _PLATFORMS.search(problem.message):
        return "the platform's folders in /app"
    no_mounts = limits.get("files", "").startswith("no mount namespace")
    if no_mounts and _is_shared_refused(problem.message, own):
        return "files in /tmp and /dev/shm, which are the whole machine's here,"
    waited = problem.stage in ("time", "exit") or _WAITED.fullmatch(problem.kind)
    met = _FAMILY in said or (waited and _FAMILY in outcome.result.log)
    if limits.get("sockets", "").startswith(LOCAL_REFUSED) and met:
        return "local sockets, such as multiprocessing.Manager's,"
    outward = outcome.seen.hosts or not limits.get("network", "").startswith("no network namespace")
    if not outward and _NO_SOCKET.search(said):
        return "sockets that stay on the machine"
    return ""


def _ending(result: JobResult, output: Path, answered: int, *, complete: bool) -> Problem | None:
    stage = str(read_note(output / "status.json").get("stage", "start"))
    if complete and result.ended in ("exit", "time", "cancelled"):
        return None  # what it does after the last answer costs it nothing
    if result.ended in _HELD:
        doing = _STAGES.get(stage, stage)
        message = f"stopped after {result.seconds:.1f} s, while {doing}"
        if result.stopped:
            message += "; all its processes stood still by a signal (SIGSTOP) that it sent itself"
        return Problem(result.ended, result.ended, message, result.log, answered)
    error = read_note(output / "error.json")
    if error:
        said = (str(error.get(key, "")) for key in ("stage", "type", "message", "traceback"))
        where, kind, message, trace = said
        return Problem(where, kind, message, trace, answered)
    ended = f"the process ended with exit code {result.exit_code}"
    if result.ended == "cancelled":
        ended = "the process did not end after its last answer"
    return Problem("exit", stage, ended, result.log, answered)


def _wrong_type(output: Path, block: int) -> Problem | None:
    """A list of the right numbers reads as an array here, and not where the contract is strict."""
    returned = _texts(read_note(output / "status.json").get("returned"))
    kind = returned.get("type", "numpy.ndarray")
    if kind == "numpy.ndarray":
        return None
    message = f"expected a numpy array; received {kind}"
    return Problem("answer", "type", message, block=max(block - 1, 0))


def _seen(status: Mapping[str, Any]) -> Seen:
    lists = {}
    for key in ("threads", "processes", "hosts", "changed", "added"):
        listed = status.get(key)
        names = listed[:MOST_NAMES] if isinstance(listed, list) else ()
        lists[key] = tuple(str(name)[:200] for name in names)
    moved = status.get("moved_to")
    moved_to = moved[:200] if isinstance(moved, str) else ""
    return Seen(**lists, moved_to=moved_to, metadata=status.get("metadata") is True)


def _calls(value: object, spans: Sequence[float], most_bytes: int) -> tuple[Call, ...]:
    pairs = value if isinstance(value, list) else []
    good = [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    return tuple(
        Call(_number(seconds, span), int(_number(peak, most_bytes)))
        for (seconds, peak), span in zip(good, spans, strict=False)
    )


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _number(value: object, most: float) -> float:
    """A figure of the child's, from 0 to `most`; 0 for what is none."""
    if not isinstance(value, int | float) or not value > 0:
        return 0.0
    return float(min(value, most))


def _is_shared_refused(message: str, own: Iterable[str]) -> bool:
    """Whether a file in the folders of all programs was refused, and none of the job's own."""
    found = _SHARED.search(message)
    path = f"{found[1]}{found[2] or ''}/" if found else ""
    return bool(path) and not any(path.startswith(f"{folder}/") for folder in own)

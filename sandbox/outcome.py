"""What a run left behind, read with suspicion: answers validated, notes for show only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.answers import Fault, read_answers
from sandbox.blocks import answer_path
from sandbox.job import JobResult

LARGEST_NOTE_BYTES = 1_000_000


@dataclass(frozen=True)
class Problem:
    """How a submission failed.

    stage: start, import, class, init, method, predict, answer, time, memory or exit. kind: the
    exception's type or the fault's kind. trace: the submission's own traceback, or the end of its output.
    """

    stage: str
    kind: str
    message: str
    trace: str = ""
    block: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it: the labels of every block answered, and the problem that stopped it, if any.

    start_seconds: wall time until the model stood ready; load_seconds: its constructor alone.
    """

    labels: tuple[NDArray[np.int64], ...]
    problem: Problem | None
    result: JobResult
    versions: Mapping[str, str]
    returned: Mapping[str, str]
    start_seconds: float
    load_seconds: float
    predict_seconds: float


def read_note(path: Path) -> dict[str, Any]:
    """A JSON object that the child left, or nothing: what it says is for show only."""
    try:
        if path.stat().st_size > LARGEST_NOTE_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_outcome(
    output: Path, sizes: Sequence[int], classes: int, result: JobResult, started: float
) -> Outcome:
    """Read the answers to all blocks. started: the wall clock when the child was started."""
    labels: list[NDArray[np.int64]] = []
    fault: Problem | None = None
    for index, size in enumerate(sizes):
        path = answer_path(output, index)
        if not path.is_file():
            break
        answer = read_answers(path, size, classes)
        if isinstance(answer, Fault):
            fault = Problem("answer", answer.kind, answer.message, block=index)
            break
        labels.append(answer)
    status = read_note(output / "status.json")
    returned = _texts(status.get("returned"))
    fault = fault or _wrong_type(returned)
    problem = fault or _ending(result, output, complete=len(labels) == len(sizes))
    return Outcome(
        tuple(labels),
        problem,
        result,
        _texts(status.get("versions")),
        returned,
        max(0.0, _number(status.get("loaded_at")) - started),
        _number(status.get("load_seconds")),
        _number(status.get("predict_seconds")),
    )


def _ending(result: JobResult, output: Path, *, complete: bool) -> Problem | None:
    if result.ended in ("time", "memory"):
        return Problem(
            result.ended, result.ended, f"stopped after {result.seconds:.0f} s", result.log
        )
    error = read_note(output / "error.json")
    if error:
        texts = {key: str(error.get(key, "")) for key in ("stage", "type", "message", "traceback")}
        return Problem(texts["stage"], texts["type"], texts["message"], texts["traceback"])
    if complete and result.exit_code == 0:
        return None
    stage = str(read_note(output / "status.json").get("stage", "start"))
    return Problem(
        "exit", stage, f"the process ended with exit code {result.exit_code}", result.log
    )


def _wrong_type(returned: Mapping[str, str]) -> Problem | None:
    kind = returned.get("type", "numpy.ndarray")
    if kind == "numpy.ndarray":
        return None
    return Problem("answer", "type", f"expected a numpy array; received {kind}")


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

"""How rows of the corpus end, as a bare worker ends them: the truth that verdicts are held against."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from tests.submission.bare_worker import GENERATIONS, Server, hidden_set
from tests.submission.corpus import good, good_static, running_broken, static_broken
from tests.submission.corpus.case import Case
from tests.submission.corpus.pictures import labelled_images

HIDDEN = 2000  # images; what the tool assumes of a challenge that tells nothing
EACH = 25  # images of a class in each part of the hidden set
CHANCE = 0.01  # the p-value above which a score is no better than the best constant answer
TOO_MUCH = (
    "bomb",
    "fork",
    "flood",
    "writes without end",
    "shared memory",
    "memory grows",
    "leaves a thread",
)
OUTSIDE = {"S213", "S216", "S711", "S404", "S405", "S109", "S401", "S402", "S403", "S407", "S409"}
NEEDS_KERAS = (b"keras", b"tensorflow", b"import tf", b"torch")
Class = Literal["right", "one", "hopeless", "wrong"]
OLD_TABLES = {
    "old running": running_broken.CASES,
    "old static": static_broken.CASES,
    "old good": [*good.CASES, *good_static.CASES],
}


def decidable(case: Case) -> bool:
    """Whether a bare worker can say how an old row ends: no Keras, network, bomb or upload limit."""
    if case.keras or case.server or case.memory or case.prefix or case.challenge:
        return False
    if OUTSIDE & set(case.expected) or any(word in case.name for word in TOO_MUCH):
        return False
    held = b"".join(x.encode("utf-8", "replace") for x in case.files.values() if isinstance(x, str))
    suffixes = {Path(name).suffix for name in case.files}
    return not suffixes & {".keras", ".h5"} and not any(word in held for word in NEEDS_KERAS)


def old_rows() -> list[Case]:
    """The rows of the older tables that it can decide, by kind."""
    return [
        replace(case, kind=kind) for kind, table in OLD_TABLES.items() for case in table if decidable(case)
    ]  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """How a bare worker ended it, by generation: accuracy 0..1 or None, and what it showed."""

    scores: dict[str, float | None]
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Class:
        """right: scores under both; one: under one only; hopeless: finishes at chance; wrong."""
        ends = [end(score) for score in self.scores.values()]
        if "scores" not in ends:
            return "hopeless" if "chance" in ends else "wrong"
        return "right" if set(ends) == {"scores"} else "one"

    def __str__(self) -> str:
        said = (f"{name} {self._said(name)}" for name in self.scores)
        return ", ".join(said)

    def _said(self, name: str) -> str:
        score = self.scores[name]
        return f"fails ({self.messages.get(name, '')})" if score is None else f"{score:.4f}"


def end(score: float | None) -> str:
    """What a score says: "fails", "chance" (no better than one class for all), "scores"."""
    if score is None:
        return "fails"
    found = binomtest(round(score * HIDDEN), HIDDEN, 1 / 8, "greater").pvalue
    return "scores" if found <= CHANCE else "chance"


@cache
def _hidden() -> tuple[tempfile.TemporaryDirectory[str], Path, Path]:
    place = tempfile.TemporaryDirectory(prefix="hidden-set-")
    parts = [labelled_images(EACH, seed=100 + i) for i in range(HIDDEN // (8 * EACH))]
    images: NDArray[np.uint8] = np.concatenate([images for images, _ in parts])
    folders = hidden_set(Path(place.name), images, np.concatenate([truth for _, truth in parts]))
    return (place, *folders)


_FIRST = threading.Lock()


def truth_of(case: Case, path: Path, python: str = sys.executable) -> Truth:
    """Both generations' ends of a built zip, in the working folder that the profile names."""
    with _FIRST:  # the hidden set is made once
        _, images, labels = _hidden()
    profile = case.profile()
    scores: dict[str, float | None] = {}
    messages: dict[str, str] = {}
    for generation in GENERATIONS:
        server = Server(
            images, labels, generation, profile.working_folder, profile.module, profile.class_name,
            profile.method, python=python, seconds=case.seconds or 600.0,
        )  # fmt: skip
        ending = server.run(path)
        scores[generation] = ending.score
        if ending.score is None:
            messages[generation] = f"{ending.message}; {_last(ending.logs)}"
    return Truth(scores, messages)


def _last(logs: Mapping[str, str]) -> str:
    lines = [line for name in ("scoring", "ingestion") for line in logs.get(name, "").splitlines()]
    return lines[-1][:160] if lines else ""


class Truths:
    """Truths by the zip's hash, in memory and in a file for the next checkout; python runs ingestion."""

    def __init__(self, path: Path | None = None, python: str = sys.executable) -> None:
        self.path, self.python, self.lock = path, python, threading.Lock()
        held = json.loads(path.read_text()) if path and path.exists() else {}
        self.held = {key: Truth(**value) for key, value in held.items()}

    def of(self, case: Case, path: Path) -> Truth:
        """The truth of a built zip."""
        asked = f"{case.seconds} {sorted(case.challenge)} {HIDDEN}"
        if self.python != sys.executable:
            asked += self.python
        key = hashlib.sha256(path.read_bytes() + asked.encode()).hexdigest()
        if key not in self.held:
            truth = truth_of(case, path, self.python)
            with self.lock:
                self.held[key] = truth
                if self.path:
                    self.path.write_text(json.dumps({k: asdict(v) for k, v in self.held.items()}))
        return self.held[key]

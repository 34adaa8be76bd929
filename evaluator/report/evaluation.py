"""Everything that an evaluation found, as plain data: what every rendering is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.notebook import in_python
from codabench_rehearsal.console.words import one_line, shown
from evaluator.answers import Answers
from evaluator.estimate.inputs import Figures
from evaluator.estimate.result import Estimate
from evaluator.metrics import Score, Scores
from evaluator.options import SplitKind
from evaluator.relative import Relative
from evaluator.severity import Search
from evaluator.slices import Slice
from evaluator.store.rows import HistoryRow, Prediction
from submission.checks.frameworks import Framework
from submission.findings import Finding

UNSEEN = "†"  # marks every figure on images that the model may have been trained on


def now() -> str:
    """When a report is made, for people: 2026-11-29 17:13 UTC."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


@dataclass(frozen=True)
class Timing:
    """Wall seconds of a run.

    start: until the model stood ready; load: its constructor alone; predict: all predict calls;
    total: everything.
    """

    start_seconds: float
    load_seconds: float
    predict_seconds: float
    total_seconds: float
    answers: int

    @property
    def seconds_per_thousand(self) -> float:
        """Seconds of predict for a thousand images."""
        return 1000 * self.predict_seconds / max(self.answers, 1)


@dataclass(frozen=True)
class Source:
    """Where the figures come from: the zip, the images, the benchmark, the machine.

    python: the program that ran the submission. order_seed: of the order in which it was asked,
    None where it was not. phase: whose score is expected. made: when, for people. frameworks: what
    the submission was made with, as far as its code or files tell.
    """

    path: str
    sha256: str
    bytes: int
    challenge: str
    metric: str
    label_names: tuple[str, ...]
    data: str
    fingerprint: str
    split: SplitKind
    notes: tuple[str, ...]
    preset: str
    description: str
    seed: int
    command: str
    python: str = ""
    order_seed: int | None = None
    phase: str = PHASE
    made: str = ""
    frameworks: tuple[Framework, ...] = ()

    def __post_init__(self) -> None:
        """Clean what comes from files; the zip's path stays what it can be found by."""
        for field in ("challenge", "data", "preset", "description"):
            object.__setattr__(self, field, one_line(getattr(self, field)))
        object.__setattr__(self, "label_names", tuple(map(shown, self.label_names)))
        object.__setattr__(self, "notes", tuple(map(one_line, self.notes)))


@dataclass(frozen=True)
class PastLine:
    """A past submission: local clean and benchmark accuracy, its score, and what had been expected.

    benchmark: None while it has not answered every condition of the shown preset. mine: False for
    the organisers' baseline or a colleague's zip. class_scores: recall by class, None if unknown.
    """

    name: str
    validation: Score
    benchmark: Score | None
    score: float
    decimals: int | None
    phase: str
    predicted: Prediction | None
    mine: bool = True
    class_scores: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Evaluation:
    """Everything an evaluation found; `scores` is None when the submission failed.

    peak_memory_bytes: of the submission's process tree. blocks: predict calls. versions: of what it
    loaded. limits: limit -> the mechanism that held it. asked: questions asked in this run; all
    others were in the store. full: whether every image was asked under every condition. sheet,
    library, sweep: the answers to the shown preset, to the estimator's conditions, and to the 19
    corruptions at all severities. past: earlier submissions with scores that the estimate uses.
    history: everything recorded. slices: accuracy by what the images look like, the worst first.
    search: the severities at which accuracy falls below a figure. relative: errors over those of a
    reference zip.
    """

    source: Source
    scores: Scores | None
    findings: tuple[Finding, ...]
    timing: Timing
    peak_memory_bytes: int
    blocks: int
    versions: Mapping[str, str]
    limits: Mapping[str, str]
    asked: int = 0
    full: bool = False
    sheet: Answers | None = None
    library: Answers | None = None
    sweep: Answers | None = None
    estimate: Estimate | None = None
    on_library: Figures | None = None
    past: tuple[PastLine, ...] = ()
    history: tuple[HistoryRow, ...] = ()
    slices: tuple[Slice, ...] = ()
    search: Search | None = None
    relative: Relative | None = None

    def __post_init__(self) -> None:
        """Clean what the child said of itself, on its way in."""
        for field in ("versions", "limits"):
            known = {shown(k): shown(v) for k, v in getattr(self, field).items()}
            object.__setattr__(self, field, known)

    @property
    def name(self) -> str:
        """The zip's file name."""
        return PurePath(self.source.path).name

    @property
    def mark(self) -> str:
        """What follows the headings of figures on images that may have been trained on."""
        return f" {UNSEEN}" if self.source.split == "unknown" else ""

    def say(self, said: str) -> str:
        """A sentence of ours in the words of whoever asked: a command's, or a function's."""
        return said if self.source.command else in_python(said)

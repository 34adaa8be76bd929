"""A report as an evaluation makes it, without TensorFlow: a stand-in classifies corrupted images.

It looks at colours and edges alone, so its answers fall under corruptions as a network's do. Past
submissions are the same kind of stand-in on coarser colours, or trained on other damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import synthetic
from corruptions.presets import Condition, Preset, Step, resolve
from evaluator.answers import Answers
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Figures, PastScore
from evaluator.estimate.result import Estimate
from evaluator.metrics import Score, score
from evaluator.plan import Benchmark, Questions, described, draw_benchmark
from evaluator.relative import relative
from evaluator.report.evaluation import PastLine, Source, Timing
from evaluator.report.report import Report
from evaluator.severity import Search, Threshold, Where
from evaluator.slices import slices
from evaluator.store.rows import HistoryRow, LeaderboardScore, Prediction, Submission
from submission.findings import Finding
from tests.evaluator.sheets import questions_of

CHALLENGE = load_challenge()
NINETEEN = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "gaussian_blur"),
    *("glass_blur", "defocus_blur", "motion_blur", "zoom_blur", "snow", "frost", "fog", "spatter"),
    *("brightness", "saturate", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
HOSTILE = 'net<script>alert("x")</script>&.zip'


@dataclass(frozen=True)
class StandIn:
    """Least squares on histograms of colour and of edges, `bins` each. trained_on: chains."""

    name: str
    bins: int = 8
    trained_on: tuple[str, ...] = ("clean",)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """From drawn cells that no report shows."""
        known = synthetic(240, seed=77)
        seen = [
            draw_benchmark(known, resolve(c)).images(1, np.arange(240)) for c in self.trained_on
        ]
        found = np.concatenate([self.features(images) for images in seen])
        wanted = np.tile(np.eye(CHALLENGE.classes)[known.labels], (len(seen), 1))
        ridge = 0.3 * np.eye(found.shape[1])
        return np.asarray(np.linalg.solve(found.T @ found + ridge, found.T @ wanted))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Shares of the pixels by colour, and by strength of the edges, `(n, f)`."""
        return np.stack([np.sqrt(self._histograms(image)) for image in images])

    def _histograms(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
        channels = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.int64)
        edges = np.abs(cv2.Laplacian(small, cv2.CV_32F)).clip(0, 255).reshape(-1, 3).max(1)
        parts = [np.bincount(c * self.bins // 256, minlength=self.bins) for c in channels.T]
        parts.append(np.bincount((edges * self.bins / 256).astype(np.int64), minlength=self.bins))
        pairs = (
            channels[:, 1] * self.bins // 128 * 2 * self.bins + channels[:, 2] * self.bins // 128
        )
        parts.append(np.bincount(pairs, minlength=4 * self.bins**2)[: 4 * self.bins**2])
        return np.concatenate([[len(channels)], *parts]) / len(channels)

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The label of every image."""
        return np.asarray((self.features(images) @ self.weights).argmax(1), np.int64)


OWN = StandIn("submission.zip", 8, ("clean", "medium"))
EARLIER = (
    StandIn("first-try.zip", 2),
    StandIn("more-bins.zip", 4),
    StandIn("with-brightness.zip", 6, ("clean", "brightness:3")),
    StandIn("with-noise.zip", 8, ("clean", "gaussian_noise:3")),
    StandIn("randaugment-in-three-variants-averaged.zip", 8, ("clean", "rand_augment:3")),
)


def answers(
    stand_ins: Sequence[StandIn], benchmark: Benchmark, questions: Questions
) -> list[Answers]:
    """What each answers to the same pictures."""
    labels = np.zeros((len(stand_ins), len(questions)), np.int64)
    for condition in np.unique(questions.conditions):
        places = np.flatnonzero(questions.conditions == condition)
        images = benchmark.images(int(condition), questions.rows[places])
        for place, stand_in in enumerate(stand_ins):
            labels[place, places] = stand_in.answer(images)
    return [
        Answers(one.name, sha256(one.name.encode()).hexdigest(), benchmark, questions, given)
        for one, given in zip(stand_ins, labels, strict=True)
    ]


def all_conditions(benchmark: Benchmark, images: int) -> Questions:
    """Every condition on the first images."""
    rows = np.tile(np.arange(images), len(benchmark.conditions))
    return Questions(rows, np.repeat(np.arange(len(benchmark.conditions)), images))


def grid_preset(severities: tuple[int, ...]) -> Preset:
    """The 19 corruptions at some severities."""
    conditions = tuple(
        Condition(
            f"{name}:{level}", "sweep", (Step(name, level),), 1 / 19 / len(severities), "cells-96"
        )
        for name in NINETEEN
        for level in severities
    )
    return Preset("sweep", conditions, 4, "")


def build(
    images: int = 240, library_images: int = 40, past: int = 5, *, swept: bool = True,
    name: str = "submission.zip",
) -> Report:  # fmt: skip
    """The whole report."""
    data = synthetic(images, seed=5)
    stand_ins = (replace(OWN, name=name), *EARLIER[:past])
    shown = draw_benchmark(data, resolve("heavy"))
    sheets = answers(stand_ins, shown, questions_of(shown))
    drawn = draw_benchmark(data, resolve("estimate-v1"))
    libraries = answers(stand_ins, drawn, all_conditions(drawn, library_images))
    sweep = None
    if swept:
        swept_conditions = draw_benchmark(data, grid_preset((1, 2, 3, 4, 5)))
        sweep = answers(
            stand_ins[:1], swept_conditions, all_conditions(swept_conditions, min(60, images))
        )[0]
    earlier, lines = _past(sheets[1:], libraries[1:])
    made = estimate(described(drawn.conditions), _figures(libraries[0]), earlier)
    return Report(
        source=_source(shown, sheets[0]),
        scores=score(shown, sheets[0].questions, sheets[0].labels, CHALLENGE.classes),
        findings=FINDINGS,
        timing=Timing(6.2, 3.1, 14.8, 31.5, len(sheets[0].labels) + len(libraries[0].labels)),
        peak_memory_bytes=1_480_000_000,
        blocks=1,
        versions={"python": "3.11.7", "numpy": "1.26.4", "tensorflow": "2.17.0", "keras": "3.4.1"},
        limits={"time": "the parent's clock", "memory": "cgroup v2", "network": "namespace"},
        asked=len(sheets[0].labels) + len(libraries[0].labels),
        sheet=sheets[0],
        library=libraries[0],
        sweep=sweep,
        estimate=made,
        past=lines,
        history=_history(lines, name, made),
        slices=slices(sheets[0]),
        search=SEARCH,
        relative=relative(sheets[0], sheets[1]) if past else None,
    )


def _fallen(name: str, where: Where, severity: float, half: float, note: str = "") -> Threshold:
    """Where a search ended."""
    ends = max(1.0, severity - half), min(5.0, severity + half)
    points = {1.0: Score(0.95, 0.9, 0.98, 60), 3.0: Score(0.8, 0.7, 0.88, 60)}
    return Threshold(name, "cells-96", "any", where, severity, *ends, points, note)


SEARCH = Search(
    0.9,
    60,
    Score(0.97, 0.9, 0.99, 60),
    (
        _fallen("contrast", "below", 1, 0.2),
        _fallen("gaussian_noise", "within", 1.44, 0.6),
        _fallen("my.module:a_function_with_a_name_of_its_own", "within", 3.21, 0.3),
        _fallen("spatter", "within", 3.5, 1.0, "nothing lies between 3 and 4"),
        _fallen("elastic_transform", "above", 5, 0.4),
    ),
)


FINDINGS = (
    Finding("S307", "warning", "the zip holds 3.1 MB that no code reads", "Leave it out."),
    Finding(
        "S219", "note", "model.py:14: np.random.rand() has no seed", "Seed it, or leave it out."
    ),
    Finding(
        "S601",
        "error",
        "predict failed: <b>bold</b> & 'quoted' \x1b[31mred\x1b[0m",
        "Read the last line of the trace.",
        'Traceback (most recent call last):\n  File "model.py", line 9, in predict\n    <raise>\n',
    ),
)


def _figures(library: Answers) -> Figures:
    """Accuracies on the library."""
    size = len(library.benchmark.conditions)
    asked = np.bincount(library.questions.conditions, minlength=size)
    right = np.bincount(library.questions.conditions, library.right, size)
    return Figures(library.name, tuple((right / asked).tolist()), tuple(asked.tolist()))


def _past(
    sheets: Sequence[Answers], libraries: Sequence[Answers]
) -> tuple[list[PastScore], tuple[PastLine, ...]]:
    """Scores on a hidden mixture of the library's conditions, with some chance."""
    rng = np.random.default_rng(3)
    scores, lines = [], []
    for place, (sheet, library) in enumerate(zip(sheets, libraries, strict=True)):
        figures = _figures(library)
        weights = np.random.default_rng(8).dirichlet(np.full(len(figures.accuracies), 0.2))
        shown = round(float(weights @ figures.accuracies) + float(rng.normal(0, 0.008)), 2)
        scores.append(PastScore(figures, shown, 2))
        guess, half = shown + float(rng.normal(0, 0.02)), 0.09 / (place + 1)
        predicted = Prediction("dev", guess, guess - half, guess + half, 0.9, place, "test")
        found = score(sheet.benchmark, sheet.questions, sheet.labels, CHALLENGE.classes)
        local = (found.validation.accuracy, found.benchmark.accuracy)
        lines.append(PastLine(sheet.name, *local, shown, 2, "dev", predicted if place else None))
    return scores, tuple(lines)


def _history(lines: tuple[PastLine, ...], name: str, made: Estimate) -> tuple[HistoryRow, ...]:
    rows = []
    for place, line in enumerate(lines):
        known = Submission(place, "0" * 64, line.name, line.name, "2026-11-01T10:00:00", "")
        recorded = f"2026-11-{place + 2:02d}T10:00:00"
        shown = LeaderboardScore(
            place, known, line.phase, line.score, 2, recorded[:10], None, "", recorded
        )
        rows.append(HistoryRow(known, shown, line.predicted, 110, 5000))
    here = Submission(99, "1" * 64, name, name, "2026-11-20T10:00:00", "")
    now = Prediction("dev", made.median, made.low, made.high, 0.9, made.past, made.regime)
    return (*rows, HistoryRow(here, None, now, 110, 5000))


def _source(shown: Benchmark, own: Answers) -> Source:
    return Source(
        path=f"runs/{own.name}",
        sha256=own.sha256,
        bytes=8_300_000,
        challenge=CHALLENGE.name,
        metric="accuracy",
        label_names=CHALLENGE.label_names,
        data=shown.data.source,
        fingerprint=shown.data.fingerprint(),
        split="validation",
        notes=(),
        preset=shown.preset.name,
        description=shown.preset.description,
        seed=0,
        command=f"local-eval '{own.name}' --data training_set.npz --html report.html",
    )


@cache
def small_report() -> Report:
    """A quick one, shared by the tests that only read it."""
    return build(80, 5, 4, swept=False)


@cache
def full_report() -> Report:
    """One with everything, as a user would see it."""
    return build()


def failed_report(report: Report) -> Report:
    """What a submission that did not answer leaves."""
    return replace(
        report,
        scores=None,
        sheet=None,
        library=None,
        sweep=None,
        estimate=None,
        past=(),
        history=(),
        slices=(),
        search=None,
        relative=None,
    )

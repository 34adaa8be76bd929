"""A report with everything in it whose figures are drawn, not answered: the same everywhere, at once.

For the reference pictures of the page. Nothing in it comes from a real image or a real submission.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256

import numpy as np

from codabench_rehearsal.images import synthetic
from corruptions.presets import LIBRARY, resolve
from evaluator.answers import Answers
from evaluator.bundles.report import BundleReport
from evaluator.bundles.result import BundleCondition, BundleSource, Example, Expected, Interval
from evaluator.estimate.result import Estimate, Moved, Part
from evaluator.metrics import Score, score
from evaluator.plan import Benchmark, Questions, draw_benchmark
from evaluator.relative import relative
from evaluator.report.evaluation import PastLine, Source, Timing
from evaluator.report.report import Report
from evaluator.slices import slices
from evaluator.store.rows import HistoryRow, LeaderboardScore, Prediction, Submission
from tests.evaluator import pages
from tests.evaluator.sheets import questions_of

NAME = "resnet-flips.zip"
_BUNDLE = {"light": "mixed", "fog:3": "weather", "shot_noise:3": "noise", "bars:2": "overlay",
           "fog:3+pixelate:2": "composite", "contrast:3": "color"}  # fmt: skip
_IMAGES, _LIBRARY_IMAGES = 96, 24
_CLEAN, _STEP = (
    0.94,
    0.11,
)  # accuracy, and what a severity costs of it where a family costs anything
_COSTS = {"noise": 1.1, "blur": 0.3, "weather": 1.4, "geometry": 0.1, "color": 1.6}


def _answered(benchmark: Benchmark, questions: Questions, seed: int, worse: float) -> Answers:
    """Right as often as family and severity say, by the draw of each question."""
    rng, truth = np.random.default_rng(seed), benchmark.data.labels[questions.rows]
    conditions = [benchmark.conditions[place] for place in questions.conditions]
    lost = [_STEP * worse * _COSTS.get(c.family, 0.8) * c.severity for c in conditions]
    right = rng.random(len(truth)) < np.clip(_CLEAN - np.array(lost), 0.1, 1.0)
    wrong = np.where(rng.random(len(truth)) < 0.6, 3, rng.integers(0, 8, len(truth)))
    labels = np.where(right, truth, np.where(wrong == truth, (truth + 1) % 8, wrong))
    return Answers(NAME, sha256(NAME.encode()).hexdigest(), benchmark, questions, labels)


@cache
def with_scores() -> Report:
    """Three past scores, and every part of the page."""
    data = synthetic(_IMAGES, seed=5, size=48)
    shown, library = (draw_benchmark(data, resolve(name)) for name in ("heavy", LIBRARY))
    asked = questions_of(shown)
    sheet, other = (_answered(shown, asked, seed, worse) for seed, worse in ((1, 1.0), (2, 1.2)))
    found = score(shown, asked, sheet.labels, 8)
    past = _past(found.validation.accuracy, found.benchmark.accuracy)
    return Report(
        source=_source(shown, sheet),
        scores=found,
        findings=pages.FINDINGS[:2],
        timing=Timing(6.2, 3.1, 14.8, 31.5, len(sheet.labels)),
        peak_memory_bytes=1_480_000_000,
        blocks=1,
        versions={"python": "3.11.7", "keras": "3.4.1"},
        limits={"time": "the parent's clock", "memory": "cgroup v2"},
        asked=len(sheet.labels),
        sheet=sheet,
        library=_answered(library, pages.all_conditions(library, _LIBRARY_IMAGES), 3, 1.0),
        estimate=_estimate(),
        past=past,
        history=_history(past),
        slices=slices(sheet),
        search=pages.SEARCH,
        relative=relative(sheet, replace(other, name="baseline.zip")),
    )


@cache
def without_scores() -> Report:
    """Nothing is known of the hidden set, nor whether the images were trained on."""
    report = with_scores()
    assert report.estimate is not None
    bare = replace(
        report.estimate, past=0, regime="uncalibrated", error=None, best=None, beats_best=None,
        consistent_with=(),
    )  # fmt: skip
    source = replace(report.source, split="unknown")
    return replace(report, source=source, estimate=bare, past=(), history=(), findings=())


@cache
def of_a_bundle() -> BundleReport:
    """A zip in a bundle: clean, a preset as a whole, single conditions, one that it fails under."""
    images = synthetic(len(_BUNDLE), seed=5, size=48).images
    found = [
        _in_a_bundle(name, family, 0.86 - 0.07 * place if family != "overlay" else None)
        for place, (name, family) in enumerate(_BUNDLE.items())
    ]
    shown = zip(found[1:], images, strict=False)
    return BundleReport(
        source=BundleSource(
            submission=f"runs/{NAME}", sha256=sha256(NAME.encode()).hexdigest(),
            bundle="cells.zip", title="Blood cells", phase="dev", tasks=1, worker="2026-10",
            column="accuracy", column_title="Accuracy", sorting="desc", preset="light",
            description="mild", seed=0, fingerprint="0" * 16, environment="python 3.11.7",
            images=("X_test.npy (60 images, 48 x 48, colour, uint8)",),
            command=f"local-eval {NAME} --challenge cells.zip --html report.html",
            made="2026-11-29 17:13 UTC",
        ),
        clean=_in_a_bundle("clean", "", 0.91), again=0.91, scatter=0.0, conditions=tuple(found),
        not_asked=("hue:2",), rows="Intervals: 95 % of resamples of 60 rows.", notes=(),
        expected=Expected("estimate", 0.41, 0.62, 0.83, ("It is a mix of these conditions.",)),
        examples=tuple(Example(one.name, image, 255 - image) for one, image in shown),
        budget_seconds=60.0, spent_seconds=48.0, known=0,
    )  # fmt: skip


def _in_a_bundle(name: str, family: str, value: float | None) -> BundleCondition:
    lost = None if value is None or not family else 0.91 - value
    return BundleCondition(
        name, family, 3,
        *("Finished", "", "") if value is not None
        else ("Failed", "Child task failed or non-zero return code", "it has no answer for one"),
        value, None if value is None else Interval(value - 0.06, value + 0.06),
        lost, None if lost is None else Interval(lost - 0.04, lost + 0.04),
        {} if value is None else {"accuracy": value, "macro_f1": value - 0.05}, 1.1,
    )  # fmt: skip


def _estimate() -> Estimate:
    whole = Part("", "", 1.0, 1.0, 0.41, 0.52, 0.63, 0.1)
    return Estimate(
        median=0.52, low=0.41, high=0.63, past=3, regime="few scores", error=0.021, widened=1.0,
        left_out=(), best=0.49, beats_best=0.71,
        consistent_with=(Moved("family", "color", 0.1, 0.18),), finite_share=0.05, own_share=0.02,
        assumed=("The hidden set has about 2,000 images: nobody said how many.",), parts=(whole,),
    )  # fmt: skip


def _past(clean: Score, hurt: Score) -> tuple[PastLine, ...]:
    lines = []
    for place, shown in enumerate((0.36, 0.43, 0.49)):
        name, off = f"try-{place + 1}.zip", 0.06 * (2 - place)
        local = [replace(one, value=one.value - off, low=one.low - off, high=one.high - off)
                 for one in (clean, hurt)]  # fmt: skip
        guess = Prediction("dev", shown + 0.02, shown - 0.05, shown + 0.08, 0.9, place, "test")
        lines.append(PastLine(name, local[0], local[1], shown, 2, "dev", guess))
    return tuple(lines)


def _history(past: tuple[PastLine, ...]) -> tuple[HistoryRow, ...]:
    rows = []
    for place, line in enumerate(past):
        day = f"2026-11-{place + 2:02d}"
        known = Submission(place, "0" * 64, line.name, line.name, f"{day}T10:00:00", "")
        shown = LeaderboardScore(place, known, "dev", line.score, 2, day, None, "", day)
        rows.append(HistoryRow(known, shown, line.predicted, 110, 5000))
    return tuple(rows)


def _source(shown: Benchmark, sheet: Answers) -> Source:
    return Source(
        path=f"runs/{NAME}", sha256=sheet.sha256, bytes=8_300_000, challenge="an2dl-2024",
        metric="accuracy", label_names=pages.CHALLENGE.label_names, data="drawn cells",
        fingerprint="0" * 16, split="validation", notes=(), preset=shown.preset.name,
        description=shown.preset.description, seed=0,
        command=f"local-eval {NAME} --data cells.npz --html report.html",
        made="2026-11-29 17:13 UTC",
    )  # fmt: skip

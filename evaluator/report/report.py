"""A report as users have it: what an evaluation found, with all of its renderings beside it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import as_json
from evaluator.answers import Answers
from evaluator.estimate.result import HIGH, LOW, Estimate
from evaluator.metrics import Part, Score, wilson
from evaluator.report.augmentation import train_on
from evaluator.report.evaluation import Evaluation, PastLine
from evaluator.report.figures import Figure, known, report_figure
from evaluator.report.frames import TABLES, table_rows
from evaluator.report.page import to_html, to_page
from evaluator.report.robustness import documents
from evaluator.report.terminal import report_parts, to_text

SCHEMA = 2


@dataclass(frozen=True)
class Report(Evaluation):
    """An `Evaluation` that a notebook shows as its page, and a terminal as its text."""

    def __str__(self) -> str:
        return to_text(report_parts(self))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def _repr_html_(self) -> str:
        return to_html(self)

    def to_page(self) -> str:
        """The report as one self-contained HTML page."""
        return to_page(self)

    def to_json(self) -> str:
        """The report as JSON (docs/report.md); NaN becomes null."""
        return as_json(_document(self))

    def figure(self, name: str) -> Figure:
        """One of the page's figures alone, which a notebook shows.

        name: "heatmap", "scatter", "curves", "confusion", "recall", "gallery", "estimate", "until",
        "slices" or "relative". `save("x.svg")` and `save("x.png")` write it. Raises
        `EvaluationError` for another name, and where the report lacks what it shows.
        """
        return report_figure(self, name)

    def table(self, name: str) -> Any:
        """A pandas frame of one part of the report.

        name: "conditions", "classes", "families", "grid", "findings", "past", "until", "slices",
        "relative" or "beliefs" (about the hidden set).

        Accuracies, recalls and shares are 0..1, with `_low` and `_high`, their 95 % interval, and
        `_n`, the images or answers behind them. Raises `EvaluationError` for another name, without
        pandas, and where the report lacks what it holds.
        """
        known(name, tuple(TABLES), "table")
        try:
            pandas = importlib.import_module("pandas")  # no dependency of ours
        except ImportError:
            raise EvaluationError(
                "Tables need pandas: pip install pandas. report.to_json() needs nothing."
            ) from None
        return pandas.DataFrame(table_rows(self, name))


def _document(report: Evaluation) -> dict[str, Any]:
    source, timing = report.source, report.timing
    benchmark: dict[str, Any] = {"preset": source.preset, "description": source.description}
    document = {
        "schema": SCHEMA,
        "submission": {"path": source.path, "sha256": source.sha256, "bytes": source.bytes},
        "challenge": {"name": source.challenge, "metric": source.metric},
        "data": {"source": source.data, "fingerprint": source.fingerprint, "notes": source.notes},
        "split": source.split,
        "seed": source.seed,
        "order_seed": source.order_seed,
        "validation": None,
        "benchmark": benchmark,
        "findings": [vars(finding) for finding in report.findings],
        "timing": {
            "start_seconds": timing.start_seconds,
            "load_seconds": timing.load_seconds,
            "predict_seconds": timing.predict_seconds,
            "total_seconds": timing.total_seconds,
            "seconds_per_thousand": timing.seconds_per_thousand,
            "predict_calls": report.blocks,
        },
        "peak_memory_bytes": report.peak_memory_bytes,
        "python": source.python,
        "versions": dict(report.versions),
        "limits": dict(report.limits),
        "asked": report.asked,
        "command": source.command,
        "estimate": None if report.estimate is None else _estimate(report.estimate),
        "past": [_past(past) for past in report.past],
    }
    scores, names = report.scores, source.label_names
    if scores is not None:
        document["validation"] = _part(scores.validation, names)
        document["gap"] = {"value": scores.gap.value, "interval": [scores.gap.low, scores.gap.high]}
        benchmark.update(_part(scores.benchmark, names))
        benchmark["answers"] = scores.answers - scores.validation.accuracy.n
        rows = (vars(one) | score_document(one.accuracy) for one in scores.conditions)
        benchmark.update(_conditions(rows))
        benchmark["families"] = [vars(loss) for loss in scores.losses]
    for name, sheet in (("library", report.library), ("sweep", report.sweep)):
        if sheet is not None:
            document[name] = _by_condition(sheet)
    document |= documents(report) | {"train_on": train_on(report)}
    if report.sheet is not None:
        document["confusion"] = _confusions(report.sheet, names)
    return document


def _estimate(made: Estimate) -> dict[str, Any]:
    return {
        "median": made.median,
        "interval": [made.low, made.high],
        "level": HIGH - LOW,
        "regime": made.regime,
        "past_scores": made.past,
        "leave_one_out_error": made.error,
        "widened": made.widened,
        "best": made.best,
        "beats_best": made.beats_best,
        "finite_share": made.finite_share,
        "own_share": made.own_share,
        "parts": [vars(part) for part in made.parts],
        "consistent_with": [vars(belief) for belief in made.consistent_with],
        "left_out": [vars(one) for one in made.left_out],
        "assumed": made.assumed,
    }


def _past(past: PastLine) -> dict[str, Any]:
    return {
        "name": past.name,
        "phase": past.phase,
        "score": past.score,
        "decimals": past.decimals,
        "mine": past.mine,
        "class_scores": past.class_scores,
        "validation": score_document(past.validation),
        "benchmark": None if past.benchmark is None else score_document(past.benchmark),
        "predicted": None if past.predicted is None else vars(past.predicted),
    }


def _by_condition(sheet: Answers) -> dict[str, Any]:
    """Accuracy by condition, the clean one included."""
    asked, right = sheet.by_condition()
    rows = (
        {"name": condition.name, "family": condition.family, "severity": condition.severity}
        | score_document(wilson(float(good), int(n)))
        for condition, good, n in zip(sheet.benchmark.conditions, right, asked, strict=True)
        if n
    )
    return {"name": sheet.benchmark.preset.name, **_conditions(rows)}


def _conditions(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Under their name, and for one more version under the old one."""
    found = list(rows)
    return {"conditions": found, "cells": found}


def _confusions(sheet: Answers, names: tuple[str, ...]) -> dict[str, Any]:
    """Counts of answers, a row for each true label: on clean and on corrupted images."""
    k = len(names)
    codes = sheet.benchmark.data.labels[sheet.questions.rows] * k + sheet.labels
    clean = sheet.questions.conditions == 0
    counts = [np.bincount(codes[chosen], minlength=k * k) for chosen in (clean, ~clean)]
    tables = [count.reshape(k, k).tolist() for count in counts]
    return {"labels": names, "clean": tables[0], "corrupted": tables[1]}


def _part(part: Part, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        **score_document(part.accuracy),
        "score": part.score.value,
        "score_interval": [part.score.low, part.score.high],
        "macro_f1": part.macro_f1,
        "balanced_accuracy": part.balanced_accuracy,
        "recall": dict(zip(names, part.recall, strict=True)),
        "answered": dict(zip(names, part.answered, strict=True)),
    }


def score_document(score: Score) -> dict[str, Any]:
    """An accuracy for JSON."""
    return {"accuracy": score.value, "interval": [score.low, score.high], "n": score.n}

"""A report as JSON: every number with its interval, as docs/report.md describes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from codabench_rehearsal.console.words import as_json
from evaluator.answers import Answers
from evaluator.estimate.estimate import HIGH, LOW, Estimate
from evaluator.metrics import Part, Score, Scores, wilson
from evaluator.report.result import SCHEMA, PastLine, Report


def to_json(report: Report) -> str:
    """The report as JSON; NaN becomes null."""
    return as_json(_document(report))


def _document(report: Report) -> dict[str, Any]:
    source, timing = report.source, report.timing
    document = {
        "schema": SCHEMA,
        "submission": {"path": source.path, "sha256": source.sha256, "bytes": source.bytes},
        "challenge": {"name": source.challenge, "metric": source.metric},
        "data": {"source": source.data, "fingerprint": source.fingerprint, "notes": source.notes},
        "split": source.split,
        "seed": source.seed,
        "order_seed": source.order_seed,
        "validation": None,
        "benchmark": {"preset": source.preset, "description": source.description},
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
        "past": [_past(line) for line in report.past],
    }
    if report.scores is not None:
        _add_scores(document, report.scores, source.label_names)
    if report.library is not None:
        document["library"] = _library(report.library)
    if report.sweep is not None:
        document["sweep"] = _library(report.sweep)
    if report.sheet is not None:
        document["confusion"] = _confusions(report.sheet, source.label_names)
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
        "consistent_with": [vars(belief) for belief in made.consistent_with],
        "left_out": [vars(one) for one in made.left_out],
        "assumed": made.assumed,
    }


def _past(line: PastLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "phase": line.phase,
        "score": line.score,
        "decimals": line.decimals,
        "validation": _score_document(line.validation),
        "benchmark": None if line.benchmark is None else _score_document(line.benchmark),
        "predicted": None if line.predicted is None else vars(line.predicted),
    }


def _library(sheet: Answers) -> dict[str, Any]:
    """Accuracy by condition, the clean one included."""
    conditions = sheet.benchmark.conditions
    asked = np.bincount(sheet.questions.conditions, minlength=len(conditions))
    right = np.bincount(sheet.questions.conditions, sheet.right, len(conditions))
    return {
        "name": sheet.benchmark.preset.name,
        "cells": [
            {"name": condition.name, "family": condition.family, "severity": condition.severity}
            | _score_document(wilson(float(good), int(n)))
            for condition, good, n in zip(conditions, right, asked, strict=True)
            if n
        ],
    }


def _confusions(sheet: Answers, names: tuple[str, ...]) -> dict[str, Any]:
    """Counts of answers, a row for each true label: on clean and on corrupted images."""
    k = len(names)
    codes = sheet.benchmark.data.labels[sheet.questions.rows] * k + sheet.labels
    clean = sheet.questions.conditions == 0
    counts = [np.bincount(codes[chosen], minlength=k * k) for chosen in (clean, ~clean)]
    tables = [count.reshape(k, k).tolist() for count in counts]
    return {"labels": names, "clean": tables[0], "corrupted": tables[1]}


def _add_scores(document: dict[str, Any], scores: Scores, names: tuple[str, ...]) -> None:
    document["validation"] = _part_document(scores.validation, names)
    document["benchmark"].update(_part_document(scores.benchmark, names))
    document["benchmark"]["answers"] = scores.answers - scores.validation.accuracy.n
    document["benchmark"]["cells"] = [
        {
            "name": condition.name,
            "family": condition.family,
            "severity": condition.severity,
            "weight": condition.weight,
            **_score_document(condition.accuracy),
        }
        for condition in scores.conditions
    ]
    document["benchmark"]["families"] = [vars(loss) for loss in scores.losses]
    document["gap"] = {"value": scores.gap.value, "interval": [scores.gap.low, scores.gap.high]}


def _part_document(part: Part, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        **_score_document(part.accuracy),
        "score": part.score.value,
        "score_interval": [part.score.low, part.score.high],
        "macro_f1": part.macro_f1,
        "balanced_accuracy": part.balanced_accuracy,
        "recall": dict(zip(names, part.recall, strict=True)),
        "answered": dict(zip(names, part.answered, strict=True)),
    }


def _score_document(score: Score) -> dict[str, Any]:
    return {"accuracy": score.value, "interval": [score.low, score.high], "n": score.n}

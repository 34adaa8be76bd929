"""What `Report.table` gives: a dictionary a row, for each part of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.answers import Answers, family_losses, grid
from evaluator.metrics import Score, Scores
from evaluator.relative import Ratio, Relative
from evaluator.report.classes import confusions
from evaluator.report.evaluation import Evaluation, PastLine
from evaluator.report.robustness import named_ratios
from evaluator.severity import Search, Threshold
from evaluator.slices import Held, Slice

Rows = list[dict[str, Any]]


def table_rows(report: Evaluation, name: str) -> Rows:
    """A dictionary a row of `Report.table`. Raises `EvaluationError` for what the report lacks."""
    return TABLES[name](report)


def searched(report: Evaluation) -> Search:
    """What `--until` found. Raises `EvaluationError` where it was not asked for."""
    if report.search is None:
        raise EvaluationError("No severity was searched: --until 0.9 (until=0.9) does.")
    return report.search


def held(report: Evaluation) -> Relative:
    """What `--reference` found. Raises `EvaluationError` where it was not asked for."""
    if report.relative is None:
        raise EvaluationError(
            "No other zip was compared with it: --reference baseline.zip (reference=...) does."
        )
    return report.relative


def _answered(report: Evaluation) -> tuple[Scores, Answers]:
    if report.scores is None or report.sheet is None:
        raise EvaluationError("This report holds no answers: its findings say why.")
    return report.scores, report.sheet


def _conditions(report: Evaluation) -> Rows:
    scores, _ = _answered(report)
    return [
        {field: getattr(one, field) for field in ("name", "family", "severity", "weight")}
        | _flat("accuracy", one.accuracy)
        for one in scores.conditions
    ]


def _classes(report: Evaluation) -> Rows:
    _, sheet = _answered(report)
    names = report.source.label_names
    clean, hurt = confusions(sheet, len(names))
    return [
        {"class": name} | _flat("clean", clean.scores[i][i]) | _flat("corrupted", hurt.scores[i][i])
        for i, name in enumerate(names)
    ]


def _families(report: Evaluation) -> Rows:
    _, sheet = _answered(report)
    return [
        {"family": loss.family, **_flat("accuracy", loss.accuracy)}
        | {**_flat("lost", loss.points), "share": loss.share}
        for loss in family_losses(sheet)
    ]


def _grid(report: Evaluation) -> Rows:
    return [
        {"corruption": row.name, "family": row.family, "severity": severity}
        | _flat("accuracy", score)
        for row in grid((report.library, report.sheet, report.sweep))
        for severity, score in row.by_severity.items()
    ]


def _belief_rows(report: Evaluation) -> Rows:
    """What holds under each belief about the hidden set, and last under none."""
    if report.estimate is None:
        raise EvaluationError("No estimate was made in this run, so no belief was weighed.")
    fields = ("belief", "reason", "before", "after", "median", "low", "high")
    return [{name: getattr(part, name) for name in fields} for part in report.estimate.parts]


def _past_row(past: PastLine) -> dict[str, Any]:
    row = {"name": past.name, "phase": past.phase, "score": past.score, "decimals": past.decimals}
    row["mine"] = past.mine
    row |= _flat("validation", past.validation) | _flat("benchmark", past.benchmark)
    guess = past.predicted
    fields = {"predicted": "value", "predicted_low": "low", "predicted_high": "high"}
    return row | {name: guess and getattr(guess, field) for name, field in fields.items()}


def _threshold_row(one: Threshold) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in ("name", "table", "family", "where")}
    row["severity"] = one.severity if one.where == "within" else None
    ends = {"severity_low": one.low, "severity_high": one.high}
    return {**row, **ends, "evaluations": len(one.points), "note": one.note}


def _slice_row(one: Slice) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in ("measure", "quantile", "low", "high", "images")}
    return row | _side("clean", one.clean) | _side("benchmark", one.benchmark)


def _side(name: str, one: Held) -> dict[str, Any]:
    more = {f"{name}_rest": one.rest, f"{name}_p_holm": one.adjusted, f"{name}_worse": one.worse}
    return _flat(name, one.accuracy) | more


def _ratio_row(name: str, one: Ratio) -> dict[str, Any]:
    errors = {"name": name, "error": one.error, "reference_error": one.reference}
    return errors | {"ratio": one.value, "ratio_low": one.low, "ratio_high": one.high}


def _flat(name: str, score: Score | None) -> dict[str, Any]:
    ends = {name: "value", f"{name}_low": "low", f"{name}_high": "high", f"{name}_n": "n"}
    return {key: score and getattr(score, field) for key, field in ends.items()}


TABLES: Mapping[str, Callable[[Evaluation], Rows]] = {
    "conditions": _conditions,
    "classes": _classes,
    "families": _families,
    "grid": _grid,
    "findings": lambda report: [dict(vars(finding)) for finding in report.findings],
    "past": lambda report: [_past_row(past) for past in report.past],
    "until": lambda report: [_threshold_row(one) for one in searched(report).found],
    "slices": lambda report: [_slice_row(one) for one in report.slices],
    "relative": lambda report: [_ratio_row(*one) for one in named_ratios(held(report))],
    "beliefs": _belief_rows,
}

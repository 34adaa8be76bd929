"""A report on a bundle for a terminal: the platform's words first, then clean against damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codabench_rehearsal.console.words import counted, few
from evaluator.bundles.choice import duration
from evaluator.bundles.result import BundleCondition, BundleEvaluation, Interval
from evaluator.report.terminal import text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"Failed": "bold red"}


def report_parts(report: BundleEvaluation) -> Iterator[RenderableType]:
    """What a terminal shows of a report, in order."""
    from rich.text import Text

    clean = report.clean
    yield Text(headline(report), "bold" if clean.status == "Finished" else "bold red")
    if said := ", ".join(f"{key} {value:.6g}" for key, value in clean.scores.items()):
        yield Text(f"  {said}", "dim")
    if report.conditions:
        yield _table(report)
        yield Text(expectation(report), "bold")
        yield from (Text(f"  {line}", "red") for line in failures(report))
    for line in (*report.expected.why, *filter(None, [report.rows]), *report.notes):
        yield Text(f"  {line}", "dim")
    if report.not_asked:
        yield Text(f"  Not run: {few(report.not_asked)}.", "dim")
    yield Text(_how(report), "dim")


def headline(report: BundleEvaluation) -> str:
    """The clean run as the platform tells it."""
    clean, source = report.clean, report.source
    if clean.status == "Failed":
        return f"{source.name}: {outcome(clean)}"
    figure = "without a score" if clean.value is None else f"{clean.value:.4f}"
    return f"{source.name}: Finished, {source.column} {figure} (clean)"


def outcome(one: BundleCondition) -> str:
    """How a run ended: the platform's words, and why."""
    return f"Failed: {_reason(one)}" if one.status == "Failed" else one.status


def _reason(one: BundleCondition) -> str:
    return f"{one.message} (because {one.cause})" if one.cause else one.message


def expectation(report: BundleEvaluation) -> str:
    """What the hidden score may be, in a sentence."""
    found, column = report.expected, report.source.column
    if found.low is None or found.high is None or found.median is None:
        return ""
    low, high = f"{found.low:.3f}", f"{found.high:.3f}"
    if found.kind == "estimate":
        return (
            f"Expected hidden {column}: {found.median:.3f}, between {low} and {high} (90 % sure)."
        )
    return f"Range over the conditions that were run: {column} {low} to {high}."


def failures(report: BundleEvaluation) -> list[str]:
    """Why it failed under some conditions, each reason once."""
    reasons: dict[str, list[str]] = {}
    for one in report.conditions:
        if one.status == "Failed":
            reasons.setdefault(_reason(one), []).append(one.name)
    return [f"Failed under {few(names)}: {reason}" for reason, names in reasons.items()]


def figure(value: float | None) -> str:
    """A column's figure."""
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"  # no minus before nothing


def ends(found: Interval | None) -> str:
    """An interval in words."""
    return "-" if found is None else f"{_three(found.low)} to {_three(found.high)}"


def _three(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}"


def _table(report: BundleEvaluation) -> RenderableType:
    source = report.source
    rows = [_row(one) for one in (report.clean, *report.conditions)]
    better = "less" if source.sorting == "asc" else "more"
    title = f"{source.column} in phase {source.phase} ({better} is better)"
    columns = ("condition", source.column, "95 % interval", "worse by", "95 % interval")
    return text_table(title, columns, rows, left=("condition",), styles=_STYLES)


def _row(one: BundleCondition) -> list[str]:
    name = f"{one.name} as a whole" if one.is_mixed else one.name
    if one.status == "Failed":
        return [name, "", "", "", one.status]
    lost = ["", ""] if one.is_clean else [figure(one.lost), ends(one.lost_interval)]
    return [name, figure(one.value), ends(one.interval), *lost]


def _how(report: BundleEvaluation) -> str:
    source = report.source
    runs = 1 + (report.again is not None) + len(report.conditions)
    known = f", {report.known} of them kept from earlier" if report.known else ""
    corrupted = f"corrupted: {'; '.join(source.images)}\n" if report.conditions else ""
    return (
        f"{corrupted}{counted(runs, 'run')}{known}, worker {source.worker}, seed {source.seed}; "
        f"one clean run {duration(report.clean.seconds)}, in all {duration(report.spent_seconds)}"
    )

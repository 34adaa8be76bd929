"""Render a report for a terminal: one screen, the headline first."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codabench_rehearsal.console.words import human_bytes, shown
from evaluator.estimate.words import explained, headline
from evaluator.metrics import Score, Scores
from evaluator.report.result import Report

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from evaluator.estimate.estimate import Estimate


UNSEEN = "†"  # marks every figure on images that the model may have learnt
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
FIRST_LINES = {
    "validation": "Images: the validation side of the split; the model has not learnt them.",
    "all": "Images: none of them is in the model's split; it has not learnt them.",
    "held-out": "Images: held out, as you say (--held-out); the model has not learnt them.",
    "unknown": (
        f"{UNSEEN} These images may have been trained on: no split is known, so every figure "
        "marked so may flatter. The mark goes with --held-out (none of them was trained on) or with "
        "--split FILE (split.json beside the zip)."
    ),
}


def to_text(report: Report, width: int = 100) -> str:
    """The report as plain text."""
    from codabench_rehearsal.console.command import console

    page = console(width=width, record=True, file=io.StringIO(), color_system=None)
    show(report, page)
    return page.export_text()


def show(report: Report, console: Console) -> None:
    """Print the report."""
    for part in _parts(report):
        console.print(part)


def _parts(report: Report) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(
        FIRST_LINES[report.source.split], "yellow" if report.source.split == "unknown" else ""
    )
    if report.source.notes:
        yield _hanging([("  ", note) for note in report.source.notes], "dim")
    if report.scores is None:
        yield Text("\nNo score: the submission did not answer.", "bold red")
    else:
        yield from _figures(report, report.scores)
    yield from _findings(report)
    yield Text(_how(report), "dim")


def _figures(report: Report, scores: Scores) -> Iterator[RenderableType]:
    from rich.text import Text

    mark = f" {UNSEEN}" if report.source.split == "unknown" else ""
    if report.estimate is not None:
        yield _card(report.estimate, more=not report.full)
    yield Text("")
    yield _headline(report, scores, mark)
    yield Text(_explain(scores, report.source.label_names) + mark, "bold")
    yield _families(scores, mark)
    yield _classes(report, scores, mark)
    worst = ", ".join(f"{c.name} {c.accuracy.value:.2f}" for c in scores.worst())
    yield Text(f"Worst conditions{mark}: {worst}\n")


def _card(made: Estimate, *, more: bool) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    below = "\n".join([*explained(made, more=more), *made.assumed])
    return Panel(Group(Text(headline(made), "bold"), Text(below, "dim")), title="estimate")


def _headline(report: Report, scores: Scores, mark: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{shown(report.source.path)} under {report.source.preset!r}{mark}")  # no markup
    table = Table(title=title, title_justify="left")
    for name in ("", "accuracy", "95 % interval", "macro-F1", "images"):
        table.add_column(name, justify="left" if name == "" else "right")
    for name, part in (("validation (clean)", scores.validation), ("benchmark", scores.benchmark)):
        figure = part.accuracy
        table.add_row(
            name, f"{figure.value:.3f}", _range(figure), f"{part.macro_f1:.3f}", f"{figure.n:,}"
        )
    table.add_row("gap", f"{scores.gap.value:.3f}", _range(scores.gap), "", "")
    if report.source.metric != "accuracy":
        figures = (scores.validation.score.value, scores.benchmark.score.value)
        table.caption = (
            f"{report.source.metric}: {figures[0]:.3f} clean, {figures[1]:.3f} benchmark"
        )
    return table


def _explain(scores: Scores, names: tuple[str, ...]) -> str:
    if scores.gap.low <= 0:
        return "No loss to explain: the benchmark accuracy is within the clean one's interval."
    costly = [loss for loss in scores.losses if loss.share > 0][:3]
    parts = ", ".join(
        f"{loss.family} {loss.share:.0%} (accuracy {loss.accuracy:.2f})" for loss in costly
    )
    return f"Of the {scores.gap.value:.2f} lost, most goes to: {parts}.{_drift(scores, names)}"


def _drift(scores: Scores, names: tuple[str, ...]) -> str:
    """Where the answers go when the images are corrupted, if they flock to one label."""
    pairs = zip(scores.benchmark.answered, scores.validation.answered, names, strict=True)
    corrupted, clean, name = max(pairs, key=lambda pair: pair[0] - pair[1])
    if corrupted < 2 * clean or corrupted - clean < 0.1:
        return ""
    return (
        f" Corrupted images are called {name} {corrupted:.0%} of the time (clean ones {clean:.0%})."
    )


def _families(scores: Scores, mark: str) -> RenderableType:
    from rich.table import Table

    levels = sorted({group.severity for group in scores.groups})
    table = Table(title=f"Accuracy by family and severity{mark}", title_justify="left")
    table.add_column("family")
    for level in levels:
        table.add_column(f"severity {level}", justify="right")
    found = {(group.family, group.severity): group.accuracy for group in scores.groups}
    for family in dict.fromkeys(group.family for group in scores.groups):
        table.add_row(family, *(_short(found.get((family, level))) for level in levels))
    return table


def _classes(report: Report, scores: Scores, mark: str) -> RenderableType:
    from rich.table import Table

    table = Table(title=f"Recall by class{mark}", title_justify="left")
    for name in ("class", "clean", "corrupted", "answers clean", "answers corrupted"):
        table.add_column(name, justify="left" if name == "class" else "right")
    clean, damaged = scores.validation, scores.benchmark
    rows = zip(clean.recall, damaged.recall, clean.answered, damaged.answered, strict=True)
    for name, figures in zip(report.source.label_names, rows, strict=True):
        table.add_row(name, *(_number(f) for f in figures[:2]), *(f"{f:.0%}" for f in figures[2:]))
    return table


def _findings(report: Report) -> Iterator[RenderableType]:
    for finding in report.findings:
        style = _STYLES[finding.severity]
        yield _hanging([(f"{finding.severity} {finding.code}: ", finding.message)], style)
        if finding.advice:
            yield _hanging([("    ", finding.advice)], "")
        if finding.detail:
            yield _hanging([("    | ", line) for line in finding.detail.split("\n")], "dim")


def _hanging(rows: list[tuple[str, str]], style: str) -> RenderableType:
    """Foreign text behind words of ours: where it is broken, it goes on below itself, not below us."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for head, text in rows:
        grid.add_row(Text(head, style), Text(text, style))
    return grid


def _how(report: Report) -> str:
    timing, source = report.timing, report.source
    head = f"{human_bytes(source.bytes)} zip {source.sha256[:12]}, seed {source.seed}; "
    if report.asked == 0 and report.scores is not None:
        return (
            f"{head}all answers came from the store: nothing was run, {timing.total_seconds:.1f} s\n"
            "Not checked: the server's memory, time limit and packages."
        )
    versions = " ".join(f"{name} {version}" for name, version in report.versions.items())
    return (
        f"{head}start {timing.start_seconds:.1f} s, predict {timing.predict_seconds:.1f} s "
        f"({timing.seconds_per_thousand:.2f} s per 1,000 images, {report.blocks} call(s)), "
        f"total {timing.total_seconds:.1f} s, peak memory {human_bytes(report.peak_memory_bytes)}; "
        f"{versions}\n"
        "Not checked: the server's memory, time limit and packages."
    )


def _range(score: Score) -> str:
    return f"{score.low:.3f} to {score.high:.3f}"


def _short(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.2f} ±{(score.high - score.low) / 2:.2f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"

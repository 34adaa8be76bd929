"""Render a report for a terminal: one screen, the headline first."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from codabench_rehearsal.console.command import UNBROKEN
from codabench_rehearsal.console.words import counted, human_bytes, percent, shown
from evaluator.metrics import Score, Scores
from evaluator.report.augmentation import in_words
from evaluator.report.evaluation import UNSEEN, Evaluation
from evaluator.report.expected import explained, headline
from evaluator.report.robustness import Listing, listings

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text


FIRST_LINES = {
    "validation": "Images: the validation images of its split; the model has not seen them.",
    "all": "Images: none of them is in the model's split; it has not seen them.",
    "held-out": "Images: held out, as you say (--held-out); the model has not seen them.",
    "unknown": (
        f"{UNSEEN} The model may have been trained on these images (no split is known), so figures "
        f"marked {UNSEEN} may be too high. If it was not, say --held-out; or name its split.json: "
        "--split FILE."
    ),
}
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_RECALL = "Recall: share of a class's images answered rightly. Answers: share that names it."
_NOT_CHECKED = "Not checked: the server's memory, time limit and packages."


def to_text(parts: Iterable[RenderableType], width: int = 100) -> str:
    """What a terminal of that width would show, as plain text."""
    from codabench_rehearsal.console.command import console

    page = console(width=width, record=True, file=io.StringIO(), color_system=None)
    for part in parts:
        page.print(part)
    return "".join(f"{line.rstrip()}\n" for line in page.export_text().splitlines())


def show(report: Evaluation, console: Console) -> None:
    """Print the report."""
    for part in report_parts(report):
        console.print(part)


def report_parts(report: Evaluation) -> Iterator[RenderableType]:
    """What a terminal shows of a report, in order."""
    from rich.text import Text

    split = report.source.split
    if report.scores is not None:  # without figures nothing is said about them
        yield Text(report.say(FIRST_LINES[split]), "yellow" if split == "unknown" else "")
    if report.source.notes:
        yield _Hanging([("  ", report.say(note)) for note in report.source.notes], "dim")
    if report.scores is None:
        yield Text("\nNo score: the submission gave no answers.", "bold red")
    else:
        yield from _figures(report, report.scores)
    yield from _findings(report)
    yield Text(_how(report), "dim")


def text_table(
    title: str | Text,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Sequence[str] = ("",),
    styles: dict[str, str] | None = None,
    caption: str | None = None,
) -> RenderableType:
    """A table of texts. left: columns that are not figures; styles: of rows, by their last text.

    Title and caption are lines of their own: rich would break them at the table's width.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style=(styles or {}).get(row[-1], ""))
    above = [Text(title, "italic") if isinstance(title, str) else title] if title else []
    return Group(*above, table, *([Text(caption, "dim italic")] if caption else []))


class _Boxed:
    """Lines in a box on a terminal; in a pipe, where no line is broken, between two empty lines."""

    def __init__(self, title: str, lines: RenderableType) -> None:
        self._title, self._lines = title, lines

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.console import Group
        from rich.panel import Panel

        piped = options.max_width >= UNBROKEN
        yield Group("", self._lines) if piped else Panel(self._lines, title=self._title)


def _figures(report: Evaluation, scores: Scores) -> Iterator[RenderableType]:
    from rich.console import Group
    from rich.text import Text

    made, mark = report.estimate, report.mark
    if made is not None:
        phase, more = report.source.phase, not report.full
        below = "\n".join([*explained(made, more=more, phase=phase), *made.assumed])
        lines = Group(Text(headline(made, scores), "bold"), Text(report.say(below), "dim"))
        yield _Boxed("estimate", lines)
    yield Text("")
    yield _overall(report, scores)
    yield Text(_explain(scores, report.source.label_names) + mark, "bold")
    yield _families(scores, mark)
    yield _classes(report, scores)
    yield Text(_RECALL, "dim")
    worst = ", ".join(f"{c.name} {c.accuracy.value:.2f}" for c in scores.worst())
    yield Text(f"Worst conditions{mark} (corruption:severity, and accuracy): {worst}\n")
    if to_train_on := "\n".join(in_words(report)):
        yield Text(f"{to_train_on}\n")
    for one in listings(report):
        yield _listed(one, report)
        yield Text(f"{one.note}\n", "dim")


def _listed(one: Listing, report: Evaluation) -> RenderableType:
    from rich.text import Text

    if not one.rows:
        return Text(one.title)
    left = len(one.rows) - one.shown
    where = "--html FILE or --json FILE" if report.source.command else "to_page() or to_json()"
    caption = f"{left} more rows in {where}" if left > 0 else None
    columns, rows = one.columns, one.rows[: one.shown]
    return text_table(one.title, columns, rows, left=(columns[0], ""), caption=caption)


def _overall(report: Evaluation, scores: Scores) -> RenderableType:
    from rich.text import Text

    clean, damaged, metric = scores.validation, scores.benchmark, report.source.metric
    rows = [
        [
            name,
            f"{part.accuracy.value:.3f}",
            _range(part.accuracy),
            f"{part.macro_f1:.3f}",
            f"{part.accuracy.n:,}",
        ]
        for name, part in (("validation (clean)", clean), ("benchmark", damaged))
    ]
    rows.append(["gap", f"{scores.gap.value:.3f}", _range(scores.gap), "", ""])
    title = Text(f"{shown(report.source.path)}, benchmark {report.source.preset!r}{report.mark}")
    columns = ("", "accuracy", "95 % interval", "macro-F1", "images")
    caption = None
    if metric != "accuracy":
        caption = f"{metric}: {clean.score.value:.3f} clean, {damaged.score.value:.3f} benchmark"
    return text_table(title, columns, rows, caption=caption)


def _explain(scores: Scores, names: tuple[str, ...]) -> str:
    if scores.gap.low <= 0:
        return "Corruption costs it no accuracy that could be told from chance."
    costly = [loss for loss in scores.losses if loss.share > 0][:3]
    parts = ", ".join(
        f"{loss.family} {percent(loss.share)} (accuracy {loss.accuracy:.2f})" for loss in costly
    )
    lost = f"Corruption costs {scores.gap.value:.2f} of accuracy; the largest shares of that"
    return f"{lost}: {parts}.{_drift(scores, names)}"


def _drift(scores: Scores, names: tuple[str, ...]) -> str:
    """Where the answers go when the images are corrupted, if they flock to one label."""
    pairs = zip(scores.benchmark.answered, scores.validation.answered, names, strict=True)
    corrupted, clean, name = max(pairs, key=lambda pair: pair[0] - pair[1])
    if corrupted < 2 * clean or corrupted - clean < 0.1:
        return ""
    often = f"{percent(corrupted)} of corrupted images, {percent(clean)} of clean ones"
    return f" Its answer is {name} for {often}."


def _families(scores: Scores, mark: str) -> RenderableType:
    levels = sorted({group.severity for group in scores.groups})
    found = {(group.family, group.severity): group.accuracy for group in scores.groups}
    rows = (
        [family, *(_short(found.get((family, level))) for level in levels)]
        for family in dict.fromkeys(group.family for group in scores.groups)
    )
    columns = ("family", *(f"severity {level}" for level in levels))
    title = f"Accuracy by family and severity{mark} (± half a 95 % interval)"
    return text_table(title, columns, rows, left=("family",))


def _classes(report: Evaluation, scores: Scores) -> RenderableType:
    clean, damaged = scores.validation, scores.benchmark
    figures = zip(
        report.source.label_names,
        clean.recall,
        damaged.recall,
        clean.answered,
        damaged.answered,
        strict=True,
    )
    rows = ([name, _number(a), _number(b), percent(c), percent(d)] for name, a, b, c, d in figures)
    columns = ("class", "clean", "corrupted", "answers clean", "answers corrupted")
    return text_table(f"Recall by class{report.mark}", columns, rows, left=("class",))


def _findings(report: Evaluation) -> Iterator[RenderableType]:
    for finding in report.findings:
        style = _STYLES[finding.severity]
        yield _Hanging([(f"{finding.severity} {finding.code}: ", finding.message)], style)
        if finding.advice:
            yield _Hanging([("    ", finding.advice)], "")
        if finding.detail:
            yield _Hanging([("    | ", line) for line in finding.detail.split("\n")], "dim")


class _Hanging:
    """Foreign text behind words of ours: where it breaks, it goes on below itself, not below us.

    In a pipe nothing breaks, and no line is filled up with blanks.
    """

    def __init__(self, rows: list[tuple[str, str]], style: str) -> None:
        self._rows, self._style = rows, style

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        rows = [(head, Text(text, self._style)) for head, text in self._rows]
        if options.max_width >= UNBROKEN:
            yield from (Text(head, self._style).append_text(text) for head, text in rows)
            return
        grid = Table.grid()
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for head, text in rows:
            grid.add_row(Text(head, self._style), text)
        yield grid


def _how(report: Evaluation) -> str:
    timing, source = report.timing, report.source
    zipped = f"zip of {human_bytes(source.bytes)}, SHA-256 {source.sha256[:12]}"
    head = f"{zipped}, seed {source.seed}; "
    if not report.blocks and report.scores is None:
        return f"{head}nothing of it was run"
    if report.asked == 0 and report.scores is not None:
        return (
            f"{head}all answers were kept from earlier runs: nothing was run, "
            f"{timing.total_seconds:.1f} s\n{_NOT_CHECKED}"
        )
    versions = " ".join(f"{name} {version}" for name, version in report.versions.items())
    return (
        f"{head}start {timing.start_seconds:.1f} s, predict {timing.predict_seconds:.1f} s "
        f"({timing.seconds_per_thousand:.2f} s per 1,000 images, "
        f"{counted(report.blocks, 'call')}), total {timing.total_seconds:.1f} s, "
        f"peak memory {human_bytes(report.peak_memory_bytes)}; {versions}\n{_NOT_CHECKED}"
    )


def _range(score: Score) -> str:
    return f"{score.low:.3f} to {score.high:.3f}"


def _short(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.2f} ±{(score.high - score.low) / 2:.2f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"

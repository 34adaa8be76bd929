"""Render a comparison: for a terminal, as JSON, and as a table for a notebook."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.words import as_json, cleaned
from evaluator.comparison.compare import Comparison, Pair, Standing
from evaluator.comparison.paired import ALPHA, Difference
from evaluator.metrics import Score

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
_STYLES = {"better": "bold green", "worse": "bold red", "not resolved": "dim"}
COLUMNS = ("", "change (95 % interval)", "p (Holm)", "detectable", "verdict")
STANDING_COLUMNS = ("", "clean", "benchmark", "damaged less clean")
STANDING_TITLE = "Accuracy with its 95 % interval"
LEGEND = (
    "Changes in points (hundredths). Detectable: the true change that so many images resolve 8 times "
    "in 10. Holm: corrected for judging several rows."
)


def to_text(comparison: Comparison, width: int = 100) -> str:
    """The comparison as plain text."""
    from codabench_rehearsal.console.command import console

    page = console(width=width, record=True, file=io.StringIO(), color_system=None)
    show(comparison, page)
    return page.export_text()


def show(comparison: Comparison, console: Console) -> None:
    """Print the comparison."""
    for part in _parts(comparison):
        console.print(part)


def to_json(comparison: Comparison) -> str:
    """The comparison as JSON, as docs/comparing.md describes it."""
    document = {
        "schema": SCHEMA,
        "preset": comparison.preset,
        "data": comparison.data,
        "seed": comparison.seed,
        "images": comparison.images,
        "answers": comparison.answers,
        "submissions": [_standing_document(one) for one in comparison.standings],
        "pairs": [_pair_document(pair) for pair in comparison.pairs],
        "notes": list(comparison.notes),
    }
    return as_json(document)


def to_html(comparison: Comparison) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    parts = [*map(_paragraph, comparison.notes), _paragraph(first_line(comparison))]
    parts += [_paragraph(text) for text, _ in sentences(comparison)]
    parts.append(_table(STANDING_TITLE, STANDING_COLUMNS, map(_standing_row, comparison.standings)))
    parts += [_table(_title(pair), COLUMNS, _rows(pair)) for pair in comparison.pairs]
    return f'<div class="comparison">{"".join(parts)}{_paragraph(LEGEND)}</div>'


def first_line(comparison: Comparison) -> str:
    """What was compared on what."""
    return (
        f"{comparison.images:,} base images of {comparison.data}, preset {comparison.preset!r}, "
        f"seed {comparison.seed}: {comparison.answers:,} answers of each submission."
    )


def sentence(what: str, one: Difference) -> str:
    """The verdict in words, with its uncertainty and what would have been seen."""
    seen = f"95 % interval {_range(one.change)}, p {_chance(one.adjusted, ' = ')}"
    detectable = f"{100 * one.detectable:.1f}"
    if one.verdict == "not resolved":
        return (
            f"{what}: not resolved (change {_points(one.change.value)} points, {seen}). So many "
            f"images resolve a true difference of {detectable} points 8 times in 10."
        )
    return (
        f"{what}: {one.verdict}, change {_points(one.change.value)} points ({seen}; differences "
        f"from {detectable} on are resolved 8 times in 10)."
    )


def sentences(comparison: Comparison) -> list[tuple[str, Difference]]:
    """A sentence for each pair; for one submission alone, its benchmark against its clean images."""
    found = [(f"{pair.name} against {pair.base}", pair.benchmark) for pair in comparison.pairs]
    alone = [(f"{one.name}, damaged against clean", one.gap) for one in comparison.standings]
    return [(sentence(what, change), change) for what, change in found or alone]


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    from rich.text import Text

    for note in comparison.notes:  # first: they say how far to trust what follows
        yield Text(note, "yellow")
    yield Text(first_line(comparison))
    yield Text("")
    for text, change in sentences(comparison):
        yield Text(text, _STYLES[change.verdict])
    yield Text("")
    yield _rich_table(STANDING_TITLE, STANDING_COLUMNS, map(_standing_row, comparison.standings))
    for pair in comparison.pairs:
        yield _rich_table(_title(pair), COLUMNS, _rows(pair))
    yield Text(LEGEND, "dim")


def _title(pair: Pair) -> str:
    return f"{pair.name} less {pair.base}"


def _rich_table(title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for place, name in enumerate(columns):
        left = place == 0 or name == "verdict"
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row), style=_STYLES.get(row[-1], ""))
    return table


def _rows(pair: Pair) -> Iterator[list[str]]:
    for one in (pair.benchmark, pair.clean, *pair.families):
        yield [
            one.name,
            f"{_points(one.change.value)} ({_range(one.change)})",
            _chance(one.adjusted),
            f"{100 * one.detectable:.1f}",
            one.verdict,
        ]


def _standing_row(one: Standing) -> list[str]:
    gap = one.gap.change
    return [
        one.name,
        f"{one.clean.value:.3f}\n{one.clean.low:.3f} to {one.clean.high:.3f}",
        f"{one.benchmark.value:.3f}\n{one.benchmark.low:.3f} to {one.benchmark.high:.3f}",
        f"{_points(gap.value)} points\n{_range(gap)}",
    ]


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # + 0.0: no "-0.0"


def _range(score: Score) -> str:
    return f"{_points(score.low)} to {_points(score.high)}"


def _chance(p: float, equal: str = "") -> str:
    """A p-value, in three digits."""
    return "< 0.001" if p < 0.001 else f"{equal.lstrip()}{p:.3f}"


def _standing_document(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "sha256": one.sha256,
        "clean": score_document(one.clean),
        "benchmark": score_document(one.benchmark),
        "gap": difference_document(one.gap),
    }


def _pair_document(pair: Pair) -> dict[str, Any]:
    return {
        "base": pair.base,
        "submission": pair.name,
        "alpha": ALPHA,
        "benchmark": difference_document(pair.benchmark),
        "clean": difference_document(pair.clean),
        "families": {one.name: difference_document(one) for one in pair.families},
    }


def score_document(score: Score) -> dict[str, Any]:
    """An accuracy for JSON."""
    return {"accuracy": score.value, "interval": [score.low, score.high], "n": score.n}


def difference_document(one: Difference) -> dict[str, Any]:
    """A difference for JSON."""
    return {
        "from": one.base,
        "to": one.other,
        "change": one.change.value,
        "interval": [one.change.low, one.change.high],
        "n": one.change.n,
        "p": one.p,
        "p_holm": one.adjusted,
        "detectable": one.detectable,
        "verdict": one.verdict,
    }


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(cleaned(text))}</p>"


def _table(title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cleaned(name))}</th>' for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{html.escape(cleaned(title))}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: str) -> str:
    return html.escape(cleaned(value, keep="\n")).replace("\n", "<br>")

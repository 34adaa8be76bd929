"""The board's drawings: local figures against each other and the leaderboard, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from evaluator.board.result import Board, Row
from evaluator.metrics import Score
from evaluator.report import svg
from evaluator.report.markup import Node, paragraph, tag, with_range
from evaluator.report.past_scores import ScorePlace, bias, scatter_legend, score_chart

_WIDTH, _HEIGHT = 392, 362
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 378, 10, 318
_LONG, _LOW, _LOW_BOTTOM = 760, 250, 216  # of the drawing over time
_DAYS = 86_400.0
_FEWEST_DATES = 3  # with fewer there is no progress to see


def against_leaderboard(board: Board) -> list[Node]:
    """Validation and benchmark against recorded scores; a sentence where none is recorded."""
    found = [place for row in board.rows if (place := _place(row))]
    if not found:
        nothing = (
            f"No ranked submission has a score of phase {board.source.phase!r} yet: "
            "local-eval record ZIP --score 0.89"
        )
        return [paragraph(nothing)]
    return [svg.legend(scatter_legend(found)), score_chart(found), paragraph(bias(found), "soft")]


def clean_against_benchmark(rows: Sequence[Row]) -> list[Node]:
    """Each submission's two local figures: what lies low is fragile for how good it is."""
    pairs = [(row, row.clean, row.benchmark) for row in rows if row.clean and row.benchmark]
    if not pairs:
        return [paragraph("No submission is ranked, so there is nothing to draw.")]
    x = svg.around([v for _, s, _ in pairs for v in (s.low, s.high)], _LEFT, _RIGHT, odds=True)
    y = svg.around([v for _, _, s in pairs for v in (s.low, s.high)], _BOTTOM, _TOP, odds=True)
    low, high = max(x.low, y.low), min(x.high, y.high)
    drawn: list[Node] = [*svg.ticks_across(x, _TOP, _BOTTOM, _BOTTOM + 14)]
    drawn += svg.ticks_beside(y, _LEFT, _RIGHT)
    if low < high:
        drawn.append(svg.line(x(low), y(low), x(high), y(high), "equal"))
    drawn += _axes("clean accuracy", "benchmark accuracy")
    for row, clean, damaged in pairs:
        drawn += _cross(row, clean, damaged, x, y)
    said = f"Clean against benchmark accuracy of {len(pairs)} submissions"
    key = svg.legend(
        ((svg.square(9, 7), "a submission, 95 %"), (svg.line(0, 12, 18, 2, "equal"), "no loss"))
    )
    return [key, svg.Drawing(_WIDTH, _HEIGHT, said, tuple(drawn))]


def progress(board: Board) -> list[Node]:
    """Leaderboard scores by their dates, the best so far, and the benchmark beside them."""
    found = [(when, row) for row in board.rows if (when := _when(row)) is not None]
    dated = [(when, row) for when, row in found if row.benchmark or row.score]
    dated.sort(key=lambda one: one[0])
    if len({when for when, _ in dated}) < _FEWEST_DATES:
        return [paragraph("Too few dates yet: progress needs submissions of three days or more.")]
    values = [v for _, row in dated for v in _values(row)]
    across = svg.Scale(dated[0][0], dated[-1][0], _LEFT, _LONG - 14)
    up = svg.around(values, _LOW_BOTTOM, _TOP)
    drawn: list[Node] = [*svg.ticks_beside(up, _LEFT, _LONG - 14), *_days(across)]
    for name, class_ in (("benchmark", "hurtbest"), ("score", "scorebest")):
        drawn += _best_so_far(dated, name, class_, across, up)
    for when, row in dated:
        drawn += _at(row, across(when), up)
    key = svg.legend(
        (
            (svg.square(9, 7), "benchmark"),
            (svg.tick(9, 7), "leaderboard score"),
            (svg.line(0, 7, 18, 7, "scorebest"), "best score so far"),
            (svg.line(0, 7, 18, 7, "hurtbest"), "best benchmark so far"),
        )
    )
    said = f"Benchmark and leaderboard scores of {len(dated)} submissions over time"
    return [key, tag("div", svg.Drawing(_LONG, _LOW, said, tuple(drawn)), class_="scroll long")]


def interval_bar(clean: Score, damaged: Score, scale: svg.Scale) -> svg.Drawing:
    """A row's benchmark with its interval, and the clean figure beside it."""
    drawn = (
        svg.line(0, 11, 150, 11, "grid"),
        svg.across(scale(damaged.low), scale(damaged.high), 11, "hurtbar"),
        svg.disc(scale(clean.value), 11),
        svg.square(scale(damaged.value), 11),
    )
    said = f"benchmark {with_range(damaged)}, clean {clean.value:.3f}"
    return svg.Drawing(150, 22, said, drawn)


def _place(row: Row) -> ScorePlace | None:
    if not (row.score and row.clean and row.benchmark):
        return None
    local = {"validation": row.clean, "benchmark": row.benchmark}
    value = row.score.value
    return ScorePlace(row.name, local, value, value, value, known=True)


def _axes(across: str, upright: str) -> list[Node]:
    middle = (_TOP + _BOTTOM) / 2
    return [
        svg.text((_LEFT + _RIGHT) / 2, _HEIGHT - 6, across, "quiet", "middle"),
        tag(
            "text",
            upright,
            x=11,
            y=middle,
            class_="quiet",
            text_anchor="middle",
            transform=f"rotate(-90 11 {middle})",
        ),
    ]


def _cross(row: Row, clean: Score, damaged: Score, x: svg.Scale, y: svg.Scale) -> list[Node]:
    at, up = x(clean.value), y(damaged.value)
    said = f"{row.name}: clean {with_range(clean)}, benchmark {with_range(damaged)}"
    return [
        svg.across(x(clean.low), x(clean.high), up, "cleanbar faintbar"),
        svg.line(at, y(damaged.low), at, y(damaged.high), "hurtbar faintbar"),
        svg.square(at, up, said),
    ]


def _when(row: Row) -> float | None:
    """Seconds since 1970: of its score's date, else when it was first seen."""
    text = row.score.date if row.score and row.score.date else row.seen
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _values(row: Row) -> list[float]:
    found = [row.benchmark.value] if row.benchmark else []
    return [*found, row.score.value] if row.score else found


def _days(scale: svg.Scale) -> list[Node]:
    """First, middle and last day."""
    drawn: list[Node] = []
    places = (("start", 0.0), ("middle", 0.5), ("end", 1.0))
    for anchor, share in places:
        at = scale.low + share * (scale.high - scale.low)
        day = datetime.fromtimestamp(at, UTC).date().isoformat()
        drawn.append(svg.line(scale(at), _LOW_BOTTOM, scale(at), _TOP, "grid"))
        drawn.append(svg.text(scale(at), _LOW - 14, day, "tick", anchor))
    return drawn


def _best_so_far(
    dated: Sequence[tuple[float, Row]], name: str, class_: str, across: svg.Scale, up: svg.Scale
) -> list[Node]:
    """Steps through the best values up to each date; nothing where fewer than two are known."""
    points: list[tuple[float, float]] = []
    for when, row in dated:
        value = getattr(row, name)
        if value is not None:
            best = max(value.value, points[-1][1]) if points else value.value
            points.append((when, best))
    if len(points) < 2:
        return []
    steps = [(across(points[0][0]), up(points[0][1]))]
    for (_, before), (when, best) in pairwise(points):
        steps += [(across(when), up(before)), (across(when), up(best))]
    return [svg.path(steps, class_)]


def _at(row: Row, x: float, up: svg.Scale) -> list[Node]:
    drawn: list[Node] = []
    if row.benchmark:
        said = f"{row.name}: benchmark {with_range(row.benchmark)}"
        drawn.append(svg.square(x, up(row.benchmark.value), said))
    if row.score:
        said = f"{row.name}: score {row.score.text}"
        box = svg.rectangle(x - 1.5, up(row.score.value) - 8, 3, 16, "mark")
        drawn.append(svg.titled(said, box))
    return drawn

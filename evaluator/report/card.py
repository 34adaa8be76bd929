"""The headline card: the score to expect, and what that rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from codabench_rehearsal.console.words import counted
from evaluator.estimate.beliefs import Belief
from evaluator.estimate.estimate import Estimate
from evaluator.estimate.words import chance
from evaluator.metrics import Score
from evaluator.report.axes import Mark, Scale, across, below, diamond, disc, square, tick
from evaluator.report.lettering import QUIET, width_of
from evaluator.report.result import Report
from evaluator.report.tags import Node, Tag, line, paragraph, rectangle, section, svg, tag, text
from evaluator.report.terminal import UNSEEN

_WIDTH = 400
_REGIMES = {
    "uncalibrated": ("uncalibrated", "warning"),
    "offset": ("calibrated by an offset", "note"),
    "shift matching": ("calibrated by shift matching", "good"),
}
_WHY = {
    "uncalibrated": (
        "Uncalibrated: no leaderboard score is recorded, so this is only how far hidden mixtures of "
        "our conditions may lie apart. Record one: local-eval record ZIP --score 0.89"
    ),
    "offset": "From 4 past scores on the estimate also learns which damage the hidden images show.",
    "shift matching": "",
}


def card(report: Report) -> Tag:
    """The first thing that a reader sees."""
    return tag(
        "section",
        tag("div", tag("div", *_left(report)), tag("div", *_right(report)), class_="headline"),
    )


def basis(report: Report) -> list[Tag]:
    """What the estimate takes for granted, and which damage past scores speak for."""
    found = report.estimate
    if found is None:
        return []
    assumed = tag("ul", *(tag("li", said) for said in found.assumed))
    parts: list[Node] = [tag("div", tag("h3", "What it takes for granted"), assumed)]
    if found.consistent_with:
        parts.append(tag("div", *_beliefs(found.consistent_with)))
    return [section("What the estimate rests on", tag("div", *parts, class_="pair"))]


def _beliefs(found: Sequence[Belief]) -> list[Node]:
    items = (
        tag("li", f"{'more' if one.after > one.before else 'less'} ", tag("b", one.name),
            f": {one.after:.1%} of the hidden images rather than {one.before:.1%}".replace("%", " %"))
        for one in found
    )  # fmt: skip
    return [
        tag("h3", "What past scores are consistent with"),
        tag("ul", *items),
        paragraph("Other mixtures would explain the scores as well.", "soft"),
    ]


def _left(report: Report) -> list[Node]:
    found = report.estimate
    if report.scores is None:
        return [
            tag("p", "No score", class_="kicker"),
            tag("p", "No answer", class_="big error"),
            paragraph("The submission did not answer; the findings below say why."),
        ]
    if found is None:
        return _local(report)
    decimals = decimals_for(found.low, found.high)
    name, kind = _REGIMES[found.regime]
    why = [paragraph(_WHY[found.regime], "soft")] if _WHY[found.regime] else []
    return [
        tag("h2", f"Expected hidden score{mark(report)}"),
        tag("p", f"{found.median:.{decimals}f}", class_="big"),
        tag("p", f"90 % between {span(found.low, found.high, decimals, 'and')}", class_="range"),
        tag("p", tag("span", name, class_=f"badge {kind}")),
        *why,
    ]


def _local(report: Report) -> list[Node]:
    """Without an estimate: the benchmark's own figure, and no word about the hidden score."""
    assert report.scores is not None  # noqa: S101 - `_left` has looked
    figure = report.scores.benchmark.accuracy
    return [
        tag("h2", f"Benchmark accuracy{mark(report)}"),
        tag("p", f"{figure.value:.3f}", class_="big"),
        tag("p", f"95 % between {span(figure.low, figure.high, word='and')}", class_="range"),
        paragraph(
            "No estimate was made in this run: this is a local figure, no forecast of the hidden score.",
            "soft",
        ),
    ]


def _right(report: Report) -> list[Node]:
    rows = [*_forecast_rows(report), *_local_rows(report)]
    facts = tag("dl", *(part for row in rows for part in row), class_="stack")
    found = report.estimate
    return [_strip(report, found), facts] if found and report.scores else [facts]


def _forecast_rows(report: Report) -> list[tuple[Tag, Tag]]:
    found = report.estimate
    if found is None or report.scores is None:
        return []
    rows = [_row("Past scores used", f"{found.past}")]
    if found.error is not None:
        said = f"{100 * found.error:.1f} points, each past score predicted from the others"
        widened = f"; interval widened {found.widened:.2f} times" if found.widened > 1 else ""
        rows.append(_row("Error so far", said + widened))
    if found.best is not None and found.beats_best is not None:
        rows.append(
            _row(f"Beats your best ({_best(report)})", f"{chance(found.beats_best)} chance")
        )
    else:
        rows.append(_row("Beats your best", "no past score to beat"))
    return rows


def _local_rows(report: Report) -> list[tuple[Tag, Tag]]:
    scores = report.scores
    if scores is None:
        return [_row("Submission", report.source.path), _row("Benchmark", report.source.preset)]
    sign = mark(report)
    rows = [
        _row(f"Validation, clean{sign}", with_range(scores.validation.accuracy)),
        _row(f"Benchmark {report.source.preset}{sign}", with_range(scores.benchmark.accuracy)),
        _row(f"Gap{sign}", with_range(scores.gap)),
    ]
    if report.source.metric != "accuracy":
        shown = (scores.validation.score, scores.benchmark.score)
        both = f"{with_range(shown[0])} clean, {with_range(shown[1])} benchmark"
        rows.append(_row(f"{_first_up(report.source.metric)}{sign}", both))
    images = counted(scores.validation.accuracy.n, "image")
    return [*rows, _row("Based on", f"{images}, {scores.answers:,} answers; 95 % intervals")]


def _row(name: str, said: str) -> tuple[Tag, Tag]:
    return tag("dt", name), tag("dd", said)


def _best(report: Report) -> str:
    """The best past score as the platform showed it."""
    found = report.estimate
    assert found is not None  # noqa: S101 - only asked with an estimate
    shown = [line.decimals for line in report.past if line.score == found.best]
    decimals = shown[0] if shown and shown[0] is not None else 3
    return f"{found.best:.{decimals}f}"


def _strip(report: Report, found: Estimate) -> Tag:
    """The interval on a line, with the local figures and the best past score above it."""
    assert report.scores is not None  # noqa: S101 - only drawn with scores
    clean, hurt = (
        part.accuracy.value for part in (report.scores.validation, report.scores.benchmark)
    )
    marks: list[tuple[float, str, Mark]] = [
        (hurt, "benchmark", square),
        (clean, "validation", disc),
    ]
    if found.best is not None:
        marks.append((found.best, "your best", tick))
    values = [found.low, found.high, *(value for value, _, _ in marks)]
    scale = Scale(max(0.0, min(values) - 0.03), min(1.0, max(values) + 0.03), 16, _WIDTH - 16)
    low, high = scale(found.low), scale(found.high)
    drawn = [
        *below(scale, 84, 78),
        line(16, 72, _WIDTH - 16, 72, "axis"),
        rectangle(low, 64, high - low, 16, "forecast-area"),
        across(low, high, 72, "forecast"),
        *(line(x, 64, x, 80, "forecast") for x in (low, high)),
        diamond(scale(found.median), 72),
        *_labelled([(scale(value), name, mark) for value, name, mark in marks]),
    ]
    said = (
        f"Expected {found.median:.3f}, 90 % between {found.low:.3f} and {found.high:.3f}; "
        + ", ".join(f"{name} {value:.3f}" for value, name, _ in marks)
    )
    return svg(_WIDTH, 104, said, *drawn)


def _labelled(marks: list[tuple[float, str, Mark]]) -> list[Node]:
    """Marks above the line; labels that would touch go to lines of their own."""
    leaders: list[Node] = []
    drawn: list[Node] = []
    ends = [-math.inf] * 3
    for x, name, shape in sorted(marks, key=lambda mark: mark[0]):
        half = width_of(name, QUIET) / 2 + 3
        middle = min(max(x, half), _WIDTH - half)
        level = next(i for i, end in enumerate(ends) if middle - half > end or i == len(ends) - 1)
        ends[level] = middle + half
        y = 38 - 15 * level
        leaders.append(line(x, y + 4, x, 50, "grid"))
        drawn += [text(middle, y, name, "quiet over", "middle"), shape(x, 52)]
    return [*leaders, *drawn]


def _first_up(said: str) -> str:
    return said[:1].upper() + said[1:]


# How figures are written on the page.


_FINE = 0.02  # intervals narrower than this deserve a third decimal


def with_range(score: Score, decimals: int = 3) -> str:
    """0.871 (0.850 to 0.890)."""
    return f"{score.value:.{decimals}f} ({span(score.low, score.high, decimals)})"


def span(low: float, high: float, decimals: int = 3, word: str = "to") -> str:
    """0.850 to 0.890."""
    return f"{low:.{decimals}f} {word} {high:.{decimals}f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    rounded = round(100 * difference, 1) + 0.0  # no minus before nothing
    return f"{rounded:+.1f}".replace("-", "\u2212")


def points_with_range(score: Score) -> str:
    """2.3 points (1.1 to 3.4)."""
    low, value, high = (
        f"{100 * v:.1f}".replace("-", "\u2212") for v in (score.low, score.value, score.high)
    )
    return f"{value} points ({low} to {high})"


def decimals_for(low: float, high: float) -> int:
    """As many decimals as the interval supports."""
    return 2 if high - low >= _FINE else 3


def mark(report: Report) -> str:
    """What follows the headings of figures on images that may have been trained on."""
    return f" {UNSEEN}" if report.source.split == "unknown" else ""

"""The headline card: the score to expect, and what that rests on."""

from __future__ import annotations

import math

from codabench_rehearsal.console.words import counted
from evaluator.estimate.estimate import Estimate
from evaluator.metrics import Scores
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import QUIET, width_of
from evaluator.report.markup import (
    Node,
    Tag,
    decimals_for,
    paragraph,
    section,
    span,
    tag,
    with_range,
)
from evaluator.report.terminal import chance

_WIDTH = 400
_REGIMES = {  # name, colour, why
    "uncalibrated": (
        "uncalibrated",
        "warning",
        (
            "Uncalibrated: no leaderboard score is recorded, so this is only how far hidden "
            "mixtures of our conditions may lie apart. Record one: "
            "local-eval record ZIP --score 0.89"
        ),
    ),
    "offset": (
        "calibrated by an offset",
        "note",
        "From 4 past scores on the estimate also learns which damage the hidden images show.",
    ),
    "shift matching": ("calibrated by shift matching", "good", ""),
}


def card(report: Evaluation) -> Tag:
    """The first thing that a reader sees."""
    found, scores = report.estimate, report.scores
    facts = tag("dl", *_facts(report), class_="stack")
    strip = (_strip(found, scores),) if found and scores else ()
    halves = tag("div", *_headline(report)), tag("div", *strip, facts)
    return tag("section", tag("div", *halves, class_="headline"))


def basis(report: Evaluation) -> list[Tag]:
    """What the estimate takes for granted, and which damage past scores speak for."""
    found = report.estimate
    if found is None:
        return []
    assumed = tag("ul", *(tag("li", said) for said in found.assumed))
    parts: list[Node] = [tag("div", tag("h3", "What it takes for granted"), assumed)]
    if found.consistent_with:
        parts.append(_beliefs(found))
    return [section("What the estimate rests on", tag("div", *parts, class_="pair"))]


def _beliefs(found: Estimate) -> Tag:
    items = []
    for one in found.consistent_with:
        shares = f"{one.after:.1%} of the hidden images rather than {one.before:.1%}"
        change = "more " if one.after > one.before else "less "
        items.append(tag("li", change, tag("b", one.name), f": {shares}".replace("%", " %")))
    return tag(
        "div",
        tag("h3", "What past scores are consistent with"),
        tag("ul", *items),
        paragraph("Other mixtures would explain the scores as well.", "soft"),
    )


def _headline(report: Evaluation) -> list[Node]:
    found = report.estimate
    if report.scores is None:
        return [
            paragraph("No score", "kicker"),
            paragraph("No answer", "big error"),
            paragraph("The submission did not answer; the findings below say why."),
        ]
    if found is None:
        figure = report.scores.benchmark.accuracy
        return [
            tag("h2", f"Benchmark accuracy{report.mark}"),
            paragraph(f"{figure.value:.3f}", "big"),
            paragraph(f"95 % between {span(figure.low, figure.high, word='and')}", "range"),
            paragraph(
                "No estimate was made in this run: this is a local figure, no forecast of the "
                "hidden score.",
                "soft",
            ),
        ]
    decimals = decimals_for(found.low, found.high)
    name, kind, why = _REGIMES[found.regime]
    return [
        tag("h2", f"Expected hidden score{report.mark}"),
        paragraph(f"{found.median:.{decimals}f}", "big"),
        paragraph(f"90 % between {span(found.low, found.high, decimals, 'and')}", "range"),
        tag("p", tag("span", name, class_=f"badge {kind}")),
        *([paragraph(why, "soft")] if why else []),
    ]


def _facts(report: Evaluation) -> list[Tag]:
    found, scores, preset = report.estimate, report.scores, report.source.preset
    if scores is None:
        facts = {"Submission": report.source.path, "Benchmark": preset}
    else:
        facts = _forecast_facts(report, found) if found else {}
        facts |= _local_facts(report, scores)
    return [part for name, said in facts.items() for part in (tag("dt", name), tag("dd", said))]


def _forecast_facts(report: Evaluation, found: Estimate) -> dict[str, str]:
    facts = {"Past scores used": f"{found.past}"}
    if found.error is not None:
        widened = f"; interval widened {found.widened:.2f} times" if found.widened > 1 else ""
        missed = f"{100 * found.error:.1f} points, each past score predicted from the others"
        facts["Error so far"] = missed + widened
    if found.best is None or found.beats_best is None:
        return facts | {"Beats your best": "no past score to beat"}
    shown = [past.decimals for past in report.past if past.score == found.best]
    decimals = shown[0] if shown and shown[0] is not None else 3
    best = f"Beats your best ({found.best:.{decimals}f})"
    return facts | {best: f"{chance(found.beats_best)} chance"}


def _local_facts(report: Evaluation, scores: Scores) -> dict[str, str]:
    clean, hurt, sign = scores.validation, scores.benchmark, report.mark
    facts = {
        f"Validation, clean{sign}": with_range(clean.accuracy),
        f"Benchmark {report.source.preset}{sign}": with_range(hurt.accuracy),
        f"Gap{sign}": with_range(scores.gap),
    }
    metric = report.source.metric
    if metric != "accuracy":
        both = f"{with_range(clean.score)} clean, {with_range(hurt.score)} benchmark"
        facts[f"{metric[:1].upper()}{metric[1:]}{sign}"] = both
    images = counted(clean.accuracy.n, "image")
    return facts | {"Based on": f"{images}, {scores.answers:,} answers; 95 % intervals"}


def _strip(found: Estimate, scores: Scores) -> svg.Drawing:
    """The interval on a line, with the local figures and the best past score above it."""
    marks: list[tuple[float, str, svg.Mark]] = [
        (scores.benchmark.accuracy.value, "benchmark", svg.square),
        (scores.validation.accuracy.value, "validation", svg.disc),
    ]
    if found.best is not None:
        marks.append((found.best, "your best", svg.tick))
    values = [found.low, found.high, *(value for value, _, _ in marks)]
    scale = svg.Scale(max(0.0, min(values) - 0.03), min(1.0, max(values) + 0.03), 16, _WIDTH - 16)
    low, high = scale(found.low), scale(found.high)
    expected = f"Expected {found.median:.3f}, 90 % between {span(found.low, found.high, 3, 'and')}"
    said = ", ".join(f"{name} {value:.3f}" for value, name, _ in marks)
    return svg.Drawing(
        _WIDTH,
        104,
        f"{expected}; {said}",
        (
            *svg.ticks_across(scale, 78, 84, 98),
            svg.line(16, 72, _WIDTH - 16, 72, "axis"),
            svg.rectangle(low, 64, high - low, 16, "forecast-area"),
            svg.across(low, high, 72, "forecast"),
            *(svg.line(x, 64, x, 80, "forecast") for x in (low, high)),
            svg.diamond(scale(found.median), 72),
            *_labelled([(scale(value), name, mark) for value, name, mark in marks]),
        ),
    )


def _labelled(marks: list[tuple[float, str, svg.Mark]]) -> list[Node]:
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
        leaders.append(svg.line(x, y + 4, x, 50, "grid"))
        drawn += [svg.text(middle, y, name, "quiet over", "middle"), shape(x, 52)]
    return [*leaders, *drawn]

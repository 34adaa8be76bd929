"""The first thing that a reader of the page sees: what score to expect, or what is known."""

from __future__ import annotations

import math

from codabench_rehearsal.console.words import counted
from evaluator.estimate.result import Estimate
from evaluator.metrics import Scores
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.expected import (
    baseline_first,
    chance,
    collapse,
    condition,
    evidence,
    is_open,
    likeliest,
    otherwise,
)
from evaluator.report.lettering import QUIET, width_of
from evaluator.report.markup import Node, Tag, decimals_for, paragraph, span, tag, with_range

_WIDTH = 400
_MOST_DECIMALS = 4  # of a score that a site gave whole
_REGIMES = {  # name, colour
    "uncalibrated": ("uncalibrated", "warning"),
    "few scores": ("few scores", "note"),
    "calibrated": ("calibrated", "good"),
}
_FIRST = "The first score narrows it most, after the upload: local-eval record ZIP --score 0.89."


def card(report: Evaluation) -> Tag:
    """The first thing that a reader sees."""
    found, scores = report.estimate, report.scores
    facts = tag("dl", *_facts(report), class_="stack")
    strip = (_strip(found, scores),) if found and scores else ()
    halves = tag("div", *_headline(report)), tag("div", *strip, facts)
    return tag("section", tag("div", *halves, class_="headline"))


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
    if is_open(found):
        return _open(report, report.scores, found)
    decimals = decimals_for(found.low, found.high)
    name, kind = _REGIMES[found.regime]
    believed = likeliest(found)
    if not found.past:
        name = f"believed: {believed.belief}" if believed.belief else "not believed to be anything"
    return [
        tag("h2", f"Expected hidden score{report.mark}"),
        paragraph(f"{found.median:.{decimals}f}", "big"),
        paragraph(f"90 % between {span(found.low, found.high, decimals, 'and')}", "range"),
        tag("p", tag("span", name, class_=f"badge {kind}")),
        *(paragraph(said, "soft") for said in _why(found, report.source.phase)),
    ]


def _why(found: Estimate, phase: str) -> list[str]:
    if found.past:
        more = "From 4 past scores on it is checked on them, each predicted from the others."
        return [*evidence(found), *([more] if found.regime == "few scores" else [])]
    when = condition(likeliest(found))
    return [f"{when[0].upper()}{when[1:]}.", *otherwise(found), _FIRST, baseline_first(phase)]


def _open(report: Evaluation, scores: Scores, found: Estimate) -> list[Node]:
    """Nothing is known of the hidden set: what is known leads, and the range is a footnote."""
    damaged = scores.benchmark.accuracy
    reach = f"The hidden score may lie between {span(found.low, found.high, 2, 'and')} (90 %)"
    return [
        tag("h2", f"On damaged images{report.mark}"),
        paragraph(f"{damaged.value:.2f}", "big"),
        paragraph(f"{collapse(scores)}.", "range"),
        tag("p", tag("span", *_REGIMES[found.regime][:1], class_="badge warning")),
        paragraph(f"{reach}: so far apart are hidden sets of such images. {_FIRST}", "soft"),
        paragraph(baseline_first(report.source.phase), "soft"),
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
        own = " of your own" if found.past else ""
        return facts | {"Beats your best": f"no past score{own} to beat"}
    shown = [past.decimals for past in report.past if past.mine and past.score == found.best]
    decimals = min(shown[0], _MOST_DECIMALS) if shown and shown[0] is not None else 3
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
    others = [] if found.past else [one for one in found.parts if one is not likeliest(found)]
    ranges = [(found.low, found.high), *((one.low, one.high) for one in others)]
    values = [*(end for one in ranges for end in one), *(value for value, _, _ in marks)]
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
            *(part for one in others for part in _beside(scale(one.low), scale(one.high))),
            svg.rectangle(low, 64, high - low, 16, "forecast-area"),
            svg.across(low, high, 72, "forecast"),
            *(svg.line(x, 64, x, 80, "forecast") for x in (low, high)),
            svg.diamond(scale(found.median), 72),
            *_labelled([(scale(value), name, mark) for value, name, mark in marks]),
        ),
    )


def _beside(low: float, high: float) -> list[Node]:
    """The range of a part that is not in the headline: flatter, and thin at its ends."""
    ends = [svg.line(x, 66, x, 78, "axis") for x in (low, high)]
    return [svg.rectangle(low, 68, high - low, 8, "forecast-area"), *ends]


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

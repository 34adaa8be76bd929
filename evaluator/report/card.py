"""The first thing that a reader of the page sees: a verdict, and the figures that it rests on.

What score to expect leads where a belief or past scores say something of the hidden set; else what
corruption does leads, and how far hidden sets differ is a footnote.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.estimate.inputs import MATCHING
from evaluator.estimate.result import Estimate
from evaluator.metrics import Score, Scores
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.expected import (
    baseline_first,
    chance,
    collapse,
    condition,
    evidence,
    headline,
    is_open,
    likeliest,
    otherwise,
    sure,
)
from evaluator.report.lettering import QUIET, width_of
from evaluator.report.markup import (
    Node,
    Tag,
    command,
    decimals_for,
    facts,
    large,
    lost_points,
    paragraph,
    span,
    tag,
    with_range,
)
from submission.findings import Severity

ORDER: tuple[Severity, ...] = ("error", "warning", "note")  # of findings
_WIDTH = 400
_MOST_DECIMALS = 4  # of a score that a site gave whole
_REGIMES = {  # name, colour; without any past score the belief is named
    "few scores": ("few past scores", "note"),
    "calibrated": ("tested on past scores", "good"),
}
_FIRST = "Your first score on the leaderboard narrows it most: local-eval record ZIP --score 0.89."


def card(report: Evaluation) -> Tag:
    """The first thing that a reader sees: a verdict, its figures, and where they come from."""
    found, scores = report.estimate, report.scores
    led = found if found and scores and not is_open(found) else None
    parts: list[Node] = [tag("h2", f"{verdict(report)}{report.mark}", class_="verdict")]
    if scores:
        parts += _but(report)
        figures = (*(_forecast(led) if led else ()), *_collapse(report, scores))
        parts.append(tag("div", *figures, class_="figures"))
    parts.append(_below(report, led))
    return tag("section", *parts, _found(report), facts(_origin(report), "origin"), class_="card")


def _but(report: Evaluation) -> list[Node]:
    """What makes the figures worthless: the platform would not come to them."""
    errors = sum(finding.severity == "error" for finding in report.findings)
    if not errors:
        return []
    link = tag("a", counted(errors, "error"), href="#error")
    said = ": the platform would fail this zip, or score it wrongly. Mend that before the upload."
    return [tag("p", tag("b", link, said), class_="error")]


def _below(report: Evaluation, led: Estimate | None) -> Tag:
    """Words beside a drawing and further facts, as far as there are any."""
    words = [paragraph(report.say(said), "soft") for said in _why(report)]
    strip = [forecast_strip(led, report.scores)] if led and report.scores else []
    more = [facts(found)] if (found := _facts(report)) else []
    halves = (words, [*strip, *more]) if words else (strip, more)
    return tag("div", *(tag("div", *half) for half in halves if half), class_="headline")


def verdict(report: Evaluation) -> str:
    """The page in a sentence."""
    if report.scores is None:
        return "No score: the submission gave no answers. The findings say why."
    if report.estimate is None:
        return f"{collapse(report.scores)}."
    plain = tuple(replace(part, reason="") for part in report.estimate.parts)  # it stands below
    return headline(replace(report.estimate, parts=plain), report.scores)


def _forecast(found: Estimate) -> list[Node]:
    decimals = decimals_for(found.low, found.high)
    belief = likeliest(found).belief
    believed = f"believed: {belief}" if belief else "not believed to be anything"
    name, kind = _REGIMES.get(found.regime, (believed, "warning"))
    badge = tag("p", tag("span", name, class_=f"badge {kind}"))
    return [large("Expected hidden score", f"{found.median:.{decimals}f}", sure(found), "", badge)]


def _collapse(report: Evaluation, scores: Scores) -> list[Node]:
    """Clean, corrupted, and what was lost, each with its interval."""
    clean, hurt, gap, sign = scores.validation, scores.benchmark, scores.gap, report.mark
    low, lost, high = map(lost_points, (gap.low, gap.value, gap.high))
    return [
        large(
            f"Accuracy, clean{sign}", f"{clean.accuracy.value:.2f}", _ends(clean.accuracy), "clean"
        ),
        large(
            f"Accuracy, corrupted ({report.source.preset}){sign}",
            f"{hurt.accuracy.value:.2f}",
            _ends(hurt.accuracy),
            "hurt",
        ),
        large(f"Points lost{sign}", lost, f"95 %: {low} to {high}"),
    ]


def _ends(score: Score) -> str:
    return f"95 %: {span(score.low, score.high)}"


def _why(report: Evaluation) -> list[str]:
    """What the figures rest on, and what would make them better."""
    found, phase = report.estimate, report.source.phase
    if report.scores is None:
        return []
    if found is None:
        return ["No estimate was made in this run: these are local figures, no forecast."]
    if is_open(found):
        reach = (
            f"The hidden score may be anywhere {sure(found)}: nothing is known of the hidden set"
        )
        return [f"{reach}. {_FIRST}", baseline_first(phase)]
    if found.past:
        more = (
            f"With {MATCHING} past scores or more the range also widens where the estimate misses "
            "them, each predicted from the others."
        )
        return [*evidence(found), *([more] if found.regime == "few scores" else [])]
    when = condition(likeliest(found))
    return [f"{when[0].upper()}{when[1:]}.", *otherwise(found), _FIRST, baseline_first(phase)]


def _facts(report: Evaluation) -> dict[str, Node]:
    found, scores = report.estimate, report.scores
    said: dict[str, Node] = {}
    if scores is None:
        return said
    if found and found.past:
        said |= _forecast_facts(report, found)
    metric = report.source.metric
    if metric != "accuracy":
        clean, hurt = scores.validation.score, scores.benchmark.score
        both = f"{with_range(clean)} clean, {with_range(hurt)} benchmark"
        said[f"{metric[:1].upper()}{metric[1:]}{report.mark}"] = both
    return said


def _forecast_facts(report: Evaluation, found: Estimate) -> dict[str, Node]:
    said: dict[str, Node] = {"Past scores used": f"{found.past}"}
    if found.error is not None:
        widened = f"; range widened {found.widened:.2f} times" if found.widened > 1 else ""
        missed = f"{100 * found.error:.1f} points, each past score predicted from the others"
        said["Error so far"] = missed + widened
    if found.best is None or found.beats_best is None:
        return said | {"Beats your best": "no past score of your own to beat"}
    shown = [past.decimals for past in report.past if past.mine and past.score == found.best]
    decimals = min(shown[0], _MOST_DECIMALS) if shown and shown[0] is not None else 3
    best = f"Beats your best ({found.best:.{decimals}f})"
    return said | {best: f"{chance(found.beats_best)} chance"}


def _found(report: Evaluation) -> Tag:
    """How many findings of each kind there are, each a link to the first of them."""
    counts = Counter(finding.severity for finding in report.findings)
    badges = [
        tag("a", counted(counts[kind], kind), href=f"#{kind}", class_=f"badge {kind}")
        for kind in ORDER
        if counts[kind]
    ]
    told = [part for badge in badges for part in (" ", badge)] or [" none"]
    return tag("p", tag("a", "Findings", href="#findings"), ":", *told, class_="found")


def _origin(report: Evaluation) -> dict[str, Node]:
    """When, which zip, which images, which command."""
    source, scores = report.source, report.scores
    images = f"{counted(scores.validation.accuracy.n, 'image')} of " if scores else ""
    answers = f", {scores.answers:,} answers" if scores else ""
    return {
        **({"When": source.made} if source.made else {}),
        "Zip": f"{report.name}, {human_bytes(source.bytes)}, SHA-256 {source.sha256[:12]}",
        "Images": f"{images}{source.data}{answers}",
        "Command": command(source.command or "rehearsal.local_eval(...)"),
    }


def forecast_strip(found: Estimate, scores: Scores) -> svg.Drawing:
    """The interval on a line, with the local figures and the best past score above it."""
    marks: list[tuple[float, str, svg.Mark]] = [
        (scores.benchmark.accuracy.value, "benchmark", svg.square),
        (scores.validation.accuracy.value, "validation", svg.disc),
    ]
    marks.append((found.median, "expected", _down))
    if found.best is not None:
        marks.append((found.best, "your best", svg.tick))
    others = [] if found.past else [one for one in found.parts if one is not likeliest(found)]
    ranges = [(found.low, found.high), *((one.low, one.high) for one in others)]
    values = [*(end for one in ranges for end in one), *(value for value, _, _ in marks)]
    scale = svg.Scale(max(0.0, min(values) - 0.03), min(1.0, max(values) + 0.03), 16, _WIDTH - 16)
    low, high = scale(found.low), scale(found.high)
    ends = span(found.low, found.high, 3, "and")
    expected = f"Expected {found.median:.3f}, between {ends} (90 % sure)"
    said = ", ".join(f"{name} {value:.3f}" for value, name, mark in marks if mark is not _down)
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


def _down(x: float, y: float) -> Tag:
    """From a label to the diamond on the line."""
    return svg.line(x, y - 2, x, 63, "grid")


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

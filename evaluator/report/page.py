"""`report.html`: one self-contained file that needs no network and no script to be read.

In a notebook the same parts stand in one `<div>`, not in an `<iframe>`: a frame without a script
cannot grow to its content, nor know the notebook's theme, and Jupyter drops it from notebooks that
it does not trust. Styles stay under one class, and where a notebook drops them too, headings,
sentences and tables still read in order.
"""

from __future__ import annotations

import math

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.estimate.estimate import Estimate
from evaluator.metrics import Scores
from evaluator.report import svg
from evaluator.report.classes import classes, training
from evaluator.report.evaluation import Evaluation
from evaluator.report.gallery import gallery
from evaluator.report.grid import curve_section, heat_map
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
from evaluator.report.past_scores import history, scatter
from evaluator.report.svg import notebook_style, page_style
from evaluator.report.terminal import FIRST_LINES, chance
from submission.findings import Finding

_SEVERITIES = ("error", "warning", "note")
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


def to_page(report: Evaluation) -> str:
    """The report as an HTML file's text. Parts without data say what is missing."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{report.name}: dress rehearsal"),
        tag("link", rel="icon", href="data:,"),
        page_style(),
    )
    main = tag("main", *_body(report), class_="rehearsal")
    return "<!DOCTYPE html>\n" + str(tag("html", head, tag("body", main), lang="en")) + "\n"


def to_html(report: Evaluation) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return str(tag("div", notebook_style(), *_body(report), class_="rehearsal notebook"))


def card(report: Evaluation) -> Tag:
    """The first thing that a reader sees."""
    found, scores = report.estimate, report.scores
    facts = tag("dl", *_facts(report), class_="stack")
    strip = (_strip(found, scores),) if found and scores else ()
    halves = tag("div", *_headline(report)), tag("div", *strip, facts)
    return tag("section", tag("div", *halves, class_="headline"))


def _body(report: Evaluation) -> list[Node]:
    """What the page says, in order."""
    measured: list[Node] = []
    if report.scores is not None:
        measured = [
            scatter(report),
            *_basis(report),
            heat_map(report),
            curve_section(report),
            *classes(report),
            gallery(report),
            training(report),
        ]
    told = (_findings(report), history(report), _made(report))
    said = "Accuracies and shares are 0..1. Intervals are 95 %, those of expected scores 90 %."
    footer = tag("footer", paragraph(said))
    return [_header(report), card(report), _split(report), *measured, *told, footer]


def _header(report: Evaluation) -> Tag:
    source = report.source
    about = f"{source.sha256[:12]}, {human_bytes(source.bytes)}, benchmark {source.preset}"
    return tag(
        "header",
        paragraph(f"Dress rehearsal for {source.challenge}", "kicker"),
        tag("h1", report.name),
        paragraph(about, "soft"),
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


def _split(report: Evaluation) -> Tag:
    """The first line of every report: whether the model may have learnt these images."""
    notes = (paragraph(note, "soft") for note in report.source.notes)
    split = report.source.split
    return tag("div", paragraph(FIRST_LINES[split]), *notes, class_=f"split {split}")


def _basis(report: Evaluation) -> list[Tag]:
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


def _findings(report: Evaluation) -> Tag:
    if not report.findings:
        return section("Findings", paragraph("Nothing was found wrong with the submission."))
    found = sorted(report.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    return section("Findings", *map(_finding, found))


def _finding(one: Finding) -> Tag:
    badge = tag("span", f"{one.severity} {one.code}", class_=f"badge {one.severity}")
    parts: list[Node] = [tag("p", badge, " ", tag("b", one.message))]
    if one.advice:
        parts.append(paragraph(one.advice))
    if one.detail:
        parts.append(tag("pre", one.detail, tabindex=0))
    return tag("div", *parts, class_="finding")


def _made(report: Evaluation) -> Tag:
    """How the report was made: enough to repeat it."""
    source = report.source
    about = f": {source.description}" if source.description else ""
    limits = "; ".join(f"{name}: {how}" for name, how in report.limits.items())
    rows: dict[str, Node] = {
        "Command": tag("code", source.command or "evaluator.local_eval(...)"),
        "Submission": f"{source.path}, {human_bytes(source.bytes)}",
        "SHA-256": tag("code", source.sha256),
        "Challenge": f"{source.challenge}, metric: {source.metric}",
        "Images": f"{source.data}; fingerprint {source.fingerprint}",
        "Benchmark": f"{source.preset}{about}",
        "Seed": str(source.seed),
        **_sheets(report),
        "Versions": ", ".join(f"{n} {v}" for n, v in report.versions.items()) or "not loaded",
        "Time": _times(report),
        "Peak memory": human_bytes(report.peak_memory_bytes),
        "Limits": limits or "none was set",
        "Not checked": "the server's memory, time limit and packages",
    }
    parts = (part for name, said in rows.items() for part in (tag("dt", name), tag("dd", said)))
    return section("How this was made", tag("dl", *parts, class_="stack"))


def _sheets(report: Evaluation) -> dict[str, str]:
    """The answers behind the other parts of the page."""
    return {
        name: (
            f"{sheet.benchmark.preset.name}: "
            f"{counted(len(sheet.benchmark.conditions), 'condition')}, "
            f"{counted(len(sheet.benchmark.data), 'image')}, {len(sheet.questions):,} answers"
        )
        for name, sheet in (("Library", report.library), ("Sweep", report.sweep))
        if sheet is not None
    }


def _times(report: Evaluation) -> str:
    timing = report.timing
    return (
        f"start {timing.start_seconds:.1f} s, predict {timing.predict_seconds:.1f} s "
        f"({timing.seconds_per_thousand:.2f} s per 1,000 images, "
        f"{counted(report.blocks, 'call')}), in all {timing.total_seconds:.1f} s; "
        f"{report.asked:,} of the answers asked in this run, the others out of the store"
    )

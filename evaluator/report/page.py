"""`report.html`: one self-contained file that needs no network and no script to be read.

In a notebook the same parts stand in one `<div>`, not in an `<iframe>`: a frame without a script
cannot grow to its content, nor know the notebook's theme, and Jupyter drops it from notebooks that
it does not trust. Styles stay under one class, and where a notebook drops them too, headings,
sentences and tables still read in order.
"""

from __future__ import annotations

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.estimate.result import Estimate
from evaluator.report.augmentation import training
from evaluator.report.card import card
from evaluator.report.classes import classes
from evaluator.report.evaluation import Evaluation
from evaluator.report.gallery import gallery
from evaluator.report.grid import curve_section, heat_map
from evaluator.report.markup import (
    Node,
    Tag,
    paragraph,
    section,
    tag,
)
from evaluator.report.notebook import notebook_form, page_form
from evaluator.report.past_scores import history, scatter
from evaluator.report.robustness_page import robustness
from evaluator.report.terminal import FIRST_LINES
from submission.findings import Finding

_SEVERITIES = ("error", "warning", "note")


def to_page(report: Evaluation) -> str:
    """The report as an HTML file's text. Parts without data say what is missing."""
    return page_form(report.name, *_body(report))


def to_html(report: Evaluation) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return notebook_form(*_body(report))


def _body(report: Evaluation) -> list[Node]:
    """What the page says, in order."""
    measured: list[Node] = []
    if report.scores is not None:
        measured = [
            scatter(report),
            *_basis(report),
            heat_map(report),
            curve_section(report),
            *robustness(report),
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

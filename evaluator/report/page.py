"""`report.html`: one self-contained file that needs no network and no script to be read.

In a notebook the same parts stand in one `<div>`, not in an `<iframe>`: a frame without a script
cannot grow to its content, nor know the notebook's theme, and Jupyter drops it from notebooks that
it does not trust. Styles stay under one class, and where a notebook drops them too, headings,
sentences and tables still read in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files

from codabench_rehearsal.console.reading import parse_toml
from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.estimate.result import Estimate
from evaluator.report.augmentation import training
from evaluator.report.card import ORDER, card
from evaluator.report.classes import classes, losses
from evaluator.report.evaluation import UNSEEN, Evaluation
from evaluator.report.gallery import gallery
from evaluator.report.grid import curve_section, heat_map
from evaluator.report.markup import (
    Node,
    Part,
    Tag,
    anchored,
    contents,
    facts,
    folded_section,
    paragraph,
    placed,
    section,
    tag,
)
from evaluator.report.notebook import notebook_form, page_form
from evaluator.report.past_scores import history, scatter
from evaluator.report.robustness_page import robustness
from evaluator.report.tables import sorting_script
from evaluator.report.terminal import FIRST_LINES
from evaluator.report.worst import worst_conditions
from submission.findings import Finding

_TWINS = ("loss", "recall")  # side by side
ABOUT = (
    "This zip was run here on clean and on corrupted images, to see before the upload what score "
    "to expect."
)
WORDS: Mapping[str, str] = parse_toml(
    (files("evaluator.report") / "words.toml").read_text(encoding="utf-8")
)


def to_page(report: Evaluation) -> str:
    """The report as an HTML file's text. Parts without data say what is missing."""
    parts = list(_parts(report))
    title = f"{report.name} {report.source.sha256[:8]} {report.source.made[:10]}".rstrip()
    body = (*_first(report), contents(parts), *placed(parts, _TWINS), _last())
    return page_form(f"Dress rehearsal of {title}", *body, script=sorting_script())


def to_html(report: Evaluation) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return notebook_form(*_first(report), *placed(_parts(report), _TWINS), _last())


def _first(report: Evaluation) -> list[Node]:
    kicker = paragraph(f"Dress rehearsal for {report.source.challenge}", "kicker")
    about = paragraph(ABOUT, "soft")
    return [tag("header", kicker, tag("h1", report.name), about), card(report), _split(report)]


def _parts(report: Evaluation) -> Iterator[Part]:
    """What the page says, in order; what says nothing yet stands last, and folded."""
    findings = Part("findings", "Findings", _findings(report))
    broken = any(one.severity == "error" for one in report.findings)
    if broken:
        yield findings
    if report.past:
        yield Part("leaderboard", "Leaderboard", scatter(report))
    if report.scores is not None:
        yield from _measured(report)
    if not broken:
        yield findings
    if report.estimate is not None:
        yield Part("basis", "What it rests on", _basis(report.estimate))
    yield Part("history", "History", history(report))
    yield Part("made", "How it was made", _made(report))
    yield Part("words", "Words", _words(report))


def _measured(report: Evaluation) -> Iterator[Part]:
    names = ("recall", "Recall"), ("confusion", "Confusions")
    recall, *confusions = map(Part, *zip(*names, strict=True), classes(report))
    yield Part("loss", "Loss", losses(report))
    yield recall
    yield Part("advice", "What to train on", training(report))
    yield Part("worst", "Worst conditions", worst_conditions(report))
    yield Part("map", "Map", heat_map(report))
    yield Part("curves", "Curves", curve_section(report))
    yield from (Part(*one) for one in robustness(report))
    yield from confusions
    yield Part("gallery", "Pictures", gallery(report))


def _last() -> Tag:
    said = "Accuracies and shares are 0..1. Intervals are 95 %, those of expected scores 90 %."
    return tag("footer", paragraph(said))


def _split(report: Evaluation) -> Tag:
    """Whether the model may have learnt these images, and what is to be known of them."""
    notes = (paragraph(report.say(note), "soft") for note in report.source.notes)
    split = report.source.split
    if report.scores is None:
        return tag("div", *notes, class_="split")
    return tag("div", paragraph(report.say(FIRST_LINES[split])), *notes, class_=f"split {split}")


def _basis(found: Estimate) -> Tag:
    """What the estimate takes for granted, and which corruptions past scores speak for."""
    assumed = tag("ul", *(tag("li", said) for said in found.assumed))
    parts: list[Node] = [tag("div", tag("h3", "What it takes for granted"), assumed)]
    if found.consistent_with:
        parts.append(_beliefs(found))
    why = f"{counted(len(found.assumed), 'assumption')} that nobody confirmed"
    return folded_section("What the estimate rests on", why, tag("div", *parts, class_="pair"))


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
        paragraph("Other mixes would explain the scores as well.", "soft"),
    )


def _findings(report: Evaluation) -> Tag:
    if not report.findings:
        return section("Findings", paragraph("Nothing was found wrong with the submission."))
    found = sorted(report.findings, key=lambda finding: ORDER.index(finding.severity))
    firsts = {one.severity: one for one in reversed(found)}
    shown = (
        anchored(one.severity, _finding(one)) if firsts[one.severity] is one else _finding(one)
        for one in found
    )
    return section("Findings", *shown)


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
    why = "seed, versions, times, limits"
    return folded_section("How this was made", why, facts(rows))


def _words(report: Evaluation) -> Tag:
    """What the page's words mean, as the glossary says it: who got it by mail has no other."""
    said = {word: text for word, text in WORDS.items() if word != UNSEEN or report.mark}
    return folded_section("Words", "what they mean here", facts(said))


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
        f"{report.asked:,} of the answers were given in this run, the others kept from earlier ones"
    )

"""`report.html`: one self-contained file that needs no network and no script to be read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import PurePath

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.answers import Answers
from evaluator.report.card import basis, card
from evaluator.report.classes import classes, training
from evaluator.report.colors import DARK, DARK_HEAT, LIGHT, LIGHT_HEAT, heat_rules, variables
from evaluator.report.gallery import gallery
from evaluator.report.grid import curve_section, heat_map
from evaluator.report.past_scores import history, scatter
from evaluator.report.result import Report
from evaluator.report.tags import Node, Raw, Tag, paragraph, section, tag
from evaluator.report.terminal import FIRST_LINES
from submission.findings import Finding


def to_page(report: Report) -> str:
    """The report as an HTML file's text. Parts without data say what is missing."""
    name = PurePath(report.source.path).name
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{name}: dress rehearsal"),
        tag("link", rel="icon", href="data:,"),
        page_style(),
    )
    main = tag("main", *body(report), class_="rehearsal")
    return "<!DOCTYPE html>\n" + str(tag("html", head, tag("body", main), lang="en")) + "\n"


def body(report: Report) -> list[Node]:
    """What the page says, in order."""
    return [_header(report), card(report), _split(report), *_parts(report), _footer()]


def _parts(report: Report) -> list[Tag]:
    if report.scores is None:
        return [findings(report), history(report), made(report)]
    return [
        scatter(report),
        *basis(report),
        heat_map(report),
        curve_section(report),
        *classes(report),
        gallery(report),
        training(report),
        findings(report),
        history(report),
        made(report),
    ]


def _header(report: Report) -> Tag:
    source = report.source
    return tag(
        "header",
        paragraph(f"Dress rehearsal for {source.challenge}", "kicker"),
        tag("h1", PurePath(source.path).name),
        paragraph(
            f"{source.sha256[:12]}, {human_bytes(source.bytes)}, benchmark {source.preset}", "soft"
        ),
    )


def _split(report: Report) -> Tag:
    """The first line of every report: whether the model may have learnt these images."""
    lines = [paragraph(FIRST_LINES[report.source.split])]
    notes = [paragraph(note, "soft") for note in report.source.notes]
    return tag("div", *lines, *notes, class_=f"split {report.source.split}")


def _footer() -> Tag:
    said = "Accuracies and shares are 0..1. Intervals are 95 %, those of expected scores 90 %."
    return tag("footer", paragraph(said))


# A report inside a notebook: the page's parts in one `<div>`.
#
# Not in an `<iframe>`: a frame without a script cannot grow to its content, nor know the notebook's
# theme, and Jupyter drops it from notebooks that it does not trust. Styles stay under one class, and
# where a notebook drops them too, headings, sentences and tables still read in order.


def to_html(report: Report) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return str(tag("div", notebook_style(), *body(report), class_="rehearsal notebook"))


# Findings, and how the report was made: enough to repeat it.


_BADGES = {"error": "error", "warning": "warning", "note": "note"}


def findings(report: Report) -> Tag:
    """The section."""
    if not report.findings:
        return section("Findings", paragraph("Nothing was found wrong with the submission."))
    order = list(_BADGES)
    found = sorted(report.findings, key=lambda finding: order.index(finding.severity))
    return section("Findings", *(_finding(one) for one in found))


def made(report: Report) -> Tag:
    """The section: versions, seeds, limits, times, and the command."""
    source = report.source
    rows: list[tuple[str, Node]] = [
        ("Command", tag("code", source.command or "evaluator.local_eval(...)")),
        ("Submission", f"{source.path}, {human_bytes(source.bytes)}"),
        ("SHA-256", tag("code", source.sha256)),
        ("Challenge", f"{source.challenge}, metric: {source.metric}"),
        ("Images", f"{source.data}; fingerprint {source.fingerprint}"),
        ("Benchmark", _benchmark(report)),
        ("Seed", str(source.seed)),
        *_sheets(report),
        ("Versions", ", ".join(f"{n} {v}" for n, v in report.versions.items()) or "not loaded"),
        (
            "Time",
            _times(report),
        ),
        ("Peak memory", human_bytes(report.peak_memory_bytes)),
        ("Limits", _limits(report)),
        ("Not checked", "the server's memory, time limit and packages"),
    ]
    parts = (part for name, said in rows for part in (tag("dt", name), tag("dd", said)))
    return section("How this was made", tag("dl", *parts, class_="stack"))


def _finding(one: Finding) -> Tag:
    head = tag("p", tag("span", f"{one.severity} {one.code}", class_=f"badge {_BADGES[one.severity]}"),
               " ", tag("b", one.message))  # fmt: skip
    parts: list[Node] = [head]
    if one.advice:
        parts.append(paragraph(one.advice))
    if one.detail:
        parts.append(tag("pre", one.detail, tabindex=0))
    return tag("div", *parts, class_="finding")


def _benchmark(report: Report) -> str:
    about = report.source.description
    return f"{report.source.preset}: {about}" if about else report.source.preset


def _sheets(report: Report) -> list[tuple[str, Node]]:
    """The answers behind the other parts of the page."""
    named = (("Library", report.library), ("Sweep", report.sweep))
    return [
        (
            name,
            _about(sheet),
        )
        for name, sheet in named
        if sheet is not None
    ]


def _about(sheet: Answers) -> str:
    benchmark = sheet.benchmark
    return (
        f"{benchmark.preset.name}: {counted(len(benchmark.conditions), 'condition')}, "
        f"{counted(len(benchmark.data), 'image')}, {len(sheet.questions):,} answers"
    )


def _times(report: Report) -> str:
    timing = report.timing
    return (
        f"start {timing.start_seconds:.1f} s, predict {timing.predict_seconds:.1f} s "
        f"({timing.seconds_per_thousand:.2f} s per 1,000 images, "
        f"{counted(report.blocks, 'call')}), in all {timing.total_seconds:.1f} s; "
        f"{report.asked:,} of the answers asked in this run, the others out of the store"
    )


def _limits(report: Report) -> str:
    return "; ".join(f"{name}: {how}" for name, how in report.limits.items()) or "none was set"


# The page's style sheet: one file of rules, and the colours of a scheme before it.


# What notebooks set around an output in a dark theme: JupyterLab and nbconvert, VS Code, Colab.
_DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast",
    'html[theme="dark"]',
    '[data-theme="dark"]',
)


def page_style() -> Tag:
    """For a page of its own: the reader's system chooses the scheme; paper is light."""
    dark = f"@media screen and (prefers-color-scheme: dark){{.rehearsal{{{_dark()}}}}}"
    own = ":root{color-scheme:light dark}body{margin:0}.rehearsal{min-height:100vh}"
    return tag("style", Raw("\n".join([own, _light(), dark, _rules()])))


def notebook_style() -> Tag:
    """For an output: the notebook's theme chooses, which need not be the system's."""
    themes = ",".join(f"{name} .rehearsal" for name in _DARK_NOTEBOOKS)
    dark = f"@media screen{{{themes}{{{_dark()}}}}}"
    return tag("style", Raw("\n".join([_light(), dark, _rules()])))


def _light() -> str:
    return f".rehearsal{{{variables(LIGHT, LIGHT_HEAT)}}}"


def _dark() -> str:
    return f"{variables(DARK, DARK_HEAT)}"


def _rules() -> str:
    return (files("evaluator.report") / "page.css").read_text(encoding="utf-8") + heat_rules()

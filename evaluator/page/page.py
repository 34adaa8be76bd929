"""`report.html`: one self-contained file that needs no network and no script to be read."""

from __future__ import annotations

from pathlib import PurePath

from codabench_rehearsal.console.words import human_bytes
from evaluator.page.card import basis, card
from evaluator.page.classes import classes
from evaluator.page.gallery import gallery
from evaluator.page.grid import curve_section, heat_map
from evaluator.page.history import history
from evaluator.page.losses import training
from evaluator.page.made import findings, made
from evaluator.page.scatter import scatter
from evaluator.page.style import page_style
from evaluator.page.tags import Node, Tag, paragraph, tag
from evaluator.report import FIRST_LINES
from evaluator.result import Report


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

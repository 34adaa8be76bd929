"""A report on a bundle as a page: one self-contained file, or a part of a notebook."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.bundles.choice import duration
from evaluator.bundles.result import BundleCondition, BundleEvaluation, Example
from evaluator.bundles.terminal import ends, expectation, figure, headline, outcome
from evaluator.report import svg
from evaluator.report.gallery import data_uri
from evaluator.report.markup import Node, Tag, paragraph, section, table, tag
from evaluator.report.notebook import notebook_form, page_form

_WIDTH, _HEIGHT = 190, 26  # of a row's drawing, as the page's tables hold them
_COLUMNS = (
    "condition",
    "family",
    "figure",
    "clean and damaged",
    "95 % interval",
    "worse by",
    "95 %",
)


def to_page(report: BundleEvaluation) -> str:
    """The report as an HTML file's text."""
    return page_form(report.source.name, *_body(report))


def to_html(report: BundleEvaluation) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return notebook_form(*_body(report))


def _body(report: BundleEvaluation) -> Iterator[Node]:
    source = report.source
    about = f"{source.sha256[:12]}, phase {source.phase}, benchmark {source.preset}"
    yield tag(
        "header",
        paragraph(f"Dress rehearsal for {source.title or source.bundle}", "kicker"),
        tag("h1", source.name),
        paragraph(about, "soft"),
    )
    yield section("What the platform would say", *_verdict(report))
    if report.conditions:
        yield _conditions(report)
    if report.examples:
        yield _gallery(report)
    yield _made(report)


def _verdict(report: BundleEvaluation) -> Iterator[Node]:
    clean = report.clean
    badge = "error" if clean.status == "Failed" else "good"
    yield tag("p", tag("span", clean.status, class_=f"badge {badge}"), " ", headline(report))
    if clean.scores:
        yield table(
            "All columns", ("column", "clean"), ((k, figure(v)) for k, v in clean.scores.items())
        )
    if said := expectation(report):
        yield paragraph(said, "range")
    yield tag("ul", *(tag("li", line) for line in (*report.expected.why, *report.notes)))


def _conditions(report: BundleEvaluation) -> Tag:
    source = report.source
    every = (report.clean, *report.conditions)
    known = [one.value for one in every if one.value is not None]
    limits = [end for one in every if one.interval for end in (one.interval.low, one.interval.high)]
    low, high = min(*known, *limits, 0.0), max(*known, *limits, 0.0)
    scale = svg.Scale(low, high if high > low else low + 1.0, 4, _WIDTH - 4)
    better = "less" if source.sorting == "asc" else "more"
    title = f"{source.column_title or source.column}: {better} is better"
    rows = (_row(one, report.clean, scale) for one in every)
    parts: list[Node] = [table(title, _COLUMNS, rows, "wide")]
    if report.rows:
        parts.append(paragraph(report.rows, "soft"))
    if report.not_asked:
        parts.append(paragraph(f"Not asked: {', '.join(report.not_asked)}.", "soft"))
    lead = "Both programs of the bundle ran again on a damaged copy of its input data."
    return section("Clean against damaged", *parts, lead=lead)


def _row(one: BundleCondition, clean: BundleCondition, scale: svg.Scale) -> list[Node]:
    name = f"{one.name} as a whole" if one.is_mixed else one.name
    if one.status == "Failed":
        return [name, one.family, tag("span", outcome(one), class_="error"), "", "", "", ""]
    family = "" if one.is_mixed else one.family
    lost = ("", "") if one.is_clean else (figure(one.lost), ends(one.lost_interval))
    return [name, family, figure(one.value), _drawing(one, clean, scale), ends(one.interval), *lost]


def _drawing(one: BundleCondition, clean: BundleCondition, scale: svg.Scale) -> Node:
    """A bar from nothing to the figure, its interval, and the clean figure beside it."""
    if one.value is None:
        return ""
    middle, start, end = _HEIGHT / 2, scale(0.0), scale(one.value)
    parts: list[Node] = []
    if not one.is_clean:
        parts.append(svg.rectangle(min(start, end), 6, abs(end - start), _HEIGHT - 12, "bar"))
    if one.interval:
        class_ = "cleanbar" if one.is_clean else "hurtbar"
        parts.append(svg.across(scale(one.interval.low), scale(one.interval.high), middle, class_))
    parts.append((svg.disc if one.is_clean else svg.square)(end, middle))
    if not one.is_clean and clean.value is not None:
        x = scale(clean.value)
        parts.append(svg.line(x, 2, x, _HEIGHT - 2, "cleanline"))
    said = f"{one.name}: {one.value:.3f}"
    return svg.Drawing(_WIDTH, _HEIGHT, said, tuple(parts))


def _gallery(report: BundleEvaluation) -> Tag:
    shots = tag("div", *(_figure(one) for one in report.examples), class_="gallery")
    lead = "One image a condition: as it is (left), and as the programs received it (right)."
    return section("What was damaged", shots, lead=lead)


def _figure(one: Example) -> Tag:
    shots = (
        tag("img", src=data_uri(image), alt=f"{one.condition}, {what}", width=width, height=height)
        for image, what in ((one.clean, "clean"), (one.damaged, "damaged"))
        for height, width in (image.shape[:2],)
    )
    caption = tag("figcaption", tag("span", one.condition, class_="soft"))
    return tag("figure", tag("div", *shots, class_="shots"), caption)


def _made(report: BundleEvaluation) -> Tag:
    """How the report was made: enough to repeat it."""
    source = report.source
    about = f": {source.description}" if source.description else ""
    spent = (
        f"{duration(report.spent_seconds)} in all, one clean run {duration(report.clean.seconds)}"
    )
    rows: dict[str, Node] = {
        "Command": tag("code", source.command or "rehearsal.local_eval(...)"),
        "Submission": source.submission,
        "SHA-256": tag("code", source.sha256),
        "Bundle": f"{source.bundle}; fingerprint {source.fingerprint}",
        "Images": "; ".join(source.images) or "none were damaged",
        "Benchmark": f"{source.preset}{about}",
        "Seed": str(source.seed),
        "Worker": source.worker,
        "Environment": source.environment,
        "Time": f"{spent}; damaged runs had {duration(report.budget_seconds)}",
    }
    parts = (part for name, said in rows.items() for part in (tag("dt", name), tag("dd", said)))
    return section("How this was made", tag("dl", *parts, class_="stack"))

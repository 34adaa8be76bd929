"""A report on a bundle as a page: one self-contained file, or a part of a notebook.

It is made of the same parts as the page of a built-in challenge: verdict, large figures, contents,
what says little folded away.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from codabench_rehearsal.console.words import counted
from evaluator.bundles.choice import duration
from evaluator.bundles.result import BundleCondition, BundleEvaluation, Example
from evaluator.bundles.terminal import ends, expectation, failures, figure, headline, outcome
from evaluator.report import svg
from evaluator.report.gallery import data_uri
from evaluator.report.markup import (
    Node,
    Part,
    Tag,
    broken,
    command,
    contents,
    facts,
    folded_section,
    large,
    paragraph,
    placed,
    section,
    table,
    tag,
)
from evaluator.report.notebook import notebook_form, page_form
from evaluator.report.tables import Cell, sortable, sorting_script

_WIDTH, _HEIGHT = 190, 26  # of a row's drawing, as the page's tables hold them
_COLUMNS = ("condition", "family", "figure", "", "95 % interval", "worse by", "95 %")
_LEGEND: svg.Legend = (
    (svg.disc(9, 7), "clean"),
    (svg.square(9, 7), "corrupted"),
    (svg.line(9, 0, 9, 14, "cleanline"), "the clean figure"),
    (svg.line(0, 7, 18, 7, "hurtbar"), "95 % interval"),
)


def to_page(report: BundleEvaluation) -> str:
    """The report as an HTML file's text."""
    source, parts = report.source, list(_parts(report))
    title = f"{source.name} {source.sha256[:8]} {source.made[:10]}".rstrip()
    body = (*_first(report), contents(parts), *placed(parts))
    return page_form(f"Dress rehearsal of {title}", *body, script=sorting_script())


def to_html(report: BundleEvaluation) -> str:
    """One self-contained `<div>` with its style; all foreign text is escaped."""
    return notebook_form(*_first(report), *placed(_parts(report)))


def _first(report: BundleEvaluation) -> list[Node]:
    source = report.source
    kicker = paragraph(f"Dress rehearsal for {source.title or source.bundle}", "kicker")
    return [tag("header", kicker, tag("h1", source.name)), _card(report)]


def _parts(report: BundleEvaluation) -> Iterator[Part]:
    """What the page says, in order; what is there to repeat it stands last, and folded."""
    if report.conditions:
        yield Part("conditions", "Conditions", _conditions(report))
    if report.examples:
        yield Part("gallery", "Pictures", _gallery(report))
    if report.clean.scores:
        yield Part("columns", "Leaderboard", _columns(report))
    if report.expected.why or report.rows:
        yield Part("basis", "What it rests on", _basis(report))
    yield Part("made", "How it was made", _made(report))


def _card(report: BundleEvaluation) -> Tag:
    """The first thing that a reader sees: a verdict, its figures, and where they come from."""
    said = [paragraph(line, "error") for line in failures(report)]
    said += [paragraph(line, "soft") for line in report.notes]
    figures = list(_figures(report))
    shown = [tag("div", *figures, class_="figures")] if figures else []
    verdict = tag("h2", _verdict(report), class_="verdict")
    return tag("section", verdict, *shown, *said, facts(_origin(report), "origin"), class_="card")


def _verdict(report: BundleEvaluation) -> str:
    """The page in a sentence."""
    clean, column, known = report.clean, report.source.column, _known(report)
    if clean.value is None:
        return headline(report)
    if not known:
        return f"{column} {_short(clean.value)} on the bundle's own images."
    expected = expectation(report) if report.expected.kind == "estimate" else ""
    said = f"{expected.rstrip('.')}; " if expected else f"{column} "
    said += f"{_short(clean.value)} on clean images"
    if whole := _as_whole(report):
        said += f", {_short(whole.value)} on corrupted ones"
    if single := [one for one in known if not one.is_mixed]:
        worst = max(single, key=_loss)
        said += f", worst under {worst.name} ({_short(worst.value)})"
    return f"{said}."


def _figures(report: BundleEvaluation) -> Iterator[Tag]:
    """What to expect, where that can be said; clean, corrupted, and what was lost."""
    clean, source, found = report.clean, report.source, report.expected
    if found.kind == "estimate" and found.low is not None and found.high is not None:
        reach = f"between {found.low:.3f} and {found.high:.3f} (90 % sure)"
        yield large(f"Expected hidden {source.column}", _short(found.median), reach)
    if clean.value is not None:
        yield large("Clean images", _short(clean.value), _interval(clean), "clean")
    if whole := _as_whole(report):
        yield large(f"Corrupted, {whole.name}", _short(whole.value), _interval(whole), "hurt")
        lost = f"95 %: {ends(whole.lost_interval)}" if whole.lost_interval else "no interval"
        yield large("Worse by", _short(whole.lost), lost)
    elif known := [one.value for one in _known(report) if one.value is not None]:
        name = f"Corrupted, median of {counted(len(known), 'condition')}"
        reach = f"{_short(min(known))} to {_short(max(known))}"
        yield large(name, _short(median(known)), reach, "hurt")


def _as_whole(report: BundleEvaluation) -> BundleCondition | None:
    """The preset as a whole, if it was run and has a figure."""
    return next((one for one in _known(report) if one.is_mixed), None)


def _short(value: float | None) -> str:
    """A figure with the digits that a glance takes in: 0.612, 1,234.5."""
    if value is None:
        return "-"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{round(value, 3) + 0.0:.3f}"


def _interval(one: BundleCondition) -> str:
    return f"95 %: {ends(one.interval)}" if one.interval else "no interval"


def _known(report: BundleEvaluation) -> list[BundleCondition]:
    """The conditions that have a figure."""
    return [one for one in report.conditions if one.value is not None]


def _loss(one: BundleCondition) -> float:
    return 0.0 if one.lost is None else one.lost


def _origin(report: BundleEvaluation) -> dict[str, Node]:
    """When, which zip, which bundle, which images, which command."""
    source = report.source
    return {
        **({"When": source.made} if source.made else {}),
        "Zip": f"{source.name}, SHA-256 {source.sha256[:12]}",
        "Bundle": f"{source.bundle}, phase {source.phase}, benchmark {source.preset}",
        "Images": "; ".join(source.images) or "none were corrupted",
        "Command": command(source.command or "rehearsal.local_eval(...)"),
    }


def _columns(report: BundleEvaluation) -> Tag:
    """What the leaderboard would show of the clean run."""
    clean = report.clean
    badge = "error" if clean.status == "Failed" else "good"
    status = tag("p", tag("span", clean.status, class_=f"badge {badge}"), " ", headline(report))
    rows = ((name, figure(value)) for name, value in clean.scores.items())
    columns = table("All columns of the leaderboard", ("column", "clean"), rows)
    return section("What the platform would say", status, columns)


def _basis(report: BundleEvaluation) -> Tag:
    """What the expected score takes for granted, and what intervals rest on."""
    said = [line for line in (expectation(report), *report.expected.why, report.rows) if line]
    items = tag("ul", *(tag("li", line) for line in said))
    return folded_section("What the figures rest on", "assumptions, intervals", items)


def _conditions(report: BundleEvaluation) -> Tag:
    source = report.source
    worst = sorted(report.conditions, key=lambda one: (one.value is not None, -_loss(one)))
    every = (report.clean, *worst)
    known = [one.value for one in every if one.value is not None]
    limits = [end for one in every if one.interval for end in (one.interval.low, one.interval.high)]
    low, high = min(*known, *limits, 0.0), max(*known, *limits, 0.0)
    scale = svg.Scale(low, high if high > low else low + 1.0, 4, _WIDTH - 4)
    better = "less" if source.sorting == "asc" else "more"
    title = f"{source.column_title or source.column}: {better} is better"
    rows = (_row(one, report.clean, scale) for one in every)
    parts: list[Node] = [svg.legend(_LEGEND), sortable(title, _COLUMNS, rows, "wide tall")]
    if report.not_asked:
        parts.append(paragraph(f"Not run: {', '.join(report.not_asked)}.", "soft"))
    lead = "Both programs of the bundle ran again on a corrupted copy of its input data."
    return section("Clean against corrupted", *parts, lead=lead)


def _row(one: BundleCondition, clean: BundleCondition, scale: svg.Scale) -> list[Cell]:
    named = [one.name, " as a whole"] if one.is_mixed else broken(one.name)
    name: Cell = (tag("span", *named), one.name.casefold())
    family: Cell = ("" if one.is_mixed else one.family, one.family.casefold())
    if one.status == "Failed":  # why stands in the first card, once for all
        told = tag("span", one.status, title=outcome(one), class_="error")
        return [name, family, (told, ""), *([("", "")] * (len(_COLUMNS) - 3))]
    value, lost = "" if one.value is None else one.value, "" if one.lost is None else one.lost
    worse: list[Cell] = [("", ""), ("", "")]
    if not one.is_clean:
        worse = [(figure(one.lost), lost), (ends(one.lost_interval), lost)]
    drawn: Cell = (_drawing(one, clean, scale), value)
    return [name, family, (figure(one.value), value), drawn, (ends(one.interval), value), *worse]


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
    return section("What corruption does", shots, lead=lead)


def _figure(one: Example) -> Tag:
    shots = (
        tag("img", src=data_uri(image), alt=f"{one.condition}, {what}", width=width, height=height)
        for image, what in ((one.clean, "clean"), (one.damaged, "corrupted"))
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
        "Submission": source.submission,
        "SHA-256": tag("code", source.sha256),
        "Bundle": f"{source.bundle}; fingerprint {source.fingerprint}",
        "Benchmark": f"{source.preset}{about}",
        "Seed": str(source.seed),
        "Worker": source.worker,
        "Environment": source.environment,
        "Time": f"{spent}; runs on corrupted images had {duration(report.budget_seconds)}",
    }
    return folded_section("How this was made", "seed, worker, versions, times", facts(rows))

"""Findings, and how the report was made: enough to repeat it."""

from __future__ import annotations

from codabench_rehearsal.console.words import counted, human_bytes
from evaluator.page.tags import Node, Tag, paragraph, section, tag
from evaluator.result import Report
from evaluator.sheet import Sheet
from submission.findings import Finding

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


def _about(sheet: Sheet) -> str:
    benchmark = sheet.benchmark
    return (
        f"{benchmark.preset.name}: {counted(len(benchmark.cells), 'cell')}, "
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

"""What was found in a zip, as lines for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.words import human_bytes, marked, several_lines, shown
from submission.findings import Finding

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.checked import Checked

LARGEST = 5
TRACE = "         | "  # before each line that the submission wrote
_MARKS = {"error": "error  ", "warning": "warning", "note": "note   "}
_STYLE = (
    "<style>.submission{font:14px system-ui,sans-serif}.submission .error{color:#c62828;"
    "font-weight:600}.submission .warning{color:#b26a00}.submission pre{font-size:12px;"
    "opacity:.8}</style>"
)


def files_text(size: int, files: Mapping[str, int]) -> list[str]:
    """The zip's size and its largest files."""
    largest = sorted(files.items(), key=lambda item: -item[1])[:LARGEST]
    lines = [f"  {human_bytes(bytes_):>10}  {shown(member)}" for member, bytes_ in largest]
    return [f"zip {human_bytes(size)}, {len(files)} files; the largest:", *lines]


def findings_text(findings: Iterable[Finding], *, details: bool = False) -> list[str]:
    """Two lines a finding: what, and what to do; the submission's own traceback below if wanted."""
    lines = []
    for finding in findings:
        mark = "unknown" if finding.is_unknown else _MARKS[finding.severity]
        lines.append(f"{mark} {finding.code}: {finding.message}")
        lines += [f"         {finding.advice}"] if finding.advice else []
        lines += marked(finding.detail, TRACE) if details and finding.detail else []
    return lines


def as_lines(checked: Checked) -> Iterator[str]:
    """What ran, what was found, what is not checked or hangs on what nobody knows, the verdict."""
    yield from runs_text(checked)
    yield from findings_text(checked.told, details=True)
    if checked.ignored:
        codes = (f"{code} ({count})" for code, count in sorted(checked.ignored.items()))
        yield f"ignored: {', '.join(codes)}"
    if checked.unchecked:
        yield f"Not checked: {'; '.join(checked.unchecked)}."
    yield from findings_text(checked.unknown, details=True)
    yield verdict_text(checked)


def runs_text(checked: Checked) -> Iterator[str]:
    """One line a dry run, and the limits that this machine could not hold."""
    if checked.runs:
        yield f"asked about {checked.images}"
    for run in checked.runs:
        yield f"dry run {run['place']}: {_run_text(run)}"
    loose = {
        f"{name} ({how})"
        for run in checked.runs
        for name, how in run["limits"].items()
        if "not held" in how
    }
    if loose:
        yield f"limits not held on this machine: {'; '.join(sorted(loose))}"


def verdict_text(checked: Checked) -> str:
    """The last line: one of three verdicts, and "ready" for the highest alone."""
    end = ": ready to upload" if checked.ready else ""
    return f"{shown(checked.zip_name)} {checked.verdict}{end} (sha256 {checked.sha256[:12]})."


def as_html(checked: Checked) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    parts = [f"<p>{_text(line)}</p>" for line in runs_text(checked)]
    for found in (*checked.told, *checked.unknown):
        mark = "unknown" if found.is_unknown else found.severity
        said = f"{mark} {found.code}: {found.message}"
        trace = f"<pre>{_text(found.detail)}</pre>" if found.detail else ""
        parts.append(
            f'<p><span class="{found.severity}">{_text(said)}</span><br>{_text(found.advice)}</p>{trace}'
        )
    if checked.unchecked:
        parts.append(f"<p>Not checked: {_text('; '.join(checked.unchecked))}.</p>")
    parts.append(f"<p><b>{_text(verdict_text(checked))}</b></p>")
    return f'{_STYLE}<div class="submission">{"".join(parts)}</div>'


def _run_text(run: Mapping[str, Any]) -> str:
    if not run["answered"]:
        return "no answer"
    parts = [f"{run['seconds']['start']:.1f} s to load"]
    cost = run["hidden_images"]
    if cost:
        seconds = max(cost["seconds"], 1.0)
        needs = f"about {seconds:.0f} s and {human_bytes(cost['peak_bytes'])}"
        parts.append(f"{needs} for {cost['images']:,} images (asked: {cost['asked']:,})")
    if run["accuracy"] is not None:
        parts.append(f"accuracy {run['accuracy']:.3f} on the images asked about")
    return ", ".join(parts)


def _text(value: str) -> str:
    return html.escape(several_lines(value))

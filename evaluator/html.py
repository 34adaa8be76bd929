"""A report as HTML, for a notebook: the terminal's story as tables, no script, light and dark."""

from __future__ import annotations

import html

from evaluator.report import FIRST_LINES, UNSEEN
from evaluator.result import Part, Report, Score, Scores

_STYLE = (
    "<style>.rehearsal{font:14px system-ui,sans-serif}.rehearsal td,.rehearsal th{padding:2px 10px;"
    "text-align:right}.rehearsal td:first-child,.rehearsal th:first-child{text-align:left}"
    ".rehearsal .error{color:#c62828;font-weight:600}.rehearsal .warning{color:#b26a00}"
    ".rehearsal pre{font-size:12px;opacity:.8}</style>"
)


def to_html(report: Report) -> str:
    """One self-contained `<div>`; all foreign text is escaped."""
    parts = [f"<p>{_text(FIRST_LINES[report.source.split])}</p>"]
    if report.scores is None:
        parts.append('<p class="error">No score: the submission did not answer.</p>')
    else:
        parts += _figures(report, report.scores)
    parts += [
        _finding_html(f.severity, f.code, f.message, f.advice, f.detail) for f in report.findings
    ]
    return f'{_STYLE}<div class="rehearsal">{"".join(parts)}</div>'


def _figures(report: Report, scores: Scores) -> list[str]:
    mark = f" {UNSEEN}" if report.source.split == "unknown" else ""
    title = f"{report.source.path} under {report.source.preset}{mark}"
    head = [_row("validation (clean)", scores.validation), _row("benchmark", scores.benchmark)]
    gap = ["gap", f"{scores.gap.value:.3f}", _range(scores.gap), "", ""]
    cells = [
        [c.name, c.family, f"{c.accuracy.value:.3f}", _range(c.accuracy)] for c in scores.worst()
    ]
    recall = [
        [name, f"{clean:.2f}", f"{damaged:.2f}"]
        for name, clean, damaged in zip(
            report.source.label_names,
            scores.validation.recall,
            scores.benchmark.recall,
            strict=True,
        )
    ]
    return [
        _table(title, ["", "accuracy", "95 % interval", "macro-F1", "images"], [*head, gap]),
        _table(f"Worst cells{mark}", ["cell", "family", "accuracy", "95 % interval"], cells),
        _table(f"Recall by class{mark}", ["class", "clean", "corrupted"], recall),
    ]


def _row(name: str, part: Part) -> list[str]:
    figure = part.accuracy
    return [name, f"{figure.value:.3f}", _range(figure), f"{part.macro_f1:.3f}", f"{figure.n:,}"]


def _range(score: Score) -> str:
    return f"{score.low:.3f} to {score.high:.3f}"


def _table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{_text(v)}</td>" for v in row) + "</tr>" for row in rows)
    return f"<table><caption>{_text(title)}</caption><tr>{head}</tr>{body}</table>"


def _finding_html(severity: str, code: str, message: str, advice: str, detail: str) -> str:
    said = f"{severity} {code}: {message}"
    trace = f"<pre>{_text(detail)}</pre>" if detail else ""
    return f'<p><span class="{severity}">{_text(said)}</span><br>{_text(advice)}</p>{trace}'


def _text(value: str) -> str:
    return html.escape(value)

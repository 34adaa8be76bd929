"""A report on a bundle as users have it: what was found, with all of its renderings beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.words import as_json
from evaluator.bundles.page import to_html, to_page
from evaluator.bundles.result import BundleCondition, BundleEvaluation
from evaluator.bundles.terminal import report_parts
from evaluator.report.terminal import to_text

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1


@dataclass(frozen=True)
class BundleReport(BundleEvaluation):
    """A `BundleEvaluation` that a notebook shows as its page, and a terminal as its text."""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def _repr_html_(self) -> str:
        return to_html(self)

    def show(self, console: Console) -> None:
        """Print it as a terminal of the console's width shows it."""
        for part in report_parts(self):
            console.print(part)

    def lines(self, width: int = 100) -> list[str]:
        """As a terminal of that width shows it, plain text."""
        lines = to_text(report_parts(self), width).rstrip("\n").split("\n")
        return [line.rstrip() for line in lines]

    def to_page(self) -> str:
        """As one self-contained HTML page."""
        return to_page(self)

    def to_json(self) -> str:
        """As JSON, schema 1 (docs/challenges.md)."""
        return as_json(_document(self))


def _document(report: BundleEvaluation) -> dict[str, Any]:
    source = report.source
    return {
        "schema": SCHEMA,
        "kind": "bundle",
        "submission": {"path": source.submission, "sha256": source.sha256},
        "challenge": {
            "bundle": source.bundle,
            "title": source.title,
            "phase": source.phase,
            "tasks": source.tasks,
            "fingerprint": source.fingerprint,
        },
        "worker": source.worker,
        "environment": source.environment,
        "column": {
            "key": source.column,
            "title": source.column_title,
            "sorting": source.sorting,
        },
        "benchmark": {"preset": source.preset, "description": source.description},
        "seed": source.seed,
        "images": list(source.images),
        "clean": {**_row(report.clean), "again": report.again, "scatter": report.scatter},
        "conditions": [_row(one) for one in report.conditions],
        "not_asked": list(report.not_asked),
        "intervals": report.rows,
        "expected": {**vars(report.expected), "why": list(report.expected.why)},
        "notes": list(report.notes),
        "timing": {
            "budget_seconds": report.budget_seconds,
            "spent_seconds": report.spent_seconds,
            "known_runs": report.known,
        },
        "command": source.command,
    }


def _row(one: BundleCondition) -> dict[str, Any]:
    ends = {"interval": one.interval, "lost_interval": one.lost_interval}
    return {
        **vars(one),
        **{name: [found.low, found.high] if found else None for name, found in ends.items()},
        "scores": dict(one.scores),
    }

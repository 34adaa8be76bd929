"""The conditions of the benchmark in a table, the worst first, with links to what to train on."""

from __future__ import annotations

from collections.abc import Mapping

from codabench_rehearsal.console.words import counted, listed
from evaluator.metrics import ConditionScore, Score
from evaluator.report.augmentation import advice_places
from evaluator.report.evaluation import Evaluation
from evaluator.report.markup import (
    Node,
    Tag,
    broken,
    lost_points,
    paragraph,
    section,
    tag,
    with_range,
)
from evaluator.report.tables import Cell, sortable

_COLUMNS = ("points lost", "family", "severity", "images")


def worst_conditions(report: Evaluation) -> Tag:
    """The section. A page's script sorts the table by any of its columns."""
    title = f"Worst conditions{report.mark}"
    if report.scores is None:
        return section(title, paragraph("No answers to compare."))
    clean, places = report.scores.validation.accuracy, advice_places(report)
    found = sorted(report.scores.conditions, key=lambda one: (one.accuracy.value, one.name))
    worst = listed([f"{one.name} ({one.accuracy.value:.2f})" for one in found[:3]])
    lead = f"Lowest: {worst}; clean images {clean.value:.2f}. Points are lost against these."
    sorted_by = tag("th", "accuracy (95 %)", scope="col", aria_sort="ascending")
    named = f"{counted(len(found), 'condition')} of {report.source.preset}, the worst first"
    columns = ("condition", sorted_by, *_COLUMNS)
    rows = (_row(one, clean, places) for one in found)
    return section(title, sortable(named, columns, rows, "wide tall"), lead=lead)


def _row(one: ConditionScore, clean: Score, places: Mapping[str, str]) -> list[Cell]:
    lost = clean.value - one.accuracy.value
    family: Node = one.family
    if one.family in places:
        why = f"what to train on against {one.family}"
        family = tag("a", one.family, href=places[one.family], title=why)
    return [
        (tag("span", *broken(one.name)), one.name.casefold()),
        (with_range(one.accuracy), one.accuracy.value),
        (lost_points(lost), lost),
        (family, one.family.casefold()),
        (f"{one.severity:g}", one.severity),
        (f"{one.accuracy.n:,}", one.accuracy.n),
    ]

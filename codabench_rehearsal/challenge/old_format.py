"""CodaLab's old competition.yaml (no version, 1 or 1.5) in version 2's keys, as the site has it.

Source: Codabench's unpacker for version 1.5 (March 2026; read, not copied). A phase has one task of
its own and ends a day before the next begins; pages are `html`, columns belong to boards by label.
Other keys of the old format are passed over. What the site looks for in vain is told by `lacks`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codabench_rehearsal.challenge.dates import site_date

Table = Mapping[str, Any]
VERSIONS = ("1", "1.5")
_SAME = (
    *("title", "image", "description", "queue", "enable_detailed_results", "auto_run_submissions"),
    *("show_detailed_results_in_submission_panel", "show_detailed_results_in_leaderboard"),
    *("make_programs_available", "make_input_data_available"),
)
_OF_TASK = ("ingestion_program", "input_data", "scoring_program", "reference_data")
_OF_PHASE = (
    *("description", "max_submissions_per_day", "max_submissions", "execution_time_limit"),
    *("starting_kit", "public_data", "hide_output", "hide_prediction_output", "hide_score_output"),
)


def is_old(values: Table) -> bool:
    """Whether the site takes it for the old format, and it is written in that."""
    version = str(values.get("version", "1"))
    written = "html" in values or "leaderboard" in values or isinstance(values.get("phases"), dict)
    return version in VERSIONS and written


def lacks(values: Table) -> Iterator[str]:
    """What the site's conversion looks for in vain: it refuses the bundle for the first of them."""
    board = _table(values.get("leaderboard"))
    for key, table, inner in (
        ("html", values, ("terms",)),
        ("phases", values, ()),
        ("leaderboard", values, ("leaderboards", "columns")),
    ):
        if key not in table:
            yield f"{key} is missing"
        else:
            yield from (
                f"{key}.{one} is missing" for one in inner if one not in _table(values[key])
            )
    for name, phase in _named(values.get("phases")):
        if "phasenumber" not in phase:
            yield f"phases.{name}.phasenumber is missing"
    for name, column in _named(board.get("columns")):
        if "label" not in _table(column.get("leaderboard")):
            yield f"leaderboard.columns.{name}.leaderboard has no label"


def converted(values: Table) -> dict[str, Any]:
    """The same challenge in version 2's keys."""
    pages = _table(values.get("html"))
    phases = _phases(values)
    return {
        "version": 2,
        **{key: values[key] for key in _SAME if values.get(key) is not None},
        **_some("docker_image", values.get("competition_docker_image")),
        **_some("terms", pages.get("terms")),
        "pages": [{"title": k, "file": v} for k, v in pages.items() if k != "terms"],
        "tasks": [_task(index, phase) for index, phase in enumerate(phases)],
        "phases": [_phase(index, phase, phases, values) for index, phase in enumerate(phases)],
        "leaderboards": _boards(_table(values.get("leaderboard"))),
    }


def _phases(values: Table) -> list[Table]:
    """In the site's order, without the parent of parallel ones."""
    given = [phase for _, phase in _named(values.get("phases"))]
    ordered = sorted(given, key=lambda phase: _number(phase.get("phasenumber")))
    parallel = any(one.get("is_parallel_parent") or one.get("parent_phasenumber") for one in given)
    return ordered[1:] if parallel else ordered


def _task(index: int, phase: Table) -> dict[str, Any]:
    only = phase.get("ingestion_program_only_during_scoring", False)
    files = {key: phase[key] for key in _OF_TASK if phase.get(key)}
    name = f"{phase.get('label')} Task"
    return {"index": index, "name": name, "ingestion_only_during_scoring": only, **files}


def _phase(index: int, phase: Table, phases: Sequence[Table], values: Table) -> dict[str, Any]:
    return {
        "index": index,
        "tasks": [index],
        **_some("name", phase.get("label")),
        **_some("start", phase.get("start_date")),
        **_some("end", _end(index, phases, values)),
        **_some("auto_migrate_to_this_phase", phase.get("auto_migration")),
        **{key: phase[key] for key in _OF_PHASE if phase.get(key) is not None},
    }


def _end(index: int, phases: Sequence[Table], values: Table) -> object:
    """A day before the next phase, as a text; as that is written where its date cannot be told."""
    if index + 1 == len(phases):
        end = values.get("end_date")
        return None if end == "null" else end
    start = phases[index + 1].get("start_date")
    known = site_date(start).value if start else None
    return str(known - dt.timedelta(days=1)) if known else start


def _boards(given: Table) -> list[dict[str, Any]]:
    named = _named(given.get("columns"))
    ranked = sorted(named, key=lambda column: _number(column[1].get("rank", 1)))
    columns = [
        (_column(at, *one), _label(one[1].get("leaderboard"))) for at, one in enumerate(ranked)
    ]
    return [
        {
            "title": key,
            "key": key,
            "columns": [column for column, label in columns if label == _label(board)],
        }
        for key, board in _named(given.get("leaderboards"))
    ]


def _column(index: int, key: str, given: Table) -> dict[str, Any]:
    return {
        "index": index,
        "key": key,
        "title": given.get("label", key),
        "sorting": given.get("sort") or "desc",
        "precision": given.get("numeric_format", 2),
        "hidden": given.get("hidden", False),
    }


def _label(board: object) -> str:
    return str(_table(board).get("label")).lower()


def _some(key: str, value: object) -> dict[str, Any]:
    return {} if value is None or value == "" else {key: value}


def _named(given: object) -> list[tuple[str, Table]]:
    """The tables of a table, by name; what else stands in it is passed over."""
    return [(str(key), one) for key, one in _table(given).items() if isinstance(one, dict)]


def _table(given: object) -> Table:
    return given if isinstance(given, dict) else {}


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0

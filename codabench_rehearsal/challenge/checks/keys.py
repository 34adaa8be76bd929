"""Checks of competition.yaml's keys: those that are needed, their kinds, lengths and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from codabench_rehearsal.challenge.bundle import tables
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.challenge.old_format import lacks
from codabench_rehearsal.console.fields import nearest
from codabench_rehearsal.console.words import listed, shown

_TRUTHS = ("t", "y", "yes", "true", "on", "1", "f", "n", "no", "false", "off", "0")
RULES = (
    *("Add", "Add_And_Delete", "Add_And_Delete_Multiple"),
    *("Force_Last", "Force_Latest_Multiple", "Force_Best"),
)


class Key(NamedTuple):
    """What the site takes for a key. kind: text, truth, whole, choice, list, file or any.

    need: whether it must be there. null: whether it may be empty. most: characters.
    """

    kind: str
    need: bool = False
    null: bool = False
    most: int = 0
    choices: tuple[str, ...] = ()


_NOTE = Key("text", null=True)
_TRUTH, _FREE, _FILE = Key("truth"), Key("any", null=True), Key("file", null=True)
_LIST, _LIMIT = Key("list", need=True), Key("whole", null=True)
_SWITCHES = (
    *("registration_auto_approve", "enable_detailed_results", "auto_run_submissions"),
    *("show_detailed_results_in_submission_panel", "show_detailed_results_in_leaderboard"),
    *("can_participants_make_submissions_public", "make_programs_available"),
    *("make_input_data_available", "forum_enabled"),
)
_HIDING = (
    *("auto_migrate_to_this_phase", "hide_output"),
    *("hide_prediction_output", "hide_score_output"),
)
_TOP: dict[str, Key] = {
    "version": Key("any"),
    "title": Key("text", need=True, most=256),
    "image": Key("file", need=True),
    "terms": Key("file", need=True),
    **dict.fromkeys(("pages", "tasks", "phases", "leaderboards"), _LIST),
    "docker_image": Key("text", most=128),
    "competition_type": Key("choice", choices=("competition", "benchmark")),
    "reward": Key("text", null=True, most=256),
    "description": _NOTE,
    "solutions": Key("list", null=True),
    **dict.fromkeys(("fact_sheet", "contact_email", "queue"), _FREE),
    **dict.fromkeys(_SWITCHES, _TRUTH),
}
_PAGE = {"title": Key("text", need=True, most=255), "file": Key("file", need=True)}
_TASK: dict[str, Key] = {
    "index": Key("any", need=True),
    "name": Key("text", need=True, most=256),
    "scoring_program": Key("file", need=True),
    **dict.fromkeys(("ingestion_program", "input_data", "reference_data"), _FILE),
    "ingestion_only_during_scoring": _TRUTH,
    "description": _NOTE,
    "key": _FREE,
}
_PHASE: dict[str, Key] = {
    "name": Key("text", need=True, most=256),
    "start": Key("any", need=True),
    "tasks": _LIST,
    **dict.fromkeys(("end", "index"), _FREE),
    "description": _NOTE,
    **dict.fromkeys(("max_submissions_per_day", "max_submissions"), _LIMIT),
    "execution_time_limit": _LIMIT,
    **dict.fromkeys(("starting_kit", "public_data"), _FILE),
    **dict.fromkeys(_HIDING, _TRUTH),
}
_SOLUTION: dict[str, Key] = {
    "index": Key("any", need=True),
    "tasks": _LIST,
    "path": Key("file", need=True),
    "name": Key("text", null=True, most=256),
    "description": _NOTE,
    "key": _FREE,
}
_BOARD: dict[str, Key] = {
    "title": Key("text", need=True, most=64),
    "key": Key("text", need=True, most=36),
    "columns": _LIST,
    "submission_rule": Key("choice", choices=RULES),
    "hidden": _TRUTH,
    "primary_index": Key("whole"),
}
_COLUMN: dict[str, Key] = {
    "title": Key("text", need=True, most=36),
    "key": Key("text", need=True, most=36),
    "index": Key("whole", need=True),
    "sorting": Key("choice", choices=("asc", "desc")),
    "computation": Key("choice", null=True, choices=("avg", "sum", "min", "max")),
    "computation_indexes": _FREE,
    "precision": Key("whole"),
    "hidden": _TRUTH,
}
LEVELS: Mapping[str, Mapping[str, Key]] = MappingProxyType(
    {
        "": _TOP,
        "pages": _PAGE,
        "tasks": _TASK,
        "phases": _PHASE,
        "solutions": _SOLUTION,
        "leaderboards": _BOARD,
        "columns": _COLUMN,
    }
)
# What the site writes or documents and passes over: nobody is to be told of it.
_HARMLESS = (
    *("is_public", "index", "accepts_only_result_submissions", "allow_robot_submissions"),
    *("is_final_phase", "status", "published", "id", "date", "author"),
)


class Level(NamedTuple):
    """A table of competition.yaml. place: "phases[1]", "" for the top; name: of `LEVELS`."""

    place: str
    name: str
    values: Mapping[str, Any]

    def at(self, key: str) -> str:
        """Where one of its keys stands."""
        return f"{self.place}.{key}" if self.place else key

    def read(self) -> Iterator[tuple[str, Key, Any]]:
        """The keys that the site reads, and their values where they are given."""
        for key, wanted in LEVELS[self.name].items():
            by_key = "key" in self.values and self.name in ("tasks", "solutions")
            if not by_key or key in ("index", "tasks", "key"):
                yield key, wanted, self.values.get(key)


def levels(subject: Subject) -> Iterator[Level]:
    """Every table of competition.yaml that the site reads."""
    yield Level("", "", subject.top)
    for name in ("pages", "tasks", "phases", "solutions", "leaderboards"):
        for place, values in subject.tables(name):
            yield Level(place, name, values)
            for at, column in enumerate(tables(values.get("columns"))):
                if name == "leaderboards":
                    yield Level(f"{place}.columns[{at}]", "columns", column)


@check("B103", "error")
def version(subject: Subject) -> Iterator[str | Said]:
    """Write version: 2 at the top; without it the site takes the bundle for CodaLab's old format,
    with other keys.
    """
    if (old := subject.manifest.old) is not None:
        yield from (Said(said, advice=_OLD_LACKS) for said in lacks(old))
        yield Said(_OLD, "note", _OLD_ADVICE)
        return
    given = subject.top.get("version", "1")
    if str(given) != "2":
        said = f"version is {given!r}" if "version" in subject.top else "there is no version"
        yield f"{said}: the site reads version: 2 alone as this format"


_OLD = "this is CodaLab's old format; the site converts it, and what follows is of what it makes"
_OLD_LACKS = (
    "Write it under this very name: the old format has it so, and the site refuses it without."
)
_OLD_ADVICE = (
    "Nothing to do, if you are content with one task for each phase: phases.1 there is phases[0] "
    "here, html are pages, leaderboard.columns are leaderboards[0].columns."
)


@check("B104", "error")
def missing_keys(subject: Subject) -> Iterator[str | Said]:
    """Add it: the site refuses the bundle without."""
    for level in levels(subject):
        for key, wanted, value in level.read():
            is_empty = value is None or (key == "start" and not value)
            if wanted.need and (key not in level.values or is_empty):
                near = nearest(key, (k for k in level.values if k not in LEVELS[level.name]))
                hint = f"; {near}" if near else ""
                yield f"{level.at(key)} is {'empty' if key in level.values else 'missing'}{hint}"


@check("B105", "warning")
def keys_written_twice(subject: Subject) -> Iterator[str]:
    """Leave one of them: of two equal keys the site takes the last, and says nothing."""
    yield from (f"{key} stands twice in one table" for key in subject.manifest.twice)


@check("B106", "warning")
def keys_passed_over(subject: Subject) -> Iterator[Said]:
    """Leave it out, or put it where the site reads it: there it is passed over without a word."""
    for level in levels(subject):
        known = LEVELS[level.name]
        for key, value in level.values.items():
            empty = value is None or value == []
            if str(key) not in known and key not in _HARMLESS and not empty:
                yield _passed_over(level, str(key), known)


def _passed_over(level: Level, key: str, known: Mapping[str, Key]) -> Said:
    homes = [name or "the top" for name, keys in LEVELS.items() if key in keys]
    if homes:
        return Said(f"{level.at(key)} is passed over: the site reads it in {listed(homes)}")
    near = nearest(key, known)
    message = f"{level.at(key)} is no key that the site reads{f'; {near}' if near else ''}"
    return Said(message, None if near else "note")


@check("B107", "error")
def wrong_kinds(subject: Subject) -> Iterator[str]:
    """Give what the site expects; a text that YAML takes for a date or a truth value (on, no,
    2026-01-31) goes into quotes.
    """
    for level in levels(subject):
        for key, wanted, value in level.read():
            if key not in level.values or (value is None and (wanted.null or wanted.need)):
                continue
            if expected := _wrong(wanted, value):
                yield f"{level.at(key)}: expected {expected}, received {shown(repr(value))}"


def _wrong(wanted: Key, value: object) -> str:
    """What is expected in the place of a value; "" where it will do."""
    match wanted.kind:
        case "file":
            return "" if isinstance(value, str) else "a text"
        case "text":
            good = isinstance(value, str | int | float) and not isinstance(value, bool)
            return "" if good and (str(value).strip() or wanted.null) else "a text"
        case "truth":
            return "" if str(value).lower() in _TRUTHS else "true or false"
        case "whole":
            return "" if _is_whole(value) else "a whole number, not below 0"
        case "choice":
            good = str(value) in wanted.choices or (value == "" and wanted.null)
            near = nearest(str(value), wanted.choices)
            return (
                "" if good else f"one of {', '.join(wanted.choices)}{f' ({near})' if near else ''}"
            )
        case "list":
            return "" if isinstance(value, list) or (wanted.null and not value) else "a list"
    return ""


def _is_whole(value: object) -> bool:
    text = str(value).strip().removesuffix(".0")
    return not isinstance(value, bool) and text.isdecimal() and text.isascii()


@check("B108", "error")
def too_long(subject: Subject) -> Iterator[str]:
    """Shorten it: the site's fields hold no more."""
    for level in levels(subject):
        for key, wanted, value in level.read():
            if wanted.most and isinstance(value, str) and len(value.strip()) > wanted.most:
                yield f"{level.at(key)} has {len(value)} characters: at most {wanted.most}"


@check("B109", "error")
def entries_that_are_no_tables(subject: Subject) -> Iterator[str]:
    """Write each entry as a table of keys and values, with a - before the first."""
    named = [(key, subject.top.get(key)) for key in LEVELS if key]
    named += [(f"{p}.columns", b.get("columns")) for p, b in subject.tables("leaderboards")]
    for key, given in named:
        for at, one in enumerate(given if isinstance(given, list) else []):
            if not isinstance(one, dict):
                yield f"{key}[{at}]: expected a table, received {shown(repr(one))}"


@check("B110", "warning")
def texts_that_yaml_changes(subject: Subject) -> Iterator[str]:
    """Put it into quotes: YAML reads an octal number, a fraction or a power there, and the score's
    key must be the same to the letter.
    """
    for level in levels(subject):
        for key in ("key", "title", "name"):
            value = level.values.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield f"{level.at(key)} is read as the number {value}"


@check("B111", "error")
def fact_sheet(subject: Subject) -> Iterator[str]:
    """Give each question key (its own name), type (checkbox, text or select), title, selection,
    is_required and is_on_leaderboard.
    """
    sheet = subject.top.get("fact_sheet")
    if not sheet:
        return
    wanted = {"key", "type", "title", "selection", "is_required", "is_on_leaderboard"}
    for name, question in sheet.items() if isinstance(sheet, dict) else ():
        if not isinstance(question, dict) or set(question) != wanted:
            yield f"fact_sheet.{name} has not the six keys that the site expects"
        elif question["key"] != name or question["type"] not in ("checkbox", "text", "select"):
            yield f"fact_sheet.{name} has another key than its name, or an unknown type"
    if not isinstance(sheet, dict):
        yield f"fact_sheet: expected questions by their keys, received {shown(repr(sheet))}"


@check("B112", "error")
def contact(subject: Subject) -> Iterator[str]:
    """Write an address like name@host.org, or leave it out."""
    value = subject.top.get("contact_email")
    if value is None or not str(value).strip():
        return
    name, at, host = str(value).strip().rpartition("@")
    if not (name and at and "." in host) or " " in str(value).strip():
        yield f"contact_email: expected an address, received {shown(repr(value))}"


@check("B113", "note")
def queue(subject: Subject) -> Iterator[str]:
    """Nothing to do if you may use that queue: the site refuses the bundle else."""
    if subject.top.get("queue"):
        yield f"the queue {shown(subject.top['queue'])} is not checked: only the site knows it"

"""Checks of phases: their order, their dates as the site takes them, their limits and tasks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from codabench_rehearsal.challenge.bundle import is_true, whole
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.challenge.dates import SiteDate, site_date
from codabench_rehearsal.console.words import shown

_LONGEST_SECONDS = 24 * 3600  # longer limits are cut by the public queue
_Table = Mapping[str, Any]


def _in_order(subject: Subject) -> list[tuple[str, _Table]]:
    """The phases in the site's order."""
    return sorted(subject.tables("phases"), key=lambda one: whole(one[1].get("index"), 0))


def _dates(subject: Subject) -> Iterator[tuple[str, object, SiteDate]]:
    for place, phase in subject.tables("phases"):
        for key in ("start", "end"):
            if phase.get(key):
                yield f"{place}.{key}", phase[key], site_date(phase[key])


@check("B160", "error")
def dates_that_are_none(subject: Subject) -> Iterator[str]:
    """Write "2026-01-31 12:00:00", in quotes; the time is UTC."""
    for place, value, date in _dates(subject):
        if date.refused:
            yield f"{place}: expected a date, received {shown(repr(value))}"


@check("B161", "error")
def order_of_phases(subject: Subject) -> Iterator[str]:
    """Let each phase start after the end of the one before, by a minute at least; only the last one
    may be without an end.
    """
    phases = _in_order(subject)
    for (place, phase), (after, later) in itertools.pairwise(phases):
        if not phase.get("end"):
            yield f"{place} has no end, and {after} comes after it"
            continue
        end, start = site_date(phase["end"]).value, site_date(later.get("start") or "").value
        if end and start and start <= end:
            how = "when" if start == end else "before"
            yield f"{after} starts ({start}) {how} {place} ends ({end})"


@check("B162", "warning")
def times_that_are_lost(subject: Subject) -> Iterator[str]:
    """Put the date into quotes: YAML takes it for a date, and the site then keeps the day alone."""
    for place, value, date in _dates(subject):
        if date.lost_time:
            yield f"{place}: {value} becomes {date.value}, midnight"


@check("B163", "warning")
def zones_that_are_lost(subject: Subject) -> Iterator[str]:
    """Write the time in UTC: the site drops the time zone."""
    for place, value, date in _dates(subject):
        if date.lost_zone:
            yield f"{place}: {shown(value)} becomes {date.value} UTC"


@check("B164", "warning")
def phases_that_never_run(subject: Subject) -> Iterator[str]:
    """Let it end after its start: nobody can submit to it."""
    for place, phase in subject.tables("phases"):
        start, end = (site_date(phase.get(key) or "").value for key in ("start", "end"))
        if start and end and end <= start:
            yield f"{place} ends ({end}) {'as' if start == end else 'before'} it starts ({start})"


@check("B165", "error")
def tasks_of_phases(subject: Subject) -> Iterator[str]:
    """Name tasks that there are, each by its index."""
    known = [task.get("index") for _, task in subject.tables("tasks")]
    for place, phase in subject.tables("phases"):
        named = phase.get("tasks")
        for index in named if isinstance(named, list) else ():
            if index not in known:
                yield f"{place}: there is no task with index {shown(repr(index))}"
    if subject.top.get("phases") == []:
        yield "there are no phases"


@check("B166", "warning")
def phases_without_tasks(subject: Subject) -> Iterator[str]:
    """Give it a task: submissions to it are never run."""
    for place, phase in subject.tables("phases"):
        if phase.get("tasks") == []:
            yield f"{place} has no tasks"


@check("B167", "warning")
def indexes_of_phases(subject: Subject) -> Iterator[str]:
    """Number them 0, 1, 2 ...: the site sorts by index, 0 where there is none."""
    seen: dict[int, str] = {}
    several = any("index" in phase for _, phase in subject.tables("phases"))
    for place, phase in subject.tables("phases") if several else ():
        index = whole(phase.get("index"), 0)
        if index in seen:
            yield f"{place} has the index {index} of {seen[index]}"
        seen.setdefault(index, place)


@check("B171", "error")
def indexes_that_have_no_order(subject: Subject) -> Iterator[str]:
    """Number them 0, 1, 2 ..., without quotes: the site cannot sort the phases else."""
    phases = subject.tables("phases")
    kinds = {isinstance(phase.get("index", 0), str) for _, phase in phases}
    for place, phase in phases if len(phases) > 1 else ():
        index = phase.get("index", 0)
        if not isinstance(index, int | float | str) or len(kinds) > 1:
            yield f"{place} has the index {shown(repr(index))}"


@check("B168", "error")
def migration(subject: Subject) -> Iterator[str]:
    """Leave auto_migrate_to_this_phase out there: nothing comes before the first phase."""
    phases = _in_order(subject)
    if phases and is_true(phases[0][1].get("auto_migrate_to_this_phase")):
        yield f"{phases[0][0]} is the first phase, and takes submissions from the one before"


@check("B169", "warning")
def limits(subject: Subject) -> Iterator[str | Said]:
    """Give seconds, enough for a submission and for ingestion and scoring each."""
    for place, phase in subject.tables("phases"):
        seconds = whole(phase.get("execution_time_limit"), 0)
        if seconds > _LONGEST_SECONDS:
            advice = "Nothing to do with workers of your own: the public queue ends runs earlier."
            yield Said(f"{place}: a time limit of {seconds:,} seconds", "note", advice)
        elif 0 < seconds < 30:
            yield f"{place}: a time limit of {seconds} seconds, the start of the container included"
        yield from _counts(place, phase)


def _counts(place: str, phase: _Table) -> Iterator[Said]:
    """What the numbers of submissions come to."""
    day, every = (whole(phase.get(k), 0) for k in ("max_submissions_per_day", "max_submissions"))
    for key in ("max_submissions_per_day", "max_submissions"):
        if phase.get(key) == 0:
            advice = "Leave it so if that is meant; a phase without submissions has no tasks."
            yield Said(f"{place}.{key} is 0: the site takes that for no limit", "note", advice)
    if 0 < every < day:
        advice = "Raise max_submissions, or lower the number a day."
        yield Said(f"{place}: {day} submissions a day, but {every} in all", "warning", advice)


@check("B170", "note")
def months_before_days(subject: Subject) -> Iterator[str]:
    """Write 2026-01-31: the site takes the first number for the month."""
    for place, value, date in _dates(subject):
        if date.month_first and date.value:
            yield f"{place}: {shown(value)} is {date.value:%d %B %Y}"

"""`codabench-challenge show 1234`: what a site tells anybody of a challenge."""

from __future__ import annotations

import argparse
import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.challenge.site.address import read_address
from codabench_rehearsal.commands.site_arguments import opened_site
from codabench_rehearsal.console.command import Exit, print_lines, tell
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.words import as_json, counted, one_line, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.profile import SiteChallenge, SitePhase

_MOST_OF_TERMS = 300  # characters


def run(options: argparse.Namespace, challenge: str) -> int:
    """Ask the site, without a login; or take what is kept, and say how old it is."""
    from codabench_rehearsal.challenge.site.profile import known

    address = read_address(challenge)
    with opened_site(options, address.base) as site:
        found, note = known(site, address, refresh=True)
        now = site.now()
    if note:
        tell("codabench-challenge show", note)
    if options.json:
        write_or_print(options.json, as_json(document(found)))
    if options.json != STDOUT:
        print_lines(lines(found, now))
    return Exit.FINE


def document(found: SiteChallenge) -> dict[str, Any]:
    """All of it for machines."""
    return {
        "schema": 1,
        "address": found.address.page,
        "fetched": found.fetched.isoformat(timespec="seconds"),
        "title": found.title,
        "image": found.image,
        "queue": found.queue,
        "detailed_results": found.detailed_results,
        "programs_public": found.programs_public,
        "input_data_public": found.input_public,
        "phases": [_phase_document(phase) for phase in found.phases],
        "columns": [vars(column) for column in found.columns],
        "ranked_by": found.main,
        "terms": found.terms,
    }


def _phase_document(phase: SitePhase) -> dict[str, Any]:
    return {
        "id": phase.number,
        "index": phase.index,
        "name": phase.name,
        "start": phase.start.isoformat() if phase.start else None,
        "end": phase.end.isoformat() if phase.end else None,
        "seconds": phase.seconds,
        "per_day": phase.per_day,
        "in_all": phase.in_all,
        "tasks": [name for _, name in phase.tasks],
    }


def lines(found: SiteChallenge, now: dt.datetime) -> Iterator[str]:
    """The same for people."""
    yield f"{shown(found.title)} ({found.address.page})"
    yield f"{'image':12}{shown(found.image)}"
    yield f"{'queue':12}{shown(found.queue or 'the default one')}"
    for at, phase in enumerate(found.phases):
        yield f"{'phases' if at == 0 else '':12}{_phase(phase, now)}"
    for at, column in enumerate(found.columns):
        order = "smallest first" if column.sorting == "asc" else "largest first"
        ranks = ", ranks" if column.key == found.main else ""
        hidden = ", hidden" if column.hidden else ""
        said = f"{shown(column.key)} ({shown(column.title)}): {order}{ranks}{hidden}"
        yield f"{'columns' if at == 0 else '':12}{said}"
    yield f"{'public':12}{_public(found)}"
    if terms := plain_text(found.terms):
        yield f"{'terms':12}{one_line(terms, _MOST_OF_TERMS)}"
    if not found.programs_public:
        what = "what a submission must be is in the bundle, which the site does not show"
        yield f"{'submission':12}{what}: show BUNDLE"


def _phase(phase: SitePhase, now: dt.datetime) -> str:
    start = f"{phase.start:%Y-%m-%d %H:%M}" if phase.start else "?"
    end = f"{phase.end:%Y-%m-%d %H:%M} UTC" if phase.end else "no end"
    state = "open" if phase.is_open(now) else "over" if phase.has_ended(now) else "not yet"
    each = [f"{phase.seconds:,} s a program"]
    each += [f"{counted(phase.per_day, 'submission')} a day"] if phase.per_day else []
    each += [f"{phase.in_all:,} in all"] if phase.in_all else []
    tasks = counted(len(phase.tasks), "task")
    name = f"{phase.index} {shown(phase.name)}"
    return f"{name}: {start} to {end} ({state}); {', '.join(each)}; {tasks}"


def _public(found: SiteChallenge) -> str:
    programs = "programs" if found.programs_public else "no programs"
    data = "input data" if found.input_public else "no input data"
    detailed = "detailed results" if found.detailed_results else "no detailed results"
    return f"{programs}, {data}; {detailed}"


def plain_text(given: str) -> str:
    """Markup as the words in it, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]{0,2000}>", " ", given[:20_000])).split())

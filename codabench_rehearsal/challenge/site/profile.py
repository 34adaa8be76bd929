"""What a site says of a challenge to anybody: phases, limits, columns, image, queue, terms.

It is kept in the user's cache with its date, so that a rehearsal works without a network. As a
bundle (`as_bundle`) it lacks the programs, which hardly any site shows; beside a bundle it fills in
what that leaves open (`filled`), and the bundle decides where both speak.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import (
    LEGACY_IMAGE,
    SECONDS,
    Bundle,
    Column,
    Phase,
    Task,
    in_order,
    is_true,
    tables,
    whole,
)
from codabench_rehearsal.challenge.bundle_files import opened_tree
from codabench_rehearsal.challenge.manifest import read_manifest
from codabench_rehearsal.challenge.site.address import Address
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.console.reading import read_json
from codabench_rehearsal.console.temporary import cache_folder
from codabench_rehearsal.console.words import as_json, counted, few, shown

FRESH_SECONDS = 24 * 3600.0  # younger than this it is taken from the cache
_KEPT = (
    *("id", "title", "docker_image", "queue", "phases", "leaderboards", "terms"),
    *("enable_detailed_results", "make_programs_available", "make_input_data_available"),
    *("participant_status", "participants_count", "submissions_count"),
)
_OF_BUNDLE = "the site does not show it"


@dataclass(frozen=True)
class SitePhase:
    """A phase on the site.

    number: its id there. per_day, in_all: submissions, None without a limit. used_today, used: of
    the account that asked, None where nobody was logged in. tasks: their ids and names.
    """

    number: int
    index: int
    name: str
    start: dt.datetime | None
    end: dt.datetime | None
    seconds: int
    per_day: int | None
    in_all: int | None
    used_today: int | None
    used: int | None
    tasks: tuple[tuple[int, str], ...]

    def is_open(self, now: dt.datetime) -> bool:
        """Whether it has begun, and has not ended."""
        return (self.start is None or self.start <= now) and not self.has_ended(now)

    def has_ended(self, now: dt.datetime) -> bool:
        """Whether its end has passed."""
        return self.end is not None and self.end <= now


@dataclass(frozen=True)
class SiteChallenge:
    """A challenge as its site tells it. fetched: when, in UTC. main: the column that ranks."""

    address: Address
    fetched: dt.datetime
    title: str
    image: str
    queue: str
    phases: tuple[SitePhase, ...]
    columns: tuple[Column, ...]
    main: str
    terms: str
    detailed_results: bool
    programs_public: bool
    input_public: bool
    participant: str

    def phase(self, name: str | None, now: dt.datetime) -> SitePhase:
        """The phase of that number, index or name; by default the one that is open.

        Raises `SiteError` for none, and for several that are open.
        """
        if name is not None:
            return self._named(name.strip().casefold())
        open_now = [phase for phase in self.phases if phase.is_open(now)]
        if len(open_now) == 1 or len(self.phases) == 1:
            return (open_now or self.phases)[0]
        which = f"{len(open_now)} phases are open" if open_now else "no phase is open today"
        raise SiteError(f"{self.address.page}: {which}. Name one by --phase: {self._listed()}.")

    def _named(self, wanted: str) -> SitePhase:
        alike = [one for one in self.phases if one.name.strip().casefold() == wanted]
        alike += [one for one in self.phases if wanted in (str(one.index), str(one.number))]
        if not alike:
            raise SiteError(
                f"--phase {shown(wanted)}: expected a phase of {self.address.page}, by its name "
                f"or number: {self._listed()}."
            )
        return alike[0]

    def _listed(self) -> str:
        return few([f"{one.index} ({one.name})" for one in self.phases])


def fetch(site: Site, address: Address) -> SiteChallenge:
    """Ask the site. Raises `SiteError`."""
    given = site.get(f"/api/competitions/{address.number}/")
    if not isinstance(given, dict) or not tables(given.get("phases")):
        raise SiteError(f"{site.host}: expected a challenge with phases. Is it a Codabench site?")
    found = _read(given, address, site.clock.now())
    if not site.token:
        _keep({key: given[key] for key in _KEPT if key in given}, found)
    return found


def known(site: Site, address: Address, *, refresh: bool = False) -> tuple[SiteChallenge, str]:
    """The challenge out of the cache while it is fresh, else from the site; and a note on its age.

    refresh: ask the site anyhow. Where the site cannot be asked, the cache is taken however old.
    Raises `SiteError` where there is neither.
    """
    kept = _kept(address)
    now = site.clock.now()
    if kept and not refresh and (now - kept.fetched).total_seconds() < FRESH_SECONDS:
        return kept, f"{address.page} as of {age(kept, now)} (--refresh asks anew)"
    try:
        return fetch(site, address), ""
    except SiteError as error:
        if kept is None or error.status in (401, 403, 404):
            raise
        return kept, f"{error} Taken from the cache, as of {age(kept, now)}."


def age(challenge: SiteChallenge, now: dt.datetime) -> str:
    """How old it is, for people."""
    minutes = max(0, round((now - challenge.fetched).total_seconds() / 60))
    ago = counted(minutes, "minute")
    if minutes >= 90:
        hours = round(minutes / 60)
        ago = counted(hours, "hour") if hours < 48 else counted(round(hours / 24), "day")
    return f"{challenge.fetched:%Y-%m-%d %H:%M} UTC, {ago} ago"


def as_bundle(challenge: SiteChallenge) -> Bundle:
    """As a bundle whose programs and data are not there."""
    named = dict(task for phase in challenge.phases for task in phase.tasks)
    indexes = {number: index for index, number in enumerate(named)}
    missing = dict.fromkeys(("scoring_program", "ingestion_program"), _OF_BUNDLE)
    tasks = tuple(
        Task(index, named[number], None, missing=missing) for number, index in indexes.items()
    )
    return Bundle(
        source=challenge.address.page,
        folder=Path(),
        title=challenge.title,
        image=challenge.image,
        phases=tuple(
            _as_phase(one, [indexes[n] for n, _ in one.tasks]) for one in challenge.phases
        ),
        tasks=tasks,
        columns=challenge.columns,
        detailed_results=challenge.detailed_results,
    )


def filled(bundle: Bundle, source: Path, challenge: SiteChallenge) -> Bundle:
    """The bundle, with what it leaves open as the site says it. source: its zip or folder."""
    with opened_tree(source) as tree:
        said = read_manifest(tree).values
    theirs = {phase.index: phase for phase in challenge.phases}
    phases = tuple(
        _filled(phase, spoken, theirs.get(phase.index))
        for phase, spoken in zip(bundle.phases, in_order(said.get("phases")), strict=True)
    )
    return replace(
        bundle,
        phases=phases,
        image=bundle.image if said.get("docker_image") else challenge.image,
        columns=bundle.columns or challenge.columns,
    )


def _filled(phase: Phase, spoken: Mapping[str, Any], theirs: SitePhase | None) -> Phase:
    if theirs is None:
        return phase
    site = _as_phase(theirs, phase.tasks)
    keys = {
        "start": "start",
        "end": "end",
        "execution_time_limit": "seconds",
        "max_submissions_per_day": "per_day",
        "max_submissions": "in_all",
    }
    return replace(
        phase, **{name: getattr(site, name) for key, name in keys.items() if key not in spoken}
    )


def _as_phase(phase: SitePhase, tasks: Any) -> Phase:
    return Phase(
        index=phase.index,
        name=phase.name,
        tasks=tuple(tasks),
        start=_text(phase.start),
        end=_text(phase.end),
        seconds=phase.seconds,
        per_day=phase.per_day,
        in_all=phase.in_all,
    )


def _text(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _read(given: Mapping[str, Any], address: Address, now: dt.datetime) -> SiteChallenge:
    queue, boards = given.get("queue"), tables(given.get("leaderboards"))
    columns = [_column(at, one) for at, one in enumerate(_inside(boards))]
    main = whole(boards[0].get("primary_index"), 0) if boards else 0
    return SiteChallenge(
        address=address,
        fetched=now,
        title=str(given.get("title") or f"challenge {address.number}"),
        image=str(given.get("docker_image") or LEGACY_IMAGE),
        queue=str(queue.get("name") or "") if isinstance(queue, dict) else "",
        phases=tuple(_phase(one) for one in in_order(given.get("phases"))),
        columns=tuple(sorted(columns, key=lambda column: column.index)),
        main=next((one.key for one in columns if one.index == main), ""),
        terms=str(given.get("terms") or ""),
        detailed_results=is_true(given.get("enable_detailed_results")),
        programs_public=is_true(given.get("make_programs_available")),
        input_public=is_true(given.get("make_input_data_available")),
        participant=str(given.get("participant_status") or ""),
    )


def _inside(boards: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The columns of the first leaderboard, which is the only one that the site shows."""
    return tables(boards[0].get("columns")) if boards else []


def _column(at: int, given: Mapping[str, Any]) -> Column:
    of = given.get("computation_indexes")
    several = of.split(",") if isinstance(of, str) else of if isinstance(of, list) else []
    return Column(
        index=whole(given.get("index"), at),
        key=str(given.get("key") or ""),
        title=str(given.get("title") or ""),
        sorting="asc" if given.get("sorting") == "asc" else "desc",
        precision=min(max(whole(given.get("precision"), 2), 0), 10),
        hidden=is_true(given.get("hidden")),
        computation=str(given.get("computation") or ""),
        of=tuple(whole(one, -1) for one in several),
    )


def _phase(given: Mapping[str, Any]) -> SitePhase:
    limited = is_true(given.get("has_max_submissions", True))
    limits = (given.get("max_submissions_per_day"), given.get("max_submissions_per_person"))
    per_day, in_all = ((whole(one, 0) or None) if limited else None for one in limits)
    tasks = tables(given.get("tasks"))
    return SitePhase(
        number=whole(given.get("id"), 0),
        index=whole(given.get("index"), 0),
        name=str(given.get("name") or ""),
        start=moment(given.get("start")),
        end=moment(given.get("end")),
        seconds=whole(given.get("execution_time_limit"), 0) or SECONDS,
        per_day=per_day,
        in_all=in_all,
        used_today=_count(given.get("used_submissions_per_day")),
        used=_count(given.get("used_submissions_per_person")),
        tasks=tuple(
            (whole(one.get("id"), at), str(one.get("name"))) for at, one in enumerate(tasks)
        ),
    )


def moment(value: object) -> dt.datetime | None:
    """A date of the site in UTC; None for none, and for what cannot be read."""
    with suppress(ValueError, TypeError, OverflowError):
        found = dt.datetime.fromisoformat(str(value))
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    return None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _place(address: Address) -> Path:
    host = address.host.replace(":", "-")
    return cache_folder() / "sites" / host / f"{address.number}.json"


def _keep(given: Mapping[str, Any], found: SiteChallenge) -> None:
    """Into the cache; where none can be written, the next command asks again."""
    with suppress(OSError, RuntimeError, UserError):
        place = _place(found.address)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, as_json({"fetched": found.fetched.isoformat(), "challenge": given}))


def _kept(address: Address) -> SiteChallenge | None:
    with suppress(OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        given = read_json(_place(address))
        challenge, fetched = given["challenge"], moment(given["fetched"])
        if fetched and tables(challenge["phases"]):
            return _read(challenge, address, fetched)
    return None

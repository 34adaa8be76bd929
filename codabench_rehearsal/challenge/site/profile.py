"""What a site says of a challenge to anybody: phases, limits, columns, image, queue, terms.

It is kept in the user's cache with its date, so that a rehearsal works without a network.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import (
    LEGACY_IMAGE,
    SECONDS,
    Column,
    in_order,
    is_true,
    tables,
    whole,
)
from codabench_rehearsal.challenge.site.address import Address, file_name
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.console.reading import read_json
from codabench_rehearsal.console.temporary import cache_folder
from codabench_rehearsal.console.words import ago, as_json, few, shown

FRESH_SECONDS = 24 * 3600.0  # younger than this it is taken from the cache
_KEPT = (
    *("id", "title", "docker_image", "queue", "phases", "leaderboards", "terms"),
    *("enable_detailed_results", "make_programs_available", "make_input_data_available"),
    *("participant_status", "participants_count", "submissions_count"),
)


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
        named = [one for one in self.phases if one.name.strip().casefold() == wanted]
        if len(named) > 1:
            numbers = ", ".join(str(one.index) for one in named)
            raise SiteError(
                f"--phase {shown(wanted)}: {len(named)} phases of {self.address.page} have this "
                f"name: give its number, one of {numbers}."
            )
        alike = named or [one for one in self.phases if wanted == str(one.index)]
        alike = alike or [one for one in self.phases if wanted == str(one.number)]
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
    if isinstance(given, dict) and "title" in given and given.get("phases") == []:
        raise SiteError(f"{address.page} has no phase yet: there is nothing to submit to.")
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
    old = (now - kept.fetched).total_seconds() if kept else 0.0
    if kept and not refresh and abs(old) < FRESH_SECONDS:  # a clock was set back, or forward
        return kept, f"{address.page} as of {age(kept, now)} (--refresh asks anew)"
    try:
        return fetch(site, address), ""
    except SiteError as error:
        if kept is None or error.status in (401, 403, 404):
            raise
        return kept, f"{error} Taken from the cache, as of {age(kept, now)}."


def last_known(site: Site, address: Address) -> SiteChallenge:
    """The challenge as the site tells it, or did before it was closed; else without its columns.

    A submission's score is told when its challenge is hidden already. Raises `SiteError`.
    """
    try:
        return fetch(site, address)
    except SiteError as error:
        if error.status not in (403, 404):
            raise
    return _kept(address) or _read({}, address, site.clock.now())


def age(challenge: SiteChallenge, now: dt.datetime) -> str:
    """How old it is, for people."""
    return (
        f"{challenge.fetched:%Y-%m-%d %H:%M} UTC, {ago((now - challenge.fetched).total_seconds())}"
    )


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
    per_day, in_all = ((_count_of(one) or None) if limited else None for one in limits)
    tasks = tables(given.get("tasks"))
    return SitePhase(
        number=_count_of(given.get("id")),
        index=whole(given.get("index"), 0),
        name=str(given.get("name") or ""),
        start=moment(given.get("start")),
        end=moment(given.get("end")),
        seconds=_count_of(given.get("execution_time_limit")) or SECONDS,
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


def _count_of(value: object) -> int:
    """A number that counts something; 0 for one below, and for none."""
    return max(whole(value, 0), 0)


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _place(address: Address) -> Path:
    return cache_folder() / "sites" / file_name(address.base) / f"{address.number}.json"


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

"""The account's own submissions on a site, and whether one that we sent is among them.

A submission is asked for once. Where its answer is lost, only the site's list tells what became of
it, and only to the account that sent it: to another one the list says nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codabench_rehearsal.challenge.bundle import tables, whole
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.profile import moment
from codabench_rehearsal.challenge.site.uploads import Upload, alone, known_of
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.words import shown

LOOKS = (2.0, 5.0, 10.0)  # seconds before each look for a submission whose answer was lost
CERTAIN = dt.timedelta(hours=1)  # after it no request is on its way any more
MOST_PAGES = 200  # of a list that the site gives in parts
_KEPT_OF_NAME = 35  # characters of a name's stem that the site keeps


def own_name(site: Site) -> str:
    """The account's name on the site; organisers see the submissions of others too."""
    given = site.get("/api/my_profile/")
    name = given.get("username") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name:
        raise SiteError(f"{site.host}: expected the account's name, received none.")
    if site.transcript is not None:
        site.transcript.hide(name)
    return name


def own_submissions(site: Site, phase: int, owner: str) -> list[Mapping[str, Any]]:
    """The account's submissions to a phase as the site tells them.

    Without the tasks of others, and without the organisers' runs of one task anew.
    """
    own = [row for row in tables(list(_rows(site, phase))) if row.get("owner") == owner]
    return [row for row in own if not (row.get("parent") or row.get("is_specific_task_re_run"))]


def _rows(site: Site, phase: int) -> Iterator[object]:
    """All of the list, where it comes in pages too: what is on none of them is not there."""
    for page in range(1, MOST_PAGES + 1):
        asked = {"phase": phase} if page == 1 else {"phase": phase, "page": page}
        given = site.get("/api/submissions/", **asked)
        rows = given.get("results") if isinstance(given, dict) else given
        if not isinstance(rows, list):
            expected = "expected a list of submissions, received something else"
            raise SiteError(f"{site.host}: {expected}.")
        yield from rows
        if not (isinstance(given, dict) and given.get("next")):
            return
    raise SiteError(f"{site.host}: its list of submissions does not end.")


def sender(site: Site, plan: Upload) -> tuple[str, int]:
    """Which account asks, and its newest submission to the phase: what an upload notes of it.

    The account is a digest, for what is kept on disk names nobody; the number is 0 without one.
    """
    account, own = _seen(site, plan)
    return account, max((number for number, _ in own), default=0)


def _seen(site: Site, plan: Upload) -> tuple[str, list[tuple[int, str]]]:
    """The account, and number and file name of each of its submissions to the phase."""
    name = own_name(site)
    rows = own_submissions(site, plan.phase, name)
    account = hashlib.sha256(f"{site.base} {name}".encode()).hexdigest()[:16]
    return account, [(whole(r.get("id"), 0), site_name(str(r.get("filename")))) for r in rows]


def arrived(site: Site, plan: Upload, waits: Sequence[float] = LOOKS) -> int | None:
    """The number of the submission that we sent, 0 where it is not there; None: nobody could look.

    waits: seconds before each look. Raises `SiteError` where several may be it, and where another
    account looks than the one that sent it.
    """
    seen = None
    for wait in waits:
        site.clock.sleep(wait)
        try:
            account, own = _seen(site, plan)
        except SiteError:
            continue
        if plan.account not in ("", account):
            raise SiteError(
                f"{shown(plan.name)} was sent by another account of {site.host}, which alone can "
                "see whether it arrived: log in as that one (codabench-challenge login).",
                in_doubt=True,
            )
        found = [n for n, name in own if n > plan.before and name == site_name(plan.name)]
        if len(found) > 1:
            raise SiteError(
                f"submissions {', '.join(map(str, sorted(found)))} are all called "
                f"{shown(plan.name)}, and one may be this one. Nothing more is sent: look at "
                f"{plan.address.page}.",
                in_doubt=True,
            )
        if found:
            return found[0]
        seen = 0
    return seen


def settled(site: Site, plan: Upload) -> Upload:
    """An upload whose answer was lost, with what the site's list says of it by now.

    It has a number where it is there. Where it is not, long after it was sent, nothing was
    submitted: only its bytes are stored. Else it is as it was. Raises `SiteError`, `FileError`.
    """
    with alone(plan) as is_alone:
        known = known_of(plan) or plan
        if known.stage != "sent" or not is_alone:  # somebody is at it
            return known
        number = arrived(site, known, waits=(0.0,))
        if number:
            return replace(known, submission=number, stage="submitted").keep()
        sent = moment(known.asked or known.began)
        if number == 0 and sent is not None and site.now() - sent > CERTAIN:
            return replace(known, stage="stored").keep()
        return known


def vanished(site: Site, plan: Upload) -> Upload:
    """A submission that the site has no more, as if only its bytes were stored; else as it was.

    Raises `SiteError`, also where another account asks, to which no submission of ours is there.
    """
    account, own = _seen(site, plan)
    if plan.account != account:
        raise SiteError(f"{site.host} tells it to the account alone that sent it: log in as that.")
    try:
        site.get(f"/api/submissions/{plan.submission}/")
    except SiteError as error:
        if error.status == 404 and plan.submission not in [number for number, _ in own]:
            return replace(plan, stage="stored", submission=0).keep()
        raise
    return plan


def site_name(name: str) -> str:
    """A file's name as the site keeps it, as far as it keeps names apart."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    return re.sub(r"[^\w.-]", "", f"{stem[:_KEPT_OF_NAME]}{dot}{ending}".replace(" ", "_"))

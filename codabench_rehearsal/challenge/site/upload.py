"""An upload: what counts before it, and each of its steps, so that none is spent twice.

Three steps put the bytes into the site's storage, and cost nothing: they are repeated as often as
a connection breaks. The last one makes a submission of them, and is counted: it is sent once. Where
its answer is lost, the site's own list of submissions says whether it arrived; where that does not
say, we stop. Calls and answers: docs/site.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import whole
from codabench_rehearsal.challenge.site.address import Address
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.own import arrived, sender
from codabench_rehearsal.challenge.site.profile import SiteChallenge, SitePhase, fetch
from codabench_rehearsal.challenge.site.uploads import Upload, alone, known_of
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.words import human_bytes, shown

LONGEST_NAME = 64  # characters of a zip's name that the site takes
CHUNK = 1 << 18
_KEY = re.compile(r"[\w-]{8,64}")
Told = Callable[[int, int], None]  # bytes sent, of how many


@dataclass(frozen=True)
class Allowance:
    """What the site lets this account do in a phase, by the site's own word and clock.

    left_today, left: submissions, None without a limit. free: bytes of the quota, None where it is
    not told. refusals: why it is of no use to upload, in words.
    """

    challenge: SiteChallenge
    phase: SitePhase
    now: dt.datetime
    left_today: int | None
    left: int | None
    free: int | None
    refusals: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What counts, before anybody says yes."""
        phase = self.phase
        yield f"to {shown(self.challenge.title)}, phase {shown(phase.name)}"
        yield f"   {self.challenge.address.page}"
        today = _left_in_words(self.left_today, phase.per_day, "today", "a day")
        in_all = _left_in_words(self.left, phase.in_all, "in all", "in all")
        yield f"   submissions: {today}, {in_all} (failed ones do not count, cancelled ones do)"
        if self.free is not None:
            yield f"   your quota: {human_bytes(self.free)} free (results and logs count too)"
        yield f"   the phase {_ends(phase.end, self.now)}"


def allowance(
    site: Site, address: Address, phase_name: str | None, name: str, size: int
) -> Allowance:
    """Ask what counts for a zip of that name and bytes. Raises `SiteError`."""
    challenge = fetch(site, address)
    now = site.now()
    phase = challenge.phase(phase_name, now)
    allowed = _table(site.get(f"/api/can_make_submission/{phase.number}/"))
    found = Allowance(
        challenge,
        phase,
        now,
        _left(phase.per_day, phase.used_today),
        _left(phase.in_all, phase.used),
        _free(site),
        (),
    )
    return replace(found, refusals=tuple(_refusals(found, site, allowed, name, size)))


def _refusals(
    found: Allowance, site: Site, allowed: Mapping[str, Any], name: str, size: int
) -> Iterator[str]:
    phase, now = found.phase, found.now
    if phase.end is not None and phase.has_ended(now):
        ended = f"the phase {shown(phase.name)} ended {phase.end:%Y-%m-%d %H:%M} UTC"
        yield f"{ended}: the site would take the zip all the same, and it would not count"
    if phase.start is not None and phase.start > now:
        yield f"the phase {shown(phase.name)} begins {phase.start:%Y-%m-%d %H:%M} UTC"
    if found.challenge.participant not in ("", "approved"):
        status = site.plain(found.challenge.participant)
        yield f"this account is not accepted in the challenge ({status}): register on its page"
    elif allowed.get("can") is not True:
        yield f"the site says: {site.plain(allowed.get('reason') or 'no')}"
    elif 0 in (found.left_today, found.left):
        yield "no submission is left"
    yield from _refusals_of_zip(found, name, size)


def _refusals_of_zip(found: Allowance, name: str, size: int) -> Iterator[str]:
    if not name.isprintable():
        yield "the zip's name holds signs that are no text: rename it"
    if len(name) > LONGEST_NAME:
        length = f"{len(name)} characters, the site takes {LONGEST_NAME}"
        yield f"the zip's name has {length}: rename it"
    if found.free is not None and size > found.free:
        yield (
            f"the zip has {human_bytes(size)}, and {human_bytes(max(found.free, 0))} of your quota "
            "are free: remove old files on the site (Resources)"
        )


def _left_in_words(left: int | None, limit: int | None, of: str, each: str) -> str:
    if limit is None:
        return f"no limit {each}"
    return f"at most {limit} {each}, used ones not told" if left is None else f"{left} left {of}"


def _left(limit: int | None, used: int | None) -> int | None:
    return None if limit is None or used is None else max(limit - used, 0)


def _free(site: Site) -> int | None:
    """Bytes of the quota that are free; None where the site does not tell."""
    with suppress(SiteError, LookupError, TypeError, ValueError, OverflowError):
        given = _table(site.get("/api/user_quota/"))
        quota = float(given["quota"])  # below zero it stands for none
        return int(quota * 1e9 - float(given["storage_used"])) if quota >= 0 else None
    return None


def _ends(end: dt.datetime | None, now: dt.datetime) -> str:
    if end is None:
        return "has no end"
    hours = (end - now).total_seconds() / 3600
    ago = f"in {hours / 24:.0f} days" if hours > 48 else f"in {hours:.1f} hours"
    return f"ends {end:%Y-%m-%d %H:%M} UTC, {ago}" if hours > 0 else f"ended {end:%Y-%m-%d %H:%M}"


def carry_out(
    site: Site,
    plan: Upload,
    told: Told = lambda _done, _size: None,
    end: dt.datetime | None = None,
) -> Upload:
    """Upload a zip and make a submission of it; what an earlier run did is not done again.

    plan: what is to be uploaded, without a key. told: hears of the bytes. end: of the phase, after
    which nothing is submitted. Returns it with its submission's number. Raises `SiteError`,
    `FileError`.
    """
    with alone(plan) as is_alone:
        if not is_alone:
            raise SiteError(
                f"another command is uploading to {site.host}: wait until it is done, then run "
                "this one again."
            )
        return _carried_out(site, plan, told, end)


def _carried_out(site: Site, plan: Upload, told: Told, end: dt.datetime | None) -> Upload:
    done = known_of(plan) or plan
    if done.came_to_nothing:
        done = replace(plan, key=done.key)  # the site still has its bytes
    if done.submission:
        return done
    if done.stage == "sent":
        number = arrived(site, done)  # the site may be at it still
        if number is None:
            raise SiteError(_doubtful(done, "The last run was cut off."), in_doubt=True)
        if number:
            return replace(done, submission=number, stage="submitted").keep()
    if not done.key:
        done = replace(plan, key=_stored(site, plan, told)).keep()
    if end is not None and end <= site.now():  # the question stood open, or the bytes took long
        raise SiteError(
            f"the phase {shown(plan.phase_name)} ended {end:%Y-%m-%d %H:%M} UTC, before the zip "
            "was there: nothing was submitted."
        )
    return _submitted(site, done)


def _stored(site: Site, plan: Upload, told: Told) -> str:
    """Put the bytes into the site's storage; the key of their dataset."""
    asked = {
        "type": "submission",
        "request_sassy_file_name": plan.name,
        "file_size": plan.size,
    }
    # Done twice, it leaves an empty entry among one's own files: no submission, and no bytes.
    given = _table(site.send("POST", "/api/datasets/", asked, safe=True))
    key, url = given.get("key"), given.get("sassy_url")
    if not isinstance(key, str) or not _KEY.fullmatch(key) or not isinstance(url, str):
        raise SiteError(f"{site.host}: expected a key and an address for the zip, received others.")
    site.put_file(url, lambda: _parts(plan, told), plan.size)
    site.send("PUT", f"/api/datasets/completed/{key}/", {}, safe=True)
    return key


def _parts(plan: Upload, told: Told) -> Iterator[bytes]:
    """The zip's bytes. Raises `SiteError` where they are not those that were checked."""
    seen, count = hashlib.sha256(), 0
    try:
        with Path(plan.zip).open("rb") as file:
            while part := file.read(min(CHUNK, plan.size - count + 1)):
                seen.update(part)
                count += len(part)
                if count > plan.size or (count == plan.size and seen.hexdigest() != plan.sha256):
                    raise _changed(plan)  # before its last bytes are sent
                told(count, plan.size)
                yield part
    except OSError as error:
        raise SiteError(f"{shown(plan.zip)}: {error.strerror}. Nothing was submitted.") from None
    if count != plan.size:
        raise _changed(plan)


def _changed(plan: Upload) -> SiteError:
    return SiteError(
        f"{shown(plan.name)} is not the file that was checked: it changed meanwhile. Nothing was "
        "submitted: run the command again."
    )


def _submitted(site: Site, plan: Upload) -> Upload:
    """Make a submission of what is stored: sent once, and looked for where its answer is lost."""
    account, before = sender(site, plan)
    asked_at = site.now().isoformat(timespec="seconds")
    sent = replace(plan, stage="sent", before=before, account=account, asked=asked_at).keep()
    asked = {"phase": plan.phase, "data": plan.key, "tasks": list[int]()}
    try:
        given = _table(site.send("POST", "/api/submissions/", asked, safe=False))
        number = whole(given.get("id"), 0)
        if number <= 0:
            said = f"{site.host}: expected a submission's number, received none."
            raise SiteError(said, in_doubt=True)  # noqa: TRY301  as one whose answer broke
    except SiteError as error:
        if not error.in_doubt:
            key = "" if error.status in (400, 404) else plan.key  # the dataset may be gone
            replace(plan, key=key).keep()
            raise
        number = arrived(site, sent) or 0
        if not number:
            raise SiteError(_doubtful(sent, str(error)), in_doubt=True) from None
    return replace(sent, submission=number, stage="submitted").keep()


def in_doubt(plan: Upload) -> str:
    """What to say where a run is cut off while a submission is asked for; "" where none was."""
    known = known_of(plan)
    is_open = known is not None and known.stage == "sent"
    return _doubtful(known, "Cut off.") if known and is_open else ""


def _doubtful(plan: Upload, why: str) -> str:
    return (
        f"{why} Whether the submission arrived is not known, so it is not sent again: look for "
        f"{shown(plan.name)} under My Submissions at {plan.address.page}. The same command looks "
        "first, and sends it only if it is not there."
    )


def _table(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}

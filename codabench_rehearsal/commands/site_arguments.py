"""What the commands share that talk to a site: options, the open site, and a challenge on one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.address import is_address, read_address
from codabench_rehearsal.challenge.site.client import OFF_SECONDS, Site
from codabench_rehearsal.challenge.site.transcript import Transcript
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import SubmissionError, UserError
from codabench_rehearsal.console.roles import BUNDLE, JSON
from codabench_rehearsal.console.settings import is_settled

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.profile import SiteChallenge


def add_record_http(add: argparse._ActionsContainer) -> None:
    """Add --record-http; the command has --force."""
    what = "write what passed between the site and us, without token, cookies and names"
    add.add_argument("--record-http", type=JSON, metavar="FILE", help=what)


def add_refresh(add: argparse._ActionsContainer) -> None:
    """Add --refresh."""
    what = "ask the site anew, although the cache knows the challenge"
    add.add_argument("--refresh", action="store_true", help=what)


def add_site_challenge(add: argparse._ActionsContainer) -> None:
    """Add --bundle and --refresh, which go with a --challenge on a site."""
    what = "with --challenge 1234: the challenge's bundle, which decides where both speak"
    add.add_argument("--bundle", type=BUNDLE, metavar="BUNDLE", help=what)
    add_refresh(add)


def require_site(options: argparse.Namespace) -> None:
    """Raise `SubmissionError` for options of a site's challenge where none is named."""
    given = [one for one in ("bundle", "refresh") if getattr(options, one)]
    given = [one for one in given if not is_settled(options, one)]
    if given and not (options.challenge and is_address(options.challenge)):
        raise SubmissionError(f"--{given[0]} goes with --challenge 1234, a challenge on a site.")


def bundle_beside(options: argparse.Namespace) -> str | None:
    """--bundle; not a project's own where another challenge than the project's was typed."""
    other = is_settled(options, "bundle") and not is_settled(options, "challenge")
    return None if other else options.bundle


def known_challenge(options: argparse.Namespace, prog: str) -> SiteChallenge:
    """What the site of --challenge says, out of the cache while that is fresh; its age is told.

    Anonymous calls only. Raises `SiteError` where neither the site nor the cache knows it.
    """
    from codabench_rehearsal.challenge.site.profile import known

    address = read_address(options.challenge)
    with opened_site(options, address.base) as site:
        found, note = known(site, address, refresh=options.refresh)
    if note:
        tell(prog, note)
    return found


@contextmanager
def opened_site(options: argparse.Namespace, base: str, token: str = "") -> Iterator[Site]:
    """The site at `base`; what passed is written at the end where --record-http asks for it.

    token: "" for what anybody may read. A clock that is off is told.
    """
    target = getattr(options, "record_http", None) or ""
    transcript = Transcript(token) if target else None
    try:
        with Site(base, token, transcript) as site:
            yield site
    except BaseException:
        if transcript is not None:
            try:
                transcript.write(target)
            except UserError as error:  # what became of an upload is told, not this
                tell("site", f"--record-http: {error}")
        raise
    if transcript is not None:
        transcript.write(target)
    if site.seconds_off > OFF_SECONDS:
        minutes = site.seconds_off / 60
        off = f"{minutes / 60:,.0f} hours" if minutes > 120 else f"{minutes:.0f} minutes"
        tell("site", f"this machine's clock is {off} from {site.host}'s, which counts")

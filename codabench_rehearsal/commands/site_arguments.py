"""What the commands share that talk to a site: options, the open site, and who speaks for whom."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from codabench_rehearsal.challenge.site.client import OFF_SECONDS, Site
from codabench_rehearsal.challenge.site.transcript import Transcript
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.roles import JSON


def add_record_http(add: argparse._ActionsContainer) -> None:
    """Add --record-http; the command has --force."""
    what = "write what passed between the site and us, without token, cookies and names"
    add.add_argument("--record-http", type=JSON, metavar="FILE", help=what)


def add_refresh(add: argparse._ActionsContainer) -> None:
    """Add --refresh."""
    what = "ask the site anew, although the cache knows the challenge"
    add.add_argument("--refresh", action="store_true", help=what)


@contextmanager
def opened_site(options: argparse.Namespace, base: str, token: str = "") -> Iterator[Site]:
    """The site at `base`; what passed is written at the end where --record-http asks for it.

    token: "" for what anybody may read. A clock that is off is told.
    """
    target = options.record_http or ""
    transcript = Transcript(token) if target else None
    try:
        with Site(base, token, transcript) as site:
            yield site
    finally:
        if transcript is not None:
            transcript.write(target)
    if site.seconds_off > OFF_SECONDS:
        minutes = site.seconds_off / 60
        off = f"{minutes / 60:,.0f} hours" if minutes > 120 else f"{minutes:.0f} minutes"
        tell("site", f"this machine's clock is {off} from {site.host}'s, which counts")

"""`codabench-challenge status`: what became of uploads; their scores are recorded as they end."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.site_arguments import add_record_http, opened_site
from codabench_rehearsal.commands.site_outcome import concluded, to_stdout, waited
from codabench_rehearsal.console.command import Exit, Parser, print_lines, tell
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.words import shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.client import Site
    from codabench_rehearsal.challenge.site.uploads import Upload

EXAMPLES = """\
examples:
  codabench-challenge status            every upload that has not ended yet
  codabench-challenge status --wait     until they have
  codabench-challenge status --all      those that have ended too, as they were told last

Ended ones: the score goes into the history, logs and results beside the zip.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = Parser(
        "codabench-challenge status",
        "Ask what became of your uploads.",
        EXAMPLES,
        "one of them failed",
    )
    made.add_argument("--wait", action="store_true", help="until all have ended")
    made.add_argument("--all", action="store_true", help="show ended ones too")
    add_record_http(made)
    add_force(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Ask each site after its uploads."""
    from codabench_rehearsal.challenge.site.credentials import require_token
    from codabench_rehearsal.challenge.site.uploads import all_uploads

    every = all_uploads()
    if options.all:
        print_lines(_line(one) for one in every)
    running = defaultdict(list)
    for one in every:
        if one.stage == "submitted":
            running[one.base].append(one)
    print_lines([*_unsent(every), *([] if running else ["no upload is under way"])])
    codes = [int(Exit.FINE)]
    for base, uploads in running.items():
        try:
            with opened_site(options, base, require_token(base)) as site:
                codes += [_asked_if_there(site, one, wait=options.wait) for one in uploads]
        except UserError as error:  # of one site: others are told all the same
            tell("codabench-challenge status", str(error))
            codes.append(Exit.USAGE)
    return max(codes)


def _line(one: Upload) -> str:
    number = f"submission {one.submission}" if one.submission else one.stage
    return f"{one.began[:16]} {shown(one.name)}: {number} {one.status}, {one.address.page}"


def _unsent(every: Sequence[Upload]) -> Iterator[str]:
    """Uploads that were broken off: the same command takes them up."""
    for one in every:
        if one.stage in ("stored", "sent"):
            doubt = ", and whether it arrived is not known" if one.stage == "sent" else ""
            yield (
                f"{shown(one.name)} was broken off on {one.began[:10]}{doubt}: the command that "
                f"uploaded it goes on from there ({one.address.page})"
            )


def _asked_if_there(site: Site, one: Upload, *, wait: bool) -> int:
    """As `_asked`; what the site refuses of one upload keeps no other from being told."""
    try:
        return _asked(site, one, wait=wait)
    except UserError as error:
        tell("codabench-challenge status", f"{shown(one.name)}: {error}")
        return Exit.USAGE


def _asked(site: Site, one: Upload, *, wait: bool) -> int:
    from codabench_rehearsal.challenge.site.profile import fetch
    from codabench_rehearsal.challenge.site.results import ask_outcome, told

    outcome = waited(site, one) if wait else ask_outcome(site, one.submission)
    if not outcome.has_ended:
        print_lines([f"{told(outcome, site)} ({shown(one.name)}), since {one.began[:16]} UTC"])
        return Exit.FINE
    return concluded(site, one, outcome, fetch(site, one.address), to_stdout)

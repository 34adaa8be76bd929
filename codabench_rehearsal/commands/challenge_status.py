"""`codabench-challenge status`: what became of uploads; their scores are recorded as they end."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.site_arguments import add_record_http, opened_site
from codabench_rehearsal.commands.site_outcome import concluded, to_stdout, waited
from codabench_rehearsal.console.command import Exit, Parser, print_lines, tell
from codabench_rehearsal.console.errors import SubmissionError, UserError
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.words import ago, few, quoted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.client import Site
    from codabench_rehearsal.challenge.site.uploads import Upload

EXAMPLES = """\
examples:
  codabench-challenge status            every upload that has not ended yet
  codabench-challenge status --wait     until they have
  codabench-challenge status --all      those that have ended too, as they were told last
  codabench-challenge status --forget submission.zip      one that was broken off

Ended ones: the score goes into the history, logs and results beside the zip. Forgotten is only what
the site surely has no submission of, so that nothing is sent twice for it.
"""

_SHORTEST = 6  # signs of a SHA-256 that stand for it


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
    what = "no longer list an upload that was broken off: its zip's name, or its sha256's beginning"
    made.add_argument("--forget", metavar="ZIP", default="", help=what)
    add_record_http(made)
    add_force(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Ask each site after its uploads."""
    from codabench_rehearsal.challenge.site.uploads import all_uploads

    every = all_uploads()
    if options.forget:
        return max(_forgotten(one, options) for one in _meant(options.forget, every))
    if options.all:
        print_lines(_line(one) for one in every)
    codes, left = [int(Exit.FINE)], [one for one in every if one.stage == "stored"]
    under_way = [one for one in every if one.stage in ("sent", "submitted")]
    for base in dict.fromkeys(one.base for one in under_way):
        uploads = [one for one in under_way if one.base == base]
        try:
            left += _asked_all(options, base, uploads, codes)
        except UserError as error:  # of one site: others are told all the same
            tell("codabench-challenge status", str(error))
            codes.append(Exit.USAGE)
            left += [one for one in uploads if one.stage == "sent"]
    none = [] if any(one.stage == "submitted" for one in under_way) else ["no upload is under way"]
    if lines := [*map(_broken_off, left), *none]:
        print_lines(lines)
    return max(codes)


def _asked_all(
    options: argparse.Namespace, base: str, uploads: Sequence[Upload], codes: list[int]
) -> list[Upload]:
    """Ask one site after its uploads; those that have no number. codes: each one's is added.

    Where none has a number and no token is known, nobody is asked for one.
    """
    from codabench_rehearsal.challenge.site.credentials import find_token, require_token
    from codabench_rehearsal.challenge.site.own import settled

    has_numbers = any(one.submission for one in uploads)
    token = require_token(base) if has_numbers else find_token(base)
    if not token:
        return list(uploads)
    left = []
    with opened_site(options, base, token) as site:
        for one in uploads:
            try:
                now = settled(site, one) if one.stage == "sent" else one
                if now.stage == "submitted":
                    codes.append(_asked(site, now, wait=options.wait))
                elif now.stage != "ended":
                    left.append(now)
            except UserError as error:  # what it refuses of one keeps no other from being told
                gone = getattr(error, "status", 0) == 404
                way = f" If it was removed there: --forget {quoted(one.name)}" if gone else ""
                tell("codabench-challenge status", f"{shown(one.name)}: {error}{way}")
                codes.append(Exit.USAGE)
                left += [one] if one.stage == "sent" else []
    return left


def _meant(word: str, every: Sequence[Upload]) -> list[Upload]:
    """The uploads that are meant, by name or SHA-256; ended ones are history. Raises."""
    is_start = len(word) >= _SHORTEST
    meant = [
        one
        for one in every
        if one.stage != "ended" and (one.name == word or (is_start and one.sha256.startswith(word)))
    ]
    if not meant:
        names = list(dict.fromkeys(one.name for one in every if one.stage != "ended"))
        which = f"one of {few(names)}" if names else "but none has been broken off"
        raise SubmissionError(
            f"status --forget {shown(word)}: expected an upload that was broken off, {which}."
        )
    return meant


def _forgotten(one: Upload, options: argparse.Namespace) -> int:
    """Drop an upload of which the site surely has no submission; the exit code."""
    from codabench_rehearsal.challenge.site.uploads import forget

    try:
        known = one if one.stage == "stored" else _known_by_site(one, options)
        if known.stage != "stored" or not forget(known):
            where = f"as submission {known.submission}" if known.submission else "or may be yet"
            raise SubmissionError(
                f"not forgotten, for it is there {where}: else the same zip could be sent twice"
            )
    except UserError as error:
        tell("codabench-challenge status", f"{shown(one.name)}: {error}")
        return Exit.USAGE
    print_lines([f"{shown(one.name)} is forgotten ({one.address.page})"])
    return Exit.FINE


def _known_by_site(one: Upload, options: argparse.Namespace) -> Upload:
    """What the site says of an upload by now: "stored" where it surely has no submission of it."""
    from codabench_rehearsal.challenge.site.credentials import require_token
    from codabench_rehearsal.challenge.site.own import settled, vanished

    with opened_site(options, one.base, require_token(one.base)) as site:
        return vanished(site, one) if one.stage == "submitted" else settled(site, one)


def _line(one: Upload) -> str:
    number = f"submission {one.submission}" if one.submission else one.stage
    return f"{one.began[:16]} {shown(one.name)}: {number} {one.status}, {one.address.page}"


def _broken_off(one: Upload) -> str:
    """An upload that came to no submission: how old it is, and the two ways on."""
    from codabench_rehearsal.challenge.site.profile import moment
    from codabench_rehearsal.challenge.site.uploads import alone
    from codabench_rehearsal.challenge.site.wire import Clock

    with alone(one) as is_alone:
        if not is_alone:
            return f"{shown(one.name)} may be on its way: another command is uploading now"
    began = moment(one.began)
    when = f" {ago((Clock().now() - began).total_seconds())}" if began else ""
    doubt = ", and whether it arrived is not known" if one.stage == "sent" else ""
    here = Path(one.zip).is_file()
    on = "the command that uploaded it goes on from there" if here else "its zip is not there now"
    forget = f"--forget {quoted(one.name)}"
    return f"{shown(one.name)} was broken off{when}{doubt}: {on}; or {forget} ({one.address.page})"


def _asked(site: Site, one: Upload, *, wait: bool) -> int:
    from codabench_rehearsal.challenge.site.profile import last_known
    from codabench_rehearsal.challenge.site.results import ask_outcome, told

    outcome = waited(site, one) if wait else ask_outcome(site, one.submission)
    if not outcome.has_ended:
        print_lines([f"{told(outcome, site)} ({shown(one.name)}), since {one.began[:16]} UTC"])
        return Exit.FINE
    return concluded(site, one, outcome, last_known(site, one.address), to_stdout)

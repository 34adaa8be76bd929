"""`make-submission ... --upload 1234`: what counts, one question, the upload, its end."""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.address import Address, is_address, read_address
from codabench_rehearsal.commands.evaluation_arguments import add_store
from codabench_rehearsal.commands.site_arguments import (
    add_record_http,
    add_site_challenge,
    opened_site,
)
from codabench_rehearsal.commands.site_outcome import (
    BACK,
    concluded,
    to_stderr,
    to_stdout,
    waited,
)
from codabench_rehearsal.console import NO_STORE, PHASE
from codabench_rehearsal.console.asking import agrees, can_ask
from codabench_rehearsal.console.bar import progress
from codabench_rehearsal.console.command import Exit, tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import STDOUT
from codabench_rehearsal.console.words import human_bytes, percent, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.client import Site
    from codabench_rehearsal.challenge.site.upload import Allowance
    from codabench_rehearsal.challenge.site.uploads import Upload
    from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked
    from codabench_rehearsal.rehearsal.check import Checked

_WITH_UPLOAD = ("yes", "wait", "anyway")


@dataclass(frozen=True)
class Target:
    """Where a zip goes. token: never shown."""

    address: Address
    token: str

    def __repr__(self) -> str:
        return f"Target({self.address})"


@dataclass(frozen=True)
class Ready:
    """A zip that was checked. fine: whether nothing speaks against it."""

    path: Path
    sha256: str
    size: int
    fine: bool


@dataclass(frozen=True)
class Sent:
    """What came of it. code: for the shell. upload: None where nothing was sent."""

    code: int
    upload: Upload | None = None


def add_upload(parser: argparse.ArgumentParser) -> None:
    """Add the options of a challenge's site."""
    group = parser.add_argument_group("a challenge's site")
    add = group.add_argument
    what = "upload the zip to this challenge, after the check and a question"
    add("--upload", metavar="1234|ADDRESS", default="", help=what)
    add("--yes", action="store_true", help="upload without the question")
    add("--anyway", action="store_true", help="although the check found errors")
    what = "wait for the score; it is recorded, logs and results go beside the zip"
    add("--wait", action="store_true", help=what)
    add_site_challenge(group)
    add_record_http(group)
    add_store(group)


def target(options: argparse.Namespace) -> Target | None:
    """Where to upload, None for nowhere; asked before anything long begins.

    Raises `SubmissionError` for options that do not go together, and without a token.
    """
    if not options.upload:
        if given := [name for name in _WITH_UPLOAD if getattr(options, name)]:
            raise SubmissionError(f"--{given[0]} goes with --upload 1234: name the challenge.")
        return None
    address = read_address(options.upload)
    other = getattr(options, "challenge", None)
    if other and is_address(other) and read_address(other) != address:
        raise SubmissionError(
            f"--challenge {shown(other)} and --upload {shown(options.upload)} are two challenges: "
            "check against the one that the zip goes to."
        )
    if options.store == NO_STORE:
        raise SubmissionError("--upload: expected a store for the score, received --store none.")
    if not options.yes and not can_ask():
        raise SubmissionError(
            "--upload: nobody can be asked here (no terminal): say --yes (in Python: yes=True)."
        )
    from codabench_rehearsal.challenge.site.credentials import require_token

    return Target(address, require_token(address.base))


def upload(
    checked: Checked | BundleChecked,
    challenge: str | int,
    *,
    phase: str | None = None,
    yes: bool = False,
    wait: bool = False,
    anyway: bool = False,
    store: str | Path | None = None,
) -> Upload:
    """Upload a zip that was checked: `upload(check("submission.zip"), 1234, yes=True)`.

    challenge: its number or address. phase: by name or number; the one that is open where left out.
    yes: without it the question is asked at a terminal, and a notebook is refused. wait: for the
    score, which is recorded. anyway: although errors were found. store: where its score goes, a
    file or folder, None for the project's. Raises `UserError`.
    """
    options = argparse.Namespace(
        upload=str(challenge),
        phase=PHASE if phase is None else str(phase),
        yes=yes,
        wait=wait,
        anyway=anyway,
        store=None if store is None else str(store),
        json=None,
        record_http=None,
    )
    where = target(options)
    path, fine = Path(checked.zip_name), is_fine(checked)
    if where is None or not (fine or anyway):
        raise SubmissionError(f"{shown(path.name)} has errors: fix them, or say anyway=True.")
    sent = send(where, Ready(path, checked.sha256, checked.size, fine), options)
    if sent.upload is None:
        raise SubmissionError(f"{shown(path.name)} was not uploaded: the answer was no.")
    return sent.upload


def is_fine(checked: Checked | BundleChecked) -> bool:
    """Whether nothing speaks against the upload, as far as was looked."""
    from submission.findings import has_errors

    return bool(getattr(checked, "is_fine", True)) and not has_errors(checked.findings)


def send(where: Target, ready: Ready, options: argparse.Namespace) -> Sent:
    """Show what counts, ask, upload, and wait if that is wanted.

    Raises `UserError` for what the site refuses.
    """
    say = to_stderr if options.json == STDOUT else to_stdout
    if not ready.fine and not options.anyway:
        say([f"Not uploaded: fix what was found in {shown(ready.path.name)}, or say --anyway."])
        return Sent(Exit.FINDINGS)
    if not ready.path.is_file():
        raise SubmissionError(f"{shown(ready.path)} was not written, so it is not uploaded.")
    if not zipfile.is_zipfile(ready.path):
        raise SubmissionError(f"{shown(ready.path)}: the site takes a zip: zip the file, as it is.")
    with opened_site(options, where.address.base, where.token) as site:
        allowed = _allowance(site, where.address, ready, options)
        plan = _plan(allowed, ready, options.store)
        if done := _done_before(plan):
            say([_said_before(done)])
        else:
            done = _carried_out(site, allowed, plan, options)
            if done is None:
                say(["Not uploaded."])
                return Sent(Exit.FINE)
            say([f"submission {done.submission}: {done.address.page}"])
        if not options.wait:
            say([f"what becomes of it: {BACK}"])
            return Sent(Exit.FINE, done)
        outcome = waited(site, done, allowed.challenge.queue)
        return Sent(concluded(site, done, outcome, allowed.challenge, say), done)


def _allowance(
    site: Site, address: Address, ready: Ready, options: argparse.Namespace
) -> Allowance:
    from codabench_rehearsal.challenge.site.upload import allowance

    phase = None if options.phase == PHASE else options.phase
    return allowance(site, address, phase, ready.path.name, ready.size)


def _plan(allowed: Allowance, ready: Ready, store: str | None) -> Upload:
    from codabench_rehearsal.challenge.site.uploads import Upload
    from evaluator.store.file import find_store

    return Upload(
        base=allowed.challenge.address.base,
        challenge=allowed.challenge.address.number,
        phase=allowed.phase.number,
        phase_name=allowed.phase.name,
        zip=str(ready.path.absolute()),
        sha256=ready.sha256,
        size=ready.size,
        began=allowed.now.isoformat(timespec="seconds"),
        store=str(find_store(store)),
    )


def _done_before(plan: Upload) -> Upload | None:
    """The same zip's earlier submission to the same phase, unless it came to nothing."""
    from codabench_rehearsal.challenge.site.uploads import known_of

    known = known_of(plan)
    if known is None or not known.submission:
        return None
    return None if known.came_to_nothing else known


def _said_before(done: Upload) -> str:
    return (
        f"{shown(done.name)} was uploaded to {shown(done.phase_name)} on {done.began[:10]}, as "
        f"submission {done.submission}: it is not sent again"
    )


def _carried_out(
    site: Site, allowed: Allowance, plan: Upload, options: argparse.Namespace
) -> Upload | None:
    """Ask, and upload; None for a no. Raises `SubmissionError` for what is of no use."""
    from codabench_rehearsal.challenge.site.upload import carry_out, in_doubt

    say = to_stderr if options.json == STDOUT else to_stdout
    say([f"upload {shown(plan.name)}, {human_bytes(plan.size)}", *allowed.lines()])
    if allowed.refusals:
        raise SubmissionError(f"Not uploaded: {'; '.join(allowed.refusals)}.")
    if not options.yes and not agrees("Upload it now?", "say --yes"):
        return None
    with progress(f"uploading {shown(plan.name)}", counts=True) as bar:

        def told(done: int, size: int) -> None:
            bar.update(f"uploading {shown(plan.name)} {percent(done / size)}", done, size)

        try:
            return carry_out(site, plan, told, allowed.phase.end)
        except KeyboardInterrupt:
            if doubt := in_doubt(plan):
                tell("upload", doubt)
            raise

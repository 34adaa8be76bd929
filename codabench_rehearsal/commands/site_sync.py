"""`local-eval history --sync 1234`: the scores of one's own submissions, from the site."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.address import read_address
from codabench_rehearsal.commands.evaluation_arguments import say
from codabench_rehearsal.commands.known import opened
from codabench_rehearsal.commands.site_arguments import opened_site
from codabench_rehearsal.commands.site_scores import DEFAULT_PHASE, Scored, lines, scored, sync
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import few, shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.client import Site
    from codabench_rehearsal.challenge.site.profile import SiteChallenge


def run(options: argparse.Namespace) -> list[str]:
    """Ask the site, keep what is certain; what there is to say. Raises `UserError`."""
    from codabench_rehearsal.challenge.site.credentials import require_token
    from codabench_rehearsal.challenge.site.profile import fetch
    from codabench_rehearsal.challenge.site.uploads import all_uploads
    from evaluator.store.store import find_store

    address = read_address(options.sync)
    with opened_site(options, address.base, require_token(address.base)) as site:
        challenge = fetch(site, address)
        found = list(_scored(site, challenge, options))
    uploads = {one.submission: one for one in all_uploads() if one.base == address.base}
    uploads.pop(0, None)
    with opened(find_store(options.store)) as store:
        done = sync(store, challenge, found, uploads)
        return list(lines(done, store))


def _scored(site: Site, challenge: SiteChallenge, options: argparse.Namespace) -> Iterator[Scored]:
    """The account's submissions that have a score which the store can hold; others are told."""
    from codabench_rehearsal.challenge.site.own import own_name, own_submissions
    from codabench_rehearsal.challenge.site.results import ask_tasks, read_outcome, status_of
    from evaluator.store.scores import read_phase

    name = own_name(site)
    spellings = [read_phase(one.name.strip() or DEFAULT_PHASE) for one in challenge.phases]
    wanted = None if options.phase is None else read_phase(options.phase)
    if wanted is not None and wanted not in spellings:
        raise EvaluationError(
            f"--phase {shown(options.phase)}: expected a phase of {challenge.address.page}: "
            f"{few([one.name for one in challenge.phases])}."
        )
    for phase, spelt in zip(challenge.phases, spellings, strict=True):
        if wanted not in (None, spelt):
            continue
        for row in own_submissions(site, phase.number, name):
            outcome = read_outcome(row)
            if outcome.status != "Finished" or status_of(outcome, ask_tasks(site, outcome)) != (
                "Finished"
            ):
                continue
            one = scored(outcome, spelt, challenge)
            if isinstance(one, str):
                say(f"submission {outcome.number} ({shown(outcome.filename)}) is left out: {one}")
            else:
                yield one

"""What the commands share that rehearse in a challenge's bundle: options, and what they come to."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.profile import WORKERS
from codabench_rehearsal.challenge.setting import Setting, is_bundle, opened_setting
from codabench_rehearsal.challenge.site.address import is_address
from codabench_rehearsal.commands.site_arguments import bundle_beside, known_challenge
from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.arguments import add_python, memory, seconds
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.roles import LOGS, TASK_DATA
from codabench_rehearsal.console.settings import is_settled
from codabench_rehearsal.console.words import shown

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.profile import SiteChallenge
    from codabench_rehearsal.challenge.worker.job import Machine
    from codabench_rehearsal.rehearsal.bundle.check import BundleOptions

_OF_BUNDLES = (
    *("input_data", "reference_data", "worker", "logs", "network", "budget", "column", "perturb"),
)


def add_bundle(
    parser: argparse.ArgumentParser,
    title: str = "with --challenge BUNDLE",
    *,
    phase: bool = True,
    logs: bool = True,
) -> argparse._ArgumentGroup:
    """Add the options of a bundle's rehearsal, and return their group.

    phase: whether --phase is not there yet. logs: whether they can be kept.
    """
    group = parser.add_argument_group(title)
    add = group.add_argument
    if phase:
        what = "its number or name (default: the one open today, else the first)"
        add("--phase", default=PHASE, help=what)
    usual: list[str] = []
    for name, reader in (("input", "ingestion"), ("reference", "scoring")):
        data = f"--{name}-data"
        what = (
            f"folder or zip of what {reader} reads, where the bundle lacks it (TASK=PATH: of one)"
        )
        add(data, type=TASK_DATA, action="append", default=usual, metavar="PATH", help=what)
    what = "the generation of Codabench's worker (default: the newest; the other one too if quick)"
    add("--worker", choices=WORKERS, help=what)
    add("--network", action="store_true", help="let the programs reach the network, as there")
    parser.set_defaults(logs=None)
    if logs:
        add("--logs", type=LOGS, metavar="FOLDER", help="keep what each program printed and left")
    return group


def require_bundle(options: argparse.Namespace) -> None:
    """Raise `SubmissionError` for options of a bundle's rehearsal where no bundle is named."""
    given = [name for name in _OF_BUNDLES if getattr(options, name, None)]
    if given := [name for name in given if not is_settled(options, name)]:
        flag = f"--{given[0].replace('_', '-')}"
        raise SubmissionError(f"{flag} goes with --challenge BUNDLE: name the bundle.")


def is_of_programs(challenge: str) -> bool:
    """Whether a challenge's programs decide, not a profile: a bundle, or a challenge on a site."""
    return is_bundle(Path(challenge)) or is_address(challenge)


@contextmanager
def opened_challenge(options: argparse.Namespace, prog: str) -> Iterator[Setting]:
    """What --challenge names, to be run: a bundle, or a site's challenge with --bundle beside it.

    Raises `SubmissionError` for a site's challenge without a bundle, before the site is asked.
    """
    if not is_address(options.challenge):
        with opened(options, Path(options.challenge)) as setting:
            yield setting
        return
    bundle = bundle_beside(options)
    if not bundle:
        named = shown(options.challenge)
        raise SubmissionError(
            f"--challenge {named}: a site shows no programs, so nothing can be run: name the "
            "challenge's bundle beside it (--bundle BUNDLE). Without one: make-submission "
            f"--check-only ZIP --challenge {named}."
        )
    with opened(options, Path(bundle), known_challenge(options, prog)) as setting:
        yield setting


@contextmanager
def opened(
    options: argparse.Namespace, source: Path, site: SiteChallenge | None = None
) -> Iterator[Setting]:
    """A bundle, the phase that the options name, with the data and limits that they give.

    site: what the challenge's site says, where the bundle does not.
    """
    phase = None if options.phase == PHASE else options.phase
    with opened_setting(
        source,
        phase,
        input_data=options.input_data,
        reference_data=options.reference_data,
        worker=options.worker or WORKERS[-1],
        site=site,
    ) as setting:
        if options.time_limit:
            limited = replace(setting.phase, seconds=max(1, round(options.time_limit)))
            yield replace(setting, phase=limited)
        else:
            yield setting


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add what a run needs, for commands that do not have these options anyway."""
    add = parser.add_argument
    what = "for a job, such as 90 or 20m (default: the phase's)"
    add("--time-limit", type=seconds, metavar="TIME", help=what)
    add("--memory-limit", type=memory, metavar="SIZE", help="such as 8GB")
    add_versions(parser)
    add_python(parser)


def add_versions(parser: argparse._ActionsContainer) -> None:
    """Add what the programs run with, beside --python."""
    add = parser.add_argument
    what = "run with the versions of the bundle's image, built once"
    add("--server", action=argparse.BooleanOptionalAction, help=what)
    package = "a package that the image has too, as scipy==1.13 (may be repeated)"
    add("--with", dest="packages", action="append", default=[], metavar="PACKAGE", help=package)
    add("--docker", metavar="IMAGE", help='run in this docker image; "bundle" for its own')


def read_running(
    options: argparse.Namespace,
    setting: Setting,
    submission: Path,
    ignored: frozenset[str] = frozenset(),
) -> BundleOptions:
    """How the options want a zip rehearsed; what is to be said of the machine is said.

    Raises as `machine_for` does.
    """
    # They start numpy and the sandbox: not for --help.
    from codabench_rehearsal.challenge.worker.environment import Wanted, machine_for
    from codabench_rehearsal.challenge.worker.job import WORKER_LIMITS
    from codabench_rehearsal.rehearsal.bundle.check import BundleOptions

    runs = not getattr(options, "no_run", False)
    how = Wanted(
        python=options.python,
        server=bool(options.server) and runs,
        packages=tuple(options.packages),
        docker=options.docker if runs else None,
        network=bool(options.network),
        limits=replace(WORKER_LIMITS, memory_bytes=options.memory_limit),
        submission=submission,
    )
    machine, notes = machine_for(setting.bundle, setting.phase, how, _say)
    for note in notes if runs else ():
        _say(note)
    return BundleOptions(
        machine=machine,
        runs_with=_named(machine, is_built=how.server),
        workers=(options.worker,) if options.worker else (),
        run=runs,
        keep=Path(options.logs) if options.logs else None,
        ignored=ignored,
        notes=notes,
    )


def _named(machine: Machine, *, is_built: bool) -> str:
    """What runs the programs, for people."""
    from codabench_rehearsal.sandbox.places import python_at

    if machine.image:
        return f"the image {shown(machine.image)}"
    built = ", built with the image's versions" if is_built else ""
    return f"{python_at(machine.python)}{built}"


def _say(line: str) -> None:
    tell("rehearsal", line)

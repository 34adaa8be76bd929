"""All dry runs of one zip: what they found together, and how far the verdict reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.bar import said_when_slow
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import DataError, Dataset, load
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.rehearsal.dry_run import DryRun, Setup, dry_run, first_answer
from codabench_rehearsal.rehearsal.failures import HERE, Environment
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.rehearsal.judge import SO_FEW, is_too_many
from codabench_rehearsal.rehearsal.questions import (
    Images,
    Shown,
    drawn_images,
    given_images,
    on_terminal,
    splits_beside,
)
from codabench_rehearsal.rehearsal.scale import ALPHA, worse
from codabench_rehearsal.sandbox.docker import prepare
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import Python, own_python, python_at
from codabench_rehearsal.sandbox.server import (
    Pins,
    build,
    checked_requirement,
    default_cache,
    find,
    keras_pins,
    package_name,
)
from submission.archive import Archive
from submission.findings import Finding, found, has_errors

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """How to rehearse; the command's options of the same names.

    data: labelled images or the file that holds them; None for drawn ones. server: True builds the
    server's versions, None uses them where they are built, False does without. time_limit (s),
    memory_limit (bytes), hidden_images: None for the challenge's own. splits: the `split.json`
    files that count; None for the one beside the zip. part: of a data file that has several, None
    for val, else test. held_out: none of the images was trained on. python: what runs the zip here,
    a program or an environment's folder; None for our own. packages: what the server has beside its
    versions, as "scipy==1.13".
    """

    data: str | Path | Dataset | None = None
    seed: int = 0
    time_limit: float | None = None
    memory_limit: int | None = None
    hidden_images: int | None = None
    server: bool | None = None
    docker: str | None = None
    splits: Sequence[Path] | None = None
    part: str | None = None
    held_out: bool = False
    python: str | None = None
    packages: Sequence[str] = ()


@dataclass(frozen=True)
class Rehearsal:
    """What came of the dry runs, in the order in which they were made; setup: what they share."""

    runs: tuple[DryRun, ...]
    findings: tuple[Finding, ...]
    setup: Setup

    @property
    def environment(self) -> Environment | None:
        """Where it answered that says the most."""
        return next((run.environment for run in reversed(self.runs) if run.answered), None)

    @property
    def is_ready(self) -> bool:
        """Whether it ran under the very versions of the server, with no error."""
        if not self.runs or has_errors(self.findings):
            return False
        last = self.runs[-1]
        servers = last.environment.is_server and last.is_servers(self.setup.challenge)
        return servers and last.answered

    @property
    def scale_is_right(self) -> bool:
        """Whether all ways to feed the images were tried on labelled ones, and none was better."""
        tried = any(run.readings for run in self.runs)
        return tried and not any(finding.code == "S708" for finding in self.findings)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What the dry runs could not tell."""
        lines = [line for run in self.runs for line in run.unchecked]
        return tuple(dict.fromkeys((*lines, *(self.runs[-1].unknown_limits if self.runs else ()))))


def rehearse(
    archive: Archive,
    challenge: Challenge,
    options: RunOptions,
    say: Say,
    shown: Shown = on_terminal,
) -> Rehearsal:
    """Make a dry run in every environment that is wanted, the server's last.

    Raises `SubmissionError` for what cannot be used.
    """
    here = replace(HERE, python=the_python(options).path)
    with said_when_slow("reading the images"):
        images = _images(options, challenge, archive.path)
    bounds = Bounds(
        options.time_limit or challenge.seconds, options.memory_limit or challenge.memory_bytes
    )
    hidden = options.hidden_images or challenge.assumed_images
    setup = Setup(archive, challenge, images, bounds, hidden, options.seed, shown)
    return rehearse_in([here, *_others(options, challenge, say)], setup)


def rehearse_in(environments: Sequence[Environment], setup: Setup) -> Rehearsal:
    """The dry runs in these environments, together."""
    try:
        runs = [dry_run(setup, environment) for environment in environments]
    except SandboxError as error:
        raise SubmissionError(
            f"no dry run could be made: {error}. --no-run does without."
        ) from None
    return Rehearsal(tuple(runs), tuple(_merged(runs)), setup)


def server_name(challenge: Challenge) -> str:
    """The server's versions as they are shown, "" where the challenge names none."""
    named = (("TensorFlow", challenge.tensorflow), ("Keras", challenge.keras))
    return " / ".join(f"{what} {version}" for what, version in named if version)


def server_pins(challenge: Challenge, packages: Sequence[str] = ()) -> Pins:
    """What has to be installed to run as the challenge's server does.

    packages: requirements beside the challenge's own, which they replace where both name one.
    Raises `SandboxError` for what is no plain requirement, or contradicts the server's versions.
    """
    known = (*challenge.packages, *packages)
    extra = {package_name(line): checked_requirement(line) for line in known}
    pins = keras_pins(challenge.tensorflow, challenge.keras, challenge.python)
    for pinned in pins.packages:
        name = package_name(pinned).replace("tensorflow-cpu", "tensorflow")
        if line := extra.get(name) or extra.get(package_name(pinned)):
            raise SandboxError(
                f"{line}: the challenge's server has {pinned.replace('-cpu', '')}; leave it out"
            )
    return replace(pins, extra=tuple(extra.values()))


def the_python(options: RunOptions) -> Python:
    """What runs the zip here. Raises `SubmissionError` for what is no Python."""
    try:
        return python_at(options.python) if options.python else own_python()
    except SandboxError as error:
        raise SubmissionError(f"python: {error}") from None


def compare(before: Archive, rehearsal: Rehearsal) -> str:
    """One line: the same images before and after the weights were made smaller; "" without."""
    first, setup = rehearsal.runs[0], rehearsal.setup
    after, images = first.labels, setup.images
    if after is None:
        return ""
    was = first_answer(replace(setup, archive=before), first.environment)
    if was is None:
        return "before it was made smaller it gave no answers"
    same = f"{int((was == after).sum())} of {len(was)} images keep their label"
    if images.labels is None:
        return f"made smaller: {same}"
    rows, truth = images.plain, images.labels
    old, new = (float((labels[rows] == truth[rows]).mean()) for labels in (was, after))
    return f"made smaller: accuracy {old:.4f} before, {new:.4f} after; {same}"


def _images(options: RunOptions, challenge: Challenge, zip_path: Path) -> Images:
    data, part = options.data, options.part
    if data is None:
        if part or options.held_out:
            raise SubmissionError("--part and --held-out are about --data FILE: give it too.")
        return drawn_images(challenge, options.seed)
    splits = splits_beside(zip_path) if options.splits is None else options.splits
    try:
        if isinstance(data, Dataset) and part:
            raise SubmissionError("part is for a file: leave it out, or give a file's name.")
        if not isinstance(data, Dataset):
            shape, classes = challenge.shape, challenge.label_names
            data = load(data, part=part, prefer=TO_REHEARSE, shape=shape, classes=classes)
        data.check_classes(challenge.classes, challenge.name)
        return given_images(data, splits, options.seed, held_out=options.held_out)
    except DataError as error:
        raise SubmissionError(str(error)) from None


def _others(options: RunOptions, challenge: Challenge, say: Say) -> Iterator[Environment]:
    """The environments beside "here", the server's last."""
    if options.docker:
        try:
            prepare(options.docker, say)
        except SandboxError as error:
            raise SubmissionError(f"{error}.".replace("..", ".")) from None
        yield Environment(
            f"in the image {options.docker}", "python3", options.docker, is_server=True
        )
    built = None if options.server is False else _server(options, challenge, say)
    if built:
        yield built


def _server(options: RunOptions, challenge: Challenge, say: Say) -> Environment | None:
    """Built before, or wished for now; never asked about: nobody may be there to answer."""
    if options.server and not server_name(challenge):
        raise SubmissionError(
            "--server: this challenge names no versions of TensorFlow or Keras; add them to "
            "[server] in its TOML file."
        )
    # Who says what the server has beside its versions wants to see it with that.
    asked = options.server or bool(options.packages and not options.docker)
    try:
        pins = server_pins(challenge, options.packages)
        python = find(pins, default_cache()) if server_name(challenge) else None
        if asked and python is None and server_name(challenge):
            python = build(pins, default_cache(), say)
    except SandboxError as error:
        if asked:
            raise SubmissionError(f"--server: {error}") from None
        say(f"the server's versions cannot be used: {error}")
        return None
    more = f" with {', '.join(pins.extra)}" if pins.extra else ""
    name = f"under {server_name(challenge)}{more}"
    return Environment(name, str(python), is_server=True) if python else None


def _merged(runs: Sequence[DryRun]) -> Iterator[Finding]:
    """Each thing once; what fails here and not on the server is no error."""
    if not runs:
        return
    here, *others = runs
    servers = (run for run in runs if run.environment.is_server)
    # A missing package alone may have kept it from both an answer and an error.
    server = next((run for run in servers if run.answered and not has_errors(run.findings)), None)
    for finding in here.findings:
        if server is not None and finding.code.startswith("S60"):
            name = server.environment.name
            message = f"with this Python only, not {name}: {finding.message}"
            yield replace(finding, severity="warning", message=message, kind="")
        else:
            yield _placed(finding, here.environment)
    for run in others:
        further = (f for f in run.findings if not _is_told(f, here.findings))
        yield from (_placed(finding, run.environment) for finding in further)
    for run in others:
        yield from _other_answers(here, run)


def _placed(finding: Finding, environment: Environment) -> Finding:
    if environment == HERE:
        return finding
    return replace(finding, message=f"{environment.name}: {finding.message}")


def _is_told(finding: Finding, others: Sequence[Finding]) -> bool:
    """Whether others say the same, or name the reading that explains it."""
    if finding.code in ("S709", "S716") and any(f.code == "S708" for f in others):
        return True
    return any((f.code, f.severity) == (finding.code, finding.severity) for f in others)


def _other_answers(here: DryRun, there: DryRun) -> Iterator[Finding]:
    if here.labels is None or there.labels is None or not there.environment.is_server:
        return
    changed, count = int((here.labels != there.labels).sum()), len(here.labels)
    if not changed or any(finding.code == "S701" for finding in here.findings):
        return
    message = f"{changed} of {count} images get another label {there.environment.name} than here"
    if not is_too_many(changed, count):
        yield found("S714", message, "note", SO_FEW, kind="")
    elif here.right is None or there.right is None:
        yield found("S714", f"{message}; labelled images (--data) would tell which are right")
    else:
        p = worse(here.right, there.right)
        said = (
            f"{message}; accuracy {there.accuracy:.3f} there, {here.accuracy:.3f} here, p = {p:.1g}"
        )
        yield found("S714", said, "error" if p <= ALPHA else "warning")

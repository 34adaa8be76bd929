"""All dry runs of one zip together: what they found, and how far the verdict reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.bar import said_when_slow
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import DataError, Dataset, load
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.rehearsal.cost import Bounds
from codabench_rehearsal.rehearsal.dry_run import Run, Settings, dry_run, first_answer
from codabench_rehearsal.rehearsal.dry_run_progress import Shown, on_terminal, silent
from codabench_rehearsal.rehearsal.environments import (
    HERE,
    Place,
    build_server,
    in_image,
    server_if_built,
    server_name,
)
from codabench_rehearsal.rehearsal.judge import TOLERATED
from codabench_rehearsal.rehearsal.questions import (
    Images,
    drawn_images,
    given_images,
    splits_beside,
)
from codabench_rehearsal.rehearsal.scale import ALPHA, worse
from codabench_rehearsal.sandbox.docker import prepare
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import own_python, python_at
from submission.archive import Archive
from submission.findings import Finding, found, has_errors


@dataclass(frozen=True)
class Rehearsal:
    """What came of the dry runs, in the order in which they were made."""

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    images: str

    @property
    def place(self) -> Place | None:
        """Where it answered that says the most."""
        return next((run.place for run in reversed(self.runs) if run.answered), None)

    @property
    def readings(self) -> tuple[str, ...]:
        """The readings that were tried on labelled images."""
        return tuple(name for run in self.runs for name in run.scale)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What the dry runs could not tell."""
        lines = [line for run in self.runs for line in run.unchecked]
        return tuple(dict.fromkeys((*lines, *(self.runs[-1].unknown_limits if self.runs else ()))))


def rehearse(
    archive: Archive,
    challenge: Challenge,
    images: Images,
    places: Sequence[Place] = (HERE,),
    settings: Settings | None = None,
    shown: Shown = silent,
) -> Rehearsal:
    """Make a dry run in each place, the server's last. Errors as `dry_run`."""
    runs = [dry_run(archive, challenge, images, place, settings, shown) for place in places]
    return Rehearsal(tuple(runs), tuple(_merged(runs)), images.note)


def is_servers(run: Run, challenge: Challenge) -> bool:
    """Whether the versions that it loaded are those that the challenge names."""
    named = {"tensorflow": challenge.tensorflow, "keras": challenge.keras}
    pins = {name: pin for name, pin in named.items() if pin}
    if not run.place.is_server:
        return bool(pins) and all(run.versions.get(name) == pin for name, pin in pins.items())
    return bool(pins) and all(run.versions.get(name, pin) == pin for name, pin in pins.items())


def is_ready(rehearsal: Rehearsal | None, challenge: Challenge) -> bool:
    """Whether it ran under the very versions of the server, with no error."""
    if rehearsal is None or not rehearsal.runs or has_errors(rehearsal.findings):
        return False
    last = rehearsal.runs[-1]
    return last.place.is_server and last.answered and is_servers(last, challenge)


def as_document(run: Run) -> dict[str, Any]:
    """A run for machines."""
    cost = run.cost
    return {
        "place": run.place.name,
        "python": run.place.python,
        "answered": run.answered,
        "accuracy": run.accuracy,
        "versions": dict(run.versions),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "hidden_images": None
        if cost is None
        else {
            "images": cost.images,
            "asked": cost.measured,
            "seconds": round(cost.seconds.likely, 3),
            "seconds_range": [round(cost.seconds.low, 3), round(cost.seconds.high, 3)],
            "peak_bytes": int(cost.peak_bytes.likely),
            "peak_bytes_range": [int(cost.peak_bytes.low), int(cost.peak_bytes.high)],
        },
        "limits": dict(run.limits),
        "scale": {
            name: {"accuracy": d.changed, "gain": [d.low, d.high], "images": d.images}
            for name, d in run.scale.items()
        },
    }


def _merged(runs: Sequence[Run]) -> Iterator[Finding]:
    """Each thing once; what fails here and not on the server is no error."""
    here = runs[0] if runs else None
    server = next((run for run in runs if run.place.is_server and _ran(run)), None)
    for run in runs:
        for finding in run.findings:
            other = here is not None and run is not here
            if here is not None and other and _is_told(finding, here.findings):
                continue
            if run is here and server is not None and finding.code.startswith("S60"):
                yield _only_here(finding, server)
            else:
                yield _placed(finding, run.place)
    if here is not None:
        yield from (f for run in runs[1:] for f in _other_answers(here, run))


def _ran(run: Run) -> bool:
    """Whether it answered, and without an error: a missing package alone may have kept it from both."""
    return run.answered and not has_errors(run.findings)


def _is_told(finding: Finding, others: Sequence[Finding]) -> bool:
    """Whether others say the same, or name the reading that explains it."""
    if finding.code in ("S709", "S716") and any(f.code == "S708" for f in others):
        return True
    return any((f.code, f.severity) == (finding.code, finding.severity) for f in others)


def _placed(finding: Finding, place: Place) -> Finding:
    if place == HERE:
        return finding
    return replace(finding, message=f"{place.name}: {finding.message}")


def _only_here(finding: Finding, server: Run) -> Finding:
    message = f"with this Python only, not {server.place.name}: {finding.message}"
    return replace(finding, severity="warning", message=message, kind="")


def _other_answers(here: Run, there: Run) -> Iterator[Finding]:
    if here.labels is None or there.labels is None or not there.place.is_server:
        return
    changed, count = int((here.labels != there.labels).sum()), len(here.labels)
    if not changed or any(finding.code == "S701" for finding in here.findings):
        return
    message = f"{changed} of {count} images get another label {there.place.name} than here"
    if not (changed > 1 and changed > TOLERATED * count):
        yield found(
            "S714", message, "note", "So few may be floating point; nothing to do.", kind=""
        )
    elif here.right is None or there.right is None:
        yield found("S714", f"{message}; labelled images (--data) would tell which are right")
    else:
        p = worse(here.right, there.right)
        was, now = float(here.right.mean()), float(there.right.mean())
        said = f"{message}; accuracy {now:.3f} there, {was:.3f} here, p = {p:.1g}"
        yield found("S714", said, "error" if p <= ALPHA else "warning")


# What a dry run is made with, from the command's options: the images, the limits, the places.


Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """How to rehearse; the command's options of the same names.

    data: labelled images or the file that holds them; None for drawn ones. server: True builds the
    server's versions, None uses them where they are built, False does without. time_limit (s),
    memory_limit (bytes), hidden_images: None for the challenge's own. splits: the `split.json` files
    that count; None for the one beside the zip. part: of a data file that has several, None for val,
    else test. held_out: none of the images was trained on. python: what runs the zip here, a program
    or an environment's folder; None for our own. packages: what the server has beside its versions,
    as "scipy==1.13".
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


class Rehearser:
    """Makes the dry runs that are wished for. Raises `SubmissionError` for what cannot be used."""

    def __init__(
        self, wishes: Wishes, challenge: Challenge, say: Say, shown: Shown = on_terminal
    ) -> None:
        self.wishes, self.challenge, self.say, self.shown = wishes, challenge, say, shown
        self.images: Images | None = None
        try:
            self.python = python_at(wishes.python) if wishes.python else own_python()
        except SandboxError as error:
            raise SubmissionError(f"python: {error}") from None
        self._here = replace(HERE, python=self.python.path)

    def __call__(self, archive: Archive) -> Rehearsal:
        """The dry runs of one zip, in every place that is wanted."""
        with said_when_slow("reading the images"):
            self.images = self._images(archive.path)
        settings = _settings(self.wishes, self.challenge)
        places = [self._here, *_others(self.wishes, self.challenge, self.say)]
        try:
            return rehearse(archive, self.challenge, self.images, places, settings, self.shown)
        except SandboxError as error:
            raise SubmissionError(
                f"no dry run could be made: {error}. --no-run does without."
            ) from None

    def compare(self, before: Path, rehearsal: Rehearsal) -> str:
        """One line: the same images before and after the weights were made smaller."""
        after = rehearsal.runs[0].labels
        if self.images is None or after is None:
            return ""
        with Archive(before) as archive:
            was = first_answer(archive, self.challenge, self.images, self._here)
        if was is None:
            return "before it was made smaller it did not answer"
        same = f"{int((was == after).sum())} of {len(was)} images keep their label"
        if self.images.labels is None:
            return f"made smaller: {same}"
        rows, truth = self.images.plain, self.images.labels
        old, new = (float((labels[rows] == truth[rows]).mean()) for labels in (was, after))
        return f"made smaller: accuracy {old:.4f} before, {new:.4f} after; {same}"

    def _images(self, zip_path: Path) -> Images:
        wishes, challenge = self.wishes, self.challenge
        if wishes.data is None:
            if wishes.part or wishes.held_out:
                raise SubmissionError("--part and --held-out are about --data FILE: give it too.")
            return drawn_images(challenge, wishes.seed)
        splits = splits_beside(zip_path) if wishes.splits is None else wishes.splits
        try:
            data = wishes.data
            if isinstance(data, Dataset) and wishes.part:
                raise SubmissionError("part is for a file: leave it out, or give a file's name.")
            if not isinstance(data, Dataset):
                shape, part = challenge.shape, wishes.part
                names = challenge.label_names
                data = load(data, part=part, prefer=TO_REHEARSE, shape=shape, classes=names)
            data.check_classes(challenge.classes, challenge.name)
            return given_images(data, splits, wishes.seed, held_out=wishes.held_out)
        except DataError as error:
            raise SubmissionError(str(error)) from None


def _settings(wishes: Wishes, challenge: Challenge) -> Settings:
    bounds = Bounds(
        wishes.time_limit or challenge.seconds, wishes.memory_limit or challenge.memory_bytes
    )
    return Settings(bounds, wishes.hidden_images or challenge.assumed_images, wishes.seed)


def _others(wishes: Wishes, challenge: Challenge, say: Say) -> list[Place]:
    """The places beside "here", the server's last."""
    places = []
    if wishes.docker:
        try:
            prepare(wishes.docker, say)
        except SandboxError as error:
            raise SubmissionError(f"{error}.".replace("..", ".")) from None
        places.append(in_image(wishes.docker))
    server = None if wishes.server is False else _server(wishes, challenge, say)
    return [*places, server] if server else places


def _server(wishes: Wishes, challenge: Challenge, say: Say) -> Place | None:
    """Built before, or wished for now; never asked about: nobody may be there to answer."""
    if wishes.server and not server_name(challenge):
        raise SubmissionError(
            "--server: this challenge names no versions of TensorFlow or Keras; add them to [server] "
            "in its TOML file."
        )
    # Who says what the server has beside its versions wants to see it with that.
    asked = wishes.server or bool(wishes.packages and not wishes.docker)
    try:
        if found := server_if_built(challenge, wishes.packages):
            return found
        return build_server(challenge, say, wishes.packages) if asked else None
    except SandboxError as error:
        if asked:
            raise SubmissionError(f"--server: {error}") from None
        say(f"the server's versions cannot be used: {error}")
    return None

"""What a dry run is made with, from the command's options: the images, the limits, the places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.patience import said_when_slow
from codabench_rehearsal.images import DataError, Dataset, load
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.rehearsal.asked_images import (
    Images,
    drawn_images,
    given_images,
    splits_beside,
)
from codabench_rehearsal.rehearsal.children import Settings
from codabench_rehearsal.rehearsal.cost import Bounds
from codabench_rehearsal.rehearsal.dry_run import first_answer
from codabench_rehearsal.rehearsal.dry_run_places import (
    HERE,
    Place,
    build_server,
    in_image,
    server_if_built,
    server_name,
)
from codabench_rehearsal.rehearsal.dry_run_progress import Shown, on_terminal
from codabench_rehearsal.rehearsal.several_places import Rehearsal, rehearse
from codabench_rehearsal.sandbox.chosen_python import own_python, python_at
from codabench_rehearsal.sandbox.docker import prepare
from codabench_rehearsal.sandbox.job import SandboxError
from submission.archive import Archive

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

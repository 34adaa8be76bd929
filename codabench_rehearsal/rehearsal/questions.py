"""The questions of a dry run, the images that it asks about, and what is shown meanwhile."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.bar import Waiting, progress
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import first_file
from codabench_rehearsal.images import Dataset, clean, prefix_order, read_split, synthetic
from codabench_rehearsal.images.kinds import ALL
from codabench_rehearsal.sandbox.ingest import Block, PredictProgress, Session
from submission.training_folder import SPLIT, split_place

SMALL = (1, 3, 7)  # images in the small blocks
SMALL_BLOCKS = 4  # of three images and of seven
LARGE_SECONDS = 3.0  # that the largest question should take
MIDDLE = 3  # the largest question has so many times the images of the middle one, at most
LARGE_BYTES = 500_000_000  # and should not exceed
SLOW_SECONDS = 5.0  # beyond it a question gets fewer images
FEWEST = 16
MORE = 32  # images in the largest question, than in the first, at least
DRAWN = 96
SMALLEST_DRAWN, LARGEST_DRAWN = 16, 256  # sides in pixels
MOST_GIVEN = 200
# The hidden set holds nearly black and nearly white images; models that look at the brightest
# value of a batch show themselves there. (factor, offset)
_DARK = tuple((factor, 0) for factor in (0.01, 0.2, 0.4, 0.6, 0.75))
_BRIGHTNESS = (*_DARK, (0.35, 100), (0.3, 110), (0.2, 140), (0.5, 127), (0.25, 191), (0.05, 240))
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
Turn = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Tell = Callable[[str, PredictProgress], None]
Shown = Callable[[str], AbstractContextManager[Tell]]

LOADING = {  # stage of the child: words
    "start": "starting Python",
    "import": "importing the submission",
    "class": "importing the submission",
    "init": "loading the model",
    "method": "loading the model",
}
_QUESTIONS = {
    "first": "the images at once",
    "again": "the same again",
    "order": "in another order",
    "small": "in small blocks",
    "middle": "in a larger block",
    "large": "in a large block",
    "float32": "as float32",
    "float64": "as float64",
}


def drawn_secret() -> int:
    """A new secret for an order, from 0."""
    return secrets.randbits(53)


@dataclass(frozen=True)
class Images:
    """What is asked about: a few images of each class, and some as dark or bright as they get.

    values: uint8 (n, h, w, c). odd: rows that are changed copies. labels: int64 (n,) when the
    images are real and labelled, else None. note: for people. secret: of the order in which they
    are asked about, the same in every environment; the rows themselves follow a seed and the
    classes, which are no secret.
    """

    values: NDArray[np.uint8]
    odd: Rows
    labels: Labels | None
    note: str
    secret: int = field(default_factory=drawn_secret)

    @property
    def plain(self) -> Rows:
        """The rows that are not odd ones."""
        return np.setdiff1d(np.arange(len(self.values)), self.odd)


@dataclass(frozen=True)
class Question:
    """One thing asked: the rows of each block, and what the images are turned into."""

    name: str
    groups: Sequence[Rows]
    dtype: str = "uint8"
    turn: Turn | None = None


@dataclass(frozen=True)
class Answer:
    """rows, labels: int64 (n,), the images asked and what was said. blocks: of the session."""

    rows: Rows
    labels: Labels
    blocks: range
    seconds: float


@dataclass
class Interview:
    """The questions put to one session, and the answers so far.

    failed: the question that was not answered, "" while all were; none is put after it. blocks: the
    number answered. posed: the images in each block of the latest question.
    """

    session: Session
    images: Images
    tell: Tell = lambda _name, _progress: None
    answers: dict[str, Answer] = field(default_factory=dict)
    failed: str = ""
    blocks: int = 0
    posed: list[int] = field(default_factory=list)

    def ask(self, question: Question) -> Answer | None:
        """Put one question; None when the session did not answer it."""
        if self.failed:
            return None
        values, turn = self.images.values, question.turn
        rows, order = np.concatenate(question.groups), secret_order(question, self.images.secret)
        ends = np.cumsum([len(group) for group in question.groups])
        groups = np.split(rows[order], ends[:-1])
        blocks = [Block((len(group), *values.shape[1:]), question.dtype) for group in groups]

        def fill(index: int, out: NDArray[np.generic]) -> None:
            rows = groups[index]
            for start in range(0, len(rows), 256):
                part = slice(start, start + 256)
                some = values[rows[part]]
                out[part] = turn(some) if turn else some

        self.posed = [len(group) for group in groups]
        started = time.monotonic()
        labels = self.session.pose(blocks, fill, lambda p: self.tell(question.name, p))
        if labels is None:
            self.failed = question.name
            return None
        asked = range(self.blocks, self.blocks + len(blocks))
        self.blocks = asked.stop
        said = np.empty(len(rows), np.int64)
        said[order] = np.concatenate(labels)
        answer = Answer(rows, said, asked, time.monotonic() - started)
        self.answers[question.name] = answer
        return answer

    def known(self, rows: Rows) -> Labels:
        """What the first answer said of these rows."""
        return self.answers["first"].labels[rows]


def ask_everything(interview: Interview, hidden: int, seed: int) -> None:
    """All questions but those of scale; fewer images where the model is slow."""
    every = np.arange(len(interview.images.values))
    interview.ask(Question("first", [every]))
    again = interview.ask(Question("again", [every]))
    if again is None:
        return
    few = rows_in_time(interview, again.seconds)
    interview.ask(Question("order", [np.random.default_rng(seed + 1).permutation(few)]))
    interview.ask(Question("small", small_groups(interview.images.odd, few)))
    rate = len(every) / max(again.seconds, 1e-3)
    fitting = LARGE_BYTES // interview.images.values[0].nbytes
    count = min(hidden, max(len(every) + MORE, min(int(rate * LARGE_SECONDS), fitting)))
    middle = max(len(every) + MORE // 2, count // MIDDLE)
    if middle < count:  # a third size, to tell growth from noise
        interview.ask(Question("middle", [np.arange(middle) % len(every)]))
    interview.ask(Question("large", [np.arange(count) % len(every)]))
    interview.ask(Question("float32", [few], "float32"))
    if again.seconds < SLOW_SECONDS:
        interview.ask(Question("float64", [few], "float64"))


@contextmanager
def silent(_place: str) -> Iterator[Tell]:
    """Show nothing."""
    yield lambda _question, _progress: None


@contextmanager
def on_terminal(place: str) -> Iterator[Tell]:
    """A spinner with the question and the time on standard error; gone when it is done.

    A submission that does not answer for long is told in lines that stay, off a terminal too.
    """
    with progress(f"dry run {place}: starting Python") as bar:
        waiting = Waiting(lambda line: bar.say(f"dry run {place}: {line}"))

        def tell(question: str, progress: PredictProgress) -> None:
            waiting.tell(progress.waited, progress.due)
            doing = LOADING.get(progress.stage) or _QUESTIONS.get(question, f"as {question}")
            bar.update(f"dry run {place}: {doing}")

        yield tell


def secret_order(question: Question, secret: int) -> Rows:
    """In which order a question's rows are asked, as places among all of them: int64 (n,).

    Blocks of one size exchange their images, so that neither a place in a block nor the block tells
    an image. Questions of the same sizes have the same order: "again" is "first" once more.
    """
    sizes = np.array([len(group) for group in question.groups])
    size_of = np.repeat(sizes, sizes)
    rng = np.random.default_rng((secret, *sizes))
    order = np.arange(len(size_of))
    for size in np.unique(sizes):
        places = np.flatnonzero(size_of == size)
        order[places] = rng.permutation(places)
    return order


def rows_in_time(interview: Interview, seconds: float) -> Rows:
    """As many rows as can be answered in about `SLOW_SECONDS`, the odd images among them."""
    count = len(interview.images.values)
    fitting = int(count * min(SLOW_SECONDS / max(seconds, 1e-3), 1.0))
    chosen = np.union1d(np.arange(min(max(fitting, FEWEST), count)), interview.images.odd)
    return chosen.astype(np.int64)


def counted_in_class(labels: Labels) -> Rows:
    """The how-manieth of its class each label is, from 0: int64 (n,)."""
    turn = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        mine = labels == label
        turn[mine] = np.arange(mine.sum())
    return turn


def small_groups(odd: Rows, rows: Rows) -> list[Rows]:
    """Each odd image by itself, some plain ones too, and blocks of three and seven."""
    plain = np.setdiff1d(rows, odd)
    single = [*odd, *plain[:SMALL_BLOCKS]]
    groups, at = [np.array([row]) for row in single], SMALL_BLOCKS
    for size in SMALL[1:] * SMALL_BLOCKS:
        groups.append(plain[at : at + size])
        at += size
    return [group for group in groups if len(group)]


def drawn_images(challenge: Challenge, seed: int) -> Images:
    """Drawn cells in the challenge's size; their labels mean nothing to a model of real ones."""
    height, width, channels = challenge.shape
    side = min(max(height, width, SMALLEST_DRAWN), LARGEST_DRAWN)
    drawn = synthetic(DRAWN, seed, side, min(challenge.classes, len(ALL)), balanced=True).images
    times = -(-max(height, width) // side)  # larger ones are drawn small and enlarged
    if times > 1:
        drawn = drawn.repeat(times, axis=1).repeat(times, axis=2)
    values = drawn[:, :height, :width]
    if channels == 1:
        values = values.mean(axis=3, keepdims=True).astype(np.uint8)
    note = f"{DRAWN} made-up images (labelled images, --data FILE, would show a wrong scale too)"
    return _shuffled(values, None, note, seed)


def given_images(
    data: Dataset, splits: Sequence[Path], seed: int, *, held_out: bool = False
) -> Images:
    """At most 200 of the user's own, evenly of each class.

    splits: the `split.json` files of the networks: images on a training side are left out.
    held_out: the user says that none was trained on. The note holds the data's own notes too.
    """
    kept, note, more = _not_learnt(data, splits, held_out=held_out)
    kept, report = clean(kept, near_threshold=None)
    if report.dropped:
        more += (f"{len(report.dropped):,} duplicate, conflicting or blended images left out",)
    if said := "; ".join(line.removesuffix(".") for line in (*data.notes, *more)):
        note = f"{note} ({said})"
    order = prefix_order(kept, seed)
    evenly = np.argsort(counted_in_class(kept.labels[order]), kind="stable")
    chosen = kept.subset(order[evenly[:MOST_GIVEN]])
    note = f"{len(chosen)} images of {data.source}, {note}"
    return _shuffled(chosen.images, chosen.labels, note, seed)


def splits_beside(zip_path: Path) -> tuple[Path, ...]:
    """The split beside a zip, if there is one. Raises `SubmissionError` for a pipe in its place."""
    places = (split_place(zip_path), zip_path.with_name(SPLIT))
    found = first_file(places, SubmissionError)
    return () if found is None else (found,)


def _not_learnt(
    data: Dataset, splits: Sequence[Path], *, held_out: bool
) -> tuple[Dataset, str, tuple[str, ...]]:
    """What no split has on its training side; everything where no split is known. And notes."""
    if not splits:
        unknown = "on which it may have been trained (no split is known; --held-out if it was not)"
        return data, "held out, as you say" if held_out else unknown, ()
    records = [read_split(split) for split in splits]
    more = tuple(note for record in records for note in record.notes)
    sides = [record.side(data) for record in records]
    learnt = np.any([side == "train" for side in sides], axis=0)
    new = np.any([side == "validation" for side in sides], axis=0) & ~learnt
    names = ", ".join(split.name for split in splits)
    if learnt.all():
        return data, f"on which it was trained (all are training images of {names})", more
    if held_out:
        return data.subset(~learnt), f"held out, as you say, none a training image of {names}", more
    if new.any():
        return data.subset(new), f"held out by {names}", more
    return data.subset(~learnt), f"none of them in {names}", more


def _shuffled(plain: NDArray[np.uint8], labels: Labels | None, note: str, seed: int) -> Images:
    """Plain images and odd ones, in a seeded order; an odd one keeps its label."""
    sources = np.arange(len(_BRIGHTNESS)) % len(plain)
    odd = [
        (plain[row] * factor + offset).clip(0, 255).astype(np.uint8)
        for row, (factor, offset) in zip(sources, _BRIGHTNESS, strict=True)
    ]
    order = np.random.default_rng(seed).permutation(len(plain) + len(odd))
    values = np.concatenate([plain, np.stack(odd)])[order]
    truth = None if labels is None else np.concatenate([labels, labels[sources]])[order]
    return Images(values, np.flatnonzero(order >= len(plain)), truth, note)

"""The questions of a dry run: the same images again, in another order, in small blocks, as floats."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.rehearsal.asked_images import Images
from codabench_rehearsal.sandbox.ingest import Block, Progress, Session

SMALL = (1, 3, 7)  # images in the small blocks
SMALL_BLOCKS = 4  # of three images and of seven
LARGE_SECONDS = 3.0  # that the largest question should take
MIDDLE = 3  # the largest question has so many times the images of the middle one, at most
LARGE_BYTES = 500_000_000  # and should not exceed
SLOW_SECONDS = 5.0  # beyond it a question gets fewer images
FEWEST = 16
MORE = 32  # images in the largest question, than in the first, at least
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
Turn = Callable[[NDArray[np.uint8]], NDArray[np.float32] | NDArray[np.uint8]]


def _as_it_is(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images


@dataclass(frozen=True)
class Question:
    """One thing asked: the rows of each block, and what the images are turned into."""

    name: str
    groups: Sequence[Rows]
    dtype: str = "uint8"
    turn: Turn = _as_it_is


@dataclass(frozen=True)
class Answer:
    """rows, labels: int64 (n,), the images asked and what was said of them. blocks: of the session."""

    rows: Rows
    labels: NDArray[np.int64]
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
    tell: Callable[[str, Progress], None] = lambda _name, _progress: None
    answers: dict[str, Answer] = field(default_factory=dict)
    failed: str = ""
    blocks: int = 0
    posed: list[int] = field(default_factory=list)

    def ask(self, question: Question) -> Answer | None:
        """Put one question; None when the session did not answer it."""
        if self.failed:
            return None
        shape = self.images.values.shape[1:]
        rows, order = np.concatenate(question.groups), secret_order(question, self.images.secret)
        ends = np.cumsum([len(group) for group in question.groups])
        groups = np.split(rows[order], ends[:-1])
        blocks = [Block((len(group), *shape), question.dtype) for group in groups]

        def fill(index: int, out: NDArray[np.generic]) -> None:
            rows = groups[index]
            for start in range(0, len(rows), 256):
                part = slice(start, start + 256)
                out[part] = question.turn(self.images.values[rows[part]])

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

    def known(self, rows: Rows) -> NDArray[np.int64]:
        """What the first answer said of these rows."""
        return self.answers["first"].labels[rows]


def secret_order(question: Question, secret: int) -> NDArray[np.int64]:
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


def rows_in_time(interview: Interview, seconds: float) -> Rows:
    """As many rows as can be answered in about `SLOW_SECONDS`, the odd images among them."""
    count = len(interview.images.values)
    fitting = int(count * min(SLOW_SECONDS / max(seconds, 1e-3), 1.0))
    chosen = np.union1d(np.arange(min(max(fitting, FEWEST), count)), interview.images.odd)
    return chosen.astype(np.int64)


def small_groups(odd: Rows, rows: Rows) -> list[Rows]:
    """Each odd image by itself, some plain ones too, and blocks of three and seven."""
    plain = np.setdiff1d(rows, odd)
    single = [*odd, *plain[:SMALL_BLOCKS]]
    groups, at = [np.array([row]) for row in single], SMALL_BLOCKS
    for size in SMALL[1:] * SMALL_BLOCKS:
        groups.append(plain[at : at + size])
        at += size
    return [group for group in groups if len(group)]

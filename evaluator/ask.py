"""The child that answers, started only when something has to be asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import psutil
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.rehearsal.forecast import Bounds, Guard, guard
from codabench_rehearsal.sandbox.ingest import Block, Outcome, Request, Session
from codabench_rehearsal.sandbox.places import PACKAGES, own_python, python_at
from evaluator.metrics import score
from evaluator.options import Device
from evaluator.plan import Benchmark, Plan, Questions, Round, fill_block, prefix
from evaluator.progress import Display
from evaluator.report.result import Scores
from evaluator.store.rows import environment_text
from evaluator.store.store import AnswerKey, Run, RunAnswers, Store

if TYPE_CHECKING:
    from evaluator.options import Options
    from submission.archive import Archive


MEMORY_SHARE = 0.25  # of what is free: a whole block in one predict call may use this much
BYTES_A_VALUE = 13  # one as uint8, three float32 copies on the way through a model
MOST_QUESTIONS = 4096  # in a block with a store: an interrupted run loses no more
FEWEST_QUESTIONS = 256  # in a block: calls are not free


class Asker:
    """Asks one submission. A context manager; `begin` may be called early, to load meanwhile.

    bounds: the limits that are known: the user's, else the challenge's. guard: what ends the child,
    once it is started.
    """

    def __init__(self, archive: Archive, challenge: Challenge, options: Options) -> None:
        self.archive, self.challenge, self.options = archive, challenge, options
        self._stack = ExitStack()
        self._session: Session | None = None
        self.bounds = Bounds(
            options.seconds or challenge.seconds, options.memory_bytes or challenge.memory_bytes
        )
        self.guard: Guard | None = None
        self.asked = 0  # questions of the benchmark
        self.fed = 0  # images fed in other ways, to see whether that is better
        self.calls = 0  # of predict

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def begin(self) -> Session:
        """Start the child if it has not been started."""
        if self._session is None:
            folder = self._stack.enter_context(TemporaryFolder("zip-")) / "zip"
            self.archive.extract(folder)
            self.guard = guard(self.bounds)
            request = self._request(folder, self.guard)
            self._session = self._stack.enter_context(Session(request))
        return self._session

    def ask(self, plan: Plan, questions: Questions, book: Book, display: Display) -> bool:
        """Ask, and write the answers down block by block; False when the submission failed."""
        blocks = questions.blocks(self._block_size(book))
        workers = min(os.cpu_count() or 1, 8)

        def fill(index: int, out: NDArray[np.uint8]) -> None:
            fill_block(plan.whole, blocks[index], out, workers)

        def answered(index: int, labels: NDArray[np.int64]) -> None:
            book.keep(blocks[index], labels)
            self.asked += len(labels)

        shape = plan.data.image_shape
        display.begin([len(block) for block in blocks], self.archive.path.name)
        shapes = [Block((len(block), *shape)) for block in blocks]
        complete = self.begin().pose(shapes, fill, display.tell, answered)
        self.calls += len(blocks)
        return complete is not None

    def finish(self) -> Outcome | None:
        """What came of it, once nothing more is asked; None if nothing was."""
        return None if self._session is None else self._session.finish()

    @property
    def _hidden(self) -> int:
        """How many images the platform is taken to ask at once."""
        return self.options.hidden_images or self.challenge.assumed_images

    def _block_size(self, book: Book) -> int:
        """As many images as fit, no more than the platform's one call has: its time is for those."""
        if self.options.block:
            return self.options.block
        free = psutil.virtual_memory().available * MEMORY_SHARE
        fitting = int(free / (BYTES_A_VALUE * np.prod(self.challenge.shape)))
        most = min(fitting, self._hidden, MOST_QUESTIONS if book.is_stored else fitting)
        return max(FEWEST_QUESTIONS, most)

    def _request(self, folder: Path, guard: Guard) -> Request:
        return Request(
            submission=folder,
            **self.challenge.asked(),
            working_folder=self.challenge.working_folder,
            device=chosen_device(self.options.device),
            python=self.options.python or sys.executable,
            images=self._hidden,
            limits=guard.limits,
            paced=self.bounds.seconds is not None,
        )


# What answers depend on beside the submission and the images: the versions, known before it runs.


_GPU = Path("/dev/nvidia0")


def chosen_device(device: Device | None) -> Device:
    """The device to ask for: the GPU, except in a notebook, whose own model may hold it."""
    return device or ("cpu" if "ipykernel" in sys.modules else "gpu")


def environment(device: Device | None, python: str | None = None) -> str:
    """The versions that a submission meets here, and the device, as a text for the store.

    python: what runs the submission, None for our own; ours makes the images all the same.
    """
    own = own_python()
    versions = {"python": own.version, **_known(own.versions)}
    if python is not None and not (asked := python_at(python)).is_own:
        theirs = {"python": asked.version, **_known(asked.versions)}
        versions |= {"asked": asked.path, **{f"asked-{name}": it for name, it in theirs.items()}}
    there = _GPU.exists() and chosen_device(device) == "gpu"
    return environment_text({**versions, "device": "gpu" if there else "cpu"})


def _known(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: versions[name] for name in PACKAGES if name in versions}


# One submission's answers to a benchmark, on one sheet: what every comparison and figure starts from.


Labels = NDArray[np.signedinteger]


@dataclass(frozen=True, eq=False)
class Sheet:
    """The answers of one submission.

    name: of the zip's file. sha256: of the zip. benchmark: whose rows and conditions the questions
    name. labels: whole numbers `(m,)`, from 0, one for each question.
    """

    name: str
    sha256: str
    benchmark: Benchmark
    questions: Questions
    labels: Labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right, bool `(m,)`."""
        return np.asarray(self.labels == self.benchmark.data.labels[self.questions.rows])


# What a submission has answered so far: in memory, and in the store if there is one.


UNKNOWN = -1
_DENSE = 10_000_000


class Book:
    """The answers to a plan's questions, by image and condition of `plan.whole`.

    labels: int32 `(n, conditions)`, by image and condition of `plan.whole`; -1 where unknown.
    run: what they depend on beside condition and image. stored: how many were in the store already.
    contradicted: how many new answers differ from stored ones, which stay.
    """

    def __init__(self, plan: Plan, run: Run, store: Store | None) -> None:
        self._plan, self.run, self._store = plan, run, store
        self.labels = np.full((len(plan.data), len(plan.texts)), UNKNOWN, np.int32)
        self.contradicted = 0
        self._known = 0  # answers of the run, in the plan or not, that this process has seen
        if store is not None:
            self._read(store, run)
        self.stored = int((self.labels != UNKNOWN).sum())

    @property
    def is_stored(self) -> bool:
        """Whether answers outlive this run."""
        return self._store is not None and self._store.writable

    def missing(self, questions: Questions) -> Questions:
        """Those without an answer, in the same order."""
        open_ = self.labels[questions.rows, questions.conditions] == UNKNOWN
        if open_.all():
            return questions
        return Questions(questions.rows[open_], questions.conditions[open_])

    def keep(self, questions: Questions, labels: NDArray[np.int64]) -> None:
        """Write down the answers to a block of questions; stored before this returns."""
        self.labels[questions.rows, questions.conditions] = labels
        if self._store is None or not self._store.writable:
            return
        ids, block = self._plan.data.ids, []
        for condition in np.unique(questions.conditions):
            asked = questions.conditions == condition
            key = AnswerKey(self.run, self._plan.texts[condition])
            block.append((key, ids[questions.rows[asked]], labels[asked]))
        self.contradicted += self._store.put_block(block, self._known)
        self._known += len(labels)

    def answers(self, name: str, questions: Questions) -> NDArray[np.int32]:
        """The labels given to questions of one of the plan's benchmarks, int32 `(m,)`; -1: unknown."""
        conditions = self._plan.places[name].astype(np.int32)[questions.conditions]
        return np.asarray(self.labels[questions.rows, conditions], np.int32)

    def everything(self, name: str) -> tuple[Questions, NDArray[np.int32]]:
        """All that is known of one of the plan's benchmarks: questions and labels `(m,)`."""
        labels = self.labels[:, self._plan.places[name]]
        rows, conditions = np.nonzero(labels != UNKNOWN)
        return Questions(rows, conditions), np.asarray(labels[rows, conditions], np.int32)

    def _read(self, store: Store, run: Run) -> None:
        stored = store.run_answers(run, self._plan.texts)
        self._known = stored.total
        questions, labels = placed(self._plan, stored)
        self.labels[questions.rows, questions.conditions] = labels


def placed(plan: Plan, stored: RunAnswers) -> tuple[Questions, NDArray[np.int64]]:
    """Those of a run's answers that belong to the plan: questions, with conditions of `whole`, and labels."""
    places = {text: place for place, text in enumerate(plan.texts)}
    conditions = np.array([places.get(text, UNKNOWN) for text in stored.conditions], np.int64)
    rows = rows_of(plan.data.ids, stored.answers.ids)
    asked = np.repeat(conditions, stored.counts)
    known = (asked != UNKNOWN) & (plan.data.ids[rows] == stored.answers.ids)
    return Questions(rows[known], asked[known]), stored.answers.labels[known]


def rows_of(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each wanted id stands among `ids`, if it does: the caller looks."""
    largest = int(ids.max())
    if largest < _DENSE:  # ids are rows of a file: a table is ten times as fast as a search
        table = np.zeros(largest + 1, np.int64)
        table[ids] = np.arange(len(ids))
        return table[np.minimum(wanted, largest)]
    order = np.argsort(ids)
    found = np.searchsorted(ids, wanted, sorter=order)
    return order[np.minimum(found, len(order) - 1)]


# One submission and one plan: asking it round after round, and what can be said after each.


HALF_WIDTHS = 1.96  # standard deviations in half of a 95 % interval


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What belongs together while a submission is asked.

    name, sha256: of the zip. secret: of the order in which it is asked.
    """

    name: str
    sha256: str
    plan: Plan
    book: Book
    asker: Asker
    challenge: Challenge
    display: Display
    secret: int

    def ask(self, part: Round) -> bool:
        """Ask what is not answered yet up to a round; False when the submission failed."""
        missing = self.book.missing(self.plan.wanted(part))
        if len(missing) == 0:
            return True
        missing = self.plan.shuffled(missing, self.secret)
        return self.asker.ask(self.plan, missing, self.book, self.display)

    def is_complete(self, part: Round) -> bool:
        """Whether everything up to a round is answered."""
        return len(self.book.missing(self.plan.wanted(part))) == 0

    def scores(self, part: Round) -> Scores:
        """The figures of the shown preset on the images of a round."""
        sheet = self.sheet("shown", part)
        classes, metric = self.challenge.classes, self.challenge.metric
        return score(sheet.benchmark, sheet.questions, sheet.labels, classes, metric)

    def half_width(self, part: Round) -> float:
        """Half of the 95 % interval of the benchmark accuracy, near enough to stop by."""
        sheet = self.sheet("shown", part)
        corrupted = sheet.questions.conditions > 0
        rows, right = sheet.questions.rows[corrupted], sheet.right[corrupted]
        counts = np.bincount(rows, minlength=part.images)
        means = np.bincount(rows, right, part.images) / counts
        return float(HALF_WIDTHS * means.std() / np.sqrt(part.images))

    def sheet(self, name: str, part: Round) -> Sheet:
        """The answers to one of the plan's benchmarks on the images of a round."""
        questions = self.plan.questions(name, part)
        benchmark = prefix(getattr(self.plan, name), part.images)
        labels = self.book.answers(name, questions)
        return Sheet(shown(self.name), self.sha256, benchmark, questions, labels)

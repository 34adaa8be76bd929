"""Asking one submission what a plan wants to know, and has not been answered before."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.console.words import shown
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds, Guard, guard
from codabench_rehearsal.rehearsal.scale import feeds
from codabench_rehearsal.sandbox.executor import Executor, Here, Work
from codabench_rehearsal.sandbox.ingest import Outcome, Request
from corruptions.presets import Condition, Preset
from evaluator.answers import UNKNOWN, Answers, Labels
from evaluator.dealing import secret_order
from evaluator.elsewhere import chosen_device, elsewhere, environment_of
from evaluator.metrics import Scores, Z, score
from evaluator.options import NO_STORE, Options
from evaluator.plan import Benchmark, Plan, Questions, Round, fill_block
from evaluator.progress import Display
from evaluator.spread import Spread
from evaluator.store.answer_rows import drawn_order
from evaluator.store.rows import Run, read_condition
from evaluator.store.schema import StoreError
from evaluator.store.store import Store, find_store
from evaluator.stored_answers import StoredAnswers, rows_of
from submission.archive import Archive

MEMORY_SHARE = 0.25  # of what is free: a whole block in one predict call may use this much
BYTES_A_VALUE = 13  # one as uint8, three float32 copies on the way through a model
MOST_QUESTIONS = 4096  # in a block with a store: an interrupted run loses no more
FEWEST_QUESTIONS = 256  # in a block: calls are not free
FEEDS = "1"  # revision of the other ways to feed images: stored answers are of these
_FED = "clean, fed "
_NONE_DEALT = np.zeros((0, 0), np.int64)


class Runner:
    """Asks one submission; a context manager that ends its child.

    `begin` may be called at once, to load meanwhile; `follow` comes before all else.
    bounds: the limits that are known: the user's, else the challenge's. guard: what ends the
    child, once it is started. labels: int32 `(n, conditions)`, by image and condition of the plan;
    -1 where unknown. secret: of the order in which it is asked. asked: questions of the plan; fed:
    images fed in other ways; calls: of predict. contradicted: new answers that differ from stored
    ones, which stay.
    """

    plan: Plan
    run: Run
    secret: int
    labels: NDArray[np.int32]
    guard: Guard | None = None

    def __init__(
        self,
        archive: Archive,
        challenge: Challenge,
        options: Options,
        data: Dataset,
        store: Store | None,
        display: Display,
    ) -> None:
        self.archive, self.challenge, self.options = archive, challenge, options
        self.display = display
        self.bounds = Bounds(
            options.seconds or challenge.seconds, options.memory_bytes or challenge.memory_bytes
        )
        self.asked = self.fed = self.calls = self.contradicted = 0
        self._known = 0  # answers of the run, in the plan or not, that this process has seen
        self.data, self.store = data, store
        self._pictures: dict[str, str] = {}  # revision -> folder, of the plan's blends
        self._executor: Executor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self) -> Executor:
        """Start the child if it has not been started."""
        if self._executor is None:
            here = not self.options.cluster
            self.guard = guard(self.bounds, self.children if here else 1)
            opener = partial(self._here, self.guard) if here else self._elsewhere
            opened = Spread(self.children, opener) if self.children > 1 else opener()
            self._executor = self._stack.enter_context(opened)
        return self._executor

    @property
    def children(self) -> int:
        """How many may share the blocks: one where a time limit for one pass is to be kept."""
        return 1 if self.bounds.seconds is not None else self.options.workers

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how it was asked."""
        spread = self._executor
        return (spread.note,) if isinstance(spread, Spread) and spread.note else ()

    def _here(self, guard: Guard) -> Here:
        folder = self._stack.enter_context(TemporaryFolder("zip-")) / "zip"
        self.archive.extract(folder)
        make = partial(make_images, data=self.data, pictures=self._pictures)
        return Here(self._request(folder, guard), make)

    def _elsewhere(self) -> AbstractContextManager[Executor]:
        request = self._request(Path(), guard(self.bounds))
        place = elsewhere(self.options.cluster or "")
        return place.executor(self.archive, self.data, request, self.bounds)

    def follow(self, plan: Plan) -> None:
        """Take up a plan, and what the store knows of it."""
        archive, options, store = self.archive, self.options, self.store
        self.plan = plan
        if store is not None and self.is_stored:
            store.add_submission(archive.sha256, archive.path.name, archive.path.absolute())
            data = self.data
            store.put_truth(data.fingerprint(), shown(data.source), data.ids, data.labels)
        where = environment_of(options)
        self.run = Run(archive.sha256, where, self.data.fingerprint(), options.seed)
        if store is None:
            self.labels = np.full((len(plan.data), len(plan.texts)), UNKNOWN, np.int32)
        else:
            labels, self._known = StoredAnswers(plan, store).labels(self.run)
            self.labels = labels.astype(np.int32)
        self.secret = order_secret(options, store, self.data)
        for text, condition in zip(plan.texts, plan.conditions, strict=True):
            if revision := _pictures_revision(text):
                self._pictures[revision] = condition.pictures

    @contextmanager
    def aside(self, plan: Plan) -> Iterator[None]:
        """Follow another plan for a while; then the one before, with its answers."""
        mine = self.plan, self.labels, self.secret
        self.follow(plan)
        try:
            yield
        finally:
            self.plan, self.labels, self.secret = mine

    @property
    def is_stored(self) -> bool:
        """Whether answers outlive this run."""
        return self.store is not None and self.store.writable

    def ask(self, part: Round) -> bool:
        """Ask what is not answered yet up to a round; False when the submission failed.

        Each block's answers are stored before the next ones are read.
        """
        missing = self._missing(part)
        if len(missing) == 0:
            return True
        ids, texts = self.plan.data.ids, self.plan.texts
        executor, blocks = self.begin(), missing.shuffled(self.secret).blocks(self.block_size())
        works = [self._work(texts, ids[one.rows], one.conditions) for one in blocks]
        self.display.begin([len(work) for work in works], self.archive.path.name)
        complete = executor.run(works, self._keep, self.display.tell)
        self.calls += len(works)
        return complete

    def fed_otherwise(self, name: str, ids: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """What is answered to clean images that are fed in another way; None where it fails.

        name: of one of `rehearsal.scale.feeds`. ids: int64 `(m,)`. Returns labels `(m,)`.
        """
        text, found = f"{_FED}{name}, {FEEDS}", list[Labels]()
        if self.store is not None:
            known, there = self.store.run_answers(self.run, [text]).of(text).find(ids)
            if there.all():
                return known
        executor, order = self.begin(), secret_order(len(ids), self.secret, name.encode())
        work = self._work((text,), ids[order], np.zeros(len(ids), np.int32), "float32")
        complete = executor.run([work], lambda _, one: found.append(one), self.display.wait)
        self.calls += 1
        if not complete:
            return None
        self.fed += len(ids)
        labels = np.empty_like(found[0])
        labels[order] = found[0]
        if self.store is not None and self.is_stored:
            self.store.put_block(self.run, [(text, ids, labels)])
        return labels

    def is_complete(self, part: Round) -> bool:
        """Whether everything up to a round is answered."""
        return len(self._missing(part)) == 0

    def answers(self, name: str, part: Round) -> Answers:
        """The answers to one of the plan's subsets on the images of a round."""
        questions = self.plan.questions(name, part)
        places = self.plan.subsets[name].places.astype(np.int32)[questions.conditions]
        labels, zip_name = self.labels[questions.rows, places], shown(self.archive.path.name)
        benchmark = self.plan.benchmark(name, part.images)
        return Answers(zip_name, self.archive.sha256, benchmark, questions, labels)

    def scores(self, part: Round) -> Scores:
        """The figures of the shown preset on the images of a round."""
        given = self.answers("shown", part)
        classes, metric = self.challenge.classes, self.challenge.metric
        return score(given.benchmark, given.questions, given.labels, classes, metric)

    def half_width(self, part: Round) -> float:
        """Half of the 95 % interval of the benchmark accuracy, near enough to stop by."""
        given = self.answers("shown", part)
        corrupted = given.questions.conditions > 0
        rows, right = given.questions.rows[corrupted], given.right[corrupted]
        counts = np.bincount(rows, minlength=part.images)
        means = np.bincount(rows, right, part.images) / counts
        return float(Z * means.std() / np.sqrt(part.images))

    def finish(self) -> Outcome | None:
        """What came of it, once nothing more is asked; None if nothing was."""
        return None if self._executor is None else self._executor.finish()

    def block_size(self) -> int:
        """As many images as fit, at most the platform's one call's: its time is for those."""
        if self.options.block:
            return self.options.block
        free = psutil.virtual_memory().available * MEMORY_SHARE
        fitting = int(free / (BYTES_A_VALUE * np.prod(self.challenge.shape)))
        most = min(fitting, self._hidden, MOST_QUESTIONS if self.is_stored else fitting)
        return max(FEWEST_QUESTIONS, most)

    @property
    def _hidden(self) -> int:
        """How many images the platform is taken to ask at once."""
        return self.options.hidden_images or self.challenge.assumed_images

    def _missing(self, part: Round) -> Questions:
        wanted = self.plan.wanted(part)
        open_ = self.labels[wanted.rows, wanted.conditions] == UNKNOWN
        return wanted if open_.all() else Questions(wanted.rows[open_], wanted.conditions[open_])

    def _work(
        self,
        texts: tuple[str, ...],
        ids: NDArray[np.int64],
        chosen: NDArray[Any],
        dtype: str = "uint8",
    ) -> Work:
        run, shape = self.run, self.data.image_shape
        limits = (self.guard or guard(self.bounds)).limits
        chosen = chosen.astype(np.int32, copy=False)
        return Work(run.submission, run.data, texts, ids, chosen, run.seed, shape, dtype, limits)

    def _keep(self, work: Work, labels: NDArray[np.int64]) -> None:
        """Stored before this returns."""
        self.labels[rows_of(self.plan.data.ids, work.ids), work.chosen] = labels
        self.asked += len(labels)
        if self.store is None or not self.is_stored:
            return
        block = []
        for condition in np.unique(work.chosen):
            own = work.chosen == condition
            block.append((work.conditions[condition], work.ids[own], labels[own]))
        self.contradicted += self.store.put_block(self.run, block, self._known)
        self._known += len(labels)

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


def make_images(work: Work, out: NDArray[Any], data: Dataset, pictures: Mapping[str, str]) -> None:
    """Write a work's images into `out`, `(m, *shape)` of its dtype.

    data: the images, known by ids. pictures: revision -> folder, for conditions that blend with
    pictures of the user's. Raises `StoreError` for a condition of another version of the operators.
    """
    rows = rows_of(data.ids, work.ids)
    if work.conditions[0].startswith(_FED):
        name = work.conditions[0].removeprefix(_FED).rpartition(", ")[0]
        reading = next(one for one in feeds(work.shape[2]) if one.name == name)
        out[:] = reading.fed(data.pictures(rows))
        return
    conditions = tuple(_condition(text, pictures) for text in work.conditions)
    benchmark = Benchmark(data, Preset("", conditions, 0, ""), work.seed, conditions, _NONE_DEALT)
    fill_block(benchmark, Questions(rows, work.chosen), out, min(os.cpu_count() or 1, 8))


def _condition(text: str, pictures: Mapping[str, str]) -> Condition:
    found = read_condition(text, pictures.get(_pictures_revision(text), ""))
    if found is None:
        raise StoreError(f"no corruptions of this version are called {text}")
    return found


def _pictures_revision(text: str) -> str:
    return text.partition("|pictures@")[2]


def open_store(options: Options) -> Store | None:
    """The store that the options name; None for "none"."""
    return None if options.store == NO_STORE else Store.open(find_store(options.store))


def order_secret(options: Options, store: Store | None, data: Dataset) -> int:
    """The secret of the order: the one given, the store's, or one for this evaluation alone."""
    if options.order_seed is not None:
        return options.order_seed
    return store.order(data.fingerprint(), options.seed) if store else drawn_order()

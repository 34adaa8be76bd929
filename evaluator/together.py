"""Several submissions at once on this machine: one loads while another one answers.

Each is asked in a thread of its own, which waits for its child most of the time; answers go into
the store as always. What comes after reads them there, so that figures are those of one after the
other. Without a store that lasts, one is kept for as long as the command runs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import MEMORY_SHARE
from codabench_rehearsal.sandbox.ingest import PredictProgress
from evaluator.answers import Answers
from evaluator.ask import open_store, order_secret
from evaluator.comparison.compare import answers_of, common_plan
from evaluator.evaluate import evaluate
from evaluator.expectation import Series
from evaluator.options import Options
from evaluator.progress import Display, Shown
from evaluator.report.report import Report
from evaluator.spread import StoppedError
from evaluator.store.store import Store

Found = TypeVar("Found")
Ask = Callable[[Path, Display], Found]
Asking = Callable[[Options], AbstractContextManager[Ask[Found]]]
_LOOK_SECONDS = 0.2  # between looks for Ctrl-C


@contextmanager
def kept_for_now(options: Options) -> Iterator[Options]:
    """The options with a store that all threads share; one that is gone afterwards for "none"."""
    if options.store != NO_STORE:
        yield options
        return
    with TemporaryFolder("store-") as folder:
        yield replace(options, store=str(folder / "store.sqlite"))


def asked_together(
    zips: Sequence[Path], asking: Asking[Found], lanes: Sequence[Options], shown: Display
) -> dict[Path, Found | Exception]:
    """Ask every zip, as many of them at a time as there are lanes; what it gave or raised, by zip.

    asking: opened once by each lane with its options, in a thread of its own: what asks one zip
    after the other. shown: told of each submission that is done. Ctrl-C ends all of them.
    """
    stop, lock = threading.Event(), threading.Lock()
    pool = ThreadPoolExecutor(len(lanes), thread_name_prefix="submission")
    futures = {path: Future[Found]() for path in dict.fromkeys(zips)}
    waiting, found = deque(futures.items()), dict[Path, Found | Exception]()
    try:
        for own in lanes:
            pool.submit(_lane, asking(own), waiting, lambda: _Apart(stop, lock, shown))
        for path in list(futures):
            one = _result(futures.pop(path))
            found[path] = one
            shown.say(f"{path.name}: done ({len(found)} of {len(found) + len(futures)})")
    except BaseException:
        stop.set()
        waiting.clear()
        raise
    finally:
        pool.shutdown()
    return found


def _lane(
    asking: AbstractContextManager[Ask[Found]],
    waiting: deque[tuple[Path, Future[Found]]],
    display: Callable[[], Display],
) -> None:
    """Ask what waits, until nothing does. Where nothing can be asked, all that waits ends so."""
    try:
        with asking as ask:
            for path, future in _taken(waiting):
                try:
                    future.set_result(ask(path, display()))
                except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                    future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - as above
        for _, future in _taken(waiting):
            future.set_exception(error)


def _taken(
    waiting: deque[tuple[Path, Future[Found]]],
) -> Iterator[tuple[Path, Future[Found]]]:
    """One after the other, whichever thread is first."""
    with suppress(IndexError):
        while True:
            yield waiting.popleft()


def _result(future: Future[Found]) -> Found | Exception:
    """What came of one; looked for in short turns, so that Ctrl-C is heard."""
    while True:
        try:
            error = future.exception(_LOOK_SECONDS)
        except TimeoutError:
            continue
        if error is None:
            return future.result()
        if not isinstance(error, Exception):
            raise error
        return error


def evaluated_together(
    zips: Sequence[Path],
    data: Dataset,
    challenge: Challenge,
    options: Options,
    workers: int,
    shown: Display,
) -> dict[Path, Report]:
    """Evaluate zips, several at a time; their answers are then in the store that `options` name.

    Returns the reports of those that failed: of two hundred others none needs to be kept.
    """

    @contextmanager
    def asking(given: Options) -> Iterator[Ask[Report | None]]:
        with opened(given) as store:  # a connection of this thread's own
            series = Series(store, data, given, several=True)

            def ask(path: Path, display: Display) -> Report | None:
                found = evaluate(path, data, challenge, given, lambda: nullcontext(display), series)
                return None if found.scores else found

            yield ask

    lanes = shared_out(options, workers, data, len(set(zips)))
    found = asked_together(zips, asking, lanes, shown)
    return {path: one for path, one in found.items() if isinstance(one, Report)}


def answered_together(
    zips: Sequence[Path],
    data: Dataset,
    challenge: Challenge,
    options: Options,
    shown: Shown,
    workers: int,
) -> list[Answers]:
    """As `comparison.compare.answered`, several zips at a time."""
    plan = common_plan(zips, data, options)
    with kept_for_now(options) as kept:

        @contextmanager
        def asking(given: Options) -> Iterator[Ask[Answers]]:
            with opened(given) as store:
                yield lambda path, display: answers_of(
                    path, plan, data, challenge, given, store, display
                )

        lanes = shared_out(kept, workers, data, len(set(zips)))
        with shown() as display:
            found = asked_together(zips, asking, lanes, display)
    for one in found.values():
        if isinstance(one, Exception):
            raise one
    return [one for path in zips if not isinstance(one := found[path], Exception)]


def shared_out(options: Options, workers: int, data: Dataset, zips: int) -> list[Options]:
    """The options of each lane: its share of memory and workers, the order of all.

    A lane answers one zip at a time; with more workers than zips, it has several for that.
    """
    lanes = min(workers, zips)
    free = int(psutil.virtual_memory().available * MEMORY_SHARE / workers)
    with opened(options) as store:
        secret = order_secret(options, store, data)
    options = replace(options, order_seed=secret)
    if not options.cluster:  # each machine knows its own
        options = replace(options, memory_bytes=min(options.memory_bytes or free, free))
    shares = [workers // lanes + (lane < workers % lanes) for lane in range(lanes)]
    return [replace(options, workers=share) for share in shares]


@contextmanager
def opened(options: Options) -> Iterator[Store | None]:
    """The store that the options name, None for none."""
    store = open_store(options)
    if store is None:
        yield None
        return
    with store:
        yield store


class _Apart(Display):
    """The display of one submission among several: what is said of it, one at a time."""

    def __init__(self, stop: threading.Event, lock: threading.Lock, shown: Display) -> None:
        self._stop, self._lock, self._shown = stop, lock, shown
        self._name = ""

    def begin(self, sizes: Sequence[int], name: str) -> None:  # noqa: ARG002 - as every display
        """Remember whose blocks these are."""
        self._look()
        self._name = name

    def wait(self, progress: PredictProgress) -> None:  # noqa: ARG002
        """End it where all are ended."""
        self._look()

    def say(self, line: str) -> None:
        """Say it with the submission's name."""
        self._look()
        with self._lock:
            self._shown.say(f"{self._name}: {line}" if self._name else line)

    def _look(self) -> None:
        if self._stop.is_set():
            raise StoppedError

"""Several submissions at once on this machine: one loads while another one answers.

Each is asked in a thread of its own, which waits for its child most of the time; answers go into
the store as always. What comes after reads them there, so that figures are those of one after the
other. Without a store that lasts, one is kept for as long as the command runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
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
    zips: Sequence[Path], ask: Callable[[Path, Display], Found], workers: int, shown: Display
) -> dict[Path, Found | Exception]:
    """Call `ask` for every zip, `workers` of them at a time; what it gave or raised, by zip.

    shown: told of each submission that is done. Ctrl-C ends all of them.
    """
    stop, lock = threading.Event(), threading.Lock()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="submission")
    found: dict[Path, Found | Exception] = {}
    try:
        waiting: dict[Path, Future[Found]] = {
            path: pool.submit(ask, path, _Apart(stop, lock, shown)) for path in dict.fromkeys(zips)
        }
        for path, future in waiting.items():
            one = _result(future)
            found[path] = one
            shown.say(f"{path.name}: done ({len(found)} of {len(waiting)})")
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return found


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
) -> dict[Path, Report | Exception]:
    """Evaluate zips, several at a time; their answers are then in the store that `options` name."""
    given = shared_out(options, workers, data, len(zips))

    def ask(path: Path, display: Display) -> Report:
        with opened(given) as store:  # a connection of this thread's own
            series = Series(store, data, given, several=True)
            return evaluate(path, data, challenge, given, lambda: nullcontext(display), series)

    return asked_together(zips, ask, workers, shown)


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
        given = shared_out(kept, workers, data, len(zips))

        def ask(path: Path, display: Display) -> Answers:
            with opened(given) as store:
                return answers_of(path, plan, data, challenge, given, store, display)

        with shown() as display:
            found = asked_together(zips, ask, workers, display)
    for one in found.values():
        if isinstance(one, Exception):
            raise one
    return [one for path in zips if not isinstance(one := found[path], Exception)]


def shared_out(options: Options, workers: int, data: Dataset, zips: int) -> Options:
    """The options of one among so many: its share of memory and workers, the order of all."""
    free = int(psutil.virtual_memory().available * MEMORY_SHARE / workers)
    with opened(options) as store:
        secret = order_secret(options, store, data)
    options = replace(options, workers=max(workers // zips, 1), order_seed=secret)
    if options.cluster:  # each machine knows its own
        return options
    return replace(options, memory_bytes=min(options.memory_bytes or free, free))


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

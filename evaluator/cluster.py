"""Submissions on a cluster: a running Dask scheduler, whose workers have this tool installed.

A submission is asked on one machine, its works in their order, so that its answers are those it
gives here. Zip and images travel once to each machine. What a machine's end takes along is asked
again on another one, three times at most. Labels come back; this process alone writes the store.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import few, shown
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.executor import Answered as Told
from codabench_rehearsal.sandbox.executor import Work
from codabench_rehearsal.sandbox.ingest import Outcome, PredictProgress, Request
from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.outcome import Problem
from corruptions.named import parse
from corruptions.presets import is_function
from evaluator.cluster_worker import (
    Answered,
    Asked,
    Sent,
    answer,
    digest_of,
    environment_there,
    finish,
)
from evaluator.elsewhere import chosen_device, named
from evaluator.options import Options
from submission.archive import Archive

ATTEMPTS = 3
PATIENCE_SECONDS = 30.0  # for a scheduler to answer
_LOOK_SECONDS = 0.5
_NOT_SENT = ("submission", "limits")  # of a request: they are each machine's own
_LOST = "the cluster"
# Dask's own functions are typed in part only: its objects are `Any` here.


@contextmanager
def connected(address: str, device: str, python: str | None = None) -> Iterator[Cluster]:
    """A running scheduler's workers, for as long as the context is.

    Raises `EvaluationError` where dask is not installed, nobody answers, or no worker is there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise EvaluationError(
            '--cluster needs Dask: pip install "codabench-rehearsal[cluster]"'
        ) from None
    try:
        client: Any = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]  # Dask's own
    except (OSError, ValueError, TimeoutError) as error:
        raise EvaluationError(
            f"--cluster {shown(address)}: expected a running Dask scheduler, nobody answers "
            f"({error}). It says its address when it starts: dask scheduler."
        ) from None
    with client:
        cluster = Cluster(address, client, device, python)
        with named(address, cluster):
            yield cluster


class Cluster:
    """The workers of one environment. notes: what is to be said of the others."""

    def __init__(self, address: str, client: Any, device: str, python: str | None) -> None:
        self.address, self.client = address, client
        self._lock, self._load = threading.Lock(), Counter[str]()
        self._sent: dict[str, Any] = {}
        try:
            found = client.run(environment_there, device, python, on_error="return")
        except (OSError, TimeoutError) as error:
            raise EvaluationError(f"--cluster {shown(address)}: {error}") from None
        known = {where: text for where, text in found.items() if isinstance(text, str)}
        if not known:
            said = next((f": {one}" for one in found.values()), "")
            raise EvaluationError(
                f"--cluster {shown(address)}: no worker that could run a submission{said}. Each "
                "needs this tool installed: dask worker ADDRESS, in an environment with it."
            )
        counts = Counter(known.values())
        self.environment = counts.most_common(1)[0][0]
        self._first = [where for where, text in known.items() if text == self.environment]
        others = len(found) - len(self._first)
        self.notes = (
            (f"{others} of {len(found)} workers have other versions, and are not used",)
            if others
            else ()
        )

    @property
    def workers(self) -> list[str]:
        """The workers of this environment that are there now."""
        there = self.client.nthreads()
        return [where for where in self._first if where in there]

    def executor(
        self, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> OnCluster:
        """See `Elsewhere.executor`."""
        return OnCluster(self, archive, data, request, bounds)

    def choose(self, not_on: Sequence[str] = ()) -> str:
        """The worker with the fewest submissions. Raises `EvaluationError` where none is left."""
        able = self.workers
        if not able:
            raise EvaluationError(f"{_LOST} at {shown(self.address)} has no worker left")
        with self._lock:
            fresh = [where for where in able if where not in not_on] or able
            chosen = min(fresh, key=lambda where: self._load[where])
            self._load[chosen] += 1
        return chosen

    def leave(self, where: str) -> None:
        """A submission is no longer asked there."""
        with self._lock:
            self._load[where] -= 1

    def put(self, key: str, value: Callable[[], Any], where: str) -> Any:
        """A value that travels once to each machine."""
        with self._lock:
            place = f"{key} {where}"
            if place not in self._sent or self._sent[place].status in (
                "lost",
                "cancelled",
                "error",
            ):
                self._sent[place] = self.client.scatter(value(), workers=[where], hash=False)
            return self._sent[place]


class OnCluster:
    """One submission on a worker of a cluster; see `sandbox.executor.Executor`."""

    def __init__(
        self, cluster: Cluster, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> None:
        self._cluster, self._archive, self._data = cluster, archive, data
        plain = {one.name: getattr(request, one.name) for one in fields(Request)}
        sent: Mapping[str, Any] = {k: v for k, v in plain.items() if k not in _NOT_SENT}
        self._asked = Asked(archive.sha256, sent, bounds)
        self._where = ""
        self._tried: list[str] = []
        self._failed: Outcome | None = None

    def __enter__(self) -> OnCluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._where:
            self._cluster.leave(self._where)
            self._where = ""

    def run(
        self,
        works: Sequence[Work],
        answered: Told,
        progress: Callable[[PredictProgress], None] = lambda _: None,
    ) -> bool:
        """See `Executor.run`. Raises `EvaluationError` where the cluster is lost."""
        left = list(works)
        while left:
            try:
                left = self._in_turn(left, len(works), answered, progress)
            except (OSError, TimeoutError) as error:
                raise EvaluationError(_lost(self._cluster.address, error)) from None
            if self._failed is not None:
                return False
        return True

    def finish(self) -> Outcome:
        """See `Executor.finish`."""
        if self._failed is not None:
            return self._failed
        given = {"workers": [self._where]} if self._where in self._cluster.workers else {}
        found = self._cluster.client.run(finish, self._asked.sha256, **given)
        every = [one for several in found.values() for one in several]
        return every[0] if every else _nothing_known()

    def _in_turn(
        self,
        works: list[Work],
        total: int,
        answered: Told,
        progress: Callable[[PredictProgress], None],
    ) -> list[Work]:
        """Ask works on one machine; those that are left when it is gone."""
        if not self._where:
            self._where = self._cluster.choose(self._tried)
        for number, work in enumerate(works):
            future = self._submit(work)
            done = total - len(works) + number
            while (found := _look(future)) is None:
                progress(PredictProgress("predict", done + 1, done, total))
                if self._where not in self._cluster.workers:
                    return self._elsewhere(works[number:], "its machine is gone")
            if isinstance(found, Exception):
                return self._elsewhere(works[number:], f"{type(found).__name__}: {found}")
            if found.labels is None:
                self._failed = found.outcome or _nothing_known()
                return []
            if found.environment != self._cluster.environment:
                return self._elsewhere(works[number:], "its versions have changed")
            answered(work, _checked(work, found.labels))
        return []

    def _submit(self, work: Work) -> Any:
        cluster, where = self._cluster, self._where
        zipped = cluster.put(f"zip {self._asked.sha256}", self._archive.path.read_bytes, where)
        key = f"data {work.data}"
        sent = cluster.put(key, lambda: _sent(self._data), where)
        given = work.to_json(), zipped, sent, self._asked, where
        return cluster.client.submit(
            answer, *given, workers=[where], allow_other_workers=False, pure=False, retries=0
        )

    def _elsewhere(self, works: list[Work], why: str) -> list[Work]:
        """Leave this machine; after the third one, the submission has failed."""
        self._tried.append(self._where)
        self._cluster.leave(self._where)
        if len(self._tried) >= ATTEMPTS:
            places = few(list(dict.fromkeys(self._tried)))
            message = f"no answer on {len(self._tried)} machines ({places}); on the last: {why}"
            self._failed = _nothing_known(Problem("start", "lost", message))
        self._where = ""
        return works


def _look(future: Any) -> Answered | Exception | None:
    """What came of a task, or why nothing did; None while it runs. Waits a moment."""
    try:
        error = future.exception(timeout=_LOOK_SECONDS)
        found: Answered | Exception = future.result() if error is None else error
    except TimeoutError:
        return None
    except CancelledError as lost:  # with its machine
        return RuntimeError(f"{lost}")
    return found if isinstance(found, Answered | Exception) else RuntimeError(f"{found}")


def require_portable(corrupt: str) -> None:
    """Raise `EvaluationError` for a preset that needs files which only this machine has."""
    preset = parse(corrupt)
    for one in preset.conditions:
        own = next((step.corruption for step in one.steps if is_function(step.corruption)), "")
        if one.pictures or own:
            what = f"the function {own}" if own else f"the pictures of {shown(one.name)}"
            raise EvaluationError(
                f"--cluster: {what}: only this machine has that; leave out --cluster, or take "
                "another preset"
            )


@contextmanager
def opened(options: Options) -> Iterator[Cluster]:
    """The cluster that the options name. Raises as `require_portable` and `connected` do."""
    require_portable(options.corrupt)
    address = options.cluster or ""
    with connected(address, chosen_device(options.device), options.python) as cluster:
        yield cluster


def _sent(data: Dataset) -> Sent:
    images, ids = data.pictures(np.arange(len(data))), np.asarray(data.ids)
    return Sent(digest_of(images, ids), images, ids)


def _checked(work: Work, labels: Any) -> Any:
    """Labels of another shape or kind are no answer: the machine's own look at them is repeated."""
    found = np.asarray(labels)
    if found.shape != (len(work),) or found.dtype.kind not in "iu":
        raise EvaluationError(f"expected {len(work)} labels of {_LOST}, received {found.shape}")
    return found.astype(np.int64)


def _nothing_known(problem: Problem | None = None) -> Outcome:
    result = JobResult("exit", 0, "", 0.0, 0, {})
    return Outcome((), problem, result, {}, {}, 0.0, 0.0, 0.0)


def _lost(address: str, error: Exception) -> str:
    return (
        f"{_LOST} at {shown(address)} is lost ({error}); what was answered so far is kept: the "
        "same command goes on from there"
    )

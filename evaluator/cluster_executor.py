"""One child on a cluster: works go to one worker, in their order, and to another if it goes.

Zip and images travel once to each machine. A work that a machine's end takes along, or that it
cannot do, is asked again on another one, three times at most. Labels come back; this process alone
writes the store. What fails in a worker's sandbox is the submission's own fault, and is not tried
elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import fields
from functools import partial
from typing import Any, Protocol

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import one_line, shown
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.executor import Answered as Told
from codabench_rehearsal.sandbox.executor import Work
from codabench_rehearsal.sandbox.ingest import Outcome, PredictProgress, Request
from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.outcome import Problem
from evaluator.cluster_worker import Answered, Asked, Sent, answer, digest_of, finish
from submission.archive import Archive

ATTEMPTS = 3  # at one work
_LOOK_SECONDS = 0.5
_NOT_SENT = ("submission", "limits")  # of a request: they are each machine's own
_GONE = "it is gone"
Progress = Callable[[PredictProgress], None]


class Machines(Protocol):
    """What is to be known of a cluster; see `cluster.Cluster`."""

    address: str
    client: Any
    environment: str

    @property
    def workers(self) -> list[str]: ...  # noqa: D102 - see the class
    def name(self, where: str) -> str: ...  # noqa: D102
    def choose(self, not_on: Sequence[str], waiting: Callable[[], None]) -> str: ...  # noqa: D102
    def leave(self, where: str) -> None: ...  # noqa: D102
    def put(self, key: str, value: Callable[[], Any], where: str) -> Any: ...  # noqa: D102


class OnCluster:
    """One submission on a worker of a cluster; see `sandbox.executor.Executor`."""

    def __init__(
        self, cluster: Machines, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> None:
        self._cluster, self._archive, self._data = cluster, archive, data
        plain = {one.name: getattr(request, one.name) for one in fields(Request)}
        sent: Mapping[str, Any] = {k: v for k, v in plain.items() if k not in _NOT_SENT}
        self._asked = Asked(archive.sha256, sent, bounds)
        self._where = ""
        self._failed: Outcome | None = None

    def __enter__(self) -> OnCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def run(
        self, works: Sequence[Work], answered: Told, progress: Progress = lambda _: None
    ) -> bool:
        """See `Executor.run`. Raises `EvaluationError` where the cluster is lost."""
        for done, work in enumerate(works):
            how_far = PredictProgress("predict", done + 1, done, len(works))
            try:
                labels = self._labels(work, partial(progress, how_far))
            except (OSError, TimeoutError, RuntimeError) as error:  # Dask's, of a closed client too
                raise EvaluationError(lost(self._cluster.address, error)) from None
            if labels is None:
                return False
            answered(work, labels)
        return True

    def finish(self) -> Outcome:
        """See `Executor.finish`."""
        if self._failed is not None:
            return self._failed
        given = {"workers": [self._where]} if self._where in self._cluster.workers else {}
        run, sha256 = self._cluster.client.run, self._asked.sha256
        found = run(finish, sha256, on_error="ignore", **given)  # it may go just now
        every = [one for several in found.values() for one in several]
        return every[0] if every else _nothing_known()

    def _labels(self, work: Work, waiting: Callable[[], None]) -> Any:
        """The answers to a work, int64 `(m,)`, from whichever machine gives them; None for none."""
        tried: dict[str, str] = {}  # worker -> why it gave none
        for _ in range(ATTEMPTS):
            self._where = self._where or self._cluster.choose(list(tried), waiting)
            found = self._there(work, waiting)
            if isinstance(found, str):
                tried[self._where] = found
                self._leave()
            elif found.labels is None:
                self._failed = found.outcome or _nothing_known()
                return None
            else:
                return _checked(work, found.labels)
        self._failed = _nothing_known(_unanswered(self._cluster, tried))
        return None

    def _there(self, work: Work, waiting: Callable[[], None]) -> Answered | str:
        """What the present machine gives, or why it gives nothing."""
        try:
            future = self._submit(work)
        except KeyError:  # Dask's, where the worker went between two works
            return _GONE
        while (found := _look(future)) is None:
            waiting()
            if self._where not in self._cluster.workers:
                return _GONE
        if isinstance(found, Exception):
            gone = isinstance(found, CancelledError) or self._where not in self._cluster.workers
            return _GONE if gone else f"{type(found).__name__}: {found}"
        same = found.environment == self._cluster.environment
        return found if same or found.labels is None else "its versions have changed"

    def _submit(self, work: Work) -> Any:
        cluster, where = self._cluster, self._where
        zipped = cluster.put(f"zip {self._asked.sha256}", self._archive.path.read_bytes, where)
        sent = cluster.put(f"data {work.data}", lambda: _sent(self._data), where)
        given = work.to_json(), zipped, sent, self._asked, where
        return cluster.client.submit(
            answer, *given, workers=[where], allow_other_workers=False, pure=False, retries=0
        )

    def _leave(self) -> None:
        if self._where:
            self._cluster.leave(self._where)
            self._where = ""


def lost(address: str, why: object) -> str:
    """What to say where nobody can answer any more."""
    return (
        f"the cluster at {shown(address)} is lost ({why}); what was answered so far is kept: the "
        "same command goes on from there"
    )


def _look(future: Any) -> Answered | Exception | None:
    """What came of a task, or why nothing did; None while it runs. Waits a moment."""
    try:
        error = future.exception(timeout=_LOOK_SECONDS)
        found: Answered | Exception = future.result() if error is None else error
    except TimeoutError:
        return None
    except CancelledError as error:  # with its machine
        return error
    return found if isinstance(found, Answered | Exception) else RuntimeError(f"{found}")


def _sent(data: Dataset) -> Sent:
    images, ids = data.pictures(np.arange(len(data))), np.asarray(data.ids)
    return Sent(digest_of(images, ids), images, ids)


def _checked(work: Work, labels: Any) -> Any:
    """Labels of another shape or kind are no answer: the machine's own look at them is repeated."""
    found = np.asarray(labels)
    if found.shape != (len(work),) or found.dtype.kind not in "iu":
        raise EvaluationError(f"expected {len(work)} labels of the cluster, received {found.shape}")
    return found.astype(np.int64)


def _unanswered(cluster: Machines, tried: Mapping[str, str]) -> Problem:
    """No machine has answered: which they are, with the log that tells more."""
    places = [f"{cluster.name(where)}: {one_line(why)}" for where, why in tried.items()]
    message = f"no answer in {ATTEMPTS} attempts; the last on {places[-1]}"
    return Problem("start", "lost", message, "\n".join(places))


def _nothing_known(problem: Problem | None = None) -> Outcome:
    result = JobResult("exit", 0, "", 0.0, 0, {})
    return Outcome((), problem, result, {}, {}, 0.0, 0.0, 0.0)

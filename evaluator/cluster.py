"""Submissions on a cluster: a running Dask scheduler, whose workers have this tool installed.

A worker takes part if it has the versions that most have; those that come later, or come back, are
looked at too. What is asked there, and what happens when one goes, is in `cluster_executor`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import few, one_line, shown
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.ingest import Request
from corruptions.named import parse
from corruptions.presets import is_function
from evaluator.cluster_executor import OnCluster, lost
from evaluator.cluster_worker import environment_there
from evaluator.elsewhere import chosen_device, named
from evaluator.options import Options
from submission.archive import Archive

PATIENCE_SECONDS = 30.0  # for a scheduler to answer
RETURN_SECONDS = 60.0  # for a worker to come back where none is left
_LOOK_SECONDS = 0.5
_GONE = ("lost", "cancelled", "error")
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
        self._device, self._python = device, python
        self._lock, self._load = threading.Lock(), Counter[str]()
        self._looking = threading.Lock()
        self._sent: dict[str, Any] = {}
        self._versions: dict[str, str | Exception] = {}  # by worker; or why they are not known
        self._names: dict[str, str] = {}
        try:
            self._look_at(None)
        except (OSError, TimeoutError) as error:
            raise EvaluationError(f"--cluster {shown(address)}: {error}") from None
        self.environment = self._most_common()
        self.notes = tuple(self._others())

    @property
    def workers(self) -> list[str]:
        """The workers of this environment that are there now, late ones among them."""
        there = list(self.client.nthreads())
        new = [where for where in there if where not in self._versions]
        if new and self._looking.acquire(blocking=False):  # one of several threads is enough
            try:
                self._look_at(new)
            finally:
                self._looking.release()
        return [where for where in there if self._versions.get(where) == self.environment]

    def name(self, where: str) -> str:
        """A worker as its machine's people know it."""
        return self._names.get(where, where)

    def executor(
        self, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> OnCluster:
        """See `Elsewhere.executor`."""
        return OnCluster(self, archive, data, request, bounds)

    def choose(self, not_on: Sequence[str], waiting: Callable[[], None]) -> str:
        """The worker with the fewest children; waits for one to come back where none is left.

        waiting: called again and again meanwhile. Raises `EvaluationError` where none comes.
        """
        deadline = time.monotonic() + RETURN_SECONDS
        while not (able := self.workers):
            if time.monotonic() > deadline:
                raise EvaluationError(lost(self.address, "no worker is left"))
            waiting()
            time.sleep(_LOOK_SECONDS)
        with self._lock:
            fresh = [where for where in able if where not in not_on] or able
            chosen = min(fresh, key=lambda where: self._load[where])
            self._load[chosen] += 1
        return chosen

    def leave(self, where: str) -> None:
        """A child is no longer asked there."""
        with self._lock:
            self._load[where] -= 1

    def put(self, key: str, value: Callable[[], Any], where: str) -> Any:
        """A value that travels once to each machine."""
        with self._lock:
            place = f"{key} {where}"
            if place not in self._sent or self._sent[place].status in _GONE:
                self._sent[place] = self.client.scatter(value(), workers=[where], hash=False)
            return self._sent[place]

    def _look_at(self, workers: Sequence[str] | None) -> None:
        """Ask workers, None for all, for their versions and names."""
        given = self._device, self._python
        found = self.client.run(environment_there, *given, workers=workers, on_error="return")
        # One that goes while it is asked, or does not answer yet, is asked again.
        self._versions |= {k: one for k, one in found.items() if not isinstance(one, OSError)}
        known: Mapping[str, Any] = self.client.scheduler_info()["workers"]
        for where, one in known.items():
            self._names[where] = f"{shown(where)} (dask worker {shown(str(one.get('name')))})"

    def _most_common(self) -> str:
        able = Counter(text for text in self._versions.values() if isinstance(text, str))
        if able:
            return able.most_common(1)[0][0]
        said = next((f": {one}" for one in self._versions.values()), "")
        raise EvaluationError(
            f"--cluster {shown(self.address)}: no worker that could run a submission{said}. Each "
            "needs this tool installed: dask worker ADDRESS, in an environment with it."
        )

    def _others(self) -> Iterator[str]:
        """How many are not asked, and what sets the first of them apart."""
        others = {k: text for k, text in self._versions.items() if text != self.environment}
        for where, theirs in list(others.items())[:1]:
            own, text = set(self.environment.split(", ")), str(theirs)
            apart = few([one for one in text.split(", ") if one not in own]) or "fewer packages"
            yield (
                f"{len(others)} of {len(self._versions)} workers have other versions, and are not "
                f"asked: {self.name(where)} has {one_line(apart)}"
            )


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

"""What runs on a machine of a cluster: it has a submission answer works, in a sandbox of its own.

One submission is open at a time in a thread of the worker: its child stays loaded from work to
work, and goes when another comes, when it is told to, or when nobody has asked for a while.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds, guard
from codabench_rehearsal.sandbox.executor import Here, Work
from codabench_rehearsal.sandbox.ingest import Request
from codabench_rehearsal.sandbox.outcome import Labels, Outcome
from evaluator.ask import make_images
from evaluator.elsewhere import environment
from submission.archive import Archive

IDLE_SECONDS = 120.0  # after which a child that nobody asks is ended
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Sent:
    """What travels once to each machine, and by what it is known. images: uint8 (n, h, w, c)."""

    sha256: str
    images: NDArray[np.uint8]
    ids: NDArray[np.int64]

    def dataset(self) -> Dataset:
        """As a data set whose labels nobody knows here. Raises `ValueError` for other bytes."""
        if digest_of(self.images, self.ids) != self.sha256:
            raise ValueError("the images are not those that were sent")
        return Dataset(self.images, np.zeros(len(self.ids), np.int64), self.ids)


@dataclass(frozen=True)
class Asked:
    """How a submission is asked: fields of a `Request`, and the limits that are known."""

    sha256: str
    request: Mapping[str, Any]
    bounds: Bounds


@dataclass(frozen=True, eq=False)
class Answered:
    """What came of a work. labels: None where the submission failed, and outcome says how."""

    labels: Labels | None
    outcome: Outcome | None
    environment: str
    machine: str


def digest_of(images: NDArray[np.uint8], ids: NDArray[np.int64]) -> str:
    """SHA-256 of images and ids."""
    whole = hashlib.sha256(repr((images.shape, str(images.dtype))).encode())
    whole.update(np.ascontiguousarray(images).data)
    whole.update(ids.astype("<i8").tobytes())
    return whole.hexdigest()


def environment_there(device: str, python: str | None) -> str:
    """The versions that a submission meets on this machine."""
    return environment("gpu" if device == "gpu" else "cpu", python)


def answer(text: str, zipped: bytes, sent: Sent, asked: Asked, machine: str) -> Answered:
    """Have a submission answer a work, given as JSON. zipped: the zip's bytes."""
    work, key = Work.from_json(text), json.dumps([asked.sha256, sent.sha256, dict(asked.request)])
    mine = _Open.mine()
    with mine.lock:
        found: list[Labels] = []
        device, python = str(asked.request["device"]), asked.request.get("python")
        where = environment_there(device, python)
        try:
            if mine.use(key, zipped, sent, asked).run([work], lambda _, one: found.append(one)):
                mine.used = time.monotonic()
                return Answered(found[0], None, where, machine)
            return Answered(None, mine.close(), where, machine)
        except BaseException:
            mine.drop()  # in the middle of a work, as on a full disk: of no further use
            raise


def finish(sha256: str) -> list[Outcome]:
    """End this machine's children of a submission, and say what came of them."""
    found = []
    for one in list(_Open.every):
        with one.lock:
            if one.sha256 == sha256 and (outcome := one.close()):
                found.append(outcome)
    return found


@dataclass(eq=False)
class _Open:
    """The child that a thread of the worker keeps open."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    key: str = ""
    sha256: str = ""
    here: Here | None = None
    used: float = 0.0
    stack: ExitStack = field(default_factory=ExitStack)

    every: ClassVar[list[_Open]] = []
    local: ClassVar[threading.local] = threading.local()

    @classmethod
    def mine(cls) -> _Open:
        """This thread's; and somebody who ends those that are forgotten."""
        if not hasattr(cls.local, "one"):
            cls.local.one = cls()
            if not cls.every:
                threading.Thread(target=_end_idle, daemon=True, name="idle children").start()
            cls.every.append(cls.local.one)
        one: _Open = cls.local.one
        return one

    def use(self, key: str, zipped: bytes, sent: Sent, asked: Asked) -> Here:
        """Open the submission unless it is open."""
        if self.key == key and self.here is not None:
            return self.here
        self.close()
        if hashlib.sha256(zipped).hexdigest() != asked.sha256:
            raise ValueError("the zip is not the one that was sent")
        folder = self.stack.enter_context(TemporaryFolder("zip-"))
        path = folder / "submission.zip"
        path.write_bytes(zipped)
        with Archive(path) as archive:
            archive.extract(folder / "zip")
        path.unlink()
        limits = guard(asked.bounds).limits
        request = Request(submission=folder / "zip", **_plain(asked.request), limits=limits)
        make = partial(make_images, data=sent.dataset(), pictures={})
        self.here = self.stack.enter_context(Here(request, make))
        self.key, self.sha256, self.used = key, asked.sha256, time.monotonic()
        return self.here

    def close(self) -> Outcome | None:
        """End the child, and say what came of it; None where there is none."""
        if self.here is None:
            return None
        try:
            return _without_labels(self.here.finish())
        finally:
            self.drop()

    def drop(self) -> None:
        """End the child, whatever it does."""
        self.here, self.key, self.sha256 = None, "", ""
        self.stack.close()


def _plain(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**request, "arguments": tuple(request["arguments"])}


def _without_labels(outcome: Outcome) -> Outcome:
    return replace(outcome, labels=())


def _end_idle() -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        for one in list(_Open.every):
            if one.here is not None and one.lock.acquire(blocking=False):
                try:
                    if time.monotonic() - one.used > IDLE_SECONDS:
                        one.close()
                finally:
                    one.lock.release()

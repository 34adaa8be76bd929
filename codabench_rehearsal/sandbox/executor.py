"""The seam between what is to be asked and where: a block of work is data, labels come back.

`Here` answers in one child on this machine. An executor with children elsewhere needs nothing but
works: the zip and the data set travel once to each machine, known by their hashes. Whoever asks
keeps the answers, and nobody else: no executor writes a store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.ingest import Block, Outcome, PredictProgress, Request, Session
from codabench_rehearsal.sandbox.job import Limits
from codabench_rehearsal.sandbox.outcome import Labels


@dataclass(frozen=True, eq=False)
class Work:
    """One block of images that a submission is asked about, in order; plain values and arrays.

    submission: the zip's SHA-256. data: the data set's fingerprint; ids: int64 `(m,)`, its images.
    conditions: texts that say how images are damaged or fed, with parameters and revisions; chosen:
    int32 `(m,)`, for each image the place of its condition. seed: of the damage. shape: of an
    image. dtype: of what `predict` receives. limits: of the child that answers.
    """

    submission: str
    data: str
    conditions: tuple[str, ...]
    ids: NDArray[np.int64]
    chosen: NDArray[np.int32]
    seed: int
    shape: tuple[int, ...]
    dtype: str = "uint8"
    limits: Limits = field(default_factory=Limits)

    def __len__(self) -> int:
        return len(self.ids)

    def to_json(self) -> str:
        """As JSON; `Work.from_json` reads it back."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {"ids": self.ids.tolist(), "chosen": self.chosen.tolist()}
        return json.dumps(values | {"limits": asdict(self.limits)})

    @classmethod
    def from_json(cls, text: str) -> Work:
        """Read what `to_json` wrote."""
        found = json.loads(text)
        for name, dtype in (("ids", np.int64), ("chosen", np.int32)):
            found[name] = np.array(found[name], dtype)
        for name in ("conditions", "shape"):
            found[name] = tuple(found[name])
        return cls(**found | {"limits": Limits(**found["limits"])})


Make = Callable[[Work, NDArray[Any]], None]  # writes a work's images into an array of their shape
Answered = Callable[[Work, Labels], None]


class Executor(Protocol):
    """Has works answered by one submission, wherever that is."""

    def run(
        self,
        works: Sequence[Work],
        answered: Answered,
        progress: Callable[[PredictProgress], None] = lambda _: None,
    ) -> bool:
        """Have all of them answered; False when the submission failed: `finish` tells.

        answered: given each work and its labels, int64 `(m,)`, once, in the caller's thread, as
        soon as they are there. What it raises ends the run.
        """

    def finish(self) -> Outcome:
        """Say that nothing follows, and read what came of all works."""


class Here:
    """One child on this machine, which loads at once. A context manager; leaving it ends the child.

    make: writes a work's images, in a thread beside the child.
    """

    def __init__(self, request: Request, make: Make) -> None:
        self.request, self._make = request, make
        self._session = Session(request)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.__exit__()

    def run(
        self,
        works: Sequence[Work],
        answered: Answered,
        progress: Callable[[PredictProgress], None] = lambda _: None,
    ) -> bool:
        """See `Executor.run`; `predict` is called once a work."""
        blocks = [Block((len(work), *work.shape), work.dtype) for work in works]
        found = self._session.pose(
            blocks,
            lambda index, out: self._make(works[index], out),
            progress,
            lambda index, labels: answered(works[index], labels),
        )
        return found is not None

    def finish(self) -> Outcome:
        """See `Executor.finish`."""
        return self._session.finish()

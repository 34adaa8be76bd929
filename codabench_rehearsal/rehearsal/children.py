"""The children of a dry run: which folders, limits and rules each is started with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from codabench_rehearsal.challenge.profile import (
    ASSUMED_HIDDEN_IMAGES,
    Challenge,
    Worker,
    WorkingFolder,
)
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.asked_images import Images
from codabench_rehearsal.rehearsal.cost import Bounds, guard
from codabench_rehearsal.rehearsal.dry_run_places import HERE, Place
from codabench_rehearsal.rehearsal.questions import LARGE_BYTES, Interview, Question
from codabench_rehearsal.sandbox.ingest import Outcome, Request, Session
from submission.archive import Archive

FEW = 8  # images for a question whose answer does not count
SPARE_BYTES = 3_000_000_000  # free memory, beside the weights, for two children at a time


@dataclass(frozen=True)
class Settings:
    """bounds: the platform's limits, as far as known. hidden_images: how many it will ask."""

    bounds: Bounds = field(default_factory=Bounds)
    hidden_images: int = ASSUMED_HIDDEN_IMAGES
    seed: int = 0


@dataclass(eq=False)
class Children:
    """Starts them; each has the zip unpacked anew. seconds: what that took, by phase."""

    archive: Archive
    challenge: Challenge
    images: Images
    place: Place
    settings: Settings
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def main(self) -> Iterator[Session]:
        """As the challenge's platform does it."""
        with self._started(self.challenge.working_folder) as session:
            yield session

    @contextmanager
    def elsewhere(self) -> Iterator[Session]:
        """From the working folder that the challenge does not name, by the newest worker's rules."""
        with self._started(self.other_folder, self.challenge.workers[-1]) as session:
            yield session

    @property
    def other_folder(self) -> WorkingFolder:
        """The working folder that the challenge does not name."""
        return "program" if self.challenge.working_folder == "submission" else "submission"

    def answer_few(self, session: Session, name: str) -> Outcome:
        """Ask about a few images, and nothing more; name: of the phase."""
        started = time.monotonic()
        rows = np.arange(min(len(self.images.values), FEW))
        Interview(session, self.images).ask(Question("first", [rows]))
        end = session.finish()
        self.seconds[name] = time.monotonic() - started
        return end

    def whole_set(self, interview: Interview, outcome: Outcome) -> Outcome | None:
        """What comes of as many images as the hidden set has, where the first few were not answered.

        None where that says nothing more: it failed before it was asked, or ran into a limit.
        """
        problem = outcome.problem
        asked = problem is not None and problem.stage in ("predict", "answer")
        if interview.failed != "first" or not asked or self.place != HERE:
            return None
        rows = np.arange(self.settings.hidden_images) % len(self.images.values)
        if len(rows) * self.images.values[0].nbytes > LARGE_BYTES:
            return None
        with self.main() as session:
            Interview(session, self.images).ask(Question("first", [rows]))
            return session.finish()

    def by_difference(self, moved: Outcome, first: Outcome) -> tuple[Outcome, Outcome | None]:
        """What made the child elsewhere fail: the folder, or the newer worker's rules.

        first: what came of it as the challenge's platform does it. Returns what came of it in the
        other folder alone, and under the newer rules alone (None where the challenge's worker is
        known: then no other rules were tried).
        """
        if len(self.challenge.workers) == 1:
            return moved, None
        if not (moved.problem or first.seen.changed or first.seen.added):
            return moved, moved  # what is written by the working folder shows in its own alone
        with self._started(self.challenge.working_folder, self.challenge.workers[-1]) as session:
            newer = self.answer_few(session, "newer worker")
        if newer.problem is None or moved.problem is None:
            return moved, newer
        with self._started(self.other_folder) as session:
            return self.answer_few(session, "other folder"), newer

    def guards(self) -> Mapping[str, str]:
        """What ends a child where the platform's own limit is not known."""
        return guard(self.settings.bounds).instead

    def has_room(self) -> bool:
        """Whether a second child may load beside the first: not where time is measured to a limit."""
        room = psutil.virtual_memory().available > SPARE_BYTES + 4 * self.archive.unpacked_bytes
        spare = (os.cpu_count() or 1) > 1 and self.settings.bounds.seconds is None
        return self.place == HERE and room and spare

    @contextmanager
    def _started(
        self, working_folder: WorkingFolder, worker: Worker | None = None
    ) -> Iterator[Session]:
        with self._unpacked() as folder:
            request = Request(
                submission=folder,
                **self.challenge.asked(worker),
                working_folder=working_folder,
                python=self.place.python,
                limits=guard(self.settings.bounds).limits,
                image=self.place.image,
            )
            with Session(request) as session:
                yield session

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        started = time.monotonic()
        with TemporaryFolder("zip-") as place:
            folder = place / "zip"
            self.archive.extract(folder)
            self.seconds["unpack"] = time.monotonic() - started
            yield folder

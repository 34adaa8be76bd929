"""One submission on several children: each block of the plan goes to a child that is free.

Blocks are cut before anybody knows how many children there are, and each is one call of `predict`
on the same images in the same order, whoever answers it. What differs is only which calls a child
has answered before. So further children first answer a block that the first one has answered
already, after others: with the same labels they take part, else none of them does. A submission
that remembers its calls or answers at random is thus left to the first child, in order, as if it
were alone. One that looks at all images of a call is not: its calls stay whole.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

import numpy as np

from codabench_rehearsal.sandbox.executor import Answered, Executor, Work
from codabench_rehearsal.sandbox.ingest import PredictProgress
from codabench_rehearsal.sandbox.outcome import Labels, Outcome

BLOCKS_A_CHILD = 4  # of one question, for a further child to be started: its first is for nothing
OTHERWISE = (
    "A second copy of the submission gave other answers to the same images than the first one, so "
    "it was not used: answers are random or depend on earlier calls (S701 to S703), or machines "
    "compute differently"
)
_LOOK_SECONDS = 0.1
Progress = Callable[[PredictProgress], None]


class StoppedError(Exception):
    """Another one's end, or Ctrl-C, ends this one."""


@dataclass(eq=False)
class _Child:
    """An executor with its end.

    same: whether it answered as the first did; None while unknown. broken: of no further use.
    """

    executor: Executor
    stack: ExitStack
    same: bool | None = None
    takes_part: bool = False
    broken: bool = False


class Spread:
    """Up to so many children; see `sandbox.executor.Executor`. A context manager.

    open_child: starts one. The first is started at once, others when there are blocks for them.
    note: what is to be said of a child that was not asked further, else "".
    """

    note = ""

    def __init__(
        self, most: int, open_child: Callable[[], AbstractContextManager[Executor]]
    ) -> None:
        self._most, self._open = most, open_child
        self._stack = ExitStack()
        self._first = self._opened()
        self._others: list[_Child] = []
        self._failed: Executor | None = None
        self._calls = 0  # of the first child
        self._known: tuple[Work, Labels] | None = None  # what it answered after others

    def __enter__(self) -> Spread:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self, works: Sequence[Work], answered: Answered, progress: Progress = lambda _: None
    ) -> bool:
        """See `Executor.run`; `predict` is called once a work."""
        others = min(self._most - 1, len(works) // BLOCKS_A_CHILD)
        if not others:
            return self._alone(works, answered, progress)
        while len(self._others) < others:
            self._others.append(self._opened())
        newcomers = [one for one in self._others if not one.takes_part]
        turn = _Turn(deque(works), len(works), newcomers)
        lanes = [
            threading.Thread(target=self._lane, args=(one, turn))
            for one in (self._first, *self._others)
        ]
        try:
            for lane in lanes:
                lane.start()
            turn.watch(answered, progress)
        finally:
            turn.stop()
            for lane in lanes:
                lane.join()
        self._look_at(newcomers)
        return self._failed is None

    def finish(self) -> Outcome:
        """See `Executor.finish`: of the child that failed, or of all. Times of calls are added."""
        if self._failed is not None:
            return self._failed.finish()
        found = [one.executor.finish() for one in (self._first, *self._others)]
        told = max(found, key=lambda one: len(one.versions))  # a lost machine's says nothing
        peak = max(one.result.peak_memory_bytes for one in found)
        return replace(
            told,
            problem=next((one.problem for one in found if one.problem), None),
            result=replace(told.result, peak_memory_bytes=peak),
            predict_seconds=sum(one.predict_seconds for one in found),
            calls=tuple(call for one in found for call in one.calls),
        )

    def _opened(self) -> _Child:
        stack = self._stack.enter_context(ExitStack())
        return _Child(stack.enter_context(self._open()), stack)

    def _alone(self, works: Sequence[Work], answered: Answered, progress: Progress) -> bool:
        def heard(work: Work, labels: Labels) -> None:
            self._heard(work, labels)
            answered(work, labels)

        return self._first.executor.run(works, heard, progress)

    def _heard(self, work: Work, labels: Labels) -> None:
        """What the first child answers after others can be held against another one's answer."""
        if self._calls:
            self._known = work, labels
        self._calls += 1

    def _lane(self, child: _Child, turn: _Turn) -> None:
        """Have one child answer blocks while there are any."""
        try:
            if child is not self._first and not child.takes_part:
                self._join(child, turn)
            takes_part = child is self._first or child.takes_part
            while takes_part and (work := turn.next()):
                self._ask(child, work, turn)
        except StoppedError:
            child.broken = True  # in the middle of a block
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            turn.events.put(error)

    def _ask(self, child: _Child, work: Work, turn: _Turn) -> None:
        def heard(work: Work, labels: Labels) -> None:
            if child is self._first:
                self._heard(work, labels)
            turn.heard(work, labels)

        if not child.executor.run([work], heard, turn.tell):
            self._failed = self._failed or child.executor
            turn.stop()

    def _join(self, child: _Child, turn: _Turn) -> None:
        """Let a newcomer take part if all newcomers answer as the first child has."""
        if child.same is None and turn.wait(lambda: self._known is not None):
            assert self._known is not None  # noqa: S101 - that was waited for
            (work, expected), found = self._known, list[Labels]()
            if child.executor.run([work], lambda _, labels: found.append(labels), turn.tell):
                child.same = np.array_equal(found[0], expected)
            elif problem := child.executor.finish().problem:
                self.note = f"A further copy of the submission was not used: {problem.message}"
            child.broken = not found
            turn.wake()
        if turn.wait(lambda: all(one.broken or one.same is not None for one in turn.newcomers)):
            same = all(one.broken or one.same for one in turn.newcomers)
            child.takes_part = same and not child.broken

    def _look_at(self, newcomers: Sequence[_Child]) -> None:
        """End those that are of no use; no others are tried in their place."""
        differ = any(one.same is False for one in newcomers)
        for one in newcomers:
            if differ or one.broken:
                self._others.remove(one)
                one.stack.close()
        if differ:
            self.note = OTHERWISE
        if self.note:
            self._most = 1 + len(self._others)


@dataclass(eq=False)
class _Turn:
    """One question's blocks between the children's threads and the caller's."""

    works: deque[Work]
    count: int
    newcomers: Sequence[_Child]
    events: queue.SimpleQueue[tuple[Work, Labels] | BaseException] = field(
        default_factory=queue.SimpleQueue
    )
    changed: threading.Condition = field(default_factory=threading.Condition)
    stopped: bool = False
    latest: PredictProgress | None = None

    def watch(self, answered: Answered, progress: Progress) -> None:
        """Hand on what is answered, in the caller's thread, until all is or nothing more comes."""
        done = 0
        while done < self.count:
            try:
                found = self.events.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if self.stopped:
                    return
                told = self.latest or PredictProgress("start", 0, 0, self.count)
                progress(replace(told, made=done, answered=done, blocks=self.count))
                continue
            if isinstance(found, BaseException):
                raise found
            answered(*found)
            done += 1

    def next(self) -> Work | None:
        """A block that nobody has taken."""
        with self.changed:
            return self.works.popleft() if self.works and not self.stopped else None

    def heard(self, work: Work, labels: Labels) -> None:
        """One is answered."""
        self.events.put((work, labels))
        self.wake()

    def tell(self, progress: PredictProgress) -> None:
        """What one of the children does. Raises `StoppedError` where all is to end."""
        if self.stopped:
            raise StoppedError
        self.latest = progress

    def wait(self, there: Callable[[], bool]) -> bool:
        """Until something is there; False where no block is left for whom it concerns."""
        with self.changed:
            self.changed.wait_for(lambda: there() or self.stopped or not self.works)
            return there() and not self.stopped

    def wake(self) -> None:
        """Those that wait look again."""
        with self.changed:
            self.changed.notify_all()

    def stop(self) -> None:
        """End it for all."""
        self.stopped = True
        self.wake()

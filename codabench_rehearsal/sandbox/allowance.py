"""How long a child may take to answer: block by block, and over a whole pass where that is known.

A platform's limit is for one pass over its hidden images. A block of no more images than that may
take as long, a larger one longer in proportion; what comes between the blocks (images still being
made, the caller's own thinking) is nobody's time. Where the platform's limit is known, the blocks
of one question together may not take longer than they would there: that is the pace. Where it is
not, the limit only ends a child that hangs.
"""

from __future__ import annotations

from collections.abc import Sequence

from codabench_rehearsal.sandbox.run import Running


class Allowance:
    """The time of one child. Tell it of questions, answers and the child's seconds.

    limit: seconds for a pass; None for no limit. usual: the images of a pass; None where every
    question is one. paced: whether a question's blocks are held to that pace together.
    waited: the child's seconds since the last answer. due: how many it may wait; None for any.
    """

    def __init__(
        self, running: Running, limit: float | None, usual: int | None, *, paced: bool
    ) -> None:
        self._running, self._limit, self._usual, self._paced = running, limit, usual, paced
        self._counts: Sequence[int] = ()
        self._left = 0.0
        self._looked = running.seconds
        self.waited = 0.0
        self.due: float | None = limit

    def begin(self, counts: Sequence[int]) -> None:
        """A question of blocks with so many images; until here the child had nothing to do."""
        self._counts = counts
        self._left = self._share(sum(counts))
        self._looked = self._running.seconds
        self._next(0)

    def answered(self, count: int) -> None:
        """So many of the question's blocks are answered by now."""
        self._next(count)

    def look(self, *, idle: bool) -> None:
        """Count the time since the last look; idle: the child had nothing to do in it."""
        now = self._running.seconds
        spent, self._looked = now - self._looked, now
        if idle:
            self._running.allow(spent)
        else:
            self.waited += spent
            self._left -= spent

    def _next(self, index: int) -> None:
        self.waited = 0.0
        if self._limit is None or index >= len(self._counts):
            return
        due = self._share(self._counts[index])
        self.due = min(due, max(self._left, 0.0)) if self._paced else due
        self._running.grant(self.due)

    def _share(self, images: int) -> float:
        """The time for so many images, no less than a pass has."""
        limit = self._limit or 0.0
        return limit * max(images / self._usual, 1.0) if self._usual else limit

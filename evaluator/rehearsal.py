"""One submission and one plan: asking it round after round, and what can be said after each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.words import shown
from evaluator.asker import Asker
from evaluator.book import Book
from evaluator.plan import Plan, Round, prefix
from evaluator.progress import Display
from evaluator.result import Scores
from evaluator.scores import score
from evaluator.sheet import Sheet

HALF_WIDTHS = 1.96  # standard deviations in half of a 95 % interval


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What belongs together while a submission is asked.

    name, sha256: of the zip. secret: of the order in which it is asked.
    """

    name: str
    sha256: str
    plan: Plan
    book: Book
    asker: Asker
    challenge: Challenge
    display: Display
    secret: int

    def ask(self, part: Round) -> bool:
        """Ask what is not answered yet up to a round; False when the submission failed."""
        missing = self.book.missing(self.plan.wanted(part))
        if len(missing) == 0:
            return True
        missing = self.plan.shuffled(missing, self.secret)
        return self.asker.ask(self.plan, missing, self.book, self.display)

    def is_complete(self, part: Round) -> bool:
        """Whether everything up to a round is answered."""
        return len(self.book.missing(self.plan.wanted(part))) == 0

    def scores(self, part: Round) -> Scores:
        """The figures of the shown preset on the images of a round."""
        sheet = self.sheet("shown", part)
        classes, metric = self.challenge.classes, self.challenge.metric
        return score(sheet.benchmark, sheet.questions, sheet.labels, classes, metric)

    def half_width(self, part: Round) -> float:
        """Half of the 95 % interval of the benchmark accuracy, near enough to stop by."""
        sheet = self.sheet("shown", part)
        corrupted = sheet.questions.cells > 0
        rows, right = sheet.questions.rows[corrupted], sheet.right[corrupted]
        counts = np.bincount(rows, minlength=part.images)
        means = np.bincount(rows, right, part.images) / counts
        return float(HALF_WIDTHS * means.std() / np.sqrt(part.images))

    def sheet(self, name: str, part: Round) -> Sheet:
        """The answers to one of the plan's benchmarks on the images of a round."""
        questions = self.plan.questions(name, part)
        benchmark = prefix(getattr(self.plan, name), part.images)
        labels = self.book.answers(name, questions)
        return Sheet(shown(self.name), self.sha256, benchmark, questions, labels)

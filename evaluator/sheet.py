"""One submission's answers to a benchmark, on one sheet: what every comparison and figure starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.benchmark import Benchmark, Questions

Labels = NDArray[np.signedinteger]


@dataclass(frozen=True, eq=False)
class Sheet:
    """The answers of one submission.

    name: of the zip's file. sha256: of the zip. benchmark: whose rows and cells the questions
    name. labels: whole numbers `(m,)`, from 0, one for each question.
    """

    name: str
    sha256: str
    benchmark: Benchmark
    questions: Questions
    labels: Labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right, bool `(m,)`."""
        return np.asarray(self.labels == self.benchmark.data.labels[self.questions.rows])

"""What only a run finds; numpy-only bodies, so that each takes a second."""

from __future__ import annotations

from tests.submission.corpus import running_answers, running_ends
from tests.submission.corpus.case import Case

CASES: list[Case] = [*running_ends.CASES, *running_answers.CASES]

"""What is found without running anything."""

from __future__ import annotations

from tests.submission.corpus import static_ages, static_archive, static_source, static_weights
from tests.submission.corpus.case import Case

CASES: list[Case] = [*static_archive.CASES, *static_source.CASES, *static_weights.CASES, *static_ages.CASES]  # fmt: skip

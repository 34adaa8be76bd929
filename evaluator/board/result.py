"""A board as plain data, with its renderings beside it: what every one of them is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.words import as_json
from evaluator.board.ranks import rank_text
from evaluator.metrics import Score
from evaluator.store.measured import Measured
from evaluator.store.rows import Prediction

SCHEMA = 1
SEVERITIES = ("error", "warning", "note")
MOST_PAIRS = 100  # submissions whose pairs are kept, the best ones


@dataclass(frozen=True)
class RecordedScore:
    """A score as the leaderboard showed it. date: ISO, "" if unknown; mine: not a baseline's."""

    value: float
    text: str
    date: str
    mine: bool = True


@dataclass(frozen=True)
class Row:
    """One submission.

    rank: the best and the worst possible one, None where it is not ranked, for the reason `why`.
    families: accuracies, in the board's order; () where it is not ranked. report: where its own
    report is, as a link; "" without. seen: when it was first seen, UTC, ISO 8601.
    """

    name: str
    sha256: str
    team: str
    seen: str
    rank: tuple[int, int] | None = None
    why: str = ""
    clean: Score | None = None
    benchmark: Score | None = None
    families: tuple[float, ...] = ()
    expected: Prediction | None = None
    score: RecordedScore | None = None
    measured: Measured | None = None
    report: str = ""

    @property
    def rank_text(self) -> str:
        """4, or 2-7; "" where it is not ranked."""
        return "" if self.rank is None else rank_text(*self.rank)

    @property
    def is_unseen(self) -> bool:
        """Whether nobody knows if it was trained on these images."""
        return self.measured is None or self.measured.split == "unknown"

    def findings(self, severity: str) -> int:
        """How many of that severity."""
        found = self.measured.findings if self.measured else ()
        return sum(one.severity == severity for one in found)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Of the first rows, `(s, s)` each. ahead: the probability that the row's beats the column's.

    verdicts: 1 surely better, -1 surely worse, 0 not resolved.
    """

    ahead: NDArray[np.float64]
    verdicts: NDArray[np.int8]


@dataclass(frozen=True)
class BoardSource:
    """What the figures are of.

    images, answers: that every ranked submission has answered. phase: of the scores.
    """

    preset: str
    data: str
    fingerprint: str
    seed: int
    images: int
    answers: int
    phase: str
    command: str = ""


@dataclass(frozen=True, eq=False)
class Board:
    """All submissions, the ranked ones first, the best in front. notes: what qualifies them."""

    source: BoardSource
    families: tuple[str, ...]
    rows: tuple[Row, ...]
    pairs: Pairs | None
    notes: tuple[str, ...] = ()
    has_teams: bool = False
    is_anonymous: bool = False

    @property
    def ranked(self) -> tuple[Row, ...]:
        """Those with a rank."""
        return tuple(row for row in self.rows if row.rank is not None)

    def best_of_teams(self) -> tuple[tuple[Row, int, RecordedScore | None], ...]:
        """Each team's best row, how many submissions it has, and its best recorded score.

        A rank range holds for all submissions at once, so also for those that are chosen by it.
        """
        by_team: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.team:
                by_team.setdefault(row.team, []).append(row)
        return tuple((own[0], len(own), _best(own)) for own in by_team.values())

    def to_json(self) -> str:
        """The board as JSON, schema 1 (docs/board.md)."""
        source, pairs = self.source, self.pairs
        return as_json(
            {
                "schema": SCHEMA,
                "kind": "store",
                **vars(source),
                "level": 0.95,
                "families": list(self.families),
                "submissions": [_document(row, self.families) for row in self.rows],
                "pairs": pairs
                and {
                    "submissions": [row.name for row in self.ranked[: len(pairs.ahead)]],
                    "ahead": np.round(pairs.ahead, 4).tolist(),
                    "verdicts": pairs.verdicts.tolist(),
                },
                "notes": list(self.notes),
            }
        )


def score_range(score: Score | None) -> dict[str, Any] | None:
    """For JSON."""
    if score is None:
        return None
    return {"accuracy": score.value, "interval": [score.low, score.high], "n": score.n}


def _best(rows: Iterable[Row]) -> RecordedScore | None:
    scores = [row.score for row in rows if row.score]
    return max(scores, key=lambda one: one.value, default=None)


def _document(row: Row, families: tuple[str, ...]) -> dict[str, Any]:
    expected, score, measured = row.expected, row.score, row.measured
    return {
        "name": row.name,
        "sha256": row.sha256,
        "team": row.team,
        "first_seen": row.seen,
        "rank": list(row.rank) if row.rank else None,
        "not_ranked": row.why,
        "clean": score_range(row.clean),
        "benchmark": score_range(row.benchmark),
        "families": dict(zip(families, row.families, strict=bool(row.families))),
        "expected": expected
        and {
            "value": expected.value,
            "interval": [expected.low, expected.high],
            "level": expected.level,
            "past_scores": expected.known,
        },
        "score": score and {"value": score.value, "shown": score.text, "date": score.date},
        "mine": score.mine if score else None,
        "bytes": measured and measured.bytes,
        "seconds_per_thousand": measured and measured.thousand_seconds,
        "start_seconds": measured and measured.start_seconds,
        "peak_memory_bytes": measured and measured.peak_bytes,
        "split": measured and measured.split,
        "findings": [vars(one) for one in measured.findings] if measured else [],
        "report": row.report,
    }

"""The store: what every submission answered, and what the platform said of it; one SQLite file.

Only the process that runs the evaluation writes it. Each write is one transaction: a process killed
at any moment leaves a sound file, without what it was writing. Other processes may read and write
it meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codabench_rehearsal.console.reading import require_file
from evaluator.store import answer_rows, bundle_runs, measured
from evaluator.store import scores as store_scores
from evaluator.store.bundle_runs import BundleKey, BundleRun
from evaluator.store.columns import Columns, keep
from evaluator.store.file import OpenedStore, find_store, open_file
from evaluator.store.measured import Measured, Tally, Truth
from evaluator.store.mending import mend
from evaluator.store.rows import (
    ClassScores,
    HistoryRow,
    LeaderboardScore,
    Prediction,
    Run,
    RunAnswers,
    Submission,
)
from evaluator.store.schema import DamagedStoreError, StoreError, said
from evaluator.store.scores import read_phase

_SHORTEST_SHA = 4


class Store:
    """An open store; a context manager that closes it. Make one with `Store.open`.

    path: its file. journal: "wal", or "delete" on a network folder. writable: False where the file
    may only be read. notes: sentences for the user: damage that was found, a network folder.
    All methods raise `StoreError` for what cannot be read or written.
    """

    def __init__(self, path: Path, opened: OpenedStore, notes: tuple[str, ...] = ()) -> None:
        self.path, self.journal, self.writable = path, opened.journal, opened.writable
        self.notes = (*notes, *opened.notes)
        self._db = opened.db
        self._owner = os.getpid()

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store; a missing one is made, an older one brought up to date.

        A damaged one is set aside, and what can be read of it is in the new one: see `notes`.
        """
        place = Path(path).absolute()
        require_file(place, StoreError)
        try:
            return cls(place, open_file(place))
        except DamagedStoreError:
            note = mend(place)
        return cls(place, open_file(place), (note,) if note else ())

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_submission(
        self, sha256: str, name: str, path: str | Path = "", note: str = ""
    ) -> Submission:
        """Add a submission, or take up the newest name, place and note of a known one.

        sha256: of the zip; "" for a submission of which only the name is known.
        """
        with self._writing():
            return store_scores.add_submission(self._db, sha256, name, str(path), note)

    def submissions(self) -> tuple[Submission, ...]:
        """All submissions, in the order in which they were first seen."""
        with self._speaking():
            return store_scores.submissions(self._db)

    def find(self, word: str) -> tuple[Submission, ...]:
        """Those that a user may mean: by name (`.zip` or not), path, or start of SHA-256."""
        with self._speaking():
            return store_scores.named(self._db, word, starts=len(word) >= _SHORTEST_SHA)

    def put_block(
        self,
        run: Run,
        block: Iterable[tuple[str, ArrayLike, ArrayLike]],
        known: int | None = None,
    ) -> int:
        """Keep answers beside those already stored, in one transaction: all of them or nothing.

        block: a condition's text, ids and labels from 0, `(n,)` each. What is stored stays; returns
        how many of the new labels contradict it. The submission must have been added.
        known: how many answers of the run the caller has read or put, this block's not among them.
        With it, the time of many blocks is proportional to their answers.
        """
        answers = [(text, answer_rows.as_answers(ids, labels)) for text, ids, labels in block]
        with self._writing():
            return answer_rows.put(self._db, run, answers, known)

    def run_answers(self, run: Run, conditions: Collection[str] | None = None) -> RunAnswers:
        """All answers of a run. conditions: which are needed at least; all if left out."""
        with self._speaking():
            return answer_rows.read_run(self._db, run, conditions)

    def runs(self, sha256: str) -> tuple[Run, ...]:
        """The runs in which a submission has answered, the first ones first."""
        with self._speaking():
            return answer_rows.runs(self._db, sha256)

    def every_run(self) -> tuple[tuple[Run, int], ...]:
        """All runs of all submissions, the first ones first, each with its number of answers."""
        with self._speaking():
            return tuple(measured.read_runs(self._db))

    def put_truth(self, data: str, source: str, ids: ArrayLike, labels: ArrayLike) -> None:
        """Keep the right labels of a data file, by its fingerprint, unless they are known."""
        with self._speaking():
            if measured.knows_truth(self._db, data):
                return
        with self._writing():
            truth = Truth(source, answer_rows.as_answers(ids, labels))
            measured.put_truth(self._db, data, truth)

    def truth(self, data: str) -> Truth | None:
        """The right labels of the data file of that fingerprint; None where they are not known."""
        with self._speaking():
            return measured.read_truth(self._db, data)

    def put_measured(self, sha256: str, one: Measured) -> None:
        """Keep what was measured of a submission, which must have been added."""
        with self._writing():
            measured.put(self._db, sha256, one)

    def measured(self) -> Mapping[int, Measured]:
        """What was measured of submissions, by their numbers."""
        with self._speaking():
            return measured.read_all(self._db)

    def tally(self, run: Run, key: str) -> NDArray[np.int64] | None:
        """What was counted of a run under a key, `(m,)`; None where it is to be counted (anew)."""
        with self._speaking():
            return measured.read_tally(self._db, run, key)

    def put_tallies(self, tallies: Iterable[Tally]) -> None:
        """Keep what was counted, in one transaction."""
        with self._writing():
            for one in tallies:
                measured.put_tally(self._db, one)

    def bundle_run(self, key: BundleKey) -> BundleRun | None:
        """What came of a submission in a bundle under a condition; None where it is not known."""
        with self._speaking():
            return bundle_runs.read(self._db, key)

    def put_bundle_run(self, key: BundleKey, run: BundleRun) -> None:
        """Keep that. The submission must have been added."""
        with self._writing():
            bundle_runs.put(self._db, key, run)

    def order(self, data: str, seed: int) -> int:
        """The secret that shuffles the questions on a data set under a seed, 0..2**53-1.

        Drawn at the first call, then the same for every process that opens this store, and after
        an interruption. Where the file may only be read and holds none, drawn at each call.
        """
        with self._speaking():
            found = answer_rows.order(self._db, data, seed)
        if found is None and self.writable:
            with self._writing():
                answer_rows.add_order(self._db, data, seed)
                found = answer_rows.order(self._db, data, seed)
        return answer_rows.drawn_order() if found is None else found

    def record_score(
        self,
        submission: Submission,
        value: float,
        decimals: int,
        phase: str = "dev",
        *,
        date: str = "",
        hidden_images: int | None = None,
        note: str = "",
        mine: bool = True,
        columns: Columns = (),
        class_scores: ClassScores | None = None,
    ) -> bool:
        """Keep a score (0..1) as the platform showed it; False if that very score was known.

        decimals: how many were shown; `scores.read_score` reads both out of a text. mine: False for
        the organisers' baseline or a colleague's zip. columns, class_scores: what the leaderboard
        showed beside it.
        """
        fields = (value, decimals, phase, date, hidden_images, note)
        score = store_scores.checked_score(submission, *fields, mine=mine)
        with self._writing():
            number, new = store_scores.add_score(self._db, score)
            keep(self._db, number, columns, class_scores)
        return new

    def scores(self, phase: str | None = None) -> tuple[LeaderboardScore, ...]:
        """The scores of one phase, or all, in the order in which they were recorded."""
        with self._speaking():
            found = store_scores.scores(self._db)
        wanted = None if phase is None else read_phase(phase)
        return tuple(score for score in found if wanted in (None, score.phase))

    def record_prediction(self, submission: Submission, prediction: Prediction) -> None:
        """Keep what was expected of a submission, to be held against its score later."""
        with self._writing():
            store_scores.add_prediction(self._db, submission, prediction)

    def history(self) -> tuple[HistoryRow, ...]:
        """A row for every score, and one for every submission without a score, by date."""
        with self._speaking():
            return store_scores.history(self._db)

    def forget(self, what: Submission | LeaderboardScore) -> bool:
        """Remove a score, or a submission with its answers and scores; False if it was gone."""
        table = "submissions" if isinstance(what, Submission) else "scores"
        return self._removed(table, "id", what.id)

    def forget_answers(self, submission: Submission) -> bool:
        """Remove a submission's answers, so that it is asked anew; its scores stay."""
        with self._writing():
            gone = bundle_runs.forget(self._db, submission.id)
        return self._removed("runs", "submission", submission.id) or gone

    def _removed(self, table: str, column: str, number: int) -> bool:
        with self._writing():
            query = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608  names of ours
            return self._db.execute(query, (number,)).rowcount > 0

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, which waits for other writers."""
        if self._owner != os.getpid():  # a forked child's locks would be its parent's: damage
            raise RuntimeError("only the process that opened a store may write it")
        if not self.writable:
            raise StoreError(
                f"{self.path} may only be read: keep the store elsewhere (--store FILE)"
            )
        with self._speaking():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Errors as sentences; a file that proves damaged is set aside at once."""
        try:
            with said(self.path):
                yield
        except DamagedStoreError as error:
            self.close()
            raise StoreError(f"{mend(self.path) or error} Run the command again.") from error


__all__ = [
    "HistoryRow",
    "LeaderboardScore",
    "Prediction",
    "Run",
    "Store",
    "StoreError",
    "Submission",
    "find_store",
]

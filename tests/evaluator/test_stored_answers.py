"""Answers of many submissions that were asked the same: read quickly, and read the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from evaluator.options import Choice, Options
from evaluator.plan import Plan, plan_on
from evaluator.store import answer_rows
from evaluator.store import schema as store_schema
from evaluator.store.rows import RunAnswers
from evaluator.store.store import Run, Store
from evaluator.stored_answers import StoredAnswers
from tests.evaluator.stores import Key, put

COUNT = 60


def _plan(shift: int = 0) -> Plan:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 4, 4, 3), np.uint8)
    data = Dataset(images, (np.arange(COUNT) + shift) % 8, 3 + 2 * np.arange(COUNT))
    return plan_on(Choice(data, "all", ()), Options(corrupt="fog:3", estimate=False))


def _run(store: Store, number: int) -> Run:
    sha256 = f"{number:064x}"
    store.add_submission(sha256, f"{number}.zip")
    return Run(sha256, "here", "f" * 32, 0)


ODD: dict[str, dict[str, Any]] = {
    "as asked": {},
    "some ids are no images of the plan": {"ids": np.arange(COUNT)},
    "an id far off": {"ids": np.append(3 + 2 * np.arange(COUNT - 1), 2**40)},
    "labels of two bytes": {"labels": 250 + np.arange(COUNT)},
    "labels above 127": {"labels": 100 + np.arange(COUNT)},
    "another condition too": {"more": "elsewhere"},
    "few answers": {"ids": np.array([5]), "labels": np.array([1])},
}


@pytest.mark.parametrize("odd", ODD)
def test_it_is_read_as_any_other_run(tmp_path: Path, odd: str) -> None:
    """`rank` and `ensemble` count answers to other images, or miss some."""
    plan, rng = _plan(), np.random.default_rng(1)
    places = {image: row for row, image in enumerate(plan.data.ids.tolist())}
    with Store.open(tmp_path / "s.sqlite") as store:
        reader, kept = StoredAnswers(plan, store), np.ones(COUNT, bool)
        for number, what in enumerate((ODD["as asked"], ODD[odd], ODD["as asked"], ODD[odd])):
            run = _run(store, number)
            ids = what.get("ids", plan.data.ids)
            given = what.get("labels", rng.integers(0, 8, len(ids)))
            conditions = [*plan.texts, what["more"]] if "more" in what else plan.texts
            for condition in conditions:
                put(store, Key(run, condition), ids, given)
            wanted = np.full((COUNT, len(plan.texts)), -1)
            for image, label in zip(ids.tolist(), given.tolist(), strict=True):
                if image in places:
                    wanted[places[image]] = label
            for these in (kept, np.arange(COUNT) % 3 > 0):
                asked, right = reader.counts(run, these)
                known = (wanted != -1) & these[:, None]
                assert np.array_equal(asked, known.sum(axis=0))
                hits = known & (wanted == plan.data.labels[:, None])
                assert np.array_equal(right, hits.sum(axis=0))
            labels, total = reader.labels(run)
            assert np.array_equal(labels, wanted)
            assert total == len(ids) * len(conditions)
        never = replace(run, seed=5)
        assert (reader.labels(never)[0] == -1).all()
        assert not np.any(reader.counts(never, kept))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose answers are read out of the store, one by one."""
    given, asked = Store.run_answers, list[str]()

    def run_answers(self: Store, run: Run, *more: Any) -> RunAnswers:
        asked.append(run.submission)
        return given(self, run, *more)

    monkeypatch.setattr(Store, "run_answers", run_answers)
    return asked


def _tallied(path: Path, plan: Plan, kept: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """As a command of its own counts them: of all classes at once, and by class."""
    with Store.open(path) as store:
        reader, run = StoredAnswers(plan, store), _run(store, 1)
        asked, right = reader.counts(run, kept)
        by_class = reader.counts_by_class(run, kept, 8)
        assert [one.sum(axis=0).tolist() for one in by_class] == [asked.tolist(), right.tolist()]
        reader.keep()
    return asked.tolist(), right.tolist()


def test_what_was_counted_once_is_not_read_again(tmp_path: Path, read: list[str]) -> None:
    """Else five hundred past submissions cost seconds at every `rank`; and counts follow answers."""
    path, plan, every = tmp_path / "s.sqlite", _plan(), np.ones(COUNT, bool)
    ids, truth = plan.data.ids, plan.data.labels
    with Store.open(path) as store:
        for condition in plan.texts:
            put(store, Key(_run(store, 1), condition), ids[:40], truth[:40])
    assert _tallied(path, plan, every) == ([40, 40], [40, 40])
    assert len(read) == 2
    assert _tallied(path, plan, every) == ([40, 40], [40, 40])
    assert len(read) == 2
    some = np.arange(COUNT) < 10  # another split beside the zip
    assert _tallied(path, plan, some) == ([10, 10], [10, 10])
    assert _tallied(path, _plan(shift=1), every) == ([40, 40], [0, 0])
    with Store.open(path) as store:
        late, wrong = ids[40:50], (truth[40:50] + 1) % 8
        store.put_block(_run(store, 1), [(plan.texts[1], late, wrong)], known=80)
    assert _tallied(path, plan, every) == ([40, 50], [40, 40])


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE tallies SET counts = x'00ff'",
        "UPDATE tallies SET answers = answers - 1, counts = zeroblob(9)",
        "UPDATE tallies SET key = 'older ' || key",
        "DELETE FROM tallies",
    ],
)
def test_what_cannot_be_believed_is_counted_anew(
    tmp_path: Path, read: list[str], harm: str
) -> None:
    """Else a bad disk, or an older version's way of counting, would go into every estimate."""
    path, plan, every = tmp_path / "s.sqlite", _plan(), np.ones(COUNT, bool)
    with Store.open(path) as store:
        for condition in plan.texts:
            put(store, Key(_run(store, 1), condition), plan.data.ids, plan.data.labels)
    sound = _tallied(path, plan, every)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(harm).rowcount == 2
    assert _tallied(path, plan, every) == sound
    assert len(read) == 4


def test_counts_go_with_their_answers(tmp_path: Path) -> None:
    """Else a submission that is forgotten still counts, and its successor gets its figures."""
    path, plan = tmp_path / "s.sqlite", _plan()
    with Store.open(path) as store:
        for condition in plan.texts:
            put(store, Key(_run(store, 1), condition), plan.data.ids, plan.data.labels)
    assert _tallied(path, plan, np.ones(COUNT, bool))[0] == [COUNT, COUNT]
    with Store.open(path) as store:
        assert store.forget_answers(store.submissions()[0])
        assert store._db.execute("SELECT count(*) FROM tallies").fetchone() == (0,)
    assert _tallied(path, plan, np.ones(COUNT, bool))[0] == [0, 0]


def test_a_store_of_before_tallies_keeps_everything(tmp_path: Path) -> None:
    """Else an update of the tool would cost the answers that it is to read more quickly."""
    path, plan = tmp_path / "s.sqlite", _plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:7])
        patch.setattr(answer_rows, "forget_tallies", lambda *_: None)  # as it was then
        with Store.open(path) as store:
            run = _run(store, 1)
            for condition in plan.texts:
                put(store, Key(run, condition), plan.data.ids, plan.data.labels)
            store.record_score(store.submissions()[0], 0.61, 2)
    assert _tallied(path, plan, np.ones(COUNT, bool)) == ([COUNT, COUNT], [COUNT, COUNT])
    with Store.open(path) as store:
        assert [str(one) for one in store.scores()] == ["0.61"]
        assert StoredAnswers(plan, store).labels(run)[1] == 2 * COUNT

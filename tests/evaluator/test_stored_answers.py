"""Answers of many submissions that were asked the same: read quickly, and read the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset
from evaluator.options import Choice, Options
from evaluator.plan import Plan, plan_on
from evaluator.store.store import Run, Store
from evaluator.stored_answers import StoredAnswers
from tests.evaluator.stores import Key, put

COUNT = 60


def _plan() -> Plan:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 4, 4, 3), np.uint8)
    data = Dataset(images, np.arange(COUNT) % 8, 3 + 2 * np.arange(COUNT))
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

"""What the store keeps beside answers: size, time, memory, findings, and the right labels."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.store import schema as store_schema
from evaluator.store.measured import FindingLine, Measured
from evaluator.store.schema import StoreError
from evaluator.store.store import Store
from tests.evaluator.stores import SHA, store_at

FOUND = (FindingLine("S301", "warning", "weights.h5: 100 %\nsecond line"),)
ONE = Measured(1000, 1.5, 0.8, 7_000, "validation", FOUND)


def kept(store: Store) -> Measured:
    """The one that is kept, without its date."""
    return replace(next(iter(store.measured().values())), made="")


def test_what_is_measured_comes_back(tmp_path: Path) -> None:
    """Else the board shows another size, time or memory; what was not measured now stays."""
    with store_at(tmp_path / "store.sqlite") as store:
        store.put_measured(SHA, ONE)
        assert kept(store) == ONE
        store.put_measured(SHA, Measured(1001, None, None, None, "unknown"))
        assert kept(store) == replace(ONE, bytes=1001, split="unknown", findings=())
        assert store.forget(store.submissions()[0])
        assert store.measured() == {}


def test_right_labels_come_back(tmp_path: Path) -> None:
    """Else answers are judged by labels of other images; the first ones stay."""
    with Store.open(tmp_path / "store.sqlite") as store:
        assert store.truth("f" * 32) is None
        store.put_truth("f" * 32, "cells.npz", [5, 2, 9], [1, 0, 7])
        store.put_truth("f" * 32, "renamed.npz", [5], [3])
        found = store.truth("f" * 32)
        assert found
        assert found.source == "cells.npz"
        assert (found.labels.ids.tolist(), found.labels.labels.tolist()) == ([2, 5, 9], [0, 1, 7])
        with pytest.raises(StoreError, match="whole numbers"):
            store.put_truth("e" * 32, "cells.npz", [0], [-1])


def test_an_older_store_is_brought_up_to_date(tmp_path: Path) -> None:
    """Else everything that was evaluated before this version is lost to the board."""
    path = tmp_path / "store.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:6])
        store_at(path).close()
    with Store.open(path) as store:
        store.put_measured(SHA, ONE)
        assert kept(store) == ONE


def test_damage_is_no_end(tmp_path: Path) -> None:
    """Else one broken row keeps the whole board from being drawn."""
    path = tmp_path / "store.sqlite"
    with store_at(path) as store:
        store.put_measured(SHA, ONE)
        store.put_truth("f" * 32, "cells.npz", [0], [1])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE measured SET findings = '[1, [2'")
        db.execute("UPDATE truths SET labels = x'00ff'")
    with Store.open(path) as store:
        assert kept(store).findings == ()
        assert store.truth("f" * 32) is None

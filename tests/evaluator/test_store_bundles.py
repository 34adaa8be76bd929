"""Runs in bundles, as the store keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.store import schema as store_schema
from evaluator.store.bundle_runs import BundleKey, BundleRun
from evaluator.store.store import Store, StoreError

SHA = "a" * 64
KEY = BundleKey(SHA, "python 3", "f" * 64, 2**70, "fog:3", 0)
RUN = BundleRun('{"status": "Finished"}', 1.5)


def filled(path: Path) -> Store:
    """A store with one submission."""
    store = Store.open(path)
    store.add_submission(SHA, "a.zip")
    return store


def test_a_run_is_found_by_all_that_it_depends_on(tmp_path: Path) -> None:
    """Else a figure of another bundle, seed or machine is shown."""
    others = (
        replace(KEY, environment="python 4"),
        replace(KEY, bundle="e" * 64),
        replace(KEY, seed=0),
        replace(KEY, condition="fog:4"),
        replace(KEY, repeat=1),
        replace(KEY, submission="b" * 64),
    )
    with filled(tmp_path / "s.sqlite") as store:
        store.put_bundle_run(KEY, RUN)
        assert store.bundle_run(KEY) == RUN
        assert [store.bundle_run(other) for other in others] == [None] * len(others)
        store.put_bundle_run(KEY, BundleRun("{}", 2.0))
        assert store.bundle_run(KEY) == BundleRun("{}", 2.0)


def test_a_store_of_before_bundles_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an update of the tool costs the history."""
    path = tmp_path / "s.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:5])
        with filled(path) as store:
            store.record_score(store.submissions()[0], 0.89, 2)
    with Store.open(path) as store:
        assert [str(score) for score in store.scores()] == ["0.89"]
        store.put_bundle_run(KEY, RUN)
        assert store.bundle_run(KEY) == RUN


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    """Else a submission that shall be asked anew is answered from the store."""
    with filled(tmp_path / "s.sqlite") as store:
        (own,) = store.submissions()
        store.put_bundle_run(KEY, RUN)
        assert store.forget_answers(own)
        assert store.bundle_run(KEY) is None
        assert not store.forget_answers(own)
        store.put_bundle_run(KEY, RUN)
        store.forget(own)
        with pytest.raises(StoreError):
            store.put_bundle_run(KEY, RUN)


def test_a_damaged_store_gives_its_runs_back(tmp_path: Path) -> None:
    """Else an hour's runs are lost with one broken page elsewhere."""
    path = tmp_path / "s.sqlite"
    with filled(path) as store:
        store.put_bundle_run(KEY, RUN)
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store._db.execute("PRAGMA writable_schema = ON")
        store._db.execute(
            "UPDATE sqlite_master SET sql = 'CREATE TABLE orders (x)' WHERE name = 'orders'"
        )
    with Store.open(path) as store:
        assert "set aside" in store.notes[0]
        assert store.bundle_run(KEY) == RUN

"""Many blocks of answers: kept at once, packed a few times, read like any others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluator.store import schema as store_schema
from evaluator.store.store import Store
from tests.evaluator.stores import (
    KEY,
    RUN,
    SHA,
    Key,
    answered,
    counts,
    key_of,
    missing,
    put,
    put_all,
    store_at,
    stored,
)

Labels = NDArray[np.int64]
Told = list[tuple[Key, Labels, Labels]]
CONDITIONS, IMAGES = 6, 300


def _blocks(seed: int, size: int) -> Iterator[Told]:
    """All answers of a run, in blocks, every image and condition once; the label follows from both."""
    order = np.random.default_rng(seed).permutation(CONDITIONS * IMAGES)
    for first in range(0, len(order), size):
        conditions, ids = np.divmod(order[first : first + size], IMAGES)
        yield [
            (
                key_of(condition),
                ids[conditions == condition],
                _labels(condition, ids[conditions == condition]),
            )
            for condition in np.unique(conditions)
        ]


def _labels(condition: int, ids: Labels) -> Labels:
    return np.asarray((7 * ids + condition) % 8, np.int64)


def _waiting(store: Store) -> int:
    return int(store._db.execute("SELECT count(*) FROM blocks").fetchone()[0])


@pytest.mark.parametrize("size", [11, 37, 200, CONDITIONS * IMAGES])
def test_blocks_are_read_like_rows(tmp_path: Path, size: int) -> None:
    """An interrupted `--full` run asks answers again, or shows others."""
    waited, known = 0, 0
    with store_at(tmp_path / "s.sqlite") as store:
        for block in _blocks(1, size):
            assert put_all(store, block, known) == 0
            known += sum(len(ids) for _, ids, _ in block)
            waited = max(waited, _waiting(store))
            assert store.run_answers(RUN).total == known
    assert (waited > 0) == (size < IMAGES * CONDITIONS // 2)
    with Store.open(tmp_path / "s.sqlite") as store:
        found = store.run_answers(RUN)
        assert sorted(found.conditions) == [
            f"condition {condition}" for condition in range(CONDITIONS)
        ]
        assert counts(store, RUN) == dict.fromkeys(found.conditions, IMAGES)
        (row,) = store.history()
        assert (row.conditions, row.answers) == (CONDITIONS, CONDITIONS * IMAGES)
        assert np.array_equal(found.ids(), np.tile(np.arange(IMAGES), CONDITIONS))
        for condition in range(CONDITIONS):
            own = stored(store, key_of(condition))
            assert np.array_equal(own.labels, _labels(condition, np.arange(IMAGES)))
            assert len(missing(store, key_of(condition), np.arange(IMAGES + 1))) == 1


def test_what_another_process_stored_is_seen(tmp_path: Path) -> None:
    """Two runs of one zip at a time store two answers to a question, and nobody says so."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store, Store.open(path) as other:
        blocks, known = list(_blocks(2, 100)), 0
        for number, block in enumerate(blocks):
            if number == 9:
                key, ids, labels = blocks[12][0]
                put(other, key, ids, (labels + 1) % 8)
            found = put_all(store, block, known)
            assert found == (len(blocks[12][0][1]) if number == 12 else 0)
            known += sum(len(ids) for _, ids, _ in block)
        assert store.run_answers(RUN).total == CONDITIONS * IMAGES
        key, ids, labels = blocks[12][0]
        assert np.array_equal(answered(store, key, ids), (labels + 1) % 8)  # type: ignore[arg-type]


def test_a_run_forgotten_meanwhile_is_no_basis(tmp_path: Path) -> None:
    """Answers are appended to a run that is gone, and lost."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store:
        known = 0
        for number, block in enumerate(_blocks(3, 100)):
            if number == 7:
                store.forget_answers(store.submissions()[0])
                assert store.run_answers(RUN).total == _waiting(store) == 0
            put_all(store, block, known)
            known += sum(len(ids) for _, ids, _ in block)
        assert store.run_answers(RUN).total == known - 700


@pytest.mark.parametrize("damage", [b"", b"\x00" * 9, b"x"])
def test_a_broken_block_is_asked_again(tmp_path: Path, damage: bytes) -> None:
    """One broken block hides all answers of a run."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store:
        known = 0
        for block in list(_blocks(4, 100))[:3]:
            put_all(store, block, known)
            known += sum(len(ids) for _, ids, _ in block)
        store._db.execute("UPDATE blocks SET labels = ?, cells = '{'", (damage,))
        assert _waiting(store) > 0
        found = store.run_answers(RUN)
        assert 0 < len(found.labels) < found.total == known
        lost = missing(store, key_of(0), np.arange(IMAGES))
        put(store, key_of(0), lost, _labels(0, lost))
        assert len(stored(store, key_of(0))) == IMAGES


def test_large_ids_and_several_runs_are_kept(tmp_path: Path) -> None:
    """Ids beyond what a block can hold are stored as others."""
    other = replace(RUN, seed=1)
    with store_at(tmp_path / "s.sqlite") as store:
        put_all(store, [(KEY, np.arange(100), np.arange(100) % 8)], 0)
        for ids in ([2**40, 2**62], [2**40 - 1]):
            known = store.run_answers(RUN).total
            put_all(store, [(KEY, ids, [5] * len(ids))], known)
            assert answered(store, KEY, ids).tolist() == [5] * len(ids)  # type: ignore[union-attr]
        put(store, KEY, [200], [1])
        put(store, replace(KEY, run=other), [3], [2])
        assert len(stored(store, KEY)) == 104
        assert len(stored(store, replace(KEY, run=other))) == 1


def test_a_store_without_blocks_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of last month cannot be read."""
    path = tmp_path / "s.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "MIGRATIONS", store_schema.MIGRATIONS[:2])
        with store_at(path) as store:
            put(store, KEY, [1], [3])
    with Store.open(path) as store:
        assert stored(store, KEY).labels.tolist() == [3]
        put_all(store, [(KEY, [2], [4])], 1)
        assert answered(store, KEY, [1, 2]).tolist() == [3, 4]  # type: ignore[union-attr]
        assert [one.sha256 for one in store.submissions()] == [SHA]


@pytest.mark.slow
def test_four_times_the_blocks_take_four_times_as_long(tmp_path: Path) -> None:
    """A run on all images spends most of its time on packing what is stored already."""

    def seconds(images: int) -> float:
        rng, known = np.random.default_rng(0), 0
        order = rng.permutation(80 * images)
        with store_at(tmp_path / f"{images}.sqlite") as store:
            used = time.process_time()
            for first in range(0, len(order), 4096):
                conditions, ids = np.divmod(order[first : first + 4096], images)
                block = [
                    (key_of(c), ids[conditions == c], rng.integers(0, 8, (conditions == c).sum()))
                    for c in np.unique(conditions)
                ]
                put_all(store, block, known)
                known += len(conditions)
            return time.process_time() - used

    assert seconds(8_000) < 7 * seconds(2_000)  # sixteen times as long, were it quadratic

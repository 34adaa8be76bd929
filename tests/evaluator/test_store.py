"""Answers in the store: what is put comes back, for these images and no others."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corruptions.presets import LIBRARY, resolve
from evaluator.store.answer_rows import BrokenLabelsError, as_answers, pack, unpack
from evaluator.store.rows import condition_text, environment_text, read_condition
from evaluator.store.store import (
    Run,
    Store,
    StoreError,
)
from tests.evaluator.stores import (
    KEY,
    RUN,
    SHA,
    Key,
    answered,
    counts,
    missing,
    put,
    put_all,
    store_at,
    stored,
)

IDS = st.lists(st.integers(0, 2**62), unique=True, max_size=40)
LABELS = st.integers(0, 2**32 - 1)
FRESH = itertools.count()  # hypothesis repeats itself: each example gets a condition of its own
FAST = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(st.dictionaries(st.integers(0, 2**62), LABELS))
def test_packed_labels_come_back(labels: dict[int, int]) -> None:
    """Else a repeated run would show other figures than the first."""
    given_ = as_answers(list(labels), list(labels.values()))
    found = unpack(pack(given_))
    assert dict(zip(found.ids.tolist(), found.labels.tolist(), strict=True)) == labels


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_changed_bit_never_changes_a_label(place: int, bit: int) -> None:
    """Else a bad disk would turn into wrong labels."""
    labels = np.random.default_rng(place).integers(0, 8, 300)
    packed = bytearray(pack(as_answers(np.arange(300), labels)))
    packed[place % len(packed)] ^= 1 << bit
    try:
        found = unpack(bytes(packed))
    except BrokenLabelsError:
        return
    assert found.labels.tolist() == labels.tolist()  # a bit that deflate leaves unused


def test_a_label_takes_half_a_byte() -> None:
    """Else a team's season of submissions would fill a disk quota."""
    rng = np.random.default_rng(0)
    answers = as_answers(rng.permutation(2400)[:1000], rng.integers(0, 8, 1000))
    assert len(pack(answers)) < 1000


@FAST
@given(ids=IDS, data=st.data())
def test_answers_come_back_in_the_order_asked(
    tmp_path: Path, ids: list[int], data: st.DataObject
) -> None:
    """Else labels would be scored against other images' truth."""
    labels = data.draw(st.lists(LABELS, min_size=len(ids), max_size=len(ids)))
    asked = data.draw(st.permutations(ids))[: data.draw(st.integers(0, len(ids)))]
    with store_at(tmp_path / "s.sqlite") as store:
        key = replace(KEY, condition=f"condition {next(FRESH)}")
        put(store, key, np.array(ids, np.int64), np.array(labels, np.int64))
        found = answered(store, key, np.array(asked, np.int64))
        assert found is not None
        assert found.tolist() == [labels[ids.index(i)] for i in asked]


@FAST
@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_a_longer_prefix_serves_a_shorter_one(tmp_path: Path, cuts: list[int], seed: int) -> None:
    """Else raising --images would ask again what is known, or lowering it would."""
    order, truth = np.random.default_rng(seed).permutation(60), np.arange(60) % 8
    with store_at(tmp_path / "s.sqlite") as store:
        key = replace(KEY, condition=f"condition {next(FRESH)}")
        for cut in cuts:
            new = missing(store, key, order[:cut])
            assert put(store, key, new, truth[new]) == 0
        longest = max(cuts)
        for cut in range(61):
            found = answered(store, key, order[:cut])
            assert (found is not None) == (cut <= longest)
            assert found is None or (found == truth[order[:cut]]).all()
            assert missing(store, key, order[:cut]).tolist() == order[longest:cut].tolist()
        assert len(stored(store, key)) == longest


OTHERS = [
    Key(replace(RUN, submission="b" * 64), KEY.condition),
    Key(replace(RUN, environment="keras 3.4.2, python 3.11.7"), KEY.condition),
    Key(replace(RUN, data="e" * 32), KEY.condition),
    Key(replace(RUN, seed=1), KEY.condition),
    Key(replace(RUN, seed=2**70), KEY.condition),
    Key(replace(RUN, dtype="float32"), KEY.condition),
    Key(RUN, "tiny/fog:(1.5, 2)@2"),
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda key: f"{key.run.seed} {key.condition}")
def test_nothing_is_served_under_another_key(tmp_path: Path, other: Key) -> None:
    """Else one submission, environment or corruption would get another's labels."""
    with store_at(tmp_path / "s.sqlite") as store:
        store.add_submission("b" * 64, "other.zip")
        put(store, KEY, [1, 2], [3, 4])
        assert answered(store, other, [1]) is None
        put(store, other, [1], [7])
        assert [stored(store, key).labels.tolist() for key in (KEY, other)] == [[3, 4], [7]]


def test_what_is_stored_stays_and_contradictions_are_counted(tmp_path: Path) -> None:
    """Else figures already shown would change, or an unseeded submission would go unnoticed."""
    with store_at(tmp_path / "s.sqlite") as store:
        put(store, KEY, [1, 2, 3], [1, 1, 1])
        assert put(store, KEY, [4, 3, 2], [5, 6, 1]) == 1
        assert stored(store, KEY).labels.tolist() == [1, 1, 1, 5]


def test_a_block_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """Else a failure half-way would leave a condition with some of its answers."""
    stranger = Key(replace(RUN, submission="c" * 64), "x")
    with store_at(tmp_path / "s.sqlite") as store:
        with pytest.raises(StoreError, match="not in the store"):
            put(store, stranger, [1], [1])
        store._db.execute(
            "CREATE TEMP TRIGGER late BEFORE INSERT ON answers WHEN NEW.cell = 'x' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        with pytest.raises(StoreError, match="refused"):
            put_all(store, [(KEY, [1], [1]), (replace(KEY, condition="x"), [1], [1])])
        assert len(stored(store, KEY)) == 0
        put_all(store, [(KEY, [1], [1]), (replace(KEY, condition="y"), [2], [2])])
        assert counts(store, RUN) == {KEY.condition: 1, "y": 1}
        assert store.runs(SHA) == (RUN,)


BAD = [
    ([1, 1], [0, 0], "an id twice"),
    ([1, 2], [0], "one label an image"),
    ([-1], [0], "ids as whole numbers"),
    ([1], [-1], "labels as whole numbers"),
    ([1], [0.5], "labels as whole numbers"),
    ([1], [2**32], "labels as whole numbers"),
    ([[1]], [[1]], "one label an image"),
]


@pytest.mark.parametrize(("ids", "labels", "said"), BAD)
def test_what_is_no_answer_is_refused(
    tmp_path: Path, ids: list[int], labels: list[int], said: str
) -> None:
    """Else broken labels would come back as sound ones."""
    with store_at(tmp_path / "s.sqlite") as store, pytest.raises(StoreError, match=said):
        put(store, KEY, ids, labels)


def test_answers_that_rotted_are_asked_again(tmp_path: Path) -> None:
    """Else one bad blob would stop every later run, or be believed."""
    path = tmp_path / "s.sqlite"
    with store_at(path) as store:
        put(store, KEY, [1, 2], [3, 4])
        store._db.execute("UPDATE answers SET labels = zeroblob(20)")
        assert answered(store, KEY, [1]) is None
        assert missing(store, KEY, [1, 2]).tolist() == [1, 2]
        put(store, KEY, [1, 2], [3, 4])
        assert stored(store, KEY).labels.tolist() == [3, 4]


def test_a_forked_process_may_not_write(tmp_path: Path) -> None:
    """Else a worker that was forked would break the file under its parent."""
    with store_at(tmp_path / "s.sqlite") as store:
        store._owner = os.getpid() + 1
        with pytest.raises(RuntimeError, match="only the process that opened"):
            put(store, KEY, [1], [1])


def test_texts_of_keys_do_not_depend_on_names_or_order() -> None:
    """Else renaming a condition, or another order of the versions, would lose all answers."""
    condition = resolve("fog:3+shot_noise:2").conditions[0]
    renamed = replace(condition, name="mine", family="x", weight=0.1)
    assert (
        condition_text(renamed)
        == condition_text(condition)
        != condition_text(resolve("fog:2").conditions[0])
    )
    assert condition_text(resolve("clean").conditions[0]) == "clean"
    for text in map(condition_text, resolve(LIBRARY).conditions):
        assert condition_text(read_condition(text)) == text  # type: ignore[arg-type]  # it is there
    assert read_condition("tiny/fog:(1.5, 2)@999") is None
    versions = {"python": "3.11.7", "keras": "3.4.1"}
    assert environment_text(versions) == environment_text(dict(reversed(versions.items())))


def test_runs_and_conditions_of_nobody_are_empty(tmp_path: Path) -> None:
    """Else the first run of a submission would end in a fault of ours."""
    with Store.open(tmp_path / "s.sqlite") as store:
        assert store.runs(SHA) == ()
        assert counts(store, Run(SHA, "", "", 0)) == {}
        assert answered(store, KEY, [1]) is None
        assert answered(store, KEY, []) is not None


def test_a_run_is_read_at_once_as_it_is_condition_by_condition(tmp_path: Path) -> None:
    """Else past submissions would be counted by other answers than were stored."""
    with store_at(tmp_path / "s") as store:
        wanted = {"a": ([5, 900, 70_000], [1, 0, 7]), "b": ([], []), "c": ([0, 3], [300, 2])}
        for condition, (ids, labels) in wanted.items():
            put(store, Key(RUN, condition), np.array(ids, int), np.array(labels, int))
        put(store, Key(RUN, "broken"), [1, 2], [3, 4])
        store._db.execute("UPDATE answers SET labels = x'00' WHERE cell = 'broken'")
        found = store.run_answers(RUN)
        assert dict(zip(found.conditions, found.counts.tolist(), strict=True)) == {
            condition: len(stored(store, Key(RUN, condition))) for condition in counts(store, RUN)
        }
        each = [stored(store, Key(RUN, condition)) for condition in found.conditions]
        assert found.ids().tolist() == [i for one in each for i in one.ids.tolist()]
        assert found.labels.tolist() == [i for one in each for i in one.labels.tolist()]
        assert len(store.run_answers(Run(SHA, "", "", 0)).labels) == 0

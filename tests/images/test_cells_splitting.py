"""Sides that share nothing, and orders that do not depend on the file's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codabench_rehearsal.images import DataError, Dataset, prefix_order, read_split, split
from codabench_rehearsal.images.splitting import Split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HASHES = [f"{number:032x}" for number in range(4)]


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Small data sets with many copies, some under several labels."""
    n = draw(st.integers(2, 60))
    values = np.array(draw(st.lists(st.integers(0, 40), min_size=n, max_size=n)), np.uint8)
    labels = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.int64)
    images = np.broadcast_to(values[:, None, None, None], (n, 2, 2, 3)).copy()
    return Dataset(images, labels, np.arange(n, dtype=np.int64) * 3)


def _try_split(dataset: Dataset, fraction: float = 0.2, seed: int = 0) -> Split | None:
    try:
        return split(dataset, fraction, seed)
    except DataError:
        return None


def _shuffled(dataset: Dataset, seed: int) -> Dataset:
    return dataset.subset(np.random.default_rng(seed).permutation(len(dataset)))


@settings(max_examples=100, deadline=None)
@given(dataset=datasets(), fraction=st.floats(0.05, 0.95), seed=st.integers(-5, 2**70))
def test_no_image_is_on_both_sides(dataset: Dataset, fraction: float, seed: int) -> None:
    """Validation contains training images: its accuracy is too good to be true."""
    sides = _try_split(dataset, fraction, seed)
    if sides is None:
        return
    train, validation = sides.train, sides.validation
    assert not set(train.fingerprints()) & set(validation.fingerprints())
    together = sorted(train.ids.tolist() + validation.ids.tolist())
    assert together == dataset.ids.tolist()
    assert len(train) > 0
    assert len(validation) > 0


@settings(max_examples=50, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 99))
def test_row_order_does_not_matter(dataset: Dataset, seed: int) -> None:
    """A sorted or shuffled copy of the file is split, or thinned out, in another way."""
    other = _shuffled(dataset, seed)
    first, second = _try_split(dataset, seed=seed), _try_split(other, seed=seed)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert set(first.validation.ids.tolist()) == set(second.validation.ids.tolist())
    order, again = prefix_order(dataset, seed), prefix_order(other, seed)
    assert dataset.ids[order].tolist() == other.ids[again].tolist()


def test_the_split_is_stratified_and_seeded(drawn: Dataset) -> None:
    """Rare classes are missing in validation, or a run cannot be repeated."""
    sides = split(drawn, 0.25, seed=3)
    whole = np.bincount(drawn.labels, minlength=8)
    held = np.bincount(sides.validation.labels, minlength=8)
    assert (np.abs(held - whole / 4) <= 1).all()
    assert split(drawn, 0.25, seed=3).validation.ids.tolist() == sides.validation.ids.tolist()
    assert split(drawn, 0.25, seed=4).validation.ids.tolist() != sides.validation.ids.tolist()
    assert (np.diff(sides.validation.ids) > 0).all()


def test_small_classes() -> None:
    """A class of two is all on one side; a class of one is lost from training."""
    images = np.arange(13, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    labels = np.array([0] * 10 + [1, 1] + [2])
    sides = split(Dataset(images, labels, np.arange(13)), 0.1)
    assert np.bincount(sides.validation.labels, minlength=3).tolist() == [1, 1, 0]
    sides = split(Dataset(images, labels, np.arange(13)), 0.99)
    assert np.bincount(sides.train.labels, minlength=3).tolist() == [1, 1, 1]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_wrong_fractions(drawn: Dataset, fraction: float) -> None:
    """A side is silently empty."""
    with pytest.raises(DataError, match="between 0 and 1"):
        split(drawn, fraction)


def test_nothing_to_split(drawn: Dataset) -> None:
    """One image, or copies of it, are split into something and nothing."""
    with pytest.raises(DataError, match="two different images"):
        split(drawn.subset([0]))


def _deviation(labels: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each prefix is from its share of each class, (n, classes)."""
    taken = np.cumsum(labels[order][:, None] == np.arange(8), axis=0)
    shares = np.bincount(labels, minlength=8) / len(labels)
    deviation: NDArray[np.float64] = np.abs(taken - np.arange(1, len(labels) + 1)[:, None] * shares)
    return deviation


@settings(max_examples=50, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 99))
def test_every_prefix_is_stratified(dataset: Dataset, seed: int) -> None:
    """`--images 100` measures on other class shares than the whole."""
    order = prefix_order(dataset, seed)
    assert sorted(order.tolist()) == list(range(len(dataset)))
    assert _deviation(dataset.labels, order).max() < 2


def test_prefixes_of_cells(drawn: Dataset) -> None:
    """As above, on class shares like the challenge's, and seeds change nothing or too much."""
    order = prefix_order(drawn, 0)
    assert _deviation(drawn.labels, order).max() < 1.5
    assert prefix_order(drawn, 0).tolist() == order.tolist()
    assert prefix_order(drawn, 1).tolist() != order.tolist()


def test_written_and_read_again(tmp_path: Path, drawn: Dataset) -> None:
    """The benchmark takes training images for validation images."""
    sides = split(drawn, 0.3, seed=7)
    sides.save(tmp_path / "split.json")
    record = read_split(tmp_path / "split.json")
    assert (record.seed, record.fraction) == (7, 0.3)
    assert set(record.side(sides.train)) == {"train"}
    assert set(record.side(sides.validation)) == {"validation"}
    foreign = Dataset(255 - drawn.images[:3], drawn.labels[:3], drawn.ids[:3])
    assert record.side(foreign).tolist() == ["neither"] * 3
    assert record.side(drawn.subset([])).shape == (0,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["split.json"]


def test_the_written_file_does_not_depend_on_row_order(tmp_path: Path, drawn: Dataset) -> None:
    """Two runs on the same cells leave files that differ."""
    for number, dataset in enumerate((drawn, _shuffled(drawn, 0))):
        split(dataset).save(tmp_path / f"{number}.json")
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


def _content(**changed: Any) -> str:
    return json.dumps({"schema": 1, "train": HASHES[:2], "validation": HASHES[2:]} | changed)


def test_a_file_written_by_hand(tmp_path: Path) -> None:
    """A team's own split, with hashes alone, is refused."""
    (tmp_path / "split.json").write_text(_content())
    record = read_split(tmp_path / "split.json")
    assert (record.train, record.seed) == (frozenset(HASHES[:2]), None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected JSON"),
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("\x00\xff", "expected JSON"),
        ("[]", "expected a JSON object, received list"),
        (_content(schema=2), "expected schema 1, received 2"),
        ("{}", "received None"),
        (_content(train=None), "list of image hashes under 'train'"),
        (_content(train={"a": 1}), "list of image hashes under 'train'"),
        (_content(validation=["xyz"]), "received 'xyz'"),
        (_content(validation=[5]), "received 5"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, part: str) -> None:
    """A broken split.json shows a traceback, or all images count as neither."""
    (tmp_path / "split.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        read_split(tmp_path / "split.json")
    assert "split.json: " in str(caught.value)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("validation", "said"),
    [(HASHES[1:], "1 image is on both sides of"), (HASHES[:3], "2 images are on both sides of")],
)
def test_copies_on_both_sides_were_learnt(tmp_path: Path, validation: list[str], said: str) -> None:
    """A hand-made split of a file with copies is refused, or its copies flatter the figures."""
    (tmp_path / "split.json").write_text(_content(validation=validation))
    record = read_split(tmp_path / "split.json")
    assert record.train == frozenset(HASHES[:2])
    assert record.validation == frozenset(validation) - record.train
    assert [note.startswith(said) for note in record.notes] == [True]


def test_sides_of_copies(tmp_path: Path, drawn: Dataset) -> None:
    """A copy of a training image is evaluated as new."""
    Split(drawn.subset(range(100)), drawn.subset(range(90, 200)), 0, 0.5).save(
        tmp_path / "split.json"
    )
    sides = read_split(tmp_path / "split.json").side(drawn)
    assert (sides[:100] == "train").all()
    assert (sides[100:] == "validation").all()


def test_missing_file(tmp_path: Path) -> None:
    """A missing split.json shows a traceback."""
    with pytest.raises(DataError, match="cannot be read"):
        read_split(tmp_path / "split.json")
    with pytest.raises(DataError, match="received a folder"):
        read_split(tmp_path)

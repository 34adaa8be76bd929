"""Labels of every shape and type: read as what they are, or refused with harmless advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codabench_rehearsal.images import DataError, Dataset, from_arrays, load
from codabench_rehearsal.images.labels import numbers_of

CASES = Path(__file__).parents[3] / "shared" / "cases"
X = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
Y = np.array([0, 1, 2, 1])
SOFT = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.0, 1.0, 0.0]])
ARGMAX = "labels.argmax(axis=1)"

READ: dict[str, tuple[Any, str]] = {
    "a column": (Y[:, None], ""),
    "a cube": (Y[:, None, None].astype(np.uint8), "(4, 1, 1) read as (4,)"),
    "five axes": (Y[:, None, None, None, None], "read as (4,)"),
    "a row": (Y[None], "(1, 4) read as (4,)"),
    "a row in a cube": (Y[None, :, None], "read as (4,)"),
    "floats": (Y.astype(np.float16), "float16 to integers"),
    "floats in a cube": (Y[:, None, None] * 1.0, "float64 to integers"),
    "one-hot": (np.eye(3)[Y], "one-hot rows of 3"),
    "one-hot of bytes": (np.eye(3, dtype=np.uint8)[Y], "one-hot rows of 3"),
    "one-hot booleans": (np.eye(3, dtype=bool)[Y], "one-hot rows of 3"),
    "one-hot with an axis": (np.eye(3)[Y][:, None], "one-hot rows of 3"),
    "one-hot of Python": (np.eye(3)[Y].astype(int).astype(object), "one-hot rows of 3"),
    "digits": (np.array(["0", " 1", "2", "01"]), "<U2 to integers"),
    "digits as bytes": (np.array([b"0", b"1", b"2", b"1"]), "|S1 to integers"),
    "big-endian": (Y.astype(">i4"), ""),
    "Python integers": (Y.astype(object), ""),
    "Python floats": (Y.astype(float).astype(object), "float64 to integers"),
}


@pytest.mark.parametrize(("labels", "note"), READ.values(), ids=READ)
def test_labels_that_are_read(labels: Any, note: str) -> None:
    """Labels that mean one thing only are turned away, or change in silence."""
    found = from_arrays(X, labels)
    assert found.labels.tolist() == Y.tolist()
    assert len(found.notes) <= 2
    assert note in " ".join(found.notes)
    assert bool(found.notes) == bool(note)


def test_true_and_false_are_two_classes() -> None:
    """A yes-or-no data set saved with its comparison is turned away."""
    found = from_arrays(X, Y > 0)
    assert found.labels.tolist() == [0, 1, 1, 1]
    assert found.notes == ("Labels converted from bool: 0 = False, 1 = True.",)


MULTI = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
GAPPED = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]])
REFUSED: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "too few": (Y[:3], {}, ["4 images and labels of shape (3,)"]),
    "one for all": (np.array(1), {}, ["4 images and labels of shape ()"]),
    "none": (Y[:0], {}, ["4 images and labels of shape (0,)"]),
    "multi-label": (MULTI, {}, ["multi-label (row 1 has 2 ones)", "out of scope"]),
    "multi-label floats": (MULTI * 1.0, {}, ["multi-label", "out of scope"]),
    "multi-label booleans": (MULTI > 0, {}, ["multi-label", "out of scope"]),
    "multi-label with an axis": (MULTI[:, None], {}, ["multi-label"]),
    "all ones": (np.ones((4, 2)), {}, ["multi-label", "not one-hot"]),
    "one-hot with an empty row": (GAPPED, {}, ["row 2 has no 1 (1 of 4 rows", "leave"]),
    "probabilities that tie": (np.full((4, 2), 0.5), {}, ["(4, 2)", "row 0 has no largest"]),
    "two columns": (np.stack([Y + 5, Y], 1), {}, ["2 values an image", "keep the one column"]),
    "scores": (SOFT * 7 - 2, {}, ["3 values an image"]),
    "two columns of text": (np.full((4, 2), "a"), {}, ["keep the one column"]),
    "masks": (np.zeros((4, 8, 8), np.uint8), {}, ["a mask for each image"]),
    "masks with an axis": (np.zeros((4, 8, 8, 1)), {}, ["a mask for each image"]),
    "names": (np.array(["a", "b", "c", "d"]), {}, ["such as a in row 0", "the challenge gives"]),
    "names among digits": (np.array(["1", "0", "b", "d"]), {}, ["such as b in row 2"]),
    "names as objects": (np.array(["a", "b", "c", "d"], object), {}, ["such as a in row 0"]),
    "halves": (Y + 0.5, {}, ["whole numbers", "0.5 in row 0"]),
    "one half": (Y + np.array([0, 0, 0.5, 0]), {}, ["2.5 in row 2"]),
    "NaN": (np.where(Y == 2, np.nan, Y), {}, ["NaN in row 2;", "leave them out"]),
    "two NaN": (np.where(Y == 1, np.nan, Y), {}, ["NaN in row 1 and 1 more"]),
    "infinity": (np.where(Y == 2, -np.inf, Y), {}, ["infinity in row 2"]),
    "NaN in a column": (np.where(Y == 2, np.nan, Y)[:, None], {}, ["NaN in row 2"]),
    "NaN in rows": (np.where(MULTI, np.nan, 0), {}, ["NaN in row 0 and 2 more"]),
    "NaN in objects": (np.array([0, 1, float("nan"), 1], object), {}, ["NaN in row 2"]),
    "None": (np.array([0, 1, "2", None], object), {}, ["such as 2 in row 2"]),
    "huge floats": (Y * 1e300, {}, ["1e+300"]),
    "huge": (np.full(4, 2**64 - 1, np.uint64), {}, ["class numbers"]),
    "complex": (Y * 1j, {}, ["complex128"]),
    "bytes of no text": (np.array([b"\xff"] * 4), {}, ["that is no text"]),
    "dates": (Y.astype("datetime64[D]"), {}, ["datetime64"]),
    "negative": (Y - 1, {}, ["received -1 in row 0"]),
    "too high": (Y, {"classes": 2}, ["0..1 (2 classes)", "received 2 in row 2", "check"]),
    "from 1": (Y + 1, {"classes": 3}, ["received 3", "subtract 1"]),
    "a mark": (np.where(Y == 2, 255, Y), {"classes": 3}, ["received 255 in row 2", "1 of 4 have"]),
    "a mark, from 1": (np.where(Y == 2, 255, Y + 1), {"classes": 3}, ["received 255", "leave"]),
}


@pytest.mark.parametrize(("labels", "options", "parts"), REFUSED.values(), ids=REFUSED)
def test_labels_that_are_refused(labels: Any, options: dict[str, Any], parts: list[str]) -> None:
    """Labels that would have to be guessed are read as zeros, or the advice makes them so."""
    with pytest.raises(DataError) as caught:
        from_arrays(X, labels, source="a.npz", **options)
    said = str(caught.value)
    assert said.startswith("a.npz: ")
    assert ARGMAX not in said
    assert "\n" not in said
    for part in parts:
        assert part in said


def test_only_probabilities_are_told_to_take_the_largest() -> None:
    """Soft labels get no way out, though they have one."""
    with pytest.raises(DataError) as caught:
        from_arrays(X, SOFT)
    assert ARGMAX in str(caught.value)
    assert from_arrays(X, SOFT.argmax(axis=1)).labels.tolist() == [0, 1, 2, 1]


CELLS = ("basophil", "erythroblast", "immature granulocyte")
NAMED: list[tuple[Any, bool]] = [
    (["basophil", "erythroblast", "immature granulocyte", "erythroblast"], True),
    (["Basophil", "ERYTHROBLAST", "immature_granulocyte", " erythroblast "], True),
    ([b"basophil", b"erythroblast", b"Immature-Granulocyte", b"erythroblast"], True),
    (["basophil", "erythroblast", "platelet", "erythroblast"], False),
    (["0", "1", "immature granulocyte", "1"], False),
]


@pytest.mark.parametrize("kind", [None, object])
@pytest.mark.parametrize(("names", "good"), NAMED)
def test_names_of_the_challenges_classes(names: list[Any], kind: Any, *, good: bool) -> None:
    """Names that say all are turned away, or numbered by another order than the challenge's."""
    labels = np.array(names, None if isinstance(names[0], bytes) else kind)
    if good:
        found = from_arrays(X, labels, classes=CELLS)
        assert found.labels.tolist() == Y.tolist()
        assert found.notes == ("Labels converted from the names of classes to their numbers.",)
        assert from_arrays(X, labels, classes=CELLS[::-1]).labels.tolist() == (2 - Y).tolist()
        return
    wrong = "platelet in row 2" if "platelet" in names else "0 in row 0"
    with pytest.raises(DataError, match=wrong) as caught:
        from_arrays(X, labels, classes=CELLS)
    assert ", ".join(CELLS) in str(caught.value)


def test_names_that_differ_by_case_alone() -> None:
    """The class "a" is counted as the class "A"."""
    labels = np.array(["a", "A", "b", "A"])
    assert from_arrays(X, labels, classes=("a", "A", "b")).labels.tolist() == Y.tolist()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), columns=st.integers(2, 4))
def test_the_advice_to_take_the_largest_is_never_wrong(data: st.DataObject, columns: int) -> None:
    """Followed, the advice turns multi-label rows or columns of numbers into other labels."""
    value = st.sampled_from([0, 1, 0.5, 0.25, 0.75, 2, -1])
    row = st.lists(value, min_size=columns, max_size=columns)
    rows = np.array(data.draw(st.lists(row, min_size=4, max_size=4)))
    try:
        found = from_arrays(X, rows).labels
    except DataError as error:
        if ARGMAX not in str(error):
            return
        found = rows.argmax(axis=1)
    assert (rows.sum(axis=1) == 1).all()
    assert rows.min() >= 0
    assert all((one == one[best]).sum() == 1 for one, best in zip(rows, found, strict=True))


@pytest.mark.parametrize("key", ["labels", "y", "Y_train", "targets"])
def test_objects_in_a_file_are_named(tmp_path: Path, key: str) -> None:
    """Labels saved as Python objects are blamed on the images."""
    images = {"Y_train": "X_train", "labels": "images"}.get(key, "x" if key == "y" else "data")
    arrays: dict[str, Any] = {images: X, key: np.array(["a", "b", "c", "d"], object)}
    np.savez(tmp_path / "a.npz", **arrays)
    said = _refusal(tmp_path / "a.npz")
    assert f"a.npz: {key!r}: expected a plain array" in said
    assert f"{key}=numpy.array({key}.tolist())" in said
    assert "one size" not in said


def test_objects_in_an_npy_of_labels_are_named(tmp_path: Path) -> None:
    """As above, of a pair of .npy files."""
    np.save(tmp_path / "images.npy", X)
    np.save(tmp_path / "labels.npy", np.array([0, 1, 2, 3], object))
    said = _refusal(tmp_path / "images.npy")
    assert "labels.npy: expected a plain array" in said
    assert "one size" not in said


def test_the_advice_about_objects_works(tmp_path: Path) -> None:
    """Followed, the advice leads to the next refusal."""
    labels = np.array([0, 1, 2, 1], object)
    np.savez(tmp_path / "a.npz", images=X, labels=np.array(labels.tolist()))
    assert load(tmp_path / "a.npz").labels.tolist() == [0, 1, 2, 1]


def test_the_case_of_labels_in_a_cube() -> None:
    """`labels_11.npz`: followed, the advice of old gave every image the label 0."""
    found = _case("labels_11")
    assert found.labels.tolist() == [6, 7, 6, 6, 1, 1]
    assert any("read as (6,)" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("chest_multi", ["multi-label", "out of scope"]),
        ("labels_nan", ["NaN in row 3"]),
        ("labels_obj", ["'labels'", "numpy.array(labels.tolist())"]),
    ],
)
def test_the_cases_that_are_refused(name: str, parts: list[str]) -> None:
    """A row of `../shared/cases` is refused for a wrong reason, or read."""
    with pytest.raises(DataError) as caught:
        _case(name)
    for part in parts:
        assert part in str(caught.value)
    assert "argmax" not in str(caught.value)
    assert "one size" not in str(caught.value)


def _case(name: str) -> Dataset:
    path = CASES / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return load(path, shape=(96, 96, 3), classes=8)


def _refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    return str(caught.value)


NUMBERED = [
    (["0_platelet", "1_monocyte"], {"0_platelet": 1, "1_monocyte": 0}),
    (["1. Monocyte", "2. Platelet"], {"1. Monocyte": 0, "2. Platelet": 1}),
    (["0_platelet", "1_other"], {}),
    (["platelet", "monocyte"], {"platelet": 1, "monocyte": 0}),
]


@pytest.mark.parametrize(("folders", "numbers"), NUMBERED)
def test_folders_with_numbers_of_their_own(folders: list[str], numbers: dict[str, int]) -> None:
    """A right zip is called wrong, since the user's folders are numbered in another order."""
    assert numbers_of(folders, ("monocyte", "platelet")) == numbers

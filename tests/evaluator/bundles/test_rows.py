"""Rows that line up, the metric that a score is, and intervals from them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as theirs

from evaluator.bundles.row_metrics import CLASSES, NUMBERS, auc, metrics_for, resampled, value
from evaluator.bundles.rows import Aligned, align, columns_of, interval

RNG = np.random.default_rng(3)
TRUTH = RNG.integers(0, 3, 80).astype(float)
FOUND = np.where(RNG.random(80) < 0.7, TRUTH, RNG.integers(0, 3, 80))
WORSE = np.where(RNG.random(80) < 0.5, FOUND, RNG.integers(0, 3, 80))
RIGHT = float((TRUTH == FOUND).mean())
THEIRS: dict[str, Callable[..., float]] = {
    "accuracy": theirs.accuracy_score,
    "error": lambda t, f: 1 - theirs.accuracy_score(t, f),
    "balanced accuracy": theirs.balanced_accuracy_score,
    "macro-F1": lambda t, f: theirs.f1_score(t, f, average="macro"),
    "MSE": theirs.mean_squared_error,
    "RMSE": lambda t, f: theirs.mean_squared_error(t, f) ** 0.5,
    "MAE": theirs.mean_absolute_error,
    "R2": theirs.r2_score,
    "AUC": theirs.roc_auc_score,
}
OURS = {**CLASSES, **NUMBERS, "AUC": auc}


def npy(array: NDArray[Any]) -> bytes:
    """As a file."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def text(array: NDArray[Any], head: str = "", sign: str = ",") -> bytes:
    """As lines, one or more columns."""
    rows = [sign.join(map(str, np.atleast_1d(row))) for row in array]
    return "\n".join([*([head] if head else []), *rows, ""]).encode()


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("seed", range(3))
def test_the_metrics_are_scikit_learns(name: str, seed: int) -> None:
    """Else a score is not recognised, or an interval is of something else."""
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(0, 2, 50).astype(float), rng.integers(0, 4, 50) / 4
    if name in CLASSES:
        truth, found = rng.integers(0, 3, 50).astype(float), rng.integers(0, 4, 50).astype(float)
    assert value(OURS[name], truth, found) == pytest.approx(THEIRS[name](truth, found), abs=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_a_resample_weighs_rows_as_often_as_it_drew_them(name: str) -> None:
    """Else intervals are of other figures than the score."""
    rng = np.random.default_rng(7)
    truth, found = rng.integers(0, 2, 40).astype(float), rng.integers(0, 2, 40).astype(float)
    found = found if name in CLASSES else found + rng.integers(0, 3, 40) / 4
    drawn = rng.integers(40, size=40)
    weights = np.bincount(drawn, minlength=40)[None].astype(float)
    ours = float(OURS[name](truth, found, weights)[0])
    assert ours == pytest.approx(value(OURS[name], truth[drawn], found[drawn]), abs=1e-12)


HOT = np.eye(3)[FOUND.astype(int)] + RNG.random((80, 3)) / 3
WORDS = np.array(["cat", "dog", "eel"])
BOTH = np.stack([np.arange(80), FOUND], 1)
FILES: list[tuple[str, bytes, str, bytes]] = [
    ("predictions.npy", npy(FOUND.astype(int)), "labels.npy", npy(TRUTH.astype(np.uint8))),
    ("predictions.npy", npy(FOUND[:, None]), "labels.npy", npy(TRUTH)),
    ("p.npy", npy(HOT), "y.npy", npy(TRUTH)),
    ("p.npy", npy(HOT), "y.npy", npy(np.eye(3)[TRUTH.astype(int)])),
    ("p.csv", text(FOUND), "y.csv", text(TRUTH.astype(int))),
    ("p.csv", text(FOUND, "label"), "y.txt", text(TRUTH)),
    ("p.csv", text(BOTH, "id,label"), "y.csv", text(BOTH * 0 + TRUTH[:, None], "id,label")),
    ("p.csv", text(WORDS[FOUND.astype(int)], "kind"), "y.csv", text(WORDS[TRUTH.astype(int)])),
    ("a/test.predict", text(HOT, sign=" "), "test.solution", text(TRUTH)),
    ("p.txt", text(HOT, sign=" "), "t.txt", text(np.eye(3)[TRUTH.astype(int)], sign=" ")),
]


@pytest.mark.parametrize(("name", "content", "other", "reference"), FILES)
def test_predictions_and_references_are_found(
    name: str, content: bytes, other: str, reference: bytes
) -> None:
    """Else the usual ways to write predictions get no interval."""
    found = align([({name: content}, RIGHT)], {other: reference})
    assert found is not None
    assert (found.line.metric, found.rows) == ("accuracy", 80)
    assert found.line.found.startswith(name)


def test_a_score_that_nothing_gives_has_no_interval() -> None:
    """Else rows are resampled with a metric that is not the challenge's."""
    files = {"p.npy": npy(FOUND)}
    assert align([(files, RIGHT + 1e-4)], {"y.npy": npy(TRUTH)}) is None
    assert align([(files, RIGHT)], {"y.npy": npy(TRUTH[1:])}) is None
    assert align([(files, RIGHT)], {}) is None
    objects = io.BytesIO()
    np.save(objects, np.array([{}] * 80, object), allow_pickle=True)
    assert align([(files, RIGHT)], {"y.npy": objects.getvalue()}) is None


def test_a_metric_has_to_give_the_score_of_every_run() -> None:
    """Else numbers of rows, equal in both files, pass for a perfect answer."""
    ids = np.arange(80.0)
    same = {"p.csv": text(np.stack([TRUTH, ids], 1))}
    worse = {"p.csv": text(np.stack([WORSE, ids], 1))}
    reference = {"y.csv": text(np.stack([TRUTH, ids], 1))}
    bad = float((WORSE == TRUTH).mean())
    found = align([(same, 1.0), (worse, bad)], reference)
    assert found is not None
    assert found.line.found == "p.csv, column 1"
    assert align([(same, 1.0), (worse, 1.0)], reference).line.found == "p.csv, column 2"  # type: ignore[union-attr]


def test_a_score_that_never_changes_is_no_proof() -> None:
    """Else intervals are those of another metric, which gave that figure by chance."""
    truth = np.repeat([0.0, 1.0], 20)
    one_class = {"p.npy": npy(np.zeros(40))}
    assert align([(one_class, 0.5)] * 3, {"y.npy": npy(truth)}) is None  # accuracy, or balanced?
    assert align([({"p.npy": npy(truth)}, 1.0)] * 3, {"y.npy": npy(truth)}) is not None


def test_differences_are_of_the_same_rows() -> None:
    """Else a small but certain loss drowns in what both runs have in common."""
    runs = [({"p.npy": npy(FOUND)}, RIGHT), ({"p.npy": npy(FOUND)}, RIGHT)]
    found = align(runs, {"y.npy": npy(TRUTH)})
    assert found is not None
    first, second = found.spread(0)
    assert first is not None
    assert second is not None
    assert interval(first - second) == (0.0, 0.0)
    again = found.spread(0)[0]
    assert again is not None
    assert np.array_equal(first, again)


def test_the_interval_holds_the_true_accuracy_95_times_in_100() -> None:
    """Else figures are shown surer than they are."""
    rng = np.random.default_rng(11)
    inside = 0
    for trial in range(100):
        truth = rng.integers(0, 2, 300).astype(float)
        found = np.where(rng.random(300) < 0.8, truth, 1 - truth)
        (drawn,) = resampled(CLASSES["accuracy"], [(truth, found)], trial)
        ends = interval(drawn)
        assert ends is not None
        inside += ends[0] <= 0.8 <= ends[1]
    assert 88 <= inside <= 100


def test_a_run_that_left_nothing_has_no_interval() -> None:
    """Else one crash takes the intervals of all."""
    made = Aligned(
        align([({"p.npy": npy(FOUND)}, RIGHT)], {"y.npy": npy(TRUTH)}).line,  # type: ignore[union-attr]
        TRUTH,
        (FOUND, None),
    )
    assert [one is None for one in made.spread(0)] == [False, True]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"a", b"\xff\xfe\x00", b"1,2\n3\n4,5,6\n", b"PK"]
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a"])
def test_foreign_files_are_passed_over(name: str, content: bytes) -> None:
    """Else what a program left ends the report."""
    assert all(len(one) > 1 for one in columns_of({name: content}).values())


def test_texts_have_no_squares() -> None:
    """Else class names are subtracted."""
    words = WORDS[TRUTH.astype(int)]
    assert set(metrics_for(words, words)) == set(CLASSES)

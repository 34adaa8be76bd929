"""The number of epochs that folds of the training images find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codabench_rehearsal.images import Dataset, from_arrays
from codabench_rehearsal.recipes.schedule import after_folds, fold_sides
from codabench_rehearsal.recipes.system import Phase, RecipeError


def cells(counts: list[int], *, copies: int = 0) -> Dataset:
    """So many different images of each class, and some of them again."""
    labels = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    again = np.arange(copies)
    return from_arrays(np.concatenate([images, images[again]]), np.append(labels, labels[again]))


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(5, 20), min_size=2, max_size=4),  # an image a fold at least
    folds=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_each_image_is_in_one_fold_and_each_fold_has_its_share(
    counts: list[int], folds: int, seed: int
) -> None:
    """Else some images decide twice, or a fold cannot judge a class."""
    data = cells(counts)
    sides = list(fold_sides(data, folds, seed))
    own = [set(side.ids.tolist()) for _, side in sides]
    assert len(sides) == folds
    assert sum(map(len, own)) == len(set().union(*own)) <= len(data)
    for (learnt, side), ids in zip(sides, own, strict=True):
        assert set(learnt.ids.tolist()) == set(range(len(data))) - ids
        assert set(learnt.labels.tolist()) == set(range(len(counts)))
        assert np.abs(np.bincount(side.labels) - np.array(counts) / folds).max() <= 1.5


def test_identical_images_are_in_one_fold() -> None:
    """Else a fold is judged on images that it has learnt."""
    for learnt, own in fold_sides(cells([20, 20], copies=15), 4, 0):
        assert not set(learnt.fingerprints()) & set(own.fingerprints())


def test_folds_are_seeded() -> None:
    """Else a resumed training would find its epochs on other folds."""
    data = cells([12, 9])

    def ids(seed: int) -> list[list[int]]:
        return [own.ids.tolist() for _, own in fold_sides(data, 3, seed)]

    assert ids(1) == ids(1) != ids(2)


def test_too_few_images_are_one_sentence() -> None:
    """Else two images end in a traceback."""
    with pytest.raises(RecipeError, match="too few for 5 folds"):
        list(fold_sides(cells([1, 1]), 5, 0))


@pytest.mark.parametrize(
    ("best", "median"), [([3], 3), ([1, 9, 2], 2), ([2, 3], 3), ([4, 4, 5, 6], 5), ([0, 0], 1)]
)
def test_the_median_is_a_number_of_epochs(best: list[int], median: int) -> None:
    """Else one odd fold decides, or nothing is trained at all."""
    after = after_folds(Phase("head", 50, 1e-3, folds=len(best), patience=2), best)
    assert (after.epochs, after.validation, after.folds, after.patience) == (median, False, 0, None)

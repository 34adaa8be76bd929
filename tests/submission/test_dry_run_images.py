"""Which images a dry run asks about, and how many of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset, from_arrays, split, synthetic
from codabench_rehearsal.images.splitting import Split
from codabench_rehearsal.rehearsal.questions import (
    Images,
    Interview,
    drawn_images,
    given_images,
    rows_in_time,
    small_groups,
    splits_beside,
)

CHALLENGE = load_challenge()


@pytest.mark.parametrize("shape", [(96, 96, 3), (28, 28, 1), (8, 40, 3), (300, 520, 3)])
def test_drawn_images_have_the_challenges_size(shape: tuple[int, int, int]) -> None:
    """Else only one challenge could be rehearsed without data."""
    drawn = drawn_images(replace(CHALLENGE, shape=shape), seed=0)
    assert drawn.values.shape[1:] == shape
    assert drawn.values.dtype == np.uint8
    assert drawn.labels is None
    assert len(drawn.plain) + len(drawn.odd) == len(drawn.values)
    darkest = drawn.values[drawn.odd].reshape(len(drawn.odd), -1).max(axis=1)
    assert darkest.min() <= 3
    assert (darkest < 200).sum() >= 4


def test_images_that_were_learnt_are_left_out(tmp_path: Path) -> None:
    """Else a model that learnt them by heart would look better than it is."""
    data = synthetic(120, seed=2, size=16)
    made = split(data, 0.3, seed=1)
    made.save(tmp_path / "submission.split.json")
    held_out = {image.tobytes() for image in made.validation.images}
    chosen = given_images(data, splits_beside(tmp_path / "submission.zip"), seed=0)
    assert len(chosen.plain) == len(made.validation)
    assert {image.tobytes() for image in chosen.values[chosen.plain]} == held_out
    assert "held out by submission.split.json" in chosen.note
    assert "may have been trained" in given_images(data, (), seed=0).note
    assert (
        "it was trained" in given_images(made.train, [tmp_path / "submission.split.json"], 0).note
    )


def test_images_that_are_said_to_be_held_out(tmp_path: Path) -> None:
    """Else the user's word would count for nothing, or for more than a split."""
    data = synthetic(60, seed=2, size=16)
    made = split(data, 0.3, seed=1)
    made.save(tmp_path / "split.json")
    assert "--held-out if it has not" in given_images(data, (), 0).note
    told = given_images(data, (), 0, held_out=True)
    assert "held out, as you say" in told.note
    assert "may have been trained" not in told.note
    assert len(given_images(data, [tmp_path / "split.json"], 0, held_out=True).plain) == len(
        made.validation
    )
    learnt = given_images(made.train, [tmp_path / "split.json"], 0, held_out=True)
    assert "it was trained" in learnt.note


def test_the_note_holds_what_was_said_of_the_data() -> None:
    """Else images converted, or left out as copies, would change a verdict in silence."""
    data = synthetic(24, seed=2, size=16)
    images = np.concatenate([data.images, data.images[:3]]).astype(np.float32) / 255
    labels = np.concatenate([data.labels, data.labels[:3]])[:, None, None]
    note = given_images(from_arrays(images, labels), (), 0).note
    assert note.startswith("24 images of the arrays")
    assert "converted from float32 0..1 to uint8, rounded; Labels of shape (27, 1, 1)" in note
    assert "; 3 duplicate, conflicting or blended images left out)" in note


def test_copies_on_both_sides_do_not_count_as_held_out(tmp_path: Path) -> None:
    """Else a split with one copy too many would refuse the dry run."""
    data = synthetic(40, seed=2, size=16)
    Split(data.subset(range(30)), data.subset(range(25, 40)), 0, 0.5).save(tmp_path / "split.json")
    chosen = given_images(data, [tmp_path / "split.json"], 0)
    assert len(chosen.plain) == 10
    assert "5 images are on both sides of split.json" in chosen.note


def test_given_images_are_even_and_keep_their_labels() -> None:
    """Else a rare class would never be asked about, or accuracy be that of other images."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), [400, 30, 30, 30, 30, 30, 30, 30])
    pictures = rng.integers(0, 256, (len(labels), 6, 6, 3), np.uint8)
    pictures[:, 0, 0, 0] = labels
    chosen = given_images(Dataset(pictures, labels, np.arange(len(labels))), (), seed=3)
    assert chosen.labels is not None
    assert len(chosen.plain) == 200
    assert np.bincount(chosen.labels[chosen.plain]).min() >= 24
    assert (chosen.values[chosen.plain, 0, 0, 0] == chosen.labels[chosen.plain]).all()


@given(st.integers(1, 300), st.floats(0.001, 1000))
def test_slow_models_are_asked_about_fewer_images(count: int, seconds: float) -> None:
    """Else a dry run of a slow model would take as long as the platform's run."""
    made = Interview(None, Images(np.zeros((count, 2, 2, 3), np.uint8), np.arange(0), None, ""))  # type: ignore[arg-type]  # it is not asked anything
    rows = rows_in_time(made, seconds)
    assert 0 < len(rows) <= count
    assert seconds < 5 or len(rows) * seconds / count <= 5 or len(rows) <= 16


def test_small_blocks_hold_each_odd_image_alone() -> None:
    """Else a guard on the brightest value of a batch would never see a dark batch."""
    groups = small_groups(np.array([1, 7]), np.arange(60))
    alone = {int(group[0]) for group in groups if len(group) == 1}
    assert {1, 7} < alone
    assert {len(group) for group in groups} == {1, 3, 7}
    rows = np.concatenate(groups)
    assert len(np.unique(rows)) == len(rows)

"""Drawn cells: the same from the same seed, different from each other, hard enough."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset, clean, synthetic
from codabench_rehearsal.images.kinds import ALL, KINDS


def test_shape_types_and_ids(drawn: Dataset) -> None:
    """The embedded default data set does not fit the challenge's format."""
    assert drawn.images.shape == (200, 96, 96, 3)
    assert drawn.ids.tolist() == list(range(200))
    assert set(drawn.labels.tolist()) == set(range(8))
    assert KINDS[0] == "basophil"
    assert len(KINDS) == 8


def test_same_seed_same_bytes_in_another_process(drawn: Dataset) -> None:
    """Two machines or runs measure on different images."""
    program = (
        "from codabench_rehearsal import images; print(images.synthetic(40, seed=1).fingerprint())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert answer == drawn.subset(range(40)).fingerprint()


def test_a_longer_set_begins_with_the_shorter(drawn: Dataset) -> None:
    """`--images` more gives other images, and stored answers are lost."""
    assert synthetic(15, seed=1).fingerprint() == drawn.subset(range(15)).fingerprint()


def test_seeds_share_no_image(drawn: Dataset) -> None:
    """Training and test sets drawn from two seeds overlap."""
    other = synthetic(30, seed=2)
    assert not set(other.fingerprints()) & set(drawn.fingerprints())


def test_nothing_in_it_needs_cleaning(drawn: Dataset) -> None:
    """Drawn cells repeat each other."""
    kept, report = clean(drawn)
    assert len(kept) == 200
    assert report.near_count == 0


@pytest.mark.parametrize("n", [80, 400])
def test_class_frequencies(n: int) -> None:
    """Rare kinds are missing in short sets, or shares are not the challenge's."""
    shares = np.array([kind.share for kind in ALL]) / sum(kind.share for kind in ALL)
    labels = synthetic(n, size=16).labels
    assert np.abs(np.bincount(labels, minlength=8) - n * shares).max() < 3
    balanced = synthetic(n, size=16, balanced=True).labels
    assert np.abs(np.bincount(balanced, minlength=8) - n / 8).max() < 3


@pytest.mark.parametrize("size", [16, 28, 64, 131])
def test_other_sizes(size: int) -> None:
    """Cells at another size are cut, empty or fail to draw."""
    dataset = synthetic(16, size=size)
    assert dataset.images.shape == (16, size, size, 3)
    assert (dataset.images.std(axis=(1, 2, 3)) > 10).all()


def test_fewer_classes() -> None:
    """A challenge with fewer classes gets labels that it does not have."""
    assert set(synthetic(40, size=16, classes=3).labels.tolist()) == {0, 1, 2}


def test_tones_are_those_of_smears(drawn: Dataset) -> None:
    """Drawn cells drift away from real ones: brightness, colours, contrast."""
    mean = drawn.images.mean(axis=(0, 1, 2))
    assert np.abs(mean - [203, 170, 178]).max() < 20  # real cells: 203, 168, 178
    assert 40 < drawn.images[..., 0].std() < 70  # real cells: 58


def test_colour_alone_does_not_tell_the_kinds(drawn: Dataset) -> None:
    """The task is so easy that every model scores 1.000 on it, whatever its faults."""
    colours = drawn.images.mean(axis=(1, 2))
    centres = np.stack([colours[drawn.labels == kind].mean(axis=0) for kind in range(8)])
    nearest = ((colours[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.3 < (nearest == drawn.labels).mean() < 0.75

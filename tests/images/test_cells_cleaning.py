"""Finding copies, contradictions and outliers, and leaving out just these."""

from __future__ import annotations

import json
import time
from typing import Any

import cv2
import numpy as np
import pytest

from codabench_rehearsal.images import DataError, Dataset, clean
from codabench_rehearsal.images.cleaning import near_pairs


@pytest.fixture(scope="module")
def dirty(drawn: Dataset) -> Dataset:
    """Two hundred cells with what is wrong with the challenge's file, in small.

    Rows 10 and 50 repeat rows 3 and 4, row 60 repeats row 5 under another label, then come 48 and
    24 copies of two blends, and row 272, which is row 0 slightly brighter. Ids are rows plus 1000.
    """
    images, labels = drawn.images.copy(), drawn.labels.copy()
    for first, copy in ((3, 10), (4, 50), (5, 60)):
        images[copy], labels[copy] = images[first], labels[first]
    labels[60] = (labels[5] + 1) % 8
    blends = [images[0] // 2 + images[1] // 2, images[2] // 2 + images[6] // 2]
    near = np.clip(images[0].astype(int) + 4, 0, 255).astype(np.uint8)
    images = np.concatenate(
        [images, *(blends[k][None].repeat(n, 0) for k, n in enumerate((48, 24))), near[None]]
    )
    labels = np.concatenate([labels, np.repeat(np.arange(8), 6), np.full(24, 5), labels[:1]])
    return Dataset(images, labels, np.arange(len(images)) + 1000)


def test_what_is_found_and_dropped(dirty: Dataset) -> None:
    """Copies or blended outliers stay in the training data, or good cells are lost."""
    kept, report = clean(dirty)
    assert {group.ids for group in report.duplicates} == {(1003, 1010), (1004, 1050)}
    assert [group.ids for group in report.conflicts] == [(1005, 1060)]
    assert [len(group.ids) for group in report.outliers] == [48, 24]
    assert [group.labels for group in report.outliers] == [tuple(range(8)), (5,)]
    assert report.dropped == (1005, 1010, 1050, 1060, *range(1200, 1272))
    assert [pair.ids for pair in report.near_duplicates] == [(1000, 1272)]
    assert kept.ids.tolist() == sorted(set(dirty.ids.tolist()) - set(report.dropped))
    assert report == clean(dirty)[1]


def test_cleaning_twice_changes_nothing(dirty: Dataset) -> None:
    """A second cleaning, on the way from a team's own cleaned file, drops more images."""
    kept, _ = clean(dirty)
    again, report = clean(kept)
    assert report.dropped == ()
    assert again.fingerprint() == kept.fingerprint()


def test_report_for_people_and_machines(dirty: Dataset) -> None:
    """The report does not say what was dropped, or cannot be stored."""
    report = clean(dirty)[1]
    text = "\n".join(report.lines())
    for part in (
        "273 images: 197 kept, 76 dropped",
        "4 in 2 groups of identical images, one label: all but the first dropped",
        "1003 = 1010",
        "2 in 1 groups of identical images, different labels: all dropped",
        "48 times the same outlier under 8 different labels: all dropped; ids 1200..1247",
        "24 times the same outlier under label 5: all dropped",
        "1 pairs nearly alike (within 8 grey levels): kept, look at 1000 = 1272",
    ):
        assert part in text
    stored = json.loads(json.dumps(report.to_json()))
    assert stored["near_duplicates"][0]["ids"] == [1000, 1272]
    assert stored["conflicts"] == [
        {"ids": [1005, 1060], "labels": sorted(dirty.labels[[5, 60]].tolist())}
    ]


def test_a_groups_size_decides_what_an_outlier_is(
    dirty: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small groups are called outliers, or large ones kept."""
    monkeypatch.setattr("codabench_rehearsal.images.cleaning.GROUP", 2)
    assert len(clean(dirty)[1].outliers) == 5
    monkeypatch.setattr("codabench_rehearsal.images.cleaning.GROUP", 100)
    report = clean(dirty)[1]
    assert report.outliers == ()
    assert [len(group.ids) for group in report.conflicts] == [2, 48]
    assert 1248 not in report.dropped


def test_isolation_forest_is_off_unless_asked_for(drawn: Dataset) -> None:
    """A picture of something else passes for a cell, or good cells are dropped unasked."""
    images = drawn.images.copy()
    images[7] = np.random.default_rng(0).integers(0, 256, images[7].shape)
    odd = Dataset(images, drawn.labels, drawn.ids)
    assert clean(odd)[1].isolated == ()
    report = clean(odd, isolation=0.02)[1]
    assert 7 in report.isolated
    assert len(report.isolated) == 4
    assert report.dropped == report.isolated
    assert "4 unlike all others: dropped" in "\n".join(report.lines())
    assert clean(odd, isolation=0.02)[1] == report


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_tiny_images_are_cleaned_too(channels: int) -> None:
    """A challenge with grey 28x28 images cannot be cleaned."""
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, channels), np.uint8)
    images[9] = images[2]
    labels = np.zeros(40, np.int64)
    report = clean(Dataset(images, labels, np.arange(40)), isolation=0.1)[1]
    assert [group.ids for group in report.duplicates] == [(2, 9)]


def _brute(images: np.ndarray[Any, np.dtype[np.uint8]], threshold: float) -> set[tuple[int, int]]:
    thumbs = []
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumbs.append(cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).astype(float))
    return {
        (i, j)
        for i, a in enumerate(thumbs)
        for j, b in enumerate(thumbs)
        if i < j and np.sqrt(((a - b) ** 2).mean()) <= threshold
    }


@pytest.mark.parametrize("threshold", [0, 5, 30, 60])
def test_near_pairs_are_all_pairs(
    drawn: Dataset, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near duplicates are missed because of the shortcut that makes the search fast."""
    monkeypatch.setattr("codabench_rehearsal.images.cleaning._BLOCK", 16)
    images = drawn.images[:90].copy()
    images[80] = images[0]
    found = near_pairs(images, threshold)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == _brute(images, threshold)
    assert found.total == len(pairs)
    assert (np.diff(found.distance) >= 0).all()


def test_many_near_pairs_are_counted_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of nearly equal images fills the memory with pairs."""
    monkeypatch.setattr("codabench_rehearsal.images.cleaning.MOST_PAIRS", 7)
    found = near_pairs(np.zeros((50, 32, 32, 3), np.uint8), 1)
    assert (len(found.first), found.total) == (7, 50 * 49 // 2)


def test_near_search_can_be_left_out(dirty: Dataset) -> None:
    """A quick run still spends time on near duplicates."""
    report = clean(dirty, near_threshold=None)[1]
    assert (report.near_duplicates, report.near_count) == ((), 0)
    assert "not looked for" in "\n".join(report.lines())


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"near_threshold": -1}, "near_threshold"),
        ({"near_threshold": float("nan")}, "near_threshold"),
        ({"isolation": 0.5}, "isolation"),
        ({"isolation": -0.1}, "isolation"),
    ],
)
def test_wrong_options(drawn: Dataset, options: dict[str, Any], part: str) -> None:
    """A mistyped option drops all images, or is answered from inside scikit-learn."""
    with pytest.raises(DataError, match=part):
        clean(drawn, **options)


def test_a_file_of_copies_only(drawn: Dataset) -> None:
    """Training starts on an empty data set."""
    copies = Dataset(drawn.images[:1].repeat(30, 0), np.zeros(30, np.int64), np.arange(30))
    with pytest.raises(DataError, match="leaves none of 30"):
        clean(copies)


def test_the_real_file(real: Dataset) -> None:
    """The challenge's outliers or duplicates stay in, or real cells are lost."""
    start = time.monotonic()
    kept, report = clean(real)
    assert time.monotonic() - start < 20  # half a second alone; the machine may be busy
    assert len(report.duplicates) == 6
    assert len(report.conflicts) == 2
    assert all(len(group.ids) == 2 for group in report.duplicates + report.conflicts)
    outliers = sorted(row for group in report.outliers for row in group.ids)
    assert outliers == list(range(4799, 5519))
    assert [group.labels for group in report.outliers] == [tuple(range(8)), (5,)]
    few = {group.ids[1] for group in report.duplicates}
    few |= {row for group in report.conflicts for row in group.ids}
    assert set(report.dropped) == few | set(outliers)
    assert len(kept) == 5519 - 730
    assert report.near_count == 0

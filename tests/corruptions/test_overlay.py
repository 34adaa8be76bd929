"""Blends and masks: formulas, where masks lie, pictures from a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corruptions import CorruptionError, corrupt, corrupt_condition, overlay
from corruptions.chain import condition_revision, validate
from corruptions.pictures import draw_pictures
from corruptions.presets import Condition, Preset, Step
from corruptions.registry import Images
from corruptions.streams import streams

MASKS = ("strip", "bars", "grid", "cutout", "corner_strip")


def flat(count: int = 6, side: int = 96, level: int = 200) -> Images:
    """Images of one grey level."""
    return np.full((count, side, side, 3), level, np.uint8)


def blend_condition(folder: Path | str, name: str = "blend_convex") -> Condition:
    """A condition that blends pictures from a folder."""
    return Condition(f"{name}:3", "overlay", (Step(name, 3),), 1.0, pictures=str(folder))


def save(path: Path, level: int) -> None:
    """Write a flat picture."""
    Image.new("RGB", (50, 40), (level, level, level)).save(path)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_blends_follow_their_formulas(alpha: float) -> None:
    """Blended images, and what recover_overlay() takes them for, would not fit together."""
    rng = np.random.default_rng(0)
    images, pictures = rng.integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
    draws = {"picture": pictures}
    convex = (1 - alpha) * images + alpha * pictures
    shaded = images * (1 - alpha + alpha * pictures / 255)
    assert np.abs(overlay.blend_convex(images, alpha, draws) - convex).max() <= 0.51
    assert np.abs(overlay.blend_multiplicative(images, alpha, draws) - shaded).max() <= 0.51


def test_drawn_pictures_are_many_and_belong_to_their_ids() -> None:
    """All images would carry the same picture, or another one in another batch."""
    ids = np.arange(60)
    pictures = draw_pictures(streams(1, "blend_convex", ids), (48, 40))
    again = draw_pictures(streams(1, "blend_convex", ids[::-1]), (48, 40))
    np.testing.assert_array_equal(pictures, again[::-1])
    assert pictures.shape == (60, 48, 40, 3)
    assert len(np.unique(pictures.reshape(60, -1), axis=0)) == 60


def test_corner_strip_is_the_challenges() -> None:
    """The an2dl-2024 preset would show bars of another width than the hidden set."""
    striped = corrupt(flat(), "corner_strip", 3)
    assert not striped[:, :, :6].any()
    assert not striped[:, -5:].any()
    assert (striped[:, :-5, 6:] == 200).all()


@pytest.mark.parametrize(("side", "left", "bottom"), [(32, 2, 2), (192, 12, 10)])
def test_corner_strip_scales_with_the_side(side: int, left: int, bottom: int) -> None:
    """Small images would lose half of the cell, large ones hardly anything."""
    dark = corrupt(flat(1, side), "corner_strip", 3)[0, :, :, 0] == 0
    assert dark[0].sum() == left
    assert dark[:, -1].sum() == bottom


@pytest.mark.parametrize("name", MASKS)
def test_masks_cover_more_with_severity_but_never_everything(name: str) -> None:
    """A severity would be too mild to notice, or leave nothing of the cell to see."""
    shares = [
        (corrupt(flat(40), name, severity) != 200).any(axis=3).mean() for severity in range(1, 6)
    ]
    assert all(np.diff(shares) > 0)
    assert shares[0] > 0.01
    assert shares[-1] < 0.7


def test_strip_takes_every_edge() -> None:
    """Strips would always lie on the same edge."""
    dark = corrupt(flat(40), "strip", 3)[..., 0] < 100
    edges = {(d[0].all(), d[-1].all(), d[:, 0].all(), d[:, -1].all()) for d in dark}
    assert len(edges) == 4


def test_folder_pictures_are_blended(tmp_path: Path) -> None:
    """A user's own outlier picture would not be the one that is blended in."""
    save(tmp_path / "white.png", 255)
    blended = corrupt_condition(flat(level=100), blend_condition(tmp_path))
    assert np.abs(blended - (0.55 * 100 + 0.45 * 255)).max() <= 0.51


def test_folder_pictures_are_picked_by_id(tmp_path: Path) -> None:
    """A slice of a data set would get other pictures than the whole of it."""
    for level in (0, 80, 160, 240):
        save(tmp_path / f"{level}.png", level)
    condition, images = blend_condition(tmp_path), flat(20)
    whole = corrupt_condition(images, condition, seed=4)
    np.testing.assert_array_equal(
        corrupt_condition(images[7:9], condition, 4, ids=[7, 8]), whole[7:9]
    )
    assert len(np.unique(whole[:, 0, 0, 0])) == 4


def test_revision_follows_the_pictures(tmp_path: Path) -> None:
    """Stored answers would be taken for answers on the new pictures."""
    save(tmp_path / "a.png", 10)
    condition = blend_condition(tmp_path)
    images, before = corrupt_condition(flat(1), condition), condition_revision(condition)
    save(tmp_path / "a.png", 240)
    assert condition_revision(condition) != before
    assert (corrupt_condition(flat(1), condition) > images).all()


def _nothing(folder: Path) -> Path:
    return folder / "missing"


def _empty(folder: Path) -> Path:
    (folder / "notes.txt").write_text("no picture")
    return folder


def _broken(folder: Path) -> Path:
    (folder / "bad.png").write_bytes(b"not a picture")
    return folder


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_nothing, ["expected a folder", "missing"]),
        (_empty, ["holds no picture", ".png"]),
        (_broken, ["cannot read", "bad.png"]),
    ],
)
def test_folder_faults_are_named(
    prepare: Callable[[Path], Path], words: list[str], tmp_path: Path
) -> None:
    """Users would not learn which file to mend."""
    condition = blend_condition(prepare(tmp_path))
    with pytest.raises(CorruptionError) as caught:
        corrupt_condition(flat(1), condition)
    assert all(word in str(caught.value) for word in words)


def test_validate_finds_a_missing_folder(tmp_path: Path) -> None:
    """The mistake would show only when the benchmark is half done."""
    preset = Preset("mine", (blend_condition(tmp_path / "gone"),), 1, "")
    with pytest.raises(CorruptionError, match=r"mine.*blend_convex:3.*gone"):
        validate(preset)

"""Shear, translate, rotate: KerasCV's pixels, reflected borders, per-image draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corruptions import operations
from corruptions.registry import Images, Operation, get
from corruptions.streams import streams

KERASCV = np.load(Path(__file__).with_name("kerascv_0_9_0.npz"))  # tools/kerascv_outputs.py
OPERATIONS: dict[str, Operation] = {
    "shear_x": operations.shear_x,
    "shear_y": operations.shear_y,
    "translate_x": operations.translate_x,
    "translate_y": operations.translate_y,
    "rotate": operations.rotate,
}


def noise(count: int = 4, height: int = 40, width: int = 48) -> Images:
    """Images without any structure."""
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("name", OPERATIONS)
def test_same_pixels_as_kerascv(name: str) -> None:
    """A benchmark meant to look like the teams' KerasCV pipelines would not."""
    value = KERASCV["value"].astype(float)
    value = np.degrees(value * 4) if name == "rotate" else value
    warped = OPERATIONS[name](KERASCV["images"], value)
    assert np.abs(warped.astype(int) - KERASCV[name]).max() <= 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_value_zero_changes_nothing(name: str) -> None:
    """The mildest draw would blur or shift an image."""
    images = noise()
    np.testing.assert_array_equal(OPERATIONS[name](images, np.zeros(4)), images)


@pytest.mark.parametrize(("name", "axis"), [("translate_y", 1), ("translate_x", 2)])
@pytest.mark.parametrize("pixels", [-7, 5, 60])
def test_borders_are_reflected_about_the_last_pixel(name: str, axis: int, pixels: int) -> None:
    """Shifted images would show black or smeared borders, which the hidden set does not."""
    images = noise()
    side = images.shape[axis]
    source = np.arange(side) - pixels
    source = np.where(source % (2 * side) < side, source % side, side - 1 - source % side)
    expected = np.take(images, source, axis=axis)
    moved = OPERATIONS[name](images, np.full(4, pixels / side))
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotation_turns_counter_clockwise(turns: int) -> None:
    """Angles would be taken for something else than degrees about the centre."""
    images = noise(height=33, width=33)
    turned = operations.rotate(images, np.full(4, 90.0 * turns))
    np.testing.assert_array_equal(turned, np.rot90(images, turns, axes=(1, 2)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_both_directions_are_drawn(name: str) -> None:
    """All images would lean the same way, and a model could learn that."""
    drawn = get(name).draw(streams(0, name, np.arange(1000)), (96, 96), 0.4)["value"]
    assert 0.45 < (drawn > 0).mean() < 0.55
    assert 0.3 <= np.abs(drawn).min() < np.abs(drawn).max() <= 0.5

"""Point operations against PIL and KerasCV, and what their severities do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from corruptions import corrupt, operations
from corruptions.registry import Images, Operation

KERASCV = np.load(Path(__file__).with_name("kerascv_0_9_0.npz"))  # tools/kerascv_outputs.py
COUNT = len(KERASCV["images"])


def smooth(count: int = 3, side: int = 48) -> Images:
    """Images with uneven histograms that do not reach 0 or 255."""
    draws = np.random.default_rng(5).normal((90, 130, 170), (15, 25, 10), (count, side, side, 3))
    return np.clip(draws, 20, 230).astype(np.uint8)


def by_pil(images: Images, function: Callable[[Image.Image], Image.Image]) -> Images:
    """PIL applied to each image."""
    return np.stack([np.asarray(function(Image.fromarray(image))) for image in images])


def _value(name: str) -> NDArray[np.float64]:
    value: NDArray[np.float64] = KERASCV["value"].astype(float)
    table: dict[str, NDArray[np.float64]] = {
        "autocontrast": np.zeros(COUNT),
        "equalize": np.ones(COUNT),
        "solarize": KERASCV["pair"].astype(float),
        "color": abs(value),
        "adjust_contrast": 1 + value,
        "adjust_brightness": value,
    }
    return table[name]


@pytest.mark.parametrize(
    "operation",
    [
        operations.autocontrast,
        operations.equalize,
        operations.solarize,
        operations.color,
        operations.adjust_contrast,
        operations.adjust_brightness,
    ],
)
def test_same_levels_as_kerascv(operation: Operation) -> None:
    """A benchmark meant to look like the teams' KerasCV pipelines would not."""
    name = str(operation.__name__)
    levels = operation(KERASCV["images"], _value(name)).astype(int)
    assert np.abs(levels - KERASCV[name]).max() <= (0 if name == "equalize" else 1)


@pytest.mark.parametrize("bits", [1, 2, 4, 7, 8])
def test_posterize_is_pils(bits: int) -> None:
    """Posterized images would keep other levels than everybody's."""
    expected = by_pil(smooth(), lambda image: ImageOps.posterize(image, bits))
    np.testing.assert_array_equal(operations.posterize(smooth(), np.full(3, bits)), expected)


@pytest.mark.parametrize("threshold", [0, 100, 128, 255])
def test_solarize_without_addition_is_pils(threshold: int) -> None:
    """Solarized images would flip at another level than everybody's."""
    values = np.tile([0.0, threshold], (3, 1))
    expected = by_pil(smooth(), lambda image: ImageOps.solarize(image, threshold))
    np.testing.assert_array_equal(operations.solarize(smooth(), values), expected)


def test_invert_is_pils() -> None:
    """Inverted images would be off."""
    np.testing.assert_array_equal(
        operations.invert(smooth(), np.ones(3)), by_pil(smooth(), ImageOps.invert)
    )


def test_equalize_is_pils_where_the_brightest_level_is_the_rarest() -> None:
    """Equalized images would differ for another reason than KerasCV's known one."""
    images = smooth()
    images[:, 0, 0] = 255  # one pixel: no level is rarer
    expected = by_pil(images, ImageOps.equalize)
    np.testing.assert_array_equal(operations.equalize(images, np.ones(3)), expected)


@pytest.mark.parametrize("cutoff", [0, 2, 10])
def test_autocontrast_is_pils_up_to_rounding(cutoff: int) -> None:
    """Stretched images would be stretched between other levels than everybody's."""
    expected = by_pil(smooth(), lambda image: ImageOps.autocontrast(image, cutoff))
    stretched = operations.autocontrast(smooth(), np.full(3, cutoff / 100))
    assert np.abs(stretched.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0])
def test_sharpness_is_pils_up_to_rounding(factor: float) -> None:
    """Sharpened images would get other halos than everybody's."""
    expected = by_pil(smooth(), lambda image: ImageEnhance.Sharpness(image).enhance(factor))
    sharpened = operations.sharpness(smooth(), np.full(3, factor - 1))
    assert np.abs(sharpened.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("operation", [operations.equalize, operations.autocontrast])
@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_channels_stay(operation: Operation, level: int) -> None:
    """A blank image would turn into noise or raise a warning."""
    flat = np.full((2, 32, 32, 3), level, np.uint8)
    np.testing.assert_array_equal(operation(flat, np.array([0.0, 1.0])), flat)


def test_neighbours_do_not_matter() -> None:
    """Equalize would mix histograms over the batch, as Keras 3.15's layer does."""
    images = smooth()
    together = operations.equalize(images, np.ones(3))
    alone = np.concatenate([operations.equalize(images[i : i + 1], np.ones(1)) for i in range(3)])
    np.testing.assert_array_equal(together, alone)


MONOTONE = ("adjust_brightness", "adjust_contrast", "autocontrast", "color", "equalize", "invert")


@pytest.mark.parametrize("name", [*MONOTONE, "posterize", "sharpness"])
def test_severities_rise(name: str) -> None:
    """A higher severity would change less, and curves over severity would be nonsense."""
    images = smooth(32)
    changes = [np.abs(corrupt(images, name, s) - images.astype(float)).mean() for s in range(1, 6)]
    assert all(np.diff(changes) > 0)

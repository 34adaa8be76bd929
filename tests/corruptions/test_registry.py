"""Properties that every registered corruption has, and what wrong calls are told."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np
import pytest

import corruptions
from corruptions import CorruptionError, aug_mix, corrupt_condition, rand_augment
from corruptions.policy import AUG_MIX, RAND_AUGMENT
from corruptions.presets import Condition, resolve
from corruptions.registry import (
    DEFAULT_TABLE,
    Corruption,
    Images,
    all_operators,
    corrupt,
    get,
    names,
    run,
)
from corruptions.streams import streams
from tests.corruptions.drawn_pictures import drawn
from tests.corruptions.reference_draws import NAMES

EVERY = pytest.mark.parametrize("one", all_operators(), ids=lambda op: f"{op.table}/{op.name}")
PICTURES = np.concatenate([drawn(40, 33), drawn(40, 33)[:, ::-1]])


def test_the_nineteen_are_there() -> None:
    """A benchmark after ImageNet-C would lack one of its corruptions."""
    assert set(NAMES) <= set(names())
    families = {get(name).family for name in NAMES}
    assert families == {"noise", "blur", "weather", "digital"}


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@EVERY
def test_every_severity(one: Corruption, severity: int) -> None:
    """A user could not ask for that severity, or would lose the pictures given."""
    given = PICTURES.copy()
    result = corrupt(given, one.name, severity, table=one.table)
    assert result.shape == given.shape
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, given)
    assert np.array_equal(given, PICTURES)


@EVERY
def test_neighbours_do_not_matter(one: Corruption) -> None:
    """A slice, a shuffled set or another worker would see other images than the whole set."""
    ids = np.arange(len(PICTURES)) * 7 + 3
    level = one.severities[2]
    whole = run(one, level, PICTURES, 5, ids)
    order = np.random.default_rng(0).permutation(len(PICTURES))
    assert np.array_equal(run(one, level, PICTURES[order], 5, ids[order]), whole[order])
    assert np.array_equal(run(one, level, PICTURES[4:5], 5, ids[4:5]), whole[4:5])


@EVERY
def test_chunks_do_not_matter(one: Corruption) -> None:
    """The bytes would depend on how many images are worked on at a time."""
    whole = run(one, one.severities[3], PICTURES, 0)
    few = replace(one, chunk_pixels=3 * 40 * 33)
    assert np.array_equal(run(few, one.severities[3], PICTURES, 0), whole)


@EVERY
def test_memory_layout_does_not_matter(one: Corruption) -> None:
    """Read-only arrays and views, as of a memory-mapped file, would fail or differ."""
    view = np.ascontiguousarray(PICTURES.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    view.flags.writeable = False
    level = one.severities[1]
    assert np.array_equal(run(one, level, view, 0), run(one, level, PICTURES, 0))


@EVERY
@pytest.mark.parametrize("size", [(32, 32), (32, 150), (101, 64)], ids=str)
def test_every_size(one: Corruption, size: tuple[int, int]) -> None:
    """Images of another size or shape than the table's own would end in a traceback."""
    pictures = drawn(*size)[:2]
    for level in (one.severities[0], one.severities[4]):
        assert run(one, level, pictures, 0).shape == pictures.shape


def is_random(one: Corruption) -> bool:
    """Whether what the corruption draws at severity 3 differs between images."""
    drawn_values = one.draw(streams(0, one.name, np.arange(12)), (40, 33), one.severities[2])
    return any((values != values[:1]).any() for values in drawn_values.values())


@EVERY
def test_seed_step_and_id_give_other_draws(one: Corruption) -> None:
    """Two seeds, two steps of a chain or two images would share their randomness."""
    same = np.repeat(PICTURES[:1], 12, axis=0)
    level = one.severities[2]
    first = run(one, level, same, seed=1)
    others = [run(one, level, same, seed=2), run(one, level, same, seed=1, step=1), first[::-1]]
    for other in others:
        assert np.array_equal(first, other) is not is_random(one)


@EVERY
def test_no_images(one: Corruption) -> None:
    """An empty selection would crash a run."""
    assert run(one, one.severities[0], PICTURES[:0], 0).shape == (0, 40, 33, 3)
    assert run(one, one.severities[0], PICTURES[:0, ..., 0], 0).shape == (0, 40, 33)


@EVERY
def test_grey_images_are_corrupted_as_rgb(one: Corruption) -> None:
    """Grey data sets would be refused, or come back with channels or another damage."""
    grey = np.ascontiguousarray(PICTURES[..., 1])
    result = run(one, one.severities[2], grey, 3)
    colored = run(one, one.severities[2], np.stack([grey] * 3, axis=3), 3)
    luma = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in colored]
    assert result.dtype == np.uint8
    assert np.array_equal(result, np.stack(luma))


SIZES = [(28, 28), (31, 40), (40, 7), (1, 1), (2, 100), (40, 33)]


def as_local_eval(pictures: Images, condition: Condition, seed: int) -> Images:
    """What a benchmark did of old: RGB with mirrored borders, the whole chain, cropped, the luma."""
    height, width, channels = pictures.shape[1:]
    top, left = (max(32 - side, 0) // 2 for side in (height, width))
    bottom, right = max(32 - height, 0) - top, max(32 - width, 0) - left
    colored = np.repeat(pictures, 3, axis=3) if channels == 1 else pictures
    larger = np.pad(colored, [(0, 0), (top, bottom), (left, right), (0, 0)], mode="reflect")
    seen = corrupt_condition(larger, condition, seed)[:, top : top + height, left : left + width]
    if channels == 3:
        return seen
    luma = [cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in seen]
    return np.asarray(luma, np.uint8).reshape(pictures.shape)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("chain", ["fog:3", "gaussian_noise:2+saturate:4+glass_blur:1"])
def test_small_and_grey_images_as_in_a_benchmark(
    size: tuple[int, int], channels: int, chain: str
) -> None:
    """A 28x28 grey challenge could be rehearsed, but not trained for with the same damage."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, *size, channels), dtype=np.uint8)
    condition = resolve(chain).conditions[0]
    result = corrupt_condition(pictures, condition, seed=4)
    assert result.shape == pictures.shape
    assert np.array_equal(result, as_local_eval(pictures, condition, 4))
    assert np.array_equal(corrupt_condition(pictures[1:2], condition, 4, [1])[0], result[1])
    if channels == 1 and size[1] > 3:  # narrower ones without channels pass for a single image
        assert np.array_equal(corrupt_condition(pictures[..., 0], condition, 4), result[..., 0])
    if len(condition.steps) == 1:
        assert np.array_equal(corrupt(pictures, "fog", 3, seed=4), result)


@EVERY
def test_every_corruption_takes_small_and_grey_images(one: Corruption) -> None:
    """One corruption would end in a traceback where the others work, or return three channels."""
    for pictures in (PICTURES[:2, :9, :, :1], PICTURES[:2, :28, :28], PICTURES[:0, :5, :5, :1]):
        given = pictures.copy()
        result = run(one, one.severities[4], pictures, 1)
        assert result.shape == given.shape
        assert result.dtype == np.uint8
        assert np.array_equal(pictures, given)


def test_colour_does_nothing_to_grey_images() -> None:
    """The docstring promises what a change of colour does to a grey image."""
    grey = PICTURES[..., :1]
    for name, table in (("hue", "pcam"), ("color", DEFAULT_TABLE)):
        assert np.array_equal(corrupt(grey, name, 5, table=table), grey)
    assert (corrupt(grey, "saturate", 5) <= grey).all()


def test_grey_images_everywhere() -> None:
    """One function of the room would refuse what the others take."""
    grey = PICTURES[..., 0]
    assert rand_augment(grey, **asdict(RAND_AUGMENT["kerascv"])).shape == grey.shape
    assert aug_mix(grey, **asdict(AUG_MIX["kerascv"])).shape == grey.shape
    chain = resolve("fog:3+jpeg_compression:2").conditions[0]
    assert corrupt_condition(grey, chain).shape == grey.shape
    assert np.array_equal(corrupt_condition(grey, resolve("clean").conditions[0]), grey)
    assert corrupt(grey[:2], "snow", 1, engine="reference").shape == grey[:2].shape
    every_level = np.arange(40 * 33, dtype=np.uint8).reshape(1, 40, 33)
    still = replace(get("fog"), draw=lambda *_: {}, apply=lambda images, *_: images)
    assert np.array_equal(run(still, 0, every_level, 0), every_level)


@pytest.mark.parametrize("name", ["glass_blur", "impulse_noise", "snow", "pixelate"])
def test_reference_engine(name: str) -> None:
    """The slow engine would depend on the batch, or disturb the caller's random numbers."""
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.RandomState(3).uniform(size=4)
    whole = corrupt(PICTURES[:3], name, 2, engine="reference")
    assert np.array_equal(np.random.uniform(size=4), expected)  # noqa: NPY002
    assert np.array_equal(corrupt(PICTURES[1:2], name, 2, ids=[1], engine="reference")[0], whole[1])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "list": ({"images": [[0]]}, "numpy array"),
    "float": ({"images": PICTURES / 255}, "uint8"),
    "one image": ({"images": PICTURES[0]}, r"\(n, h, w, 3\).*image\[None\]"),
    "one grey image": ({"images": PICTURES[0, ..., 0]}, r"\(n, h, w\).*image\[None\]"),
    "four channels": ({"images": PICTURES[..., [0, 1, 2, 0]]}, r"shape \(n, h, w, 3\)"),
    "two channels": ({"images": PICTURES[..., :2]}, r"\(n, h, w, 1\) or \(n, h, w\) for grey"),
    "no pixels": ({"images": PICTURES[:, :0]}, "must have pixels"),
    "typing error": ({"name": "gausian_noise"}, "Did you mean gaussian_noise"),
    "nonsense": ({"name": "xyzzy"}, "Known: "),
    "severity 0": ({"severity": 0}, "from 1"),
    "severity 6": ({"severity": 6}, "from 1"),
    "severity 5.5": ({"severity": 5.5}, "from 1"),
    "severity nan": ({"severity": float("nan")}, "from 1"),
    "severity True": ({"severity": True}, "a number"),
    "between, reference": ({"severity": 2.5, "engine": "reference"}, "whole severities"),
    "seed": ({"seed": 1.5}, "seed"),
    "too few ids": ({"ids": [1, 2]}, "one integer for each"),
    "float ids": ({"ids": np.arange(10) / 2}, "one integer for each"),
    "table": ({"table": "tinny"}, "Did you mean 'tiny'"),
    "engine": ({"engine": "fast"}, "engine"),
    "no reference": ({"name": "solarize", "engine": "reference"}, "no reference"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_calls(change: dict[str, Any], message: str) -> None:
    """A user would not learn what to change."""
    call: dict[str, Any] = {"images": PICTURES, "name": "fog", "severity": 3} | change
    with pytest.raises(CorruptionError, match=message):
        corrupt(**call)


def test_public_door() -> None:
    """`from corruptions import corrupt` is what the documentation shows."""
    pictures: Images = PICTURES[:2]
    assert np.array_equal(corruptions.corrupt(pictures, "fog", 1), corrupt(pictures, "fog", 1))

"""Properties that every registered corruption has, and what wrong calls are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import corruptions
from corruptions import CorruptionError, registry
from corruptions.registry import Images, corrupt, get, names
from corruptions.streams import streams
from tests.corruptions.drawn_pictures import drawn
from tests.corruptions.reference_draws import NAMES

ALL = names()
PICTURES = np.concatenate([drawn(40, 33), drawn(40, 33)[:, ::-1]])


def test_the_nineteen_are_there() -> None:
    """A benchmark after ImageNet-C would lack one of its corruptions."""
    assert set(NAMES) <= set(ALL)
    families = {get(name).family for name in NAMES}
    assert families == {"noise", "blur", "weather", "digital"}


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ALL)
def test_every_severity(name: str, severity: int) -> None:
    """A user could not ask for that severity, or would lose the pictures given."""
    given = PICTURES.copy()
    result = corrupt(given, name, severity)
    assert result.shape == given.shape
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, given)
    assert np.array_equal(given, PICTURES)


@pytest.mark.parametrize("name", ALL)
def test_neighbours_do_not_matter(name: str) -> None:
    """A slice, a shuffled set or another worker would see other images than the whole set."""
    ids = np.arange(len(PICTURES)) * 7 + 3
    whole = corrupt(PICTURES, name, 3, seed=5, ids=ids)
    order = np.random.default_rng(0).permutation(len(PICTURES))
    assert np.array_equal(corrupt(PICTURES[order], name, 3, 5, ids[order]), whole[order])
    assert np.array_equal(corrupt(PICTURES[4:5], name, 3, 5, ids[4:5]), whole[4:5])


@pytest.mark.parametrize("name", ALL)
def test_chunks_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes would depend on how many images are worked on at a time."""
    whole = corrupt(PICTURES, name, 4)
    monkeypatch.setattr(registry, "CHUNK_PIXELS", 3 * 40 * 33)
    assert np.array_equal(corrupt(PICTURES, name, 4), whole)


@pytest.mark.parametrize("name", ALL)
def test_memory_layout_does_not_matter(name: str) -> None:
    """Read-only arrays and views, as of a memory-mapped file, would fail or differ."""
    view = np.ascontiguousarray(PICTURES.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    view.flags.writeable = False
    assert np.array_equal(corrupt(view, name, 2), corrupt(PICTURES, name, 2))


def is_random(name: str) -> bool:
    """Whether what the corruption draws at severity 3 differs between images."""
    operator = get(name)
    drawn_values = operator.draw(streams(0, name, np.arange(12)), (40, 33), operator.severities[2])
    return any((values != values[:1]).any() for values in drawn_values.values())


@pytest.mark.parametrize("name", ALL)
def test_seed_step_and_id_give_other_draws(name: str) -> None:
    """Two seeds, two steps of a chain or two images would share their randomness."""
    same = np.repeat(PICTURES[:1], 12, axis=0)
    first = corrupt(same, name, 3, seed=1)
    others = [corrupt(same, name, 3, seed=2), corrupt(same, name, 3, seed=1, step=1), first[::-1]]
    for other in others:
        assert np.array_equal(first, other) is not is_random(name)


@pytest.mark.parametrize("name", ALL)
def test_no_images(name: str) -> None:
    """An empty selection would crash a run."""
    assert corrupt(PICTURES[:0], name, 1).shape == (0, 40, 33, 3)


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
    "one image": ({"images": PICTURES[0]}, r"shape \(n, h, w, 3\)"),
    "grey": ({"images": PICTURES[..., :1]}, r"shape \(n, h, w, 3\)"),
    "small": ({"images": PICTURES[:, :20]}, "at least 32"),
    "typing error": ({"name": "gausian_noise"}, "Did you mean gaussian_noise"),
    "nonsense": ({"name": "xyzzy"}, "Known: "),
    "severity 0": ({"severity": 0}, "from 1"),
    "severity 6": ({"severity": 6}, "from 1"),
    "severity 2.5": ({"severity": 2.5}, "integer"),
    "severity True": ({"severity": True}, "integer"),
    "seed": ({"seed": 1.5}, "seed"),
    "too few ids": ({"ids": [1, 2]}, "one integer for each"),
    "float ids": ({"ids": np.arange(10) / 2}, "one integer for each"),
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

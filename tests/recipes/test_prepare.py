"""Sides, sizes, class weights, and pictures out of blended outliers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset, read_split, synthetic
from codabench_rehearsal.images.dataset import from_arrays
from codabench_rehearsal.recipes.prepare import (
    Prepared,
    class_weights,
    prepare,
    recover_overlay,
    resized,
)
from codabench_rehearsal.recipes.system import RecipeError, System, changed, load_system

ROOT = Path(__file__).parents[2]
CELLS = synthetic(240, seed=11)
BASE = load_system("baseline")


def system(**values: Any) -> System:
    """The baseline with other values."""
    return changed(BASE, values)


def prepared(data: Dataset = CELLS, seed: int = 0, **values: Any) -> Prepared:
    """Eight classes of images, made ready for the baseline with other values."""
    return prepare(system(**values), data, 8, seed)


def with_outliers(picture: NDArray[np.uint8], cell: int, *, cell_too: bool = True) -> Dataset:
    """The cells, and 30 times one of them blended half and half with a picture."""
    mixed = np.rint(0.5 * CELLS.images[cell] + 0.5 * picture).astype(np.uint8)
    kept = np.arange(len(CELLS)) != (-1 if cell_too else cell)
    images = np.concatenate([CELLS.images[kept], np.repeat(mixed[None], 30, axis=0)])
    labels = np.concatenate([CELLS.labels[kept], np.arange(30) % 8])
    return from_arrays(images, labels)


def stripes() -> NDArray[np.uint8]:
    """A picture of broad stripes."""
    x = np.arange(96)[None, :, None] // 12 % 2
    return np.broadcast_to(x * np.array([250, 40, 120]), (96, 96, 3)).astype(np.uint8)


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0.0), (0.1, 0.1), (0.2, 0.3)])
def test_sides_share_no_image(validation: float, test: float) -> None:
    """Accuracy would be measured on what was trained on."""
    ready = prepared(validation=validation, test=test)
    sides = [one for one in (ready.train, ready.validation, ready.test) if one is not None]
    prints = [set(one.fingerprints()) for one in sides]
    assert (ready.test is None) == (test == 0)
    assert sum(map(len, prints)) == len(set().union(*prints)) == len(CELLS)
    assert len(ready.validation) == pytest.approx(validation * len(CELLS), abs=8)
    for one in sides:
        assert set(one.labels) == set(range(8))


def test_split_json_holds_what_was_held_out(tmp_path: Path) -> None:
    """local-eval would call images new that chose the best epoch, or know none of them."""
    ready = prepared(test=0.1, validation=0.1, side=64)
    ready.split.save(tmp_path / "split.json")
    assert ready.test is not None
    record = read_split(tmp_path / "split.json")
    held = np.isin(CELLS.ids, np.concatenate([ready.validation.ids, ready.test.ids]))
    np.testing.assert_array_equal(record.side(CELLS) == "validation", held)
    np.testing.assert_array_equal(record.side(CELLS) == "train", ~held)


def test_a_seed_gives_one_split() -> None:
    """Two runs could not be compared, or a seed would change nothing."""
    np.testing.assert_array_equal(prepared().train.ids, prepared().train.ids)
    assert set(prepared().train.ids) != set(prepared(seed=1).train.ids)


def test_copies_and_outliers_go() -> None:
    """Blended images under wrong labels would be learnt."""
    ready = prepared(with_outliers(stripes(), 3))
    assert len(ready.train) + len(ready.validation) == len(CELLS)
    assert ready.pictures is None
    assert any("30 times the same outlier" in line for line in ready.lines)


def test_the_forest_drops_its_share() -> None:
    """MadaPenguins' cleaning would be left out."""
    ready = prepared(isolation=0.05)
    assert len(ready.train) + len(ready.validation) == pytest.approx(0.95 * len(CELLS), abs=1)


@pytest.mark.parametrize("side", [None, 96, 64, 120])
def test_images_get_the_side(side: int | None) -> None:
    """The network would be built for another size than the zip feeds it."""
    ready = prepared(side=side, test=0.1)
    assert ready.test is not None
    for one in (ready.train, ready.validation, ready.test):
        assert one.images.shape[1:] == (side or 96, side or 96, 3)
        assert one.images.dtype == np.uint8
    told = any("resized" in line for line in ready.lines)
    assert told == (side in (64, 120))


def test_class_weights_are_inverse_and_one_in_the_mean() -> None:
    """Rare classes would count too little, or the learning rate would mean something else."""
    labels = np.repeat([0, 1, 3], [10, 30, 60])
    weights = class_weights(labels, 4)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights[[0, 1, 3]], [100 / 30, 100 / 90, 100 / 180], rtol=1e-6)
    assert weights[2] == 0
    assert weights[labels].mean() == pytest.approx(1)


def test_class_weights_are_of_the_training_side() -> None:
    """Held-out images would take part in training."""
    ready = prepared(class_weights=True)
    assert ready.weights is not None
    np.testing.assert_array_equal(ready.weights, class_weights(ready.train.labels, 8))
    assert prepared().weights is None


def test_lines_say_what_was_done() -> None:
    """Users would not see how many images of which class are left."""
    ready = prepared(test=0.1, side=64, class_weights=True)
    assert ready.test is not None
    text = "\n".join(ready.lines)
    assert f"{len(ready.train)} images to train on, {len(ready.validation)} to validate" in text
    assert f"{len(ready.test)} to test" in text
    assert ", ".join(map(str, np.bincount(ready.train.labels))) in text
    assert "class weights" in text


def test_a_missing_class_is_said() -> None:
    """The network would never answer a class, and nobody would know why."""
    data = CELLS.subset(CELLS.labels != 5)
    assert any("class [5]" in line for line in prepared(data).lines)


def _grey() -> Dataset:
    return Dataset(CELLS.images[..., :1], CELLS.labels, CELLS.ids)


def _tiny() -> Dataset:
    return Dataset(CELLS.images[:, :28, :28], CELLS.labels, CELLS.ids)


def _beyond() -> Dataset:
    return Dataset(CELLS.images, CELLS.labels + 3, CELLS.ids)


def _one_class() -> Dataset:
    return CELLS.subset(CELLS.labels == 2)


def _one_each() -> Dataset:
    return CELLS.subset(np.unique(CELLS.labels, return_index=True)[1])


@pytest.mark.parametrize(
    ("data", "values", "words"),
    [
        (_grey, {"recover": True}, "of colour images only"),
        (_beyond, {}, r"expected labels 0\.\.7, received 3\.\.10"),
        (_one_class, {}, "one label"),
        (_one_each, {}, "too few to train on"),
        (_one_each, {"test": 0.2}, "too few to train on"),
    ],
)
def test_unfit_images_are_refused(data: Any, values: dict[str, Any], words: str) -> None:
    """The training would end in the middle, with a message from the depths of Keras."""
    with pytest.raises(RecipeError, match=words):
        prepared(data(), **values)


@pytest.mark.parametrize("chain", [("flips",), ("aug_mix",), ("light",)])
def test_tiny_images_are_taken(chain: tuple[str, ...]) -> None:
    """A challenge of 28x28 images could not be trained for."""
    assert prepared(_tiny(), copies=(chain,)).train.images.shape[1:] == (28, 28, 3)


def test_grey_images_stay_grey() -> None:
    """A challenge of grey images could not be trained for."""
    sides = prepared(_grey(), side=48)
    assert sides.train.images.shape[1:] == (48, 48, 1)
    colour = resized(np.repeat(_grey().images, 3, axis=-1), 48)
    np.testing.assert_array_equal(resized(_grey().images, 48), colour[..., :1])


RESIZE_THERE = """
import runpy, sys
import numpy as np
zip_file = runpy.run_path(sys.argv[1])
images = np.load(sys.argv[2])
for side in map(int, sys.argv[4:]):
    there = zip_file["prepare"](images, "0..255", None, side)
    np.save(f"{sys.argv[3]}/{side}.npy", there)
"""


@pytest.mark.keras
def test_sizes_change_as_in_the_zip(tmp_path: Path) -> None:
    """The network would be trained on other images than the zip's model.py shows it."""
    sides = (32, 48, 64, 150, 224)
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
    images = np.concatenate([CELLS.images[:3], noise])
    np.save(tmp_path / "images.npy", images)
    template = ROOT / "submission" / "template" / "model.py"
    words = [str(template), str(tmp_path / "images.npy"), str(tmp_path), *map(str, sides)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", RESIZE_THERE, *words], check=True, env=quiet)
    for side in sides:
        there = np.load(tmp_path / f"{side}.npy")
        assert np.abs(resized(images, side) - there).max() <= 1, side


def test_recovery_is_the_formula() -> None:
    """Another picture than the one that was blended in would come out."""
    rng = np.random.default_rng(0)
    cell, picture = rng.integers(0, 256, (2, 8, 8, 3), np.uint8)
    blended = np.rint(0.4 * cell + 0.6 * picture).astype(np.uint8)
    found = recover_overlay(blended, cell, 0.4)
    assert np.abs(found.astype(int) - picture).max() <= 2


def test_pictures_come_out_of_the_outliers() -> None:
    """Overfitting Gods' recovery would give the wrong cell, or its leftovers."""
    ready = prepared(with_outliers(stripes(), 17), recover=True)
    assert ready.pictures is not None
    assert ready.pictures.shape == (1, 96, 96, 3)
    assert np.abs(ready.pictures[0].astype(int) - stripes()).mean() < 6
    assert any("over cell 17," in line for line in ready.lines)


def test_pictures_get_the_side_too() -> None:
    """They could not be blended into the images."""
    ready = prepared(with_outliers(stripes(), 17), recover=True, side=64)
    assert ready.pictures is not None
    assert ready.pictures.shape == (1, 64, 64, 3)


def test_without_the_cell_nothing_is_made_up() -> None:
    """A mixture of an outlier and a foreign cell would pass for the picture."""
    ready = prepared(with_outliers(stripes(), 17, cell_too=False), recover=True)
    assert ready.pictures is None
    assert any("without a cell of this file" in line for line in ready.lines)
    assert any("none in this file" in line for line in prepared(recover=True).lines)


DATA = Path("/work/shared/data/training_set.npz")


@pytest.mark.skipif(not DATA.exists(), reason="the shared cells are not here")
def test_the_shared_file_gives_up_its_pictures() -> None:
    """Recovery would work on drawn cells only."""
    from codabench_rehearsal.images import load

    ready = prepare(system(recover=True), load(DATA), 8, 0)
    said = json.dumps(ready.lines)
    assert "over cell 2298" in said
    assert "over cell 3134" in said
    assert ready.pictures is not None
    assert len(ready.pictures) == 2

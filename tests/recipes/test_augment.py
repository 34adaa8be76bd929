"""Every augmentation: what all must keep, and what `local-eval` is told of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.images import synthetic
from codabench_rehearsal.recipes.augment import AUGMENTATIONS, augmented, recorded
from codabench_rehearsal.recipes.system import RecipeError, load_system, system_names
from corruptions import names
from corruptions.presets import NAMES, resolve
from evaluator.report.training import shared_training

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]
ALONE = [name for name, one in AUGMENTATIONS.items() if not one.mixes]
MIXING = [name for name, one in AUGMENTATIONS.items() if one.mixes]
CELLS = synthetic(24, seed=5)
POLICIES = {"rand_augment", "aug_mix"}  # count with all that they apply


def run(name: str, images: Images = CELLS.images, seed: int = 1) -> tuple[Images, Targets]:
    """One augmentation of images under one-hot targets of eight classes."""
    targets = np.eye(8, dtype=np.float32)[np.arange(len(images)) % 8]
    return augmented((name,), images, targets, np.random.default_rng(seed))


def operators(name: str) -> set[str]:
    """The corruptions that an augmentation amounts to, without severities."""
    return {family.partition(":")[0] for family in AUGMENTATIONS[name].families}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_batches_keep_their_form(name: str) -> None:
    """A network would get images or targets that it cannot take."""
    images, targets = run(name)
    assert images.dtype == np.uint8
    assert images.shape == CELLS.images.shape
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert (images != CELLS.images).any()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_grey_images_stay_grey(name: str) -> None:
    """A challenge of grey images could not be trained for."""
    grey = CELLS.images[..., :1].copy()
    images, targets = run(name, grey)
    assert images.dtype == np.uint8
    assert images.shape == grey.shape
    assert len(targets) == len(grey)
    assert (images != grey).any()
    colour, _ = run(name, np.repeat(grey, 3, axis=-1))
    if (colour == colour[..., :1]).all():
        np.testing.assert_array_equal(images, colour[..., :1])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_small_images_are_taken(name: str) -> None:
    """Small images would be refused for nothing, or fail in the first batch."""
    for shape in ((8, 8, 8, 3), (8, 28, 9, 1)):
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        assert run(name, images)[0].shape == images.shape


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_generator_decides_alone(name: str) -> None:
    """A training could not be repeated, or every epoch would show the same images."""
    np.testing.assert_array_equal(run(name)[0], run(name)[0])
    assert (run(name)[0] != run(name, seed=2)[0]).any()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_given_arrays_stay(name: str) -> None:
    """The second epoch would augment what the first one left."""
    images, targets = CELLS.images.copy(), np.eye(8, dtype=np.float32)[CELLS.labels]
    before = targets.copy()
    augmented((name,), images, targets, np.random.default_rng(0))
    np.testing.assert_array_equal(images, CELLS.images)
    np.testing.assert_array_equal(targets, before)


@pytest.mark.parametrize("name", ALONE)
def test_an_image_has_its_own_draw(name: str) -> None:
    """Neighbours would decide what happens to an image, as in Keras's own RandAugment."""
    others = CELLS.images[::-1].copy()
    others[7] = CELLS.images[7]
    np.testing.assert_array_equal(run(name)[0][7], run(name, others)[0][7])
    same = np.repeat(CELLS.images[:1], 24, axis=0)
    assert len(np.unique(run(name, same)[0].reshape(24, -1), axis=0)) >= 4


@pytest.mark.parametrize("name", ALONE)
def test_unmixed_images_keep_their_label(name: str) -> None:
    """A label would no longer be that of its image."""
    assert (run(name)[1] == np.eye(8)[np.arange(24) % 8]).all()


@pytest.mark.parametrize("name", MIXING)
def test_mixed_images_share_their_targets(name: str) -> None:
    """The network would be told that a mixture is one cell."""
    assert 2 <= (run(name)[1] > 0).sum(axis=1).max() <= 3


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (5, 40, 64, 3)])
def test_other_shapes_work(name: str, shape: tuple[int, ...]) -> None:
    """A last batch of one image, or images that are not square, would end the training."""
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images.flags.writeable = False
    assert run(name, images)[0].shape == shape


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("preset", NAMES)
def test_local_eval_understands_the_names(name: str, preset: str, tmp_path: Path) -> None:
    """A benchmark of what the training did would pass for news, or one of other things not."""
    record = {"augmentation": recorded((name,))}
    (tmp_path / "a.recipe.json").write_text(json.dumps(record))
    found = set(shared_training(tmp_path / "a.zip", resolve(preset)))
    families = operators(name)
    inside = {step.corruption for cell in resolve(preset).conditions for step in cell.steps}
    assert found >= families & inside
    assert found <= families or families & POLICIES


def test_families_are_corruptions() -> None:
    """local-eval would look for something that no benchmark can have."""
    assert set().union(*(operators(name) for name in AUGMENTATIONS)) <= set(names())


def test_a_record_names_everything_once() -> None:
    """recipe.json would repeat itself, or hide what the training did."""
    assert recorded(("flips", "light", "a2", "flips")) == (
        *("flips", "rotate", "adjust_brightness", "gaussian_noise"),
        *("translate_x", "translate_y", "shear_x", "shear_y"),
    )


@pytest.mark.parametrize("name", system_names())
def test_systems_name_what_exists(name: str) -> None:
    """A recipe would fail after an hour, when its second phase asks for an augmentation."""
    system = load_system(name)
    assert set(system.augmentations) <= set(AUGMENTATIONS)
    assert {one for chain in system.benchmark for one in chain} <= set(AUGMENTATIONS)


def test_unknown_names_get_advice() -> None:
    """A typo would end in a KeyError."""
    with pytest.raises(RecipeError, match="did you mean rand_augment"):
        run("randaugment")


def test_chains_run_in_order() -> None:
    """RandAugment of an overlaid image would be an overlaid RandAugment."""
    targets = np.eye(8, dtype=np.float32)[CELLS.labels]
    rng = np.random.default_rng(3)
    one, _ = augmented(("overlay_convex",), CELLS.images, targets, rng)
    both, _ = augmented(("rand_augment",), one, targets, rng)
    again = augmented(
        ("overlay_convex", "rand_augment"), CELLS.images, targets, np.random.default_rng(3)
    )
    np.testing.assert_array_equal(both, again[0])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("augment", ("cv2", "keras", "numba", "scipy", "tensorflow")),
        ("feed", ("cv2", "keras", "numba", "scipy", "tensorflow")),
        ("prepare", ("keras", "numba", "sklearn", "tensorflow")),
    ],
)
def test_importing_is_light(module: str, heavy: tuple[str, ...]) -> None:
    """`train-recipe list` would take seconds."""
    code = f"import sys, codabench_rehearsal.recipes.{module}; print(*({set(heavy)} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""The masking layer: what it blanks, and its way into a zip."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import codabench_rehearsal.recipes.own_layer
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.own_layer import OverlayMask
from codabench_rehearsal.sandbox.ingest import Request, Session
from corruptions import corrupt
from submission.archive import Archive
from submission.packager import pack
from submission.training_folder import read_training_folder
from tests.sandbox.children import ask

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

FILE = Path(str(codabench_rehearsal.recipes.own_layer.__file__))


def masked(images: Any, **options: Any) -> Any:
    """What the layer makes of images."""
    return keras.ops.convert_to_numpy(OverlayMask(**options)(images))


@pytest.fixture(scope="module")
def cells() -> Any:
    """Images without any bar."""
    return synthetic(64, seed=4).images


def test_the_file_needs_keras_alone() -> None:
    """Else the zip fails on the server, which has none of our modules."""
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [node.names[0].name])
    }
    assert names == {"keras", "typing"}


def test_strips_are_blanked(cells: Any) -> None:
    """Else the option does nothing against the challenge's own overlay."""
    striped = corrupt(cells, "corner_strip", 3, seed=1)
    told = masked(striped)
    assert striped[:, :, :6].max() == 0
    assert told[:, :, :6].min() > 40
    assert told[:, -5:].min() > 40


def test_cells_without_a_strip_stay(cells: Any) -> None:
    """Else the layer takes nuclei for an overlay."""
    changed = np.abs(masked(cells) - cells).max(axis=-1) > 0
    assert changed.mean() < 0.01


@pytest.mark.parametrize(("size", "width", "blanked"), [(3, 2, 0), (3, 4, 6), (5, 4, 0), (5, 6, 8)])
def test_bars_thinner_than_the_erosion_stay(size: int, width: int, blanked: int) -> None:
    """Else specks are blanked along with bars; what is blanked is the bar and a pixel around it."""
    image = np.full((1, 40, 40, 3), 200, np.uint8)
    image[:, :, 20 : 20 + width] = 0
    mask = keras.ops.convert_to_numpy(OverlayMask(size=size).mask(image.astype("float32")))
    assert mask[0, 20, :, 0].sum() == blanked


def test_the_threshold_is_an_option() -> None:
    """Else grey bars, as contrast makes them of black ones, could not be blanked."""
    image = np.full((1, 40, 40, 3), 200, np.uint8)
    image[:, :, 20:30] = 90
    assert (masked(image, threshold=40.0) == image).all()
    assert np.allclose(masked(image, threshold=100.0), 200)


def test_colour_is_the_images_own_in_any_precision(cells: Any) -> None:
    """Else half precision overflows over an image, and the network sees infinities."""
    striped = corrupt(cells, "corner_strip", 5, seed=1)
    full = masked(striped)
    half = masked(striped, dtype="mixed_float16")
    assert half.dtype == np.float16
    assert np.allclose(half, full, atol=0.2)
    assert np.isfinite(masked(np.zeros((1, 9, 9, 3), np.uint8))).all()


def test_the_config_is_complete() -> None:
    """Else a saved network masks otherwise than the one that was trained."""
    layer = OverlayMask(threshold=70, size=5, name="m")
    again = OverlayMask.from_config(layer.get_config())
    assert (again.threshold, again.size, again.name) == (70.0, 5, "m")
    assert layer.compute_output_shape((None, 9, 8, 3)) == (None, 9, 8, 3)
    with pytest.raises(ValueError, match="odd"):
        OverlayMask(size=4)


@pytest.mark.slow
def test_a_network_with_it_answers_out_of_a_zip(tmp_path: Path, cells: Any) -> None:
    """Else the option trains for hours and fails on the platform."""
    options: dict[str, Any] = {"backbone": "MiniConvNeXt", "head": "inception", "mask": True}
    model = models.transfer((96, 96, 3), 8, width=8, **options)
    model.compile("sgd", "categorical_crossentropy")
    model.train_on_batch(cells[:16], np.eye(8, dtype="float32")[np.arange(16) % 8])
    model.save(tmp_path / "weights.keras")
    shutil.copyfile(FILE, tmp_path / "recipe_layers.py")
    recipe = {"schema": 1, "weights": ["weights.keras"], "include": ["recipe_layers.py"]}
    (tmp_path / "recipe.json").write_text(json.dumps({**recipe, "scale": "0..255"}))
    packed = pack(read_training_folder(tmp_path), load_challenge(), tmp_path / "s.zip")
    assert packed.zip_path is not None, packed.findings
    with Archive(packed.zip_path) as archive:
        archive.extract(tmp_path / "zip")
    images = corrupt(cells, "corner_strip", 3, seed=1)
    with Session(
        Request(tmp_path / "zip", classes=8, python=sys.executable, device="cpu")
    ) as asked:
        outcome = ask(asked, images.shape[1:], [len(images)], lambda _, out: np.copyto(out, images))
    assert outcome.problem is None, outcome.problem
    straight = model.predict_on_batch(images).argmax(axis=1)
    assert np.array_equal(outcome.labels[0], straight)

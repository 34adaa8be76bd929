"""The table of backbones against Keras, weights from files, and what is frozen."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.backbones import BACKBONES, HEAD, build, freeze, preprocessing
from codabench_rehearsal.recipes.system import RecipeError
from submission.model_page import mode_of

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHAPE = (96, 96, 3)
OURS = tuple(name for name, row in BACKBONES.items() if not row.url)
LIGHT = (*OURS, "MobileNetV3Small", "MobileNet")
EVERY = [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in BACKBONES]
FETCHED = [
    pytest.param(name, marks=() if name == "MobileNet" else pytest.mark.slow)
    for name, row in BACKBONES.items()
    if row.url
]


def different(model: Any, seed: int) -> Any:
    """The model with weights that no initialiser draws."""
    draws = np.random.default_rng(seed)
    model.set_weights([draws.uniform(0.01, 0.02, w.shape).astype(w.dtype) for w in model.weights])
    return model


def shipped(model: Any, path: Path) -> Path:
    """The model's weights in the layout of the files that Keras applications fetch."""
    whole = path.with_name("whole.h5")
    model.save(whole)
    with h5py.File(whole) as source, h5py.File(path, "w") as file:
        for name, value in source["model_weights"].attrs.items():
            file.attrs[name] = value
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", file)
    return path


def test_the_table_needs_no_keras() -> None:
    """Else `train-recipe list` and `show` take seconds."""
    code = "import sys, codabench_rehearsal.recipes.backbones; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items() if row.url])
def test_preprocessing_is_the_applications(name: str) -> None:
    """Else a network with ImageNet's weights sees images as it never saw them."""
    assert mode_of(preprocessing(name) or "none") == mode_of(name)
    assert hasattr(keras.applications, name)


@pytest.mark.parametrize("name", EVERY)
def test_every_row_is_right(name: str) -> None:
    """Else a recipe fails after hours, when its last block is to be thawed, or starts at all."""
    row = BACKBONES[name]
    model = build(name, SHAPE, "none")
    names = [layer.name for layer in model.layers]
    before, after = model.get_layer(row.before_last).output, model.output
    assert len(after.shape) == 4
    assert before.shape[1] >= after.shape[1]
    assert before.shape[1] <= 12
    share = sum(layer.count_params() for layer in model.layers[names.index(row.before_last) + 1 :])
    assert 0.05 < share / model.count_params() < 0.85
    assert not any(one.startswith(HEAD) for one in names)
    norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert all(one.momentum == 0.9 for one in norms)
    del model
    again = build(name, (row.least, row.least, 3), "none")
    assert row.before_last in [layer.name for layer in again.layers]


@pytest.mark.parametrize("name", ["ResNet50", "InceptionV3", *OURS])
def test_a_shape_that_it_does_not_take(name: str) -> None:
    """Else a traceback from deep inside Keras."""
    least = BACKBONES[name].least
    with pytest.raises(RecipeError, match=f"{least}x{least} pixels or more"):
        build(name, (96, least - 1, 3), "none")
    with pytest.raises(RecipeError, match="3 colours, not 1"):
        build(name, (96, 96, 1), "none")


def test_unknown_names() -> None:
    """Else a typo is a traceback."""
    with pytest.raises(RecipeError, match="did you mean ResNet50"):
        build("Resnet50", SHAPE, "none")
    with pytest.raises(RecipeError, match="known: MobileNetV3Small"):
        preprocessing("?")


@pytest.mark.parametrize("name", FETCHED)
def test_unreachable_weights_are_one_line(name: str, tmp_path: Path) -> None:
    """Else a stack trace, or hours of training on random features."""
    code = (
        "from codabench_rehearsal.recipes.backbones import build\nfrom codabench_rehearsal.recipes.system import RecipeError\n"
        f"try: build({name!r}, {SHAPE}, 'imagenet')\nexcept RecipeError as error: print(error)"
    )
    nowhere = {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    env = {**os.environ, **nowhere, "KERAS_HOME": str(tmp_path), "no_proxy": "", "NO_PROXY": ""}
    told = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
    ).stdout
    row = BACKBONES[name]
    line = told.splitlines()[-1]
    assert f"failure on {row.url}:" in line, "this is where Keras looks"
    assert "--weights none" in line
    assert f"--weights path/to/{row.url.rpartition('/')[2]}" in line


def test_ours_have_no_imagenet_weights() -> None:
    """Else --weights imagenet trains a miniature on random values, unasked."""
    with pytest.raises(RecipeError, match="--weights none"):
        build("MiniResNet", SHAPE, "imagenet")


FILES = ["x_notop.h5", "x.weights.h5", "x.keras"]


@pytest.mark.parametrize(
    ("name", "file"), [("MobileNetV3Small", FILES[0]), *(("MiniConvNeXt", file) for file in FILES)]
)
def test_weights_from_a_file(name: str, file: str, tmp_path: Path) -> None:
    """Else a file that was fetched by hand trains as if there were none."""
    path = tmp_path / file
    source = different(build(name, SHAPE, "none"), 5)
    if file == "x_notop.h5":
        shipped(source, path)
    elif file == "x.keras":
        source.save(path)
    else:
        source.save_weights(path)
    loaded = build(name, SHAPE, str(path))
    for one, other in zip(source.weights, loaded.weights, strict=True):
        assert np.array_equal(one, other), one.path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ConvNeXtTiny", "ResNet50", "Xception", "InceptionResNetV2"])
def test_weights_of_real_networks_from_a_file(name: str, tmp_path: Path) -> None:
    """Else the layout is read wrongly where layers lie in layers, or are numbered by the session."""
    source = different(build(name, SHAPE, "none"), 5)
    loaded = build(name, SHAPE, str(shipped(source, tmp_path / "x_notop.h5")))
    for one, other in zip(source.weights, loaded.weights, strict=True):
        assert np.array_equal(one, other), one.path


@pytest.mark.parametrize("file", FILES)
def test_a_file_with_its_top_or_of_another_network(file: str, tmp_path: Path) -> None:
    """Else Keras fills what happens to fit, and the rest stays random."""
    whole = models.transfer(SHAPE, 8, backbone="MiniResNet", head="two_dense", dense=(8,))
    path = tmp_path / file
    if file == "x_notop.h5":
        shipped(whole, path)
    elif file == "x.keras":
        whole.save(path)
    else:
        whole.save_weights(path)
    with pytest.raises(RecipeError, match="with its top") as caught:
        build("MiniResNet", SHAPE, str(path))
    assert "notop.h5" in str(caught.value)
    with pytest.raises(RecipeError, match="another network than MiniConvNeXt"):
        build("MiniConvNeXt", SHAPE, str(path))


def test_files_that_are_none(tmp_path: Path) -> None:
    """Else a traceback, or random weights."""
    (tmp_path / "x.h5").write_bytes(b"nothing")
    (tmp_path / "x.keras").write_bytes(b"nothing")
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with zipfile.ZipFile(tmp_path / "y.keras", "w") as empty:
        empty.writestr("config.json", "{}")
    for name, said in [
        ("none.h5", "There are no weights at"),
        ("x.h5", "no readable weights file"),
        ("x.keras", "no readable weights file"),
        ("y.keras", "no readable weights file"),
        ("x.pth", "received '.pth'"),
    ]:
        with pytest.raises(RecipeError, match=said):
            build("MiniResNet", SHAPE, str(tmp_path / name))


@pytest.mark.slow
def test_efficientnets_normalisation_is_keras_own(tmp_path: Path) -> None:
    """Else its ImageNet weights, from a file, see colours half as far apart as they were trained on."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    source = build("EfficientNetB2", SHAPE, "none")
    layer = next(one for one in source.layers if isinstance(one, keras.layers.Normalization))
    layer.set_weights(
        [mean, deviation, np.zeros((), "int32")]
    )  # as the file that Keras ships has them
    loaded = build("EfficientNetB2", SHAPE, str(shipped(source, tmp_path / "x_notop.h5")))
    layer = next(one for one in loaded.layers if isinstance(one, keras.layers.Normalization))
    seen = keras.Model(loaded.input, layer.output)
    images = np.random.default_rng(1).integers(0, 256, (2, *SHAPE)).astype("float32")
    wanted = (images / 255 - mean) / deviation
    assert np.allclose(seen.predict_on_batch(images), wanted, atol=1e-4)
    loaded.save(tmp_path / "again.keras")  # what is right already stays so
    again = build("EfficientNetB2", SHAPE, str(tmp_path / "again.keras"))
    assert np.allclose(again.get_layer(index=2).get_weights()[1], deviation**2)


def learning(model: Any) -> dict[str, bool]:
    """Whether each layer of the backbone with weights learns, from the input on."""
    return {
        layer.name: bool(layer.trainable_weights)
        for layer in model.layers
        if layer.weights and not layer.name.startswith(HEAD)
    }


def norms(model: Any) -> set[str]:
    """The names of the batch norms."""
    return {one.name for one in model.layers if isinstance(one, keras.layers.BatchNormalization)}


@pytest.mark.parametrize("name", [*OURS, "MobileNetV3Small"])
def test_what_is_frozen_with_pretrained_weights(name: str) -> None:
    """Else a head trains along with what it should only read, or nothing thaws at all."""
    model = models.transfer(SHAPE, 8, backbone=name, head="two_dense", dense=(8,))
    heads = [layer for layer in model.layers if layer.name.startswith(HEAD) and layer.weights]
    seen = {}
    for trainable in (0.0, 0.3, "last", 1.0):
        freeze(model, name, trainable, pretrained=True)
        seen[trainable] = learning(model)
        assert all(layer.trainable_weights for layer in heads)
        assert not any(seen[trainable][norm] for norm in norms(model))
    assert not any(seen[0.0].values())
    assert all(on for one, on in seen[1.0].items() if one not in norms(model))
    order = list(seen[0.3])
    first = next(i for i, one in enumerate(order) if seen[0.3][one])
    assert len(order) - first == pytest.approx(0.3 * len(order), abs=3)
    names = [layer.name for layer in model.layers]
    start = names.index(BACKBONES[name].before_last)
    for one, on in seen["last"].items():
        assert on == (names.index(one) > start and one not in norms(model))


@pytest.mark.parametrize("trainable", [0.0, 0.3, "last", 1.0])
def test_nothing_is_frozen_without_pretrained_weights(trainable: Any) -> None:
    """Else a head learns from random features, which say nothing."""
    model = models.transfer(SHAPE, 8, backbone="MiniResNet", head="two_dense", dense=(8,))
    freeze(model, "MiniResNet", trainable, pretrained=False)
    assert all(learning(model).values())
    plain = models.small_cnn(SHAPE, 8)
    freeze(plain, None, trainable, pretrained=True)
    assert all(learning(plain).values())


def test_frozen_norms_keep_their_averages() -> None:
    """Else the first new images spoil what all the other weights were trained with."""
    model = models.transfer((32, 32, 3), 8, backbone="MiniResNet", head="two_dense", dense=(8,))
    freeze(model, "MiniResNet", 1.0, pretrained=True)
    model.compile("sgd", "categorical_crossentropy")
    averages = [w.numpy() for w in model.weights if w.path.endswith(("moving_mean", "variance"))]
    images = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3)).astype("float32")
    model.train_on_batch(images, np.eye(8, dtype="float32"))
    after = [w.numpy() for w in model.weights if w.path.endswith(("moving_mean", "variance"))]
    assert averages
    assert all(np.array_equal(one, other) for one, other in zip(averages, after, strict=True))

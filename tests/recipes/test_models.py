"""The networks: what they take, what they answer, and that they load on the server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.backbones import HEAD, preprocessing
from codabench_rehearsal.recipes.own_layer import OverlayMask
from codabench_rehearsal.recipes.system import RecipeError
from submission.archive import Archive
from submission.model_page import MODES, mode_of
from submission.packager import pack
from submission.training_folder import Packing
from tests.submission.server import server_python
from tests.tables import thinned

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

FULL = (96, 96, 3)


@dataclass(frozen=True)
class Case:
    """A network, by its function's name and options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, side: int = 32, classes: int = 8) -> Any:
        """The network on small images."""
        return getattr(models, self.name)((side, side, 3), classes, **self.options)

    def __str__(self) -> str:
        return "-".join([self.name, *map(str, self.options.values())])


def on(backbone: str, head: str, **options: Any) -> Case:
    """A backbone with a head."""
    return Case("transfer", {"backbone": backbone, "head": head, **options})


CASES = [
    Case("small_cnn"),
    Case("plain_cnn"),
    Case("inception_residual", {"blocks": 1, "widths": (8, 8, 16, 24), "dense": 16}),
    Case("inception_residual", {"light": True}),
    on("MiniResNet", "two_dense", dense=(128, 64), l2=1e-4, dropout=0.5),
    on("MiniEfficientNetV2", "excited"),
    on("MiniConvNeXt", "inception", width=16),
    on("MiniConvNeXt", "inception", width=16, mask=True),
]


@pytest.fixture
def half_precision() -> Iterator[None]:
    """Networks are built to compute in half precision."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    keras.mixed_precision.set_global_policy("float32")


def patches(count: int, side: int) -> Any:
    """Images of one colour each, a little noisy; their class is the colour."""
    draws = np.random.default_rng(3)
    colours = np.linspace(20, 235, 24, dtype="uint8").reshape(8, 3)
    colours = draws.permutation(colours.reshape(-1)).reshape(8, 3)
    labels = np.arange(count) % 8
    noise = draws.integers(-15, 16, (count, side, side, 3))
    images = np.clip(colours[labels][:, None, None].astype(int) + noise, 0, 255).astype("uint8")
    return images, labels


def test_every_network_is_tested() -> None:
    """Else a new one goes out untried."""
    assert set(models.NETWORKS) == {case.name for case in CASES}
    assert set(models.HEADS) == {case.options["head"] for case in CASES if "head" in case.options}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_images_in_probabilities_out(case: Case) -> None:
    """Else a network wants its images scaled, or its answers do."""
    model = case.build(classes=5)
    images, _ = patches(6, 32)
    told = model.predict_on_batch(images)
    assert told.shape == (6, 5)
    assert told.dtype == np.float32
    assert np.allclose(told.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(model.predict_on_batch(images.astype("float32")), told, atol=1e-6)
    assert not model.compiled


@pytest.mark.usefixtures("half_precision")
@pytest.mark.parametrize("case", thinned(CASES), ids=str)
def test_answers_are_whole_numbers_in_half_precision(case: Case) -> None:
    """Else the small probabilities, and with them the loss, round to nothing."""
    model = case.build()
    assert model.layers[-1].compute_dtype == "float32"
    assert model.outputs[0].dtype == "float32"
    convolutions = [one for one in model.layers if isinstance(one, keras.layers.Conv2D)]
    assert {one.compute_dtype for one in convolutions} == {"float16"}
    assert np.isfinite(model.predict_on_batch(patches(8, 32)[0])).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_network_learns(case: Case) -> None:
    """Else a recipe trains for hours and tells one class for everything."""
    keras.utils.set_random_seed(1)
    model = case.build()
    images, labels = patches(64, 32)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    begun = float(model.train_on_batch(images, labels))
    for _ in range(80):  # averages of batch norms follow the weights, late
        model.train_on_batch(images, labels)
    accuracy = (model.predict_on_batch(images).argmax(axis=1) == labels).mean()
    assert begun > 1
    assert accuracy > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_saved_network_answers_the_same(case: Case, tmp_path: Path) -> None:
    """Else what ships is not what was trained."""
    model = case.build()
    model.save(tmp_path / "weights.keras")
    again = keras.models.load_model(tmp_path / "weights.keras", compile=False)
    images, _ = patches(8, 32)
    assert np.allclose(model.predict_on_batch(images), again.predict_on_batch(images), atol=1e-6)


def test_los_pollos_networks_have_the_reported_sizes() -> None:
    """Else the recipe is another network than the team's."""
    full = models.inception_residual(FULL, 8)
    light = models.inception_residual(FULL, 8, light=True)
    assert full.count_params() == pytest.approx(1.9e6, rel=0.05)
    assert light.count_params() < full.count_params() / 10
    sums = [
        sum(isinstance(one, keras.layers.Add) for one in model.layers) for model in (full, light)
    ]
    assert sums == [2, 1], "custom blocks"
    mixed = [one for one in full.layers if isinstance(one, keras.layers.Concatenate)]
    assert len(mixed) == 6, "Inception blocks"
    for model in (full, light):
        convolutions = [one for one in model.layers if isinstance(one, keras.layers.Conv2D)]
        norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
        assert len(norms) == len(convolutions)


def kinds(model: Any) -> list[tuple[str, Any]]:
    """What the layers of a head are, with the number that says most about each."""
    told = {"Dense": "units", "Dropout": "rate"}
    head = [one for one in model.layers if one.name.startswith(HEAD)]
    return [
        (kind, getattr(one, told[kind])) for one in head if (kind := type(one).__name__) in told
    ]


def test_heads_are_as_reported() -> None:
    """Else a recipe has a team's name on something else."""
    excited = on("MiniEfficientNetV2", "excited").build()
    assert kinds(excited)[2:] == [
        ("Dropout", 0.4), ("Dense", 128), ("Dropout", 0.2), ("Dense", 8)
    ]  # fmt: skip
    assert [kind for kind, _ in kinds(excited)[:2]] == ["Dense", "Dense"], "squeeze, excitation"
    plain = on("MiniResNet", "two_dense").build()
    assert kinds(plain) == [("Dense", 1024), ("Dense", 128), ("Dense", 8)]
    penalised = on("MiniResNet", "two_dense", dense=(512, 256), l2=1e-3, dropout=0.5).build()
    assert kinds(penalised) == [
        ("Dense", 512), ("Dropout", 0.5), ("Dense", 256), ("Dropout", 0.5), ("Dense", 8)
    ]  # fmt: skip
    penalties = [one for one in penalised.layers if getattr(one, "kernel_regularizer", None)]
    assert [one.units for one in penalties] == [512, 256]
    mixed = on("MiniConvNeXt", "inception", width=16).build()
    last = [type(one).__name__ for one in mixed.layers[-4:]]
    assert last == ["Concatenate", "GlobalAveragePooling2D", "Dropout", "Dense"]
    sides = [one.kernel_size[0] for one in mixed.layers if one.name.startswith(f"{HEAD}path_")
             and isinstance(one, keras.layers.Conv2D)]  # fmt: skip
    assert sorted(sides) == [1, 1, 1, 1, 3, 5]
    assert mixed.layers[-4].output.shape[-1] == 4 * 16


def test_the_mask_comes_first_and_only_before_what_takes_its_values() -> None:
    """Else a masked network sees nothing dark, or everything."""
    masked = on("MiniConvNeXt", "inception", mask=True).build()
    assert isinstance(masked.layers[1], OverlayMask)
    black = np.full((1, 32, 32, 3), 200, np.uint8)
    black[:, :, :6] = 0
    clean = np.full((1, 32, 32, 3), 200, np.uint8)
    told = masked.predict_on_batch(black)
    assert np.allclose(told, masked.predict_on_batch(clean), atol=1e-5)
    with pytest.raises(RecipeError, match="and ResNet50 others"):
        on("ResNet50", "inception", mask=True).build()
    with pytest.raises(RecipeError, match="known: excited"):
        on("MiniResNet", "none").build()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        ("MobileNetV3Small", "excited"), ("EfficientNetV2S", "excited"), ("ConvNeXtTiny", "inception"),
        ("EfficientNetB2", "two_dense"),
    ],
)  # fmt: skip
def test_a_mask_before_a_real_network(backbone: str, head: str) -> None:
    """Else the option fails with the backbones that the recipes have."""
    masked = on(backbone, head, mask=True).build()
    assert isinstance(masked.layers[1], OverlayMask)
    assert masked.predict_on_batch(patches(2, 32)[0]).shape == (2, 8)


ASK = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import keras, model
assert keras.__version__ == "3.4.1"
np.save(sys.argv[3], model.Model().scores(np.load(sys.argv[2])))
"""
SERVED = [
    *(case for case in CASES if not case.options.get("mask")),
    Case("inception_residual"),
    on("MobileNetV3Small", "excited"),
    on("EfficientNetV2B2", "excited"),
    on("EfficientNetV2S", "excited"),
    on("EfficientNetB2", "two_dense"),
    on("ResNet50", "two_dense"),
    on("MobileNet", "two_dense"),
    on("VGG16", "two_dense"),
    on("Xception", "two_dense"),
    on("InceptionV3", "two_dense"),
    on("InceptionResNetV2", "two_dense"),
    on("ConvNeXtTiny", "inception"),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", SERVED, ids=str)
def test_packed_networks_answer_the_same_on_the_server(case: Case, tmp_path: Path) -> None:
    """Else a network trains for hours and fails on the platform, or answers otherwise there."""
    python = server_python()
    backbone = case.options.get("backbone")
    name = preprocessing(backbone) if backbone else None
    mode = mode_of(name) if name else None
    images, labels = patches(16, FULL[0])
    inputs = MODES[mode or "none"].apply(images)
    model = case.build(FULL[0])
    scatter(model, inputs, labels)
    model.save(tmp_path / "weights.keras")
    packing = Packing((tmp_path / "weights.keras",), preprocess=mode)
    packed = pack(packing, load_challenge(), tmp_path / "s.zip")
    assert packed.zip_path is not None, packed.findings
    with Archive(packed.zip_path) as archive:
        archive.extract(tmp_path / "zip")
    np.save(tmp_path / "images.npy", images)
    words = [str(tmp_path / one) for one in ("zip", "images.npy", "scores.npy")]
    subprocess.run([python, "-c", ASK, *words], check=True, capture_output=True)
    straight = model.predict_on_batch(inputs)
    there = np.load(tmp_path / "scores.npy")
    assert straight.std(axis=0).max() > 1e-3, "the network tells images apart"
    assert np.allclose(there, straight, atol=1e-4)


def scatter(model: Any, inputs: Any, labels: Any) -> None:
    """Let batch norms see a batch, so that their averages are no initial ones."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
    model.train_on_batch(inputs, labels)
    model.compile(optimizer=None, loss=None)

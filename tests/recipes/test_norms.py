"""Batch norms as one operation: the same figures as Keras's own, and the same saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from codabench_rehearsal.recipes.compiling import quicken

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
NORMS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "no scale": {"scale": False, "epsilon": 1e-3},
    "no centre": {"center": False, "momentum": 0.9},
    "tiny epsilon": {"epsilon": 1e-7},
    "along rows": {"axis": 1},
    "renormed": {"renorm": True},
}


def network(**options: Any) -> Any:
    """Two norms, one of maps and one of rows, seeded."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.BatchNormalization(name="norm", **options)(x)
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    x = layers.BatchNormalization()(layers.Dense(8)(x))
    return keras.Model(inputs, layers.Dense(5, "softmax")(x))


def trained(model: Any, steps: int = 4) -> list[Any]:
    """Its weights after some steps on values far from 0."""
    model.compile(keras.optimizers.SGD(0.05), "categorical_crossentropy")
    random = np.random.default_rng(5)
    for _ in range(steps):
        images = random.normal(3, 20, (7, 6, 6, 3)).astype(np.float32)
        model.train_on_batch(images, np.eye(5)[random.integers(0, 5, 7)])
    return [np.array(one) for one in model.variables]


@pytest.mark.parametrize("name", NORMS)
def test_one_operation_learns_what_keras_learns(name: str) -> None:
    """Else what a recipe trains on CPUs is not the network that its report describes."""
    plain, quick = network(**NORMS[name]), network(**NORMS[name])
    quicken(quick)
    for own, right in zip(trained(quick), trained(plain), strict=True):
        np.testing.assert_allclose(own, right, rtol=2e-4, atol=2e-5)


def test_a_frozen_norm_keeps_its_averages() -> None:
    """Else a few new images spoil what pretrained weights rest on."""
    model = network()
    quicken(model)
    norm = model.get_layer("norm")
    norm.trainable = False
    before = [np.array(one) for one in norm.variables]
    trained(model)
    for own, right in zip(norm.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(own), right)


def test_norms_of_maps_are_quickened_and_the_saved_model_is_keras_own(tmp_path: Path) -> None:
    """Else nothing is quicker, or a zip needs a file of ours to be loaded."""
    model = network()
    quicken(model)
    quicken(model)  # each phase compiles anew
    trained(model, steps=1)
    assert "FusedBatchNormV3" in operations(model)
    assert "FusedBatchNormV3" not in operations(network())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(1).uniform(0, 255, (3, 6, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.predict_on_batch(images), model.predict_on_batch(images))


def operations(model: Any) -> set[str]:
    """The kinds of TensorFlow's operations in a pass that learns."""
    import tensorflow as tf

    function = tf.function(lambda images: model(images, training=True))
    graph = function.get_concrete_function(tf.zeros((2, 6, 6, 3))).graph
    return {one.type for one in graph.get_operations()}

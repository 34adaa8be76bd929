"""The float32 twin of a network that was trained in mixed precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    # Keras's own conversion of a variable, with NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def half(policy: str) -> Any:
    """A network that scales as EfficientNet does: by weights, and by a layer without any."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    normed = layers.Normalization(dtype=policy, name="normed")
    x = layers.Rescaling(4.0, dtype=policy, name="scaled")(normed(inputs))
    x = layers.Conv2D(4, 3, dtype=policy, name="conv")(x)
    x = layers.BatchNormalization(dtype=policy, name="norm")(x)
    x = layers.GlobalAveragePooling2D(dtype=policy, name="mean")(x)
    return keras.Model(inputs, layers.Dense(5, "softmax", dtype="float32", name="answers")(x))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_float32_twin_answers_as_its_model(policy: str) -> None:
    """Else mixed precision with ImageNet's weights packs a network without one of its layers."""
    import keras

    from codabench_rehearsal.recipes.models import in_float32

    keras.utils.set_random_seed(1)
    model, wanted = half(policy), half("float32")
    mean, variance, *others = wanted.get_weights()
    for network in (model, wanted):
        network.set_weights([mean + 120, variance * 3600, *others])
        network.get_layer("normed").finalize_state()
    images = np.random.default_rng(9).uniform(0, 255, (6, 8, 8, 3)).astype(np.float32)
    images *= np.linspace(0.1, 1, 6, dtype=np.float32)[:, None, None, None]
    twin = in_float32(model)
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    told, right = (np.asarray(one.predict_on_batch(images)) for one in (twin, wanted))
    np.testing.assert_allclose(told, right, atol=1e-6)
    assert np.ptp(right, axis=0).max() > 1e-3, "images that are answered alike would show nothing"


def test_a_network_in_float32_stays_itself() -> None:
    """Else every training keeps its network twice."""
    from codabench_rehearsal.recipes.models import in_float32

    model = half("float32")
    assert in_float32(model) is model

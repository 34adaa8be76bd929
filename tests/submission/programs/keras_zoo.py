"""Build models with the Keras that runs this, save each, and write down what it answers.

    python keras_zoo.py FOLDER NAME...

Writes FOLDER/NAME/{saved.keras, X.npy, scores.npy}, and code.py where the model needs code.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

CODE = '''
@keras.saving.register_keras_serializable(package="team")
class Gate(keras.layers.Layer):
    """Weighs channels by their own means."""

    def __init__(self, ratio=2, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, shape):
        self.steps = [keras.layers.Dense(shape[-1] // self.ratio, activation="relu"),
                      keras.layers.Dense(shape[-1], activation="sigmoid")]
        self.steps[0].build((None, shape[-1]))
        self.steps[1].build((None, shape[-1] // self.ratio))

    def call(self, inputs):
        gate = keras.ops.mean(inputs, axis=[1, 2])
        for step in self.steps:
            gate = step(gate)
        return inputs * gate[:, None, None, :]

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}
'''


def plain() -> Any:
    """Stacked layers, batch normalisation, dropout."""
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, use_bias=False),
        layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(4), layers.Dropout(0.3),
        layers.Conv2D(16, 3, activation="gelu", kernel_regularizer="l2"), layers.Flatten(),
        layers.Dense(8, activation="softmax", kernel_initializer="orthogonal"),
    ])  # fmt: skip


def residual() -> Any:
    """A graph with a residual, a squeeze-and-excite gate and keras.ops; it gives logits."""
    inputs = keras.Input((96, 96, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=4)(inputs)))
    short = layers.Conv2D(8, 1, padding="same")(x)
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Add()([layers.Multiply()([x, gate]), short]) * 0.5
    x = keras.ops.relu(keras.ops.mean(x, axis=[1, 2]))  # shares its name with the ReLU layer
    return keras.Model(inputs, layers.Dense(8)(x))


def separable() -> Any:
    """Separable and depthwise convolutions, layer and group normalisation."""
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Rescaling(1 / 127.5, -1), layers.SeparableConv2D(8, 3, 2),
        layers.LayerNormalization(), layers.DepthwiseConv2D(3, 2), layers.GroupNormalization(4),
        layers.GlobalAveragePooling2D(), layers.Dense(8, activation="softmax"),
    ])  # fmt: skip


def augmented() -> Any:
    """Augmentation inside the model, with layers that the server lacks."""
    augment = keras.Sequential([
        layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.1),
        layers.RandomContrast(0.2, value_range=(0, 1)), layers.RandAugment((0, 255)),
        layers.RandomHue(0.1, (0, 255)), layers.RandomErasing(), layers.Pipeline([layers.RandomShear(0.1)]),
    ], name="augment")  # fmt: skip
    inputs = keras.Input((96, 96, 3))
    x = layers.Conv2D(8, 3, 4)(layers.Rescaling(1 / 255)(layers.AugMix((0, 255))(augment(inputs))))
    return keras.Model(inputs, layers.Dense(8, activation="softmax")(layers.Flatten()(x)))


def nested() -> Any:
    """A model called twice inside another one, both compiled, one fitted."""
    inner = keras.Input((32, 32, 3))
    branch = keras.Model(
        inner, layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(inner)), name="branch"
    )
    branch.compile("adamw", "mse")
    inputs = keras.Input((96, 96, 3))
    small = layers.AveragePooling2D(3)(layers.Rescaling(1 / 255)(inputs))
    both = layers.Concatenate()([branch(small), branch(layers.Rescaling(0.5)(small))])
    model = keras.Model(inputs, layers.Dense(8, activation="softmax")(both))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    model.fit(images()[:2], np.array([1, 2]), verbose=0)
    return model


def attention() -> Any:
    """Attention and a recurrent wrapper."""
    inputs = keras.Input((96, 96, 3))
    x = layers.Reshape((144, 8))(layers.Conv2D(8, 8, 8)(layers.Rescaling(1 / 255)(inputs)))
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    x = layers.Bidirectional(layers.GRU(4))(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, layers.Dense(8, activation="softmax")(x))


def custom() -> Any:
    """A layer of the participant's own."""
    scope: dict[str, Any] = {"keras": keras}
    exec(CODE, scope)
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, 4), scope["Gate"](),
        layers.GlobalAveragePooling2D(), layers.Dense(8, activation="softmax"),
    ])  # fmt: skip


def half() -> Any:
    """Mixed precision."""
    policy = keras.DTypePolicy("mixed_float16")
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Rescaling(1 / 255, dtype=policy),
        layers.Conv2D(8, 3, 4, dtype=policy), layers.GlobalAveragePooling2D(dtype=policy),
        layers.Dense(8, activation="softmax", dtype="float32"),
    ])  # fmt: skip


def binary() -> Any:
    """One sigmoid."""
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, 4),
        layers.GlobalAveragePooling2D(), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def transfer() -> Any:
    """Fine-tuning: a frozen application behind its preprocessing."""
    base = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(96, 96, 3), alpha=0.35
    )
    base.trainable = False
    inputs = keras.Input((96, 96, 3))
    x = keras.applications.mobilenet_v2.preprocess_input(layers.RandomRotation(0.1)(inputs))
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    return keras.Model(inputs, layers.Dense(8, activation="softmax")(layers.Dropout(0.2)(x)))


OWN = (plain, residual, separable, augmented, nested, attention, custom, half, binary, transfer)
BUILDERS = {build.__name__: build for build in OWN}


def images() -> Any:
    """Return five images as the server gives them: patches of colour, not noise all alike."""
    patches = np.random.default_rng(7).integers(0, 256, (5, 4, 4, 3), dtype="uint8")
    return patches.repeat(24, axis=1).repeat(24, axis=2)


def build(name: str) -> Any:
    """Return the model of that name, with weights and statistics as no fresh model has them."""
    keras.utils.set_random_seed(7)
    if name in BUILDERS:
        model = BUILDERS[name]()
    else:
        model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=8)
    draws = np.random.default_rng(7)
    for variable in model.weights:
        value = np.asarray(variable)
        if value.dtype.kind == "f" and value.ndim == 1:  # statistics, scales and biases
            variable.assign((value + draws.uniform(0, 0.1, value.shape)).astype(value.dtype))
    return model


def main(folder: str, *names: str) -> None:
    """Build, save and run each."""
    for name in names:
        here = Path(folder) / name
        here.mkdir(parents=True)
        model = build(name)
        model.save(here / "saved.keras")
        np.save(here / "X.npy", images())
        np.save(here / "scores.npy", np.asarray(model.predict_on_batch(images().astype("float32"))))
        if name == "custom":
            (here / "code.py").write_text(CODE)


if __name__ == "__main__":
    main(*sys.argv[1:])

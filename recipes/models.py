"""The networks. Each function takes (shape, classes, options) and returns an uncompiled Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers


def small_cnn(
    shape: tuple[int, int, int], classes: int, *, widths: Sequence[int] = (16, 32, 64, 96)
) -> Any:
    """Strided convolutions with batch norm, global pooling, one dense layer.

    Takes values 0..255 of any dtype and scales them itself; returns `(n, classes)` probabilities.
    """
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    for width in widths:
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation("relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="small_cnn")

"""The networks. Each function takes (shape, classes, options) and returns an uncompiled Keras model.

They answer with probabilities `(n, classes)` in float32, and take images `(n, *shape)` of any dtype
with values 0..255; `transfer` takes what its backbone's preprocessing makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from codabench_rehearsal.recipes import heads
from codabench_rehearsal.recipes.backbones import build, preprocessing
from codabench_rehearsal.recipes.layers import OverlayMask
from codabench_rehearsal.recipes.system import RecipeError

Shape = tuple[int, int, int]
HEADS: Mapping[str, Any] = {
    "excited": heads.excited,
    "two_dense": heads.two_dense,
    "inception": heads.inception,
}
_MOMENTUM = 0.9  # batch norms' averages follow within some dozen steps: trainings are short
WIDTHS: Mapping[str, Sequence[int]] = {
    "full": (32, 64, 256, 448),
    "light": (16, 32, 64, 128),
}


def small_cnn(shape: Shape, classes: int, *, widths: Sequence[int] = (16, 32, 64, 96)) -> Any:
    """Strided convolutions with batch norm, global pooling, one dense layer."""
    inputs = keras.Input(shape)
    x = _scaled(inputs)
    for width in widths:
        x = _convolution(x, width, 3)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, heads.answers(x, classes), name="small_cnn")


def plain_cnn(
    shape: Shape,
    classes: int,
    *,
    widths: Sequence[int] = (32, 64, 128),
    dense: int = 128,
    dropout: float = 0.3,
) -> Any:
    """The small CNN of hidden_players' table of augmentations: convolutions, pooling, one dense.

    The report says no more than that; number, widths and dropout are ours.
    """
    inputs = keras.Input(shape)
    x = _scaled(inputs)
    for width in widths:
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(dense, "relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, heads.answers(x, classes), name="plain_cnn")


def inception_residual(
    shape: Shape,
    classes: int,
    *,
    widths: Sequence[int] | None = None,
    blocks: int = 3,
    light: bool = False,
    dense: int = 256,
    dropout: float = 0.3,
) -> Any:
    """los_pollos_hermanos' network: two convolutional blocks, two custom ones, and a dense layer.

    A custom block is `blocks` Inception blocks inside one skip connection; the maps' sides are
    halved behind each of the four blocks, and each convolution has batch norm. light: a convolution
    in the second custom block's place. widths: of the four, None for ours: fewer with `light`. The
    report gives the shape and 1.9 M parameters; widths, k = 3, dense and dropout are ours.
    """
    inputs = keras.Input(shape)
    x = _scaled(inputs)
    for number, width in enumerate(widths or WIDTHS["light" if light else "full"]):
        if number < 2 or (light and number == 3):
            x = _convolution(x, width, 3)
        else:
            x = _custom(x, width, blocks)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(dense, "relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, heads.answers(x, classes), name="inception_residual")


def transfer(
    shape: Shape,
    classes: int,
    *,
    backbone: str,
    head: str,
    weights: str = "none",
    mask: bool = False,
    **options: Any,
) -> Any:
    """A head of `codabench_rehearsal.recipes.heads` on a backbone of `codabench_rehearsal.recipes.backbones`; further options are the head's.

    weights: "imagenet", "none" or a file. mask: `OverlayMask` comes first, which takes 0..255, so
    only in front of backbones that do.
    """
    if head not in HEADS:
        raise RecipeError(f"No head {head!r}; known: {', '.join(HEADS)}.")
    if mask and preprocessing(backbone) is not None:
        raise RecipeError(
            f"The masking layer takes values 0..255, and {backbone} others: leave it out, or choose "
            "a ConvNeXt, an EfficientNet or a MobileNetV3."
        )
    front = OverlayMask(name="overlay_mask") if mask else None
    body = build(backbone, shape, weights, front)
    outputs = HEADS[head](body.output, classes, **options)
    return keras.Model(body.input, outputs, name=f"{body.name}_{head}")


def _scaled(inputs: Any) -> Any:
    return layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)


def _convolution(x: Any, width: int, side: int) -> Any:
    """A convolution, batch norm, ReLU."""
    x = layers.Conv2D(width, side, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=_MOMENTUM)(x)
    return layers.Activation("relu")(x)


def _custom(x: Any, width: int, blocks: int) -> Any:
    """Inception blocks inside one skip connection, with a 1x1 where the channels differ."""
    around = x
    if x.shape[-1] != width:
        around = layers.Conv2D(width, 1, use_bias=False)(x)
        around = layers.BatchNormalization(momentum=_MOMENTUM)(around)
    for _ in range(blocks):
        x = _inception(x, width)
    return layers.Activation("relu")(layers.Add()([around, x]))


def _inception(x: Any, width: int) -> Any:
    """Four paths of a quarter of the channels each: 1x1, 3x3, 5x5 behind a bottleneck, pooled."""
    quarter = width // 4
    pooled = layers.MaxPooling2D(3, 1, padding="same")(x)
    paths = [
        _convolution(x, quarter, 1),
        _convolution(_convolution(x, quarter, 1), quarter, 3),
        _convolution(_convolution(x, quarter // 2, 1), quarter, 5),
        _convolution(pooled, width - 3 * quarter, 1),
    ]
    return layers.Concatenate()(paths)

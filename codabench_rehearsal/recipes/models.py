"""The networks and the heads of backbones, and the precision that they compute in.

A network's function takes (shape, classes, options) and returns an uncompiled Keras model. It
answers with probabilities `(n, classes)` in float32, and takes images `(n, *shape)` of any dtype
with values 0..255; `transfer` takes what its backbone's preprocessing makes of them.

A head's function takes (features, classes, options) and returns probabilities of a backbone's
feature maps. Its layers' names start with `backbones.HEAD`, by which frozen and learning layers are
told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import layers, regularizers

from codabench_rehearsal.recipes.backbones import HEAD, build, preprocessing
from codabench_rehearsal.recipes.own_layer import OverlayMask
from codabench_rehearsal.recipes.system import RecipeError, System

Shape = tuple[int, int, int]
_MOMENTUM = 0.9  # batch norms' averages follow within some dozen steps: trainings are short


def small_cnn(shape: Shape, classes: int, *, widths: Sequence[int] = (16, 32, 64, 96)) -> Any:
    """Strided convolutions with batch norm, global pooling, one dense layer."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    for width in widths:
        x = _convolution(x, width, 3)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, answers(x, classes), name="small_cnn")


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
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    for width in widths:
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    return keras.Model(inputs, answers(_pooled(x, dense, dropout), classes), name="plain_cnn")


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
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    usual = (16, 32, 64, 128) if light else (32, 64, 256, 448)
    for number, width in enumerate(widths or usual):
        if number < 2 or (light and number == 3):
            x = _convolution(x, width, 3)
        else:
            x = _custom(x, width, blocks)
        x = layers.MaxPooling2D(2, padding="same")(x)
    return keras.Model(
        inputs, answers(_pooled(x, dense, dropout), classes), name="inception_residual"
    )


def _pooled(x: Any, dense: int, dropout: float) -> Any:
    """One value a channel, a dense layer, dropout: how both plain networks end."""
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(dense, "relu")(x)  # made before the dropout: each draws a seed when it is made
    return layers.Dropout(dropout)(x)


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
    """A head of `HEADS` on a backbone of `recipes.backbones`; further options are the head's.

    weights: "imagenet", "none" or a file. mask: `OverlayMask` comes first, which takes 0..255, so
    only in front of backbones that do.
    """
    if head not in HEADS:
        raise RecipeError(f"No head {head!r}; known: {', '.join(HEADS)}.")
    if mask and preprocessing(backbone) is not None:
        raise RecipeError(
            f"The masking layer takes values 0..255, and {backbone} others: leave it out, or "
            "choose a ConvNeXt, an EfficientNet or a MobileNetV3."
        )
    front = OverlayMask(name="overlay_mask") if mask else None
    body = build(backbone, shape, weights, front)
    outputs = HEADS[head](body.output, classes, **options)
    return keras.Model(body.input, outputs, name=f"{body.name}_{head}")


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


def excited(
    features: Any,
    classes: int,
    *,
    squeeze: int = 16,
    dense: int = 128,
    dropouts: Sequence[float] = (0.4, 0.2),
) -> Any:
    """reluctant_learners' head: mean of the maps, squeeze-and-excitation, Dense 128, two dropouts.

    The report gives the dropouts 0.4 and 0.2, not their places: before and after the dense layer
    is ours, and so is the squeeze to a sixteenth.
    """
    x = layers.GlobalAveragePooling2D(name=f"{HEAD}mean")(features)
    width = int(x.shape[-1])
    weights = layers.Dense(max(1, width // squeeze), "relu", name=f"{HEAD}squeeze")(x)
    weights = layers.Dense(width, "sigmoid", name=f"{HEAD}excite")(weights)
    x = layers.Multiply(name=f"{HEAD}excited")([x, weights])
    x = layers.Dropout(dropouts[0], name=f"{HEAD}dropout_1")(x)
    x = layers.Dense(dense, "relu", name=f"{HEAD}dense")(x)
    x = layers.Dropout(dropouts[1], name=f"{HEAD}dropout_2")(x)
    return answers(x, classes)


def two_dense(
    features: Any,
    classes: int,
    *,
    dense: Sequence[int] = (1024, 128),
    l2: float = 0.0,
    dropout: float = 0.0,
) -> Any:
    """hidden_players' and madapenguins' head: mean of the maps, dense layers, L2 and dropout."""
    x = layers.GlobalAveragePooling2D(name=f"{HEAD}mean")(features)
    for number, width in enumerate(dense, start=1):
        penalty, name = regularizers.L2(l2) if l2 else None, f"{HEAD}dense_{number}"
        x = layers.Dense(width, "relu", kernel_regularizer=penalty, name=name)(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{HEAD}dropout_{number}")(x)
    return answers(x, classes)


def inception(features: Any, classes: int, *, width: int = 128, dropout: float = 0.5) -> Any:
    """overfitting_gods' head: max-pool, four paths, concatenate, mean of the maps, dropout, dense.

    Paths: 1x1, 1x1 then 3x3, 1x1 then 5x5, and a pooled one, `width` channels each. Widths, the
    pooling that keeps the maps' size (they are 3x3 at 96 pixels) and the dropout are ours.
    """

    def convolution(x: Any, width: int, side: int, name: str) -> Any:
        name = f"{HEAD}path_{name}"
        return layers.Conv2D(width, side, padding="same", activation="relu", name=name)(x)

    x = layers.MaxPooling2D(2, 1, padding="same", name=f"{HEAD}pool")(features)
    paths = [convolution(x, width, 1, "1")]
    for side in (3, 5):
        neck = convolution(x, max(1, width // 2), 1, f"{side}_neck")
        paths.append(convolution(neck, width, side, str(side)))
    pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"{HEAD}path_pool")(x)
    paths.append(convolution(pooled, width, 1, "pool_conv"))
    x = layers.Concatenate(name=f"{HEAD}paths")(paths)
    x = layers.GlobalAveragePooling2D(name=f"{HEAD}mean")(x)
    x = layers.Dropout(dropout, name=f"{HEAD}dropout")(x)
    return answers(x, classes)


def answers(x: Any, classes: int) -> Any:
    """Probabilities as float32: half precision would round the small ones to nothing."""
    return layers.Dense(classes, activation="softmax", dtype="float32", name=f"{HEAD}answers")(x)


def network(system: System, shape: Shape, classes: int, weights: str = "none") -> Any:
    """The system's network, uncompiled; weights: of its backbone, "imagenet", "none" or a path.

    Raises `RecipeError` for a network that there is not, and as `backbones.build` does.
    """
    if system.model not in NETWORKS:
        raise RecipeError(f"{system.name}: no network {system.model!r} in recipes/models.py.")
    options = dict(system.model_options)
    if system.backbone is not None:
        options["weights"] = weights
    return NETWORKS[system.model](shape, classes, **options)


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Networks built here compute in this precision; afterwards it is again as before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(model: Any) -> Any:
    """The model itself, or a float32 twin with its layers and weights if it computes in less.

    The twin is made layer by layer of the model, not built anew: with ImageNet's weights Keras
    gives some networks a layer more than without, and a layer without weights would be missed in
    silence.
    """
    if all(layer.compute_dtype == "float32" for layer in every_layer(model)):
        return model

    def recast(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    inputs = keras.tree.map_structure(
        lambda one: keras.Input(batch_shape=one.shape, name=model.layers[0].name), model.input
    )
    twin = keras.models.clone_model(model, inputs, clone_function=recast)
    twin.set_weights(model.get_weights())
    for layer in every_layer(twin):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with what it took from its weights before
    return twin


def every_layer(model: Any) -> Iterator[Any]:
    """All layers, those of models inside the model too."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from every_layer(layer)


_NETWORKS = (small_cnn, plain_cnn, inception_residual, transfer)
NETWORKS: Mapping[str, Any] = {one.__name__: one for one in _NETWORKS}
HEADS: Mapping[str, Any] = {one.__name__: one for one in (excited, two_dense, inception)}

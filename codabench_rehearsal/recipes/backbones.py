"""The networks that a head is put on: Keras's own, with what it takes to use them, and small ones.

The table is data; Keras is imported when a network is built.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keras import layers

from codabench_rehearsal.recipes.system import RecipeError

HEAD = "head_"  # what the names of all layers behind a backbone start with
NONE, IMAGENET = "none", "imagenet"
_STORE = "https://storage.googleapis.com/"
_KERAS = f"{_STORE}tensorflow/keras-applications/"
_NOTOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"
_SMALL = f"{_KERAS}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
# Of a batch norm's average, what each step keeps. MobileNetV3 and the EfficientNets keep 0.999 and
# 0.99, made for trainings of a million steps: a short one from scratch would validate on averages
# of its first moments.
_MOMENTUM = 0.9


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    before_last: the last layer before its last block, which learns when a phase says "last".
    preprocess: its name in `submission.model_page`, None where it takes 0..255 itself. least:
    the smallest side that it takes, in pixels. url: where Keras fetches its ImageNet weights, ""
    for our own networks, which have none. The name is that of a function of `keras.applications`,
    or of `recipes.miniatures` where `url` is "".
    """

    before_last: str
    preprocess: str | None = None
    least: int = 32
    url: str = ""


def _efficient(name: str, before_last: str) -> Backbone:
    return Backbone(before_last, url=f"{_STORE}keras-applications/{name}_notop.h5")


def _efficient_v2(name: str, before_last: str) -> Backbone:
    return Backbone(before_last, url=f"{_KERAS}efficientnet_v2/efficientnetv2-{name}_notop.h5")


def _convnext(name: str, blocks: int) -> Backbone:
    last = f"convnext_{name}_stage_2_block_{blocks - 1}_identity"
    return Backbone(last, url=f"{_KERAS}convnext/convnext_{name}_notop.h5")


def _older(file: str, preprocess: str, before_last: str, least: int = 32) -> Backbone:
    return Backbone(before_last, preprocess, least, f"{_KERAS}{file}_{_NOTOP}")


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "MobileNetV3Small": Backbone("expanded_conv_7_add", url=_SMALL),
        "EfficientNetB2": _efficient("efficientnetb2", "block6e_add"),
        "EfficientNetB3": _efficient("efficientnetb3", "block6f_add"),
        "EfficientNetB5": _efficient("efficientnetb5", "block6i_add"),
        "EfficientNetB6": _efficient("efficientnetb6", "block6k_add"),
        "EfficientNetV2B2": _efficient_v2("b2", "block5f_add"),
        "EfficientNetV2B3": _efficient_v2("b3", "block5g_add"),
        "EfficientNetV2S": _efficient_v2("s", "block5i_add"),
        "EfficientNetV2M": _efficient_v2("m", "block6r_add"),
        "ResNet50": _older("resnet/resnet50", "resnet50", "conv4_block6_out"),
        "ResNet152": _older("resnet/resnet152", "resnet152", "conv4_block36_out"),
        "VGG16": _older("vgg16/vgg16", "vgg16", "block4_pool"),
        "MobileNet": Backbone(
            "conv_pw_11_relu", "mobilenet", url=f"{_KERAS}mobilenet/mobilenet_1_0_224_tf_no_top.h5"
        ),
        # The name of the sum behind this layer counts up in a session.
        "Xception": _older("xception/xception", "xception", "block12_sepconv3_bn", 71),
        "InceptionV3": _older("inception_v3/inception_v3", "inceptionv3", "mixed9", 75),
        "InceptionResNetV2": _older(
            "inception_resnet_v2/inception_resnet_v2", "inceptionresnetv2", "block8_9_ac", 75
        ),
        "ConvNeXtTiny": _convnext("tiny", 9),
        "ConvNeXtSmall": _convnext("small", 27),
        "ConvNeXtBase": _convnext("base", 27),
        "ConvNeXtLarge": _convnext("large", 27),
        "ConvNeXtXLarge": _convnext("xlarge", 27),
        "MiniResNet": Backbone("stage2_block2_out", least=16),
        "MiniEfficientNetV2": Backbone("stage2_block2_add", least=16),
        "MiniConvNeXt": Backbone("stage2_block2_add", least=16),
    }
)


def backbone(name: str) -> Backbone:
    """The row of that name. Raises `RecipeError` with the nearest names."""
    if name not in BACKBONES:
        near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(BACKBONES)}."
        raise RecipeError(f"No backbone {name!r}; {hint}")
    return BACKBONES[name]


def preprocessing(name: str | None) -> str | None:
    """What `recipe.json` calls a backbone's preprocessing; None where images go in as 0..255."""
    return None if name is None else backbone(name).preprocess


def build(name: str, shape: tuple[int, int, int], weights: str, front: Any = None) -> Any:
    """The network without its top, `(n, *shape)` -> `(n, h, w, channels)`; its layers lie flat.

    weights: "imagenet", "none", or a file (see `recipes.pretrained`). front: a layer that images
    pass first. Raises `RecipeError` for a shape that it does not take, and for weights that cannot
    be had: nothing is replaced by random values unasked.
    """
    import keras

    from codabench_rehearsal.recipes import pretrained

    row = backbone(name)
    _refuse_shape(name, row.least, shape)
    inputs = keras.Input(shape)
    images = inputs if front is None else front(inputs)
    if not row.url:
        model = keras.Model(inputs, MINIATURES[name](images), name=name)
    else:
        application = getattr(keras.applications, name)
        fetched = IMAGENET if weights == IMAGENET else None
        with pretrained.explained(name, row.url) if fetched else nullcontext():
            model = application(include_top=False, weights=fetched, input_tensor=images)
    if weights == NONE:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = _MOMENTUM
    elif weights != IMAGENET:
        pretrained.load(model, name, weights)
    elif not row.url:
        raise RecipeError(f"{name} is ours and has no ImageNet weights: say --weights none.")
    return model


def _refuse_shape(name: str, least: int, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    if channels != 3:
        raise RecipeError(f"{name} takes images with 3 colours, not {channels}.")
    if min(height, width) < least:
        raise RecipeError(
            f"{name} takes images of {least}x{least} pixels or more, not {height}x{width}: set the "
            f"recipe's side to {least} or more, or choose another backbone."
        )


# Each takes a Keras tensor of images in 0..255, scales it itself, and returns feature maps at a
# sixteenth of the side. They keep what makes the family: its block, its normalisation, its
# activation; widths and depths are ours. Their names are those of the table, beside Keras's own.


def MiniResNet(images: Any) -> Any:  # noqa: N802
    """Bottleneck blocks with a sum around them, as ResNet50: three stages of two."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    x = _normed(x, "stem", 24, 3, strides=2, activation="relu")
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, width in enumerate((64, 128, 256), start=1):
        for block in (1, 2):
            strides = 2 if stage > 1 and block == 1 else 1
            x = _bottleneck(x, f"stage{stage}_block{block}", width, strides)
    return x


def MiniEfficientNetV2(images: Any) -> Any:  # noqa: N802
    """Fused inverted bottlenecks first, then plain ones with squeeze-and-excitation."""
    x = layers.Rescaling(1 / 128.0, offset=-1.0)(images)
    x = _normed(x, "stem", 16, 3, strides=2, activation="swish")
    for stage, width in enumerate((24, 48, 96), start=1):
        for block in (1, 2):
            name, strides = f"stage{stage}_block{block}", 2 if block == 1 else 1
            inner = 4 * int(x.shape[-1])
            if stage == 1:
                y = _normed(x, f"{name}_expand", inner, 3, strides=strides, activation="swish")
            else:
                y = _inverted(x, name, inner, strides)
            y = _normed(y, f"{name}_project", width, 1)
            x = y if block == 1 else layers.Add(name=f"{name}_add")([x, y])
    return _normed(x, "top", 256, 1, activation="swish")


def MiniConvNeXt(images: Any) -> Any:  # noqa: N802
    """Depthwise 7x7, layer norm, four times the channels with GELU, and a sum: three stages of two.

    Without the large ones' layer scale, which holds back blocks in deep stacks.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    x = layers.Conv2D(32, 4, 4, padding="same", name="stem_conv")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="stem_norm")(x)
    for stage, width in enumerate((32, 64, 128), start=1):
        if stage > 1:
            x = layers.LayerNormalization(epsilon=1e-6, name=f"stage{stage}_norm")(x)
            x = layers.Conv2D(width, 2, 2, padding="same", name=f"stage{stage}_down")(x)
        for block in (1, 2):
            name = f"stage{stage}_block{block}"
            y = layers.DepthwiseConv2D(7, padding="same", name=f"{name}_depthwise")(x)
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(y)
            y = layers.Dense(4 * width, "gelu", name=f"{name}_expand")(y)
            y = layers.Dense(width, name=f"{name}_project")(y)
            x = layers.Add(name=f"{name}_add")([x, y])
    return layers.LayerNormalization(epsilon=1e-6, name="top_norm")(x)


def _bottleneck(x: Any, name: str, width: int, strides: int) -> Any:
    """1x1 to a quarter, 3x3, 1x1 back; the path around it has a convolution where shapes differ."""
    around = x
    if strides > 1 or x.shape[-1] != width:
        around = _normed(x, f"{name}_around", width, 1, strides=strides)
    x = _normed(x, f"{name}_in", width // 4, 1, strides=strides, activation="relu")
    x = _normed(x, f"{name}_mid", width // 4, 3, activation="relu")
    x = _normed(x, f"{name}_back", width, 1)
    x = layers.Add(name=f"{name}_add")([around, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _inverted(x: Any, name: str, width: int, strides: int) -> Any:
    """1x1 to more channels, a depthwise 3x3, and each channel times what all their means say."""
    x = _normed(x, f"{name}_expand", width, 1, activation="swish")
    depthwise = layers.DepthwiseConv2D(
        3, strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )
    x = layers.BatchNormalization(name=f"{name}_depthwise_bn")(depthwise(x))
    x = layers.Activation("swish", name=f"{name}_depthwise_act")(x)
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    weights = layers.Dense(width // 16, "swish", name=f"{name}_reduce")(weights)
    weights = layers.Dense(width, "sigmoid", name=f"{name}_excite")(weights)
    return layers.Multiply(name=f"{name}_excited")([x, weights])


def _normed(
    x: Any, name: str, width: int, side: int, *, strides: int = 1, activation: str = ""
) -> Any:
    """A convolution without bias, batch norm, and an activation if there is one."""
    convolution = layers.Conv2D(
        width, side, strides, padding="same", use_bias=False, name=f"{name}_conv"
    )
    x = layers.BatchNormalization(name=f"{name}_bn")(convolution(x))
    return layers.Activation(activation, name=f"{name}_act")(x) if activation else x


MINIATURES: Mapping[str, Any] = {
    "MiniResNet": MiniResNet,
    "MiniEfficientNetV2": MiniEfficientNetV2,
    "MiniConvNeXt": MiniConvNeXt,
}

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

from codabench_rehearsal.recipes.system import RecipeError, Trainable

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

    from codabench_rehearsal.recipes import miniatures, pretrained

    row = backbone(name)
    _refuse_shape(name, row.least, shape)
    inputs = keras.Input(shape)
    images = inputs if front is None else front(inputs)
    if not row.url:
        model = keras.Model(inputs, getattr(miniatures, name)(images), name=name)
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


def freeze(model: Any, name: str | None, trainable: Trainable, *, pretrained: bool) -> None:
    """Set what learns of a model with a head on the backbone of that name; compile it afterwards.

    trainable: as `Phase` has it; a share counts the layers that have weights. Batch norms of a
    pretrained backbone never learn and keep their averages: a few new images would spoil what
    belongs to all the other weights (Keras's guide to transfer learning). Without pretrained
    weights, or without a backbone, everything learns: random features say nothing, and a head on
    them could not be right.
    """
    import keras

    model.trainable = True
    if name is None or not pretrained:
        return
    body = [layer for layer in model.layers if not layer.name.startswith(HEAD)]
    names = [layer.name for layer in body]
    if trainable == "last":
        learning = names[names.index(backbone(name).before_last) + 1 :]
    else:
        weighted = [layer.name for layer in body if layer.weights]
        learning = weighted[len(weighted) - round(trainable * len(weighted)) :]
    for layer in body:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in learning and not norm


def _refuse_shape(name: str, least: int, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    if channels != 3:
        raise RecipeError(f"{name} takes images with 3 colours, not {channels}.")
    if min(height, width) < least:
        raise RecipeError(
            f"{name} takes images of {least}x{least} pixels or more, not {height}x{width}: set the "
            f"recipe's side to {least} or more, or choose another backbone."
        )

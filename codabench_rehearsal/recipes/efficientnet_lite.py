"""EfficientNet-Lite, written from the published architecture, in plain Keras 3.

Tan and Le, ICML 2019 (arXiv 1905.11946), and "Higher accuracy on vision models with
EfficientNet-Lite" (TensorFlow blog, March 2020): EfficientNet without squeeze-and-excitation, with
ReLU6 for swish; the stem, the head, and the depth of the first and last stage are not scaled.

A function here takes a Keras tensor of images in 0..255, scales it itself, and returns feature
maps `(n, h/32, w/32, 1280)`. Layers are named as Keras names those of its EfficientNets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keras import initializers, layers

STEM, HEAD = 32, 1280
_EPSILON = 1e-3  # of batch norms, as the published weights were trained with
_DROPPED = 0.2  # share of a deep block's paths dropped in training, less further down


@dataclass(frozen=True)
class Stage:
    """Blocks of one width. expand: channels inside a block, in those that it takes."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
# How much wider and deeper than these, and the side that each was trained on.
SCALES: Mapping[str, tuple[float, float, int]] = MappingProxyType(
    {
        "EfficientNetLite0": (1.0, 1.0, 224),
        "EfficientNetLite1": (1.0, 1.1, 240),
        "EfficientNetLite2": (1.1, 1.2, 260),
    }
)


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck. name: "2a"; expand: 1 for none; around: it adds its input."""

    name: str
    kernel: int
    stride: int
    expand: int
    width: int
    around: bool


def blocks(name: str) -> list[Block]:
    """The blocks of the network of that name, from the images on."""
    wider, deeper, _ = SCALES[name]
    return list(_blocks(wider, deeper))


def EfficientNetLite0(images: Any) -> Any:  # noqa: N802  (named as Keras names its networks)
    """The smallest: 3.41 M parameters without its top."""
    return _features("EfficientNetLite0", images)


def EfficientNetLite1(images: Any) -> Any:  # noqa: N802
    """Deeper: 4.19 M parameters without its top."""
    return _features("EfficientNetLite1", images)


def EfficientNetLite2(images: Any) -> Any:  # noqa: N802
    """Deeper and wider: 4.87 M parameters without its top."""
    return _features("EfficientNetLite2", images)


def imagenet_top(features: Any) -> Any:
    """The logits of ImageNet's 1,000 classes, `(n, 1000)`."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(features)
    return layers.Dense(1000, name="predictions")(x)


def _features(name: str, images: Any) -> Any:
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(images)
    x = _convolution(x, "stem", STEM, 3, 2)
    every = blocks(name)
    for place, block in enumerate(every):
        x = _bottleneck(x, block, _DROPPED * place / len(every))
    return _convolution(x, "top", HEAD, 1)


def _bottleneck(x: Any, block: Block, dropped: float) -> Any:
    """1x1 to more channels, a depthwise convolution, 1x1 back without an activation, and a sum."""
    name, before = f"block{block.name}_", x
    if block.expand > 1:
        x = _convolution(x, f"{name}expand", block.expand * int(x.shape[-1]), 1)
    depthwise = layers.DepthwiseConv2D(
        block.kernel,
        block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_drawn(),
        name=f"{name}dwconv",
    )
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}bn")(depthwise(x))
    x = layers.ReLU(6.0, name=f"{name}activation")(x)
    x = _convolution(x, f"{name}project", block.width, 1, activation=False)
    if not block.around:
        return x
    if dropped:
        x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, before])


def _convolution(
    x: Any, name: str, width: int, kernel: int, stride: int = 1, *, activation: bool = True
) -> Any:
    """A convolution without bias, batch norm, and ReLU6 if wanted."""
    convolution = layers.Conv2D(
        width,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_drawn(),
        name=f"{name}_conv",
    )
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(convolution(x))
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if activation else x


def _drawn() -> Any:
    """An initializer of its own for each layer: one for all would give all the same values."""
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _blocks(wider: float, deeper: float) -> Iterator[Block]:
    taken = STEM
    for number, stage in enumerate(STAGES, start=1):
        fixed = number in (1, len(STAGES))
        width = _rounded(stage.width * wider)
        for repeat in range(stage.repeats if fixed else math.ceil(stage.repeats * deeper)):
            stride = stage.stride if repeat == 0 else 1
            around = stride == 1 and taken == width
            letter = chr(ord("a") + repeat)
            yield Block(f"{number}{letter}", stage.kernel, stride, stage.expand, width, around)
            taken = width


def _rounded(width: float) -> int:
    """To a multiple of 8, never more than a tenth below."""
    near = max(8, int(width + 4) // 8 * 8)
    return near if near >= 0.9 * width else near + 8

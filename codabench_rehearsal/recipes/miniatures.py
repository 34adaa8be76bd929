"""Our own small relatives of three families of backbones: seconds an epoch on two cores.

Each takes a Keras tensor of images in 0..255, scales it itself, and returns feature maps at a
sixteenth of the side. They keep what makes the family: its block, its normalisation, its
activation; widths and depths are ours. Their names are those of the table, beside Keras's own.
"""

from __future__ import annotations

from typing import Any

from keras import layers


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

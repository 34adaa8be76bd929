"""What is put on a backbone's feature maps: each ends in probabilities.

Each takes (features, classes, options). The layers' names start with `codabench_rehearsal.recipes.backbones.HEAD`, by
which frozen and learning layers are told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers, regularizers

from codabench_rehearsal.recipes.backbones import HEAD


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
    """hidden_players' and madapenguins' head: mean of the maps, dense layers with L2 and dropout."""
    x = layers.GlobalAveragePooling2D(name=f"{HEAD}mean")(features)
    for number, width in enumerate(dense, start=1):
        penalty = regularizers.L2(l2) if l2 else None
        layer = layers.Dense(
            width, "relu", kernel_regularizer=penalty, name=f"{HEAD}dense_{number}"
        )
        x = layer(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{HEAD}dropout_{number}")(x)
    return answers(x, classes)


def inception(features: Any, classes: int, *, width: int = 128, dropout: float = 0.5) -> Any:
    """overfitting_gods' head: max-pool, four paths, concatenate, mean of the maps, dropout, dense.

    Paths: 1x1, 1x1 then 3x3, 1x1 then 5x5, and a pooled one, `width` channels each. Widths, the
    pooling that keeps the maps' size (they are 3x3 at 96 pixels) and the dropout are ours.
    """
    x = layers.MaxPooling2D(2, 1, padding="same", name=f"{HEAD}pool")(features)
    paths = [_path(x, width, side) for side in (1, 3, 5)]
    pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"{HEAD}path_pool")(x)
    paths.append(_convolution(pooled, width, 1, "path_pool_conv"))
    x = layers.Concatenate(name=f"{HEAD}paths")(paths)
    x = layers.GlobalAveragePooling2D(name=f"{HEAD}mean")(x)
    x = layers.Dropout(dropout, name=f"{HEAD}dropout")(x)
    return answers(x, classes)


def _path(x: Any, width: int, side: int) -> Any:
    """A 1x1 bottleneck, and a wider convolution behind it where `side` is over 1."""
    if side == 1:
        return _convolution(x, width, 1, "path_1")
    x = _convolution(x, max(1, width // 2), 1, f"path_{side}_neck")
    return _convolution(x, width, side, f"path_{side}")


def _convolution(x: Any, width: int, side: int, name: str) -> Any:
    return layers.Conv2D(width, side, padding="same", activation="relu", name=f"{HEAD}{name}")(x)


def answers(x: Any, classes: int) -> Any:
    """Probabilities as float32: half precision would round the small ones to nothing."""
    return layers.Dense(classes, activation="softmax", dtype="float32", name=f"{HEAD}answers")(x)

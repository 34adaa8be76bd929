"""What a phase learns, and by what: the layers that thaw, the loss, the optimizer.

Losses and optimizers are Keras's own, so that no saved model needs a file of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras

from codabench_rehearsal.recipes.backbones import HEAD, backbone
from codabench_rehearsal.recipes.system import Phase, RecipeError, System, Trainable

OPTIMIZERS: Mapping[str, Any] = MappingProxyType(
    {"adam": keras.optimizers.Adam, "lion": keras.optimizers.Lion}
)
# name -> Keras loss, and the options that a recipe may set.
_FOCAL = (keras.losses.CategoricalFocalCrossentropy, ("label_smoothing", "alpha", "gamma"))
_CROSS = (keras.losses.CategoricalCrossentropy, ("label_smoothing",))
LOSSES: Mapping[str, tuple[Any, tuple[str, ...]]] = MappingProxyType(
    {"crossentropy": _CROSS, "focal": _FOCAL}
)


def compiled(model: Any, system: System, phase: Phase, *, pretrained: bool) -> Any:
    """Freeze and compile the model for a phase; its new optimizer's variables exist already.

    Returns the optimizer that holds the learning rate (with mixed precision, Keras's own one for
    scaled losses is around it). Raises `RecipeError` for an unknown optimizer, and as `loss` does.
    """
    freeze(model, system.backbone, phase.trainable, pretrained=pretrained)
    if phase.optimizer not in OPTIMIZERS:
        raise RecipeError(
            f"No optimizer {phase.optimizer!r}; known: {', '.join(sorted(OPTIMIZERS))}."
        )
    optimizer = OPTIMIZERS[phase.optimizer](phase.learning_rate)
    model.compile(
        optimizer=optimizer,
        loss=loss(system),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    model.optimizer.build(model.trainable_variables)
    return optimizer


def freeze(model: Any, name: str | None, trainable: Trainable, *, pretrained: bool) -> None:
    """Set what learns of a model with a head on the backbone of that name; compile it afterwards.

    trainable: as `Phase` has it; a share counts the layers that have weights. Batch norms of a
    pretrained backbone never learn and keep their averages: a few new images would spoil what
    belongs to all the other weights (Keras's guide to transfer learning). Without pretrained
    weights, or without a backbone, everything learns: random features say nothing, and a head on
    them could not be right.
    """
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


def loss(system: System) -> Any:
    """The system's loss, a Keras loss: targets and probabilities float32 (n, classes) -> a mean.

    With S = label_smoothing and K classes, targets become y' = (1-S) y + S/K. "crossentropy" is
    -sum_k y'_k log p_k; "focal", as overfitting_gods wrote it, -sum_k alpha y'_k (1-p_k)^gamma
    log p_k, p held 1e-7 away from 0 and 1. Raises `RecipeError` for an unknown loss or option.
    """
    if system.loss not in LOSSES:
        raise RecipeError(f"No loss {system.loss!r}; known: {', '.join(LOSSES)}.")
    made, known = LOSSES[system.loss]
    for option in sorted(system.loss_options.keys() - set(known)):
        raise RecipeError(
            f"The loss {system.loss} has no option {option!r}; known: {', '.join(known)}."
        )
    return made(**system.loss_options)

"""What a phase computes with: its loss, its optimizer, what of the network learns.

Losses and optimizers are Keras's own, so that no saved model needs a file of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.recipes.backbones import freeze
from codabench_rehearsal.recipes.checkpoint import Arrays
from codabench_rehearsal.recipes.system import Phase, RecipeError, System

OPTIMIZERS: Mapping[str, Any] = MappingProxyType(
    {"adam": keras.optimizers.Adam, "lion": keras.optimizers.Lion}
)
# name -> Keras loss, and the options that a recipe may set.
_FOCAL = (keras.losses.CategoricalFocalCrossentropy, ("label_smoothing", "alpha", "gamma"))
_CROSS = (keras.losses.CategoricalCrossentropy, ("label_smoothing",))
LOSSES: Mapping[str, tuple[Any, tuple[str, ...]]] = MappingProxyType(
    {"crossentropy": _CROSS, "focal": _FOCAL}
)
_LEAST = 1.001e-5  # a smaller epsilon is raised to this by TensorFlow's operation


def compiled(model: Any, system: System, phase: Phase, *, pretrained: bool) -> Any:
    """Freeze and compile the model for a phase; its new optimizer's variables exist already.

    Returns the optimizer that holds the learning rate (with mixed precision, Keras's own one for
    scaled losses is around it). Raises `RecipeError` for an unknown optimizer, and as `loss` does.
    """
    freeze(model, system.backbone, phase.trainable, pretrained=pretrained)
    quicken(model)
    if phase.optimizer not in OPTIMIZERS:
        raise RecipeError(
            f"No optimizer {phase.optimizer!r}; known: {', '.join(sorted(OPTIMIZERS))}."
        )
    average = {"use_ema": True, "ema_momentum": phase.ema} if phase.ema else {}
    optimizer = OPTIMIZERS[phase.optimizer](phase.learning_rate, **average)
    model.compile(
        optimizer=optimizer,
        loss=loss(system),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    model.optimizer.build(model.trainable_variables)
    return optimizer


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


@contextmanager
def averaged(model: Any, rated: Any) -> Iterator[None]:
    """Inside, what learns has the optimizer's moving average of it, where it keeps one.

    Batch norms' averages stay: they move by themselves, and hardly at the end of a falling rate.
    """
    own = [one.copy() for one in values_of(model.trainable_variables)] if rated.use_ema else []
    if own:
        rated.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        assign(model.trainable_variables if own else (), own)


def values_of(variables: Iterable[Any]) -> list[NDArray[Any]]:
    """The variables' values, in their order."""
    return [np.asarray(keras.ops.convert_to_numpy(one)) for one in variables]


def assign(variables: Iterable[Any], arrays: Arrays) -> None:
    """Give the variables these values, in their order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def quicken(model: Any) -> None:
    """Let batch norms that learn use TensorFlow's one operation for them, where it is quicker.

    Keras writes them as a dozen passes over the maps, two fifths of a training on CPUs; this gives
    the same but for rounding, and what is saved is Keras's own layer. With other backends, on GPUs
    and for norms that the operation does not know, nothing changes.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    for layer in model.layers:
        if type(layer) is keras.layers.BatchNormalization and "call" not in vars(layer):
            layer.call = _fused(layer, layer.call)


def _fused(norm: Any, plain: Any) -> Any:
    """The norm's call: TensorFlow's operation while it learns, its own otherwise."""
    import tensorflow as tf

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: FBT001  Keras's signature
        if not (training and norm.trainable and mask is None and _known(norm, len(inputs.shape))):
            return plain(inputs, training=training, mask=mask)
        inputs = tf.cast(inputs, tf.float32)  # as Keras does
        channels = inputs.shape[-1]
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(norm.gamma) if norm.scale else tf.ones(channels),
            tf.convert_to_tensor(norm.beta) if norm.center else tf.zeros(channels),
            epsilon=norm.epsilon,
        )
        values = tf.cast(tf.size(inputs) // channels, tf.float32)
        own = variance * (values - 1) / values  # of these values, as Keras's, not of more like them
        for average, now in ((norm.moving_mean, mean), (norm.moving_variance, own)):
            average.assign(average * norm.momentum + now * (1.0 - norm.momentum))
        return tf.cast(outputs, norm.compute_dtype)

    return call


def _known(norm: Any, dimensions: int) -> bool:
    """Whether TensorFlow's operation does what this norm does."""
    odd = norm.synchronized or getattr(norm, "renorm", False) or norm.dtype == "float64"
    return dimensions == 4 and norm.axis in (3, -1) and norm.epsilon >= _LEAST and not odd

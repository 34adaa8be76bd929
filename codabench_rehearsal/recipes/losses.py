"""What training minimises. Both are Keras's own, so that no saved model needs a file of ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras

from codabench_rehearsal.recipes.system import RecipeError, System

# name -> Keras loss, and the options that a recipe may set.
LOSSES: Mapping[str, tuple[Any, tuple[str, ...]]] = MappingProxyType(
    {
        "crossentropy": (keras.losses.CategoricalCrossentropy, ("label_smoothing",)),
        "focal": (
            keras.losses.CategoricalFocalCrossentropy,
            ("label_smoothing", "alpha", "gamma"),
        ),
    }
)


def loss(system: System) -> Any:
    """The system's loss, a Keras loss: targets and probabilities float32 (n, classes) -> a mean.

    With S = label_smoothing and K classes, targets become y' = (1-S) y + S/K. "crossentropy" is
    -sum_k y'_k log p_k; "focal", as overfitting_gods wrote it, -sum_k alpha y'_k (1-p_k)^gamma
    log p_k, p held 1e-7 away from 0 and 1. Raises `RecipeError` for an unknown loss or option.
    """
    if system.loss not in LOSSES:
        raise RecipeError(f"No loss {system.loss!r}; known: {', '.join(LOSSES)}.")
    made, known = LOSSES[system.loss]
    unknown = sorted(set(system.loss_options) - set(known))
    if unknown:
        raise RecipeError(
            f"The loss {system.loss} has no option {unknown[0]!r}; known: {', '.join(known)}."
        )
    return made(**system.loss_options)

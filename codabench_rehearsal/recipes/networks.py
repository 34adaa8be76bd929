"""From a system to its network, in the precision that it computes in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import keras

from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.system import RecipeError, System

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def network(
    system: System, shape: tuple[int, int, int], classes: int, weights: str = "none"
) -> Any:
    """The system's network, uncompiled; weights: of its backbone, "imagenet", "none" or a path.

    Raises `RecipeError` for a network that there is not, and as `codabench_rehearsal.recipes.backbones.build` does.
    """
    if not hasattr(models, system.model):
        raise RecipeError(f"{system.name}: no network {system.model!r} in recipes/models.py.")
    options = dict(system.model_options)
    if system.backbone is not None:
        options["weights"] = weights
    return getattr(models, system.model)(shape, classes, **options)


def without_weights(system: System, shape: tuple[int, int, int], classes: int) -> Any:
    """The same network with every shape and no values: nothing is drawn, allocated or computed.

    Only good for looking at; a thread of its own, because Keras remembers weights without values
    for each thread, and the next one would draw them all.
    """

    def build() -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return network(system, shape, classes)

    with ThreadPoolExecutor(1) as alone:
        return alone.submit(build).result()


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Networks built here compute in this precision; afterwards it is again as before."""
    if precision not in PRECISIONS:
        raise RecipeError(f"No precision {precision!r}; known: {', '.join(PRECISIONS)}.")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

"""What a phase learns and by what, and what follows from validation: rates, stopping, epochs.

No Keras; its state is JSON, so that a training goes on exactly where it was cut off.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import DataError, Dataset
from codabench_rehearsal.images.splitting import split
from codabench_rehearsal.recipes.backbones import HEAD, backbone
from codabench_rehearsal.recipes.system import Phase, RecipeError, System, Trainable


@dataclass
class Schedule:
    """A phase under way.

    steps: batches in an epoch. epochs: how many were trained. best: the highest validation
    accuracy so far, None before the first; best_epoch: its epoch, counted from 1, the first one of
    equals. factor: what the plateaus have left of the learning rate. flat: epochs since the best
    one or since the last drop of the rate.
    """

    phase: Phase
    steps: int
    epochs: int = 0
    best: float | None = None
    best_epoch: int = 0
    factor: float = 1.0
    flat: int = 0

    def rate(self, step: int = 0) -> float:
        """The learning rate at a step, counted from 0, of the epoch under way."""
        rate = self.phase.learning_rate * self.factor
        if self.varies:
            done = (self.epochs * self.steps + step) / max(1, self.phase.epochs * self.steps)
            rate *= 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        return rate

    @property
    def varies(self) -> bool:
        """Whether the rate changes within an epoch."""
        return self.phase.decay == "cosine"

    @property
    def over(self) -> bool:
        """Whether the phase has ended: all its epochs, or its patience."""
        if self.phase.patience is None or self.best is None:
            return self.epochs >= self.phase.epochs
        waited = self.epochs - self.best_epoch
        return self.epochs >= self.phase.epochs or waited >= max(1, self.phase.patience)

    def saw(self, accuracy: float | None) -> None:
        """Count an epoch that ended with this validation accuracy; None where none was measured."""
        self.epochs += 1
        if accuracy is None:
            return
        if self.best is None or accuracy > self.best:
            self.best, self.best_epoch, self.flat = accuracy, self.epochs, 0
            return
        self.flat += 1
        if self.phase.plateau is not None and self.flat >= self.phase.plateau:
            self.factor, self.flat = self.factor * self.phase.factor, 0

    def state(self) -> dict[str, Any]:
        """All that changes, as JSON holds it and `Schedule(phase, steps, **state)` takes it."""
        changing = ("epochs", "best", "best_epoch", "factor", "flat")
        return {name: getattr(self, name) for name in changing}


def fold_sides(data: Dataset, folds: int, seed: int) -> Iterator[tuple[Dataset, Dataset]]:
    """For each fold (the images to learn from, its own); every image is in one fold at most.

    Stratified and seeded; identical images stay together. A class's last image is always learnt
    from. The folds are of the training side: the validation side stays out of everything here, so
    that `local-eval` has images to judge by, where the team then trained its last network on all it
    had. Raises `RecipeError` where a fold would be empty.
    """
    for rows in _own_rows(data, folds, seed):
        own = np.zeros(len(data), dtype=bool)
        own[rows] = True
        yield data.subset(~own), data.subset(own)


def after_folds(phase: Phase, best: Sequence[int]) -> Phase:
    """The phase as it is trained once its folds are done, without validation.

    It has the median of their best epochs, rounded half up, at least 1.
    """
    epochs = max(1, int(statistics.median(best) + 0.5))
    return replace(phase, epochs=epochs, folds=0, validation=False, patience=None, plateau=None)


def _own_rows(data: Dataset, folds: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Each fold's rows: a k-th of all, then a (k-1)-th of the rest, and so on."""
    left = np.arange(len(data))
    for remaining in range(folds, 1, -1):
        try:
            sides = split(data.subset(left), 1 / remaining, seed)
        except DataError:
            raise RecipeError(
                f"{len(data)} training images are too few for {folds} folds; give more images."
            ) from None
        held = np.isin(data.ids[left], sides.validation.ids)
        yield left[held]
        left = left[~held]
    elsewhere = np.delete(data.labels, left)  # of the last fold those whose class has images there
    yield left[np.isin(data.labels[left], elsewhere)]


# Losses and optimizers are Keras's own, so that no saved model needs a file of ours.


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

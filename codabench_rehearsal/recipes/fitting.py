"""One network through one phase: the loop over epochs and batches.

Our own loop of `train_on_batch` and not `fit`: it costs no more (measured: within 3 % on the small
CNN), is the same on every backend, and knows how long the network waited for its images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.recipes.backbones import freeze
from codabench_rehearsal.recipes.checkpoint import State
from codabench_rehearsal.recipes.feed import Feed
from codabench_rehearsal.recipes.progress import Reporter
from codabench_rehearsal.recipes.schedule import Schedule
from codabench_rehearsal.recipes.system import Phase, RecipeError, System

Labelled = tuple[NDArray[Any], NDArray[np.float32]]  # images as the network takes them, targets
_OPTIMIZERS: Mapping[str, Any] = MappingProxyType(
    {"adam": keras.optimizers.Adam, "lion": keras.optimizers.Lion}
)


class DivergedError(RecipeError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Lesson:
    """What a phase is trained with. keep: so many of its best epochs' weights are kept.

    validation: what each epoch is measured on, or None. class_weights: float32 (classes,), how
    much an image of each class counts, or None. before: epochs of the phases before this one.
    """

    system: System
    phase: Phase
    feed: Feed
    validation: Labelled | None
    class_weights: NDArray[np.float32] | None
    reporter: Reporter
    pretrained: bool
    keep: int = 1


def compiled(model: Any, lesson: Lesson) -> Any:
    """Freeze and compile the model for a phase; its new optimizer's variables exist already.

    Returns the optimizer that holds the learning rate (with mixed precision, Keras's own one for
    scaled losses is around it).
    """
    phase = lesson.phase
    freeze(model, lesson.system.backbone, phase.trainable, pretrained=lesson.pretrained)
    if phase.optimizer not in _OPTIMIZERS:
        raise RecipeError(
            f"No optimizer {phase.optimizer!r}; known: {', '.join(sorted(_OPTIMIZERS))}."
        )
    optimizer = _OPTIMIZERS[phase.optimizer](phase.learning_rate)
    model.compile(
        optimizer=optimizer,
        loss=loss(lesson.system),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    model.optimizer.build(model.trainable_variables)
    return optimizer


def run_phase(
    model: Any, optimizer: Any, lesson: Lesson, state: State, after: Callable[[], None]
) -> Schedule:
    """Train until the phase is over; `state` grows by each epoch, and then `after` is called.

    Raises `DivergedError` when the loss is no longer a number.
    """
    schedule = Schedule.restored(lesson.phase, lesson.feed.steps, state.schedule or {})
    while not schedule.over:
        row = _epoch(model, optimizer, lesson, schedule, state.epochs)
        accuracy = row["val_accuracy"] if lesson.validation else None
        schedule.saw(accuracy)
        state.epochs += 1
        state.schedule = schedule.state()
        state.history.append(row)
        _keep(state, schedule.epochs, accuracy, lesson.keep, model)
        lesson.reporter.epoch(state.epochs, figures(row))
        after()
    return schedule


def settle(model: Any, state: State, *, average: bool) -> None:
    """Give the model the weights that its phase leaves: of the best epoch, or the mean of the kept.

    The mean covers batch norm's moving averages too. Without kept epochs the last weights stay.
    """
    if not state.kept:
        return
    best = _ranked(state)
    if average:
        model.set_weights(mean_weights([state.kept[number][1] for number in best]))
    else:
        model.set_weights(state.kept[best[0]][1])


def mean_weights(sets: list[Any]) -> list[NDArray[Any]]:
    """The mean of several networks' weights, array by array; whole numbers are the first one's."""
    return [
        np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
        if np.issubdtype(arrays[0].dtype, np.floating)
        else arrays[0]
        for arrays in zip(*sets, strict=True)
    ]


def measured(model: Any, labelled: Labelled, batch: int) -> dict[str, float]:
    """The compiled model's loss and accuracy on images as it takes them."""
    images, targets = labelled
    mean = _Mean()
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        model.reset_metrics()
        heard = model.test_on_batch(images[part], targets[part], return_dict=True)
        mean.add(heard, len(targets[part]))
    return mean.values()


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The loss and accuracies of a row of the history."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return {name: row[name] for name in names if row[name] is not None}


def _epoch(
    model: Any, optimizer: Any, lesson: Lesson, schedule: Schedule, number: int
) -> dict[str, Any]:
    """Train one epoch and measure it; a row of the history. number: counted from 0 over all phases."""
    started, waited = time.monotonic(), lesson.feed.waited
    rate = schedule.rate()
    logs = _batches(model, optimizer, lesson, schedule, number)
    checked = (
        measured(model, lesson.validation, lesson.system.batch)
        if lesson.validation
        else {"loss": None, "accuracy": None}
    )
    seconds = time.monotonic() - started
    share = (lesson.feed.waited - waited) / seconds
    return {
        "epoch": number + 1,
        "phase": lesson.phase.name,
        "loss": logs["loss"],
        "accuracy": logs["accuracy"],
        "val_loss": checked["loss"],
        "val_accuracy": checked["accuracy"],
        "learning_rate": rate,
        "seconds": seconds,
        "waited_share": min(1.0, share),
    }


def _batches(
    model: Any, optimizer: Any, lesson: Lesson, schedule: Schedule, number: int
) -> dict[str, float]:
    """Train on an epoch's batches; the mean of loss and accuracy over its images."""
    mean = _Mean()
    for step, (images, targets) in enumerate(lesson.feed.epoch(number)):
        if step == 0 or schedule.varies:
            optimizer.learning_rate = schedule.rate(step)
        counts = None if lesson.class_weights is None else targets @ lesson.class_weights
        model.reset_metrics()  # newer Keras does it itself, 3.4 would go on adding up
        heard = model.train_on_batch(images, targets, sample_weight=counts, return_dict=True)
        mean.add(heard, len(targets))
        if not math.isfinite(mean.total["loss"]):
            raise DivergedError(_diverged(lesson.phase, number + 1, float(heard["loss"])))
        lesson.reporter.batch(number + 1, (step + 1) / lesson.feed.steps, mean.values())
    return mean.values()


class _Mean:
    """The mean of loss and accuracy over images that come in batches."""

    def __init__(self) -> None:
        self.total = {"loss": 0.0, "accuracy": 0.0}
        self._images = 0

    def add(self, heard: Mapping[str, Any], images: int) -> None:
        self._images += images
        for name in self.total:
            self.total[name] += float(heard[name]) * images

    def values(self) -> dict[str, float]:
        return {name: total / self._images for name, total in self.total.items()}


def _diverged(phase: Phase, epoch: int, value: float) -> str:
    return (
        f"The loss became {value} in epoch {epoch} ({phase.name}), so training stopped. Begin anew "
        f"in another --out with a smaller learning rate than {phase.learning_rate:g} (--rate 0.3), or "
        "in float32 where precision is mixed."
    )


def _keep(state: State, epoch: int, accuracy: float | None, limit: int, model: Any) -> None:
    """Keep the weights of this epoch if it is among the `limit` best ones of the phase so far."""
    if limit == 0:
        return
    state.kept[epoch] = accuracy, ()
    for number in _ranked(state)[limit:]:
        del state.kept[number]
    if epoch in state.kept:
        copies = [np.array(one) for one in model.get_weights()]  # no views of what goes on changing
        state.kept[epoch] = accuracy, copies


def _ranked(state: State) -> list[int]:
    """The kept epochs, best first: by validation accuracy, the first of equals; else the latest."""

    def rank(number: int) -> tuple[float, int]:
        accuracy = state.kept[number][0]
        return (0.0, -number) if accuracy is None else (-accuracy, number)

    return sorted(state.kept, key=rank)


# What training minimises. Both are Keras's own, so that no saved model needs a file of ours.


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

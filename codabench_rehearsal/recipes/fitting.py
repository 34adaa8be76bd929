"""One network through the phases of its system, from where its checkpoint left it.

Our own loop of `train_on_batch` and not `fit`: it costs no more (measured: within 3 % on the small
CNN), is the same on every backend, and knows how long the network waited for its images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from codabench_rehearsal.console.words import listed
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes.checkpoint import Arrays, Checkpoint, State
from codabench_rehearsal.recipes.compiling import assign, averaged, compiled, values_of
from codabench_rehearsal.recipes.feed import Batch, Feed, fixed
from codabench_rehearsal.recipes.models import network
from codabench_rehearsal.recipes.prepare import Prepared
from codabench_rehearsal.recipes.schedule import Reporter, Schedule, after_folds, fold_sides
from codabench_rehearsal.recipes.system import Phase, RecipeError, System

Save = Callable[[Iterable[Any]], None]  # takes the optimizer's variables


class DivergedError(RecipeError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Task:
    """What one network learns, and from what. weights: where its backbone begins, see `network`."""

    system: System
    sides: Prepared
    classes: int
    seed: int
    weights: str
    reporter: Reporter

    @property
    def pretrained(self) -> bool:
        """Whether its backbone begins with weights that were learnt elsewhere."""
        return self.system.backbone is not None and self.weights != "none"

    def network(self) -> Any:
        """A fresh, uncompiled network."""
        height, width, channels = self.sides.train.images.shape[1:]
        keras.utils.set_random_seed(self.seed)
        return network(self.system, (height, width, channels), self.classes, self.weights)

    def feed(self) -> Feed:
        """Training batches."""
        sides = self.sides
        return Feed(sides.train, self.system, self.classes, self.seed, pictures=sides.pictures)

    def validation(self) -> Batch:
        """The validation images, as each epoch is measured on them."""
        images, pictures = self.sides.validation, self.sides.pictures
        chain = self.system.validation_chain
        return fixed(images, self.system, self.classes, self.seed, chain, pictures=pictures)


def learn(task: Task, checkpoint: Checkpoint) -> tuple[Any, State]:
    """Return the trained network and the state it ended in, saved after every epoch and fold.

    Seeded: the same task ends in the same weights as far as `recipes.loading.PROMISE` says, whether
    or not it was cut off and went on. Raises `DivergedError` when the loss is no longer a number.
    """
    model, state = task.network(), State()
    optimizer: Arrays = ()
    if saved := checkpoint.load():
        state, variables, optimizer = saved
        assign(model.variables, variables)
        task.reporter.say(f"Going on after epoch {state.epochs}.")

    def save(optimizing: Iterable[Any]) -> None:
        checkpoint.save(state, values_of(model.variables), values_of(optimizing))

    phases = task.system.phases
    with task.feed() as feed:
        learner = Learner(task, model, feed, task.validation(), state, save)
        while state.phase < len(phases):
            phase = _with_found_epochs(task, phases[state.phase], state, save)
            ahead, later = _ahead(task, phase, state), phases[state.phase + 1 :]
            last = state.epochs + ahead - sum(one.epochs * one.folds for one in later)
            task.reporter.stretch(phase.name, last, ahead)
            average = 0 if later else task.system.average
            kept = int(phase.validation or phase.ema > 0)
            learner.train(phase, max(average, kept), optimizer)
            state.settle(model, average=average > 1)
            state.phase += 1
            state.schedule, state.folds, state.kept, optimizer = None, [], {}, ()
            save(())
    return model, state


def work(phases: Iterable[Phase]) -> int:
    """Epochs that a network may need for these phases, its folds' included."""
    return sum(phase.epochs * (1 + phase.folds) for phase in phases)


@dataclass
class Learner:
    """A network on its way through its phases.

    validation: what each epoch is measured on, where its phase wants that. state grows by each
    epoch, and then `save` is called.
    """

    task: Task
    model: Any
    feed: Feed
    validation: Batch
    state: State = field(default_factory=State)
    save: Save = lambda _: None

    def train(self, phase: Phase, keep: int, optimizer: Arrays = ()) -> Schedule:
        """Train until the phase is over.

        keep: so many of its best epochs' weights are kept. optimizer: the values of its variables
        where the phase was cut off in the middle.
        """
        state, task = self.state, self.task
        rated = compiled(self.model, task.system, phase, pretrained=task.pretrained)
        if optimizer:
            assign(self.model.optimizer.variables, optimizer)
        schedule = Schedule(phase, self.feed.steps, **(state.schedule or {}))
        while not schedule.over:
            row = self.epoch(schedule, rated, keep)
            schedule.saw(row["val_accuracy"])
            state.epochs += 1
            state.schedule = schedule.state()
            state.history.append(row)
            names = ("loss", "accuracy", "val_loss", "val_accuracy")
            figures = {name: row[name] for name in names if row[name] is not None}
            task.reporter.epoch(state.epochs, figures)
            self.save(self.model.optimizer.variables)
        return schedule

    def epoch(self, schedule: Schedule, rated: Any, keep: int) -> dict[str, Any]:
        """Train an epoch, measure it and keep it among `keep`; a history's row.

        rated: the optimizer with the rate.
        """
        started, waited = time.monotonic(), self.feed.waited
        rate = schedule.rate()
        trained = self.batches(schedule, rated)
        checked: Mapping[str, float | None] = {"loss": None, "accuracy": None}
        with averaged(self.model, rated):
            if schedule.phase.validation:
                checked = measured(self.model, self.validation, self.task.system.batch)
            number = schedule.epochs + 1
            self.state.keep_best(number, checked["accuracy"], keep, self.model)
        seconds = time.monotonic() - started
        return {
            "epoch": self.state.epochs + 1,
            "phase": schedule.phase.name,
            "loss": trained["loss"],
            "accuracy": trained["accuracy"],
            "val_loss": checked["loss"],
            "val_accuracy": checked["accuracy"],
            "learning_rate": rate,
            "seconds": seconds,
            "waited_share": min(1.0, (self.feed.waited - waited) / seconds),
        }

    def batches(self, schedule: Schedule, rated: Any) -> dict[str, float]:
        """Train on an epoch's batches; the mean of loss and accuracy over its images."""
        number, mean, weights = self.state.epochs, _Mean(), self.task.sides.weights
        for step, (images, targets) in enumerate(self.feed.epoch(number)):
            if step == 0 or schedule.varies:
                rated.learning_rate = schedule.rate(step)
            counts = None if weights is None else targets @ weights
            self.model.reset_metrics()  # newer Keras does it itself, 3.4 would go on adding up
            heard = self.model.train_on_batch(
                images, targets, sample_weight=counts, return_dict=True
            )
            mean.add(heard, len(targets))
            if not math.isfinite(mean.total["loss"]):
                raise DivergedError(_diverged(schedule.phase, number + 1, float(heard["loss"])))
            share = (step + 1) / self.feed.steps
            self.task.reporter.batch(number + 1, share, mean.values())
        return mean.values()


def measured(model: Any, labelled: Batch, batch: int) -> dict[str, float]:
    """The compiled model's loss and accuracy on images as it takes them."""
    images, targets = labelled
    mean = _Mean()
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        model.reset_metrics()
        heard = model.test_on_batch(images[part], targets[part], return_dict=True)
        mean.add(heard, len(targets[part]))
    return mean.values()


def _with_found_epochs(task: Task, phase: Phase, state: State, save: Save) -> Phase:
    """The phase with the number of epochs that its folds find, if it has some."""
    if not phase.folds:
        return phase
    known = len(state.folds)
    for number, sides in enumerate(fold_sides(task.sides.train, phase.folds, task.seed)):
        if number >= known:
            name = f"{phase.name}, fold {number + 1} of {phase.folds}"
            task.reporter.stretch(name, phase.epochs, _ahead(task, phase, state))
            state.folds.append(_best_epoch(task, phase, number, *sides))
            save(())
    found = after_folds(phase, state.folds)
    if known < phase.folds:
        task.reporter.say(
            f"{phase.name}: the folds were best after {listed([*map(str, state.folds)])} epochs; "
            f"{found.epochs} on all training images."
        )
    return found


def _best_epoch(task: Task, phase: Phase, fold: int, learnt: Dataset, own: Dataset) -> int:
    """Train a fresh network for the phase on one fold."""
    sides = replace(task.sides, train=learnt, validation=own)
    task = replace(task, sides=sides, seed=task.seed + 1 + fold)
    model = task.network()
    with task.feed() as feed:
        learner = Learner(task, model, feed, task.validation())
        return learner.train(replace(phase, folds=0, validation=True), keep=0).best_epoch


def _ahead(task: Task, phase: Phase, state: State) -> int:
    """Epochs from here to the network's end, the folds' included, if nothing ends early."""
    begun = 0 if state.schedule is None else int(state.schedule["epochs"])
    folds = max(0, phase.folds - len(state.folds))
    return phase.epochs * (1 + folds) - begun + work(task.system.phases[state.phase + 1 :])


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
        f"in another --out with a smaller learning rate than {phase.learning_rate:g} (--rate 0.3), "
        "or in float32 where precision is mixed."
    )

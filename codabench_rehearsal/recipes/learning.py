"""One network through all the phases of a system, from where its checkpoint left it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes import schedule
from codabench_rehearsal.recipes.checkpoint import Arrays, Checkpoint, State
from codabench_rehearsal.recipes.feed import Feed, fixed
from codabench_rehearsal.recipes.fitting import Labelled, Lesson, compiled, run_phase, settle
from codabench_rehearsal.recipes.folder import Member
from codabench_rehearsal.recipes.progress import Reporter
from codabench_rehearsal.recipes.system import Chain, Phase, System


@dataclass(frozen=True)
class Task:
    """What one network learns, and from what.

    build: a fresh, uncompiled network. held_out: the validation images. pretrained: whether its backbone begins with ImageNet's weights.
    pictures: what overlays blend in beside their own, see `Feed`.
    """

    system: System
    classes: int
    seed: int
    build: Callable[[], Any]
    train: Dataset
    held_out: Dataset
    class_weights: NDArray[np.float32] | None
    pretrained: bool
    reporter: Reporter
    pictures: NDArray[np.uint8] | None = None

    def feed(self, images: Dataset, seed: int) -> Feed:
        """Training batches of these images."""
        return Feed(images, self.system, self.classes, seed, pictures=self.pictures)

    def measured_on(self, images: Dataset, seed: int) -> Labelled:
        """These images as validation sees them."""
        chain = validation_chain(self.system)
        return fixed(images, self.system, self.classes, seed, chain, pictures=self.pictures)


def learn(task: Task, checkpoint: Checkpoint) -> tuple[Any, State]:
    """Return the trained network and the state it ended in, saved after every epoch and fold.

    Seeded: the same task ends in the same weights as far as `codabench_rehearsal.recipes.loading.PROMISE` says,
    whether or not it was cut off and went on.
    """
    keras.utils.set_random_seed(task.seed)
    model = task.build()
    saved = checkpoint.load()
    state, optimizer = (saved.state, saved.optimizer) if saved else (State(), ())
    if saved:
        assign(model.variables, saved.variables)
        task.reporter.say(f"Going on after epoch {state.epochs}.")
        task.reporter.skip(_behind(task.system, state))
    validation = task.measured_on(task.held_out, task.seed)
    with task.feed(task.train, task.seed) as feed:
        while state.phase < len(task.system.phases):
            _through_phase(task, model, feed, validation, state, optimizer, checkpoint)
            optimizer = ()
            checkpoint.save(state, values(model.variables))
    return model, state


def work(system: System) -> int:
    """Epochs that one network of a system may need, its folds' included."""
    return sum(phase.epochs * (1 + phase.folds) for phase in system.phases)


def validation_chain(system: System) -> Chain:
    """What happens, once, to the validation images."""
    return system.copies[0] if system.hurt_validation else ()


def values(variables: Arrays) -> list[NDArray[Any]]:
    """Keras variables as arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(one)) for one in variables]


def assign(variables: Any, arrays: Arrays) -> None:
    """Give Keras variables these values."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _through_phase(
    task: Task,
    model: Any,
    feed: Feed,
    validation: Labelled,
    state: State,
    optimizer: Arrays,
    checkpoint: Checkpoint,
) -> None:
    """Train one phase to its end; `optimizer`: its variables, if it was cut off in the middle."""
    phase = _with_found_epochs(task, model, state, checkpoint)
    last = state.phase == len(task.system.phases) - 1
    average = task.system.average if last else 0
    lesson = Lesson(
        system=task.system,
        phase=phase,
        feed=feed,
        validation=validation if phase.validation else None,
        class_weights=task.class_weights,
        reporter=task.reporter,
        pretrained=task.pretrained,
        keep=max(average, int(phase.validation)),
    )
    holder = compiled(model, lesson)
    if optimizer:
        assign(model.optimizer.variables, optimizer)
    task.reporter.stretch(phase.name, _reach(task.system, phase, state))

    def after() -> None:
        checkpoint.save(state, values(model.variables), values(model.optimizer.variables))

    schedule = run_phase(model, holder, lesson, state, after)
    settle(model, state, average=average > 1)
    task.reporter.skip(phase.epochs - schedule.epochs)
    state.phase += 1
    state.schedule, state.folds, state.kept = None, [], {}


def _with_found_epochs(task: Task, model: Any, state: State, checkpoint: Checkpoint) -> Phase:
    """The phase under way, with the number of epochs that its folds found if it has some."""
    phase = task.system.phases[state.phase]
    if not phase.folds:
        return phase

    def fit_fold(number: int, learnt: Dataset, own: Dataset) -> int:
        task.reporter.stretch(f"{phase.name}, fold {number + 1} of {phase.folds}", phase.epochs)
        return _fit_fold(task, phase, number, learnt, own)

    def after() -> None:
        checkpoint.save(state, values(model.variables))

    known = len(state.folds)
    epochs = schedule.epochs_by_folds(task.train, phase, task.seed, state.folds, fit_fold, after)
    if known < phase.folds:
        task.reporter.say(
            f"{phase.name}: the folds were best after {_listed(state.folds)} epochs; "
            f"{epochs} on all training images."
        )
    task.reporter.skip(phase.epochs - epochs)
    return schedule.found(phase, epochs)


def _fit_fold(task: Task, phase: Phase, number: int, learnt: Dataset, own: Dataset) -> int:
    """Train a fresh network for the phase on one fold; its best epoch."""
    seed = task.seed + 1 + number
    keras.utils.set_random_seed(seed)
    model = task.build()
    phase = replace(phase, folds=0, validation=True)
    with task.feed(learnt, seed) as feed:
        lesson = Lesson(
            system=task.system,
            phase=phase,
            feed=feed,
            validation=task.measured_on(own, seed),
            class_weights=task.class_weights,
            reporter=task.reporter,
            pretrained=task.pretrained,
            keep=0,
        )
        schedule = run_phase(model, compiled(model, lesson), lesson, State(), lambda: None)
    task.reporter.skip(phase.epochs - schedule.epochs)
    return schedule.best_epoch


def _reach(system: System, phase: Phase, state: State) -> int:
    """The number of the last epoch, if no phase from here on ends early."""
    begun = 0 if state.schedule is None else int(state.schedule["epochs"])
    ahead = sum(later.epochs for later in system.phases[state.phase + 1 :])
    return state.epochs - begun + phase.epochs + ahead


def _behind(system: System, state: State) -> int:
    """Of the network's work, what an earlier run has done or found needless."""
    ahead = sum(phase.epochs * (1 + phase.folds) for phase in system.phases[state.phase + 1 :])
    if state.phase == len(system.phases):
        return work(system)
    phase = system.phases[state.phase]
    begun = 0 if state.schedule is None else int(state.schedule["epochs"])
    return work(system) - ahead - phase.epochs * (1 + phase.folds - len(state.folds)) + begun


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


# How well trained networks tell the classes: one by one, and together as the zip will have them.


@dataclass(frozen=True)
class Accuracy:
    """Shares of images told right: by all networks together, and by each of them."""

    together: float
    each: tuple[float, ...]


def accuracy(
    members: Sequence[Member],
    sides: Sequence[Dataset],
    chain: Chain,
    *,
    classes: int,
    seed: int,
    ensemble: str,
    pictures: Sequence[NDArray[np.uint8] | None],
) -> Accuracy:
    """The networks' accuracy on the same images after a chain of augmentations.

    sides, pictures: for each network the images, and what overlays blend in (None: only their own),
    in its size. Where a chain mixes two images, the class
    that the larger share belongs to counts.
    """
    answers, right = [], np.zeros(0, dtype=np.int64)
    for member, side, own in zip(members, sides, pictures, strict=True):
        images, targets = fixed(side, member.system, classes, seed, chain, pictures=own)
        answers.append(_probabilities(member, images))
        right = targets.argmax(axis=1)
    each = tuple(_share(answer, right) for answer in answers)
    return Accuracy(_share(together(answers, ensemble), right), each)


def together(answers: Sequence[NDArray[np.floating]], ensemble: str) -> NDArray[np.floating]:
    """Scores (n, classes): the mean of the networks' probabilities, or how many vote for a class."""
    if ensemble == "vote":
        answers = [_votes(answer) for answer in answers]
    scores: NDArray[np.floating] = np.mean(answers, axis=0)
    return scores


def _votes(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """As the zip's model.py: 1 for the highest score; the others only break ties."""
    highest = scores.max(axis=1, keepdims=True)
    votes: NDArray[np.floating] = (scores == highest) + 1e-6 * scores
    return votes


def _share(scores: NDArray[np.floating], right: NDArray[np.int64]) -> float:
    return float(np.mean(scores.argmax(axis=1) == right))


def _probabilities(member: Member, images: NDArray[np.generic]) -> NDArray[np.floating]:
    batch = member.system.batch
    parts = [
        np.asarray(member.model.predict_on_batch(images[start : start + batch]), np.float64)
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)

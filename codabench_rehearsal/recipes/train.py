"""Train a system on a data set, measure it, and leave a training folder behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes import folder
from codabench_rehearsal.recipes.backbones import IMAGENET, NONE, backbone
from codabench_rehearsal.recipes.checkpoint import Checkpoint, identity
from codabench_rehearsal.recipes.feed import fixed
from codabench_rehearsal.recipes.fitting import Task, learn, work
from codabench_rehearsal.recipes.folder import TrainedMember
from codabench_rehearsal.recipes.loading import PRECISIONS
from codabench_rehearsal.recipes.models import computing_in, in_float32
from codabench_rehearsal.recipes.prepare import Prepared, prepare
from codabench_rehearsal.recipes.pretrained import weights_file
from codabench_rehearsal.recipes.schedule import Reporter, Say, Tell
from codabench_rehearsal.recipes.system import Chain, RecipeError, System

_SEEDS = 2**31  # Keras and scikit-learn take 32 bits; members' and folds' seeds come on top
_MEMBER_SEEDS = 1000  # between two members' seeds: their folds' seeds lie in between
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class TrainingRun:
    """How a system is trained this time.

    epochs: instead of every phase's own. weights: of the backbone: "imagenet", "none" or a path.
    resume: go on where a checkpoint in the folder ends. precision: one of `loading.PRECISIONS`; the
    saved network is float32 in any case. rate: what every phase's learning rate is multiplied by.
    """

    seed: int = 0
    epochs: int | None = None
    weights: str = NONE
    resume: bool = False
    precision: str = "float32"
    rate: float = 1.0


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Accuracies are of all networks together, on images as they come, without views (tta). Test: of
    the side that nothing was chosen by, None without one. benchmark: accuracy under each chain of
    augmentations, on the test side if there is one, else on the validation side. members: each
    network's own validation accuracy. seconds: of all epochs, earlier runs' too, without folds.
    waited_share: of that time the network waited for its images. parameters: of all networks.
    """

    folder: Path
    validation_accuracy: float
    train_images: int
    validation_images: int
    epochs: int
    seconds: float
    waited_share: float
    parameters: int
    test_accuracy: float | None = None
    test_images: int = 0
    benchmark: Mapping[str, float] = field(default_factory=dict)
    members: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def train(
    system: System,
    data: Dataset,
    out: Path,
    *,
    classes: int,
    run: TrainingRun | None = None,
    tell: Tell = lambda _: None,
    say: Say = lambda _: None,
) -> Trained:
    """Prepare the images, train all networks of the system, measure them, write the folder `out`.

    After each epoch a checkpoint lies in `out/checkpoint`; it goes when the training is done. tell
    hears where the training stands, say what was done, in sentences. Raises `RecipeError` for what
    the user can mend.
    """
    run = run or TrainingRun()
    resolved = _resolved(system, run)
    _check(resolved, run)
    belongs = belonging(system, data, classes, run)
    with folder.only_training(out):
        known = folder.begin(out, belongs, say, resume=run.resume)
        if known is not None:
            lists = {name: tuple(known[name]) for name in ("members", "notes")}
            return Trained(out, **{**known, **lists})
        sides = _prepared(resolved, data, classes, run.seed)
        for line in sides[0].lines:
            say(line)
        reporter = Reporter(tell, say, members=len(sides))
        members = []
        for number, (own, side) in enumerate(zip(resolved.networks, sides, strict=True)):
            reporter.member = number + 1
            reporter.later = sum(work(one.phases) for one in resolved.networks[number + 1 :])
            seed = run.seed + _MEMBER_SEEDS * number
            task = Task(own, side, classes, seed, run.weights, reporter)
            checkpoint = Checkpoint(out / "checkpoint" / str(number + 1), belongs)
            with computing_in(run.precision):
                model, state = learn(task, checkpoint)
            members.append(TrainedMember(in_float32(model), own, state.history))
        facts = {"shape": list(data.images.shape[1:]), "classes": classes, "seed": run.seed}
        notes = folder.write_folder(out, resolved, members, sides[0].split, facts)
        figures = {**_measured(resolved, members, sides, classes, run.seed), "notes": notes}
        folder.mark_finished(out, belongs, figures)
        folder.clear(out)
        return Trained(out, **figures)


def belonging(system: System, data: Dataset, classes: int, run: TrainingRun) -> dict[str, str]:
    """What a run's training is of, with the epochs and rates that it asks for; see `identity`."""
    values: dict[str, Any] = {"seed": run.seed, "weights": run.weights, "precision": run.precision}
    return identity(_resolved(system, run), data.fingerprint(), classes=classes, **values)


def together(answers: Sequence[Scores], ensemble: str) -> Scores:
    """Scores (n, classes): the mean of the networks' probabilities, or how many vote for a class.

    Votes as the zip's model.py counts them: 1 for the highest score; the others only break ties.
    """
    if ensemble == "vote":
        highest = [answer.max(axis=1, keepdims=True) for answer in answers]
        answers = [(one == top) + 1e-6 * one for one, top in zip(answers, highest, strict=True)]
    scores: Scores = np.mean(answers, axis=0)
    return scores


def _resolved(system: System, run: TrainingRun) -> System:
    """The system with the number of epochs and the learning rates that the run asks for."""
    phases = tuple(
        replace(one, epochs=run.epochs or one.epochs, learning_rate=run.rate * one.learning_rate)
        for one in system.phases
    )
    return replace(system, phases=phases)


def _check(system: System, run: TrainingRun) -> None:
    """Raise `RecipeError` for what would fail only after the images were prepared."""
    if run.precision not in PRECISIONS:
        raise RecipeError(f"No precision {run.precision!r}; known: {', '.join(PRECISIONS)}.")
    if not 0 <= run.seed < _SEEDS:
        raise RecipeError(f"Expected a seed from 0 to {_SEEDS - 1:,}, received {run.seed:,}.")
    if not system.phases or any(phase.epochs < 1 for phase in system.phases):
        raise RecipeError(f"{system.name}: every phase needs an epoch or more.")
    for one in system.networks:
        if run.weights == IMAGENET and one.backbone and (package := backbone(one.backbone).package):
            weights_file(one.backbone, package)
    backbones = {str(own.backbone) for own in system.networks}
    if run.weights not in (NONE, IMAGENET) and len(backbones) > 1:
        raise RecipeError(
            f"{system.name} trains several backbones ({', '.join(sorted(backbones))}), and "
            f"{run.weights} can hold the weights of one: say --weights imagenet or none."
        )


def _prepared(system: System, data: Dataset, classes: int, seed: int) -> list[Prepared]:
    """The images of each network; prepared once where the networks want the same."""
    made: dict[tuple[object, ...], Prepared] = {}
    sides = []
    for own in system.networks:
        wanted = (own.side, own.isolation, own.class_weights, own.validation, own.test, own.recover)
        if wanted not in made:
            made[wanted] = prepare(own, data, classes, seed)
        sides.append(made[wanted])
    if any(not np.array_equal(one.validation.ids, sides[0].validation.ids) for one in sides):
        raise RecipeError(
            f"{system.name}: its networks hold out different images; members may not "
            "change isolation, validation or test."
        )
    return sides


def _measured(
    system: System,
    members: Sequence[TrainedMember],
    sides: Sequence[Prepared],
    classes: int,
    seed: int,
) -> dict[str, Any]:
    """What `Trained` tells of the networks, by its fields' names."""
    validation = [side.validation for side in sides]
    tested = [side.test for side in sides if side.test is not None]

    def accuracies(images: Sequence[Dataset], chain: Chain) -> list[float]:
        """Of all networks together, then of each; of images mixed by the larger share's class."""
        answers, right = [], np.zeros(0, dtype=np.int64)
        for member, side, own in zip(members, sides, images, strict=True):
            system_of, pictures = member.system, side.pictures
            shown, targets = fixed(own, system_of, classes, seed, chain, pictures=pictures)
            answers.append(_probabilities(member, shown))
            right = targets.argmax(axis=1)
        every = [together(answers, system.ensemble), *answers]
        return [float(np.mean(one.argmax(axis=1) == right)) for one in every]

    clean, *each = accuracies(validation, ())
    chains = dict.fromkeys((*system.benchmark, system.validation_chain))
    rows = [row for member in members for row in member.history]
    seconds = sum(row["seconds"] for row in rows)
    waited = sum(row["waited_share"] * row["seconds"] for row in rows)
    return {
        "validation_accuracy": clean,
        "train_images": len(sides[0].train),
        "validation_images": len(validation[0]),
        "epochs": len(rows),
        "seconds": seconds,
        "waited_share": waited / seconds if seconds else 0.0,
        "parameters": sum(member.model.count_params() for member in members),
        "test_accuracy": accuracies(tested, ())[0] if tested else None,
        "test_images": len(tested[0]) if tested else 0,
        "benchmark": {
            " + ".join(one): accuracies(tested or validation, one)[0] for one in chains if one
        },
        "members": tuple(each),
    }


def _probabilities(member: TrainedMember, images: NDArray[Any]) -> Scores:
    batch = member.system.batch
    parts = [
        np.asarray(member.model.predict_on_batch(images[start : start + batch]), np.float64)
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)

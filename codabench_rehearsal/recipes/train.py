"""Train a system on a data set and leave a training folder behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes.backbones import IMAGENET, NONE
from codabench_rehearsal.recipes.checkpoint import Checkpoint, identity
from codabench_rehearsal.recipes.folder import (
    Facts,
    Member,
    begin,
    clear,
    in_float32,
    mark_finished,
    only_training,
    write_folder,
)
from codabench_rehearsal.recipes.learning import Task, accuracy, learn, validation_chain, work
from codabench_rehearsal.recipes.models import PRECISIONS, computing_in, network
from codabench_rehearsal.recipes.prepare import Prepared, prepare
from codabench_rehearsal.recipes.progress import Progress, Reporter, Say, Tell
from codabench_rehearsal.recipes.system import RecipeError, System, changed

_SEEDS = 2**31  # Keras and scikit-learn take 32 bits; members' and folds' seeds come on top
_MEMBER_SEEDS = 1000  # between two members' seeds: their folds' seeds lie in between


@dataclass(frozen=True)
class TrainingRun:
    """How a system is trained this time.

    epochs: instead of every phase's own. weights: of the backbone: "imagenet", "none" or a path.
    resume: go on where a checkpoint in the folder ends. precision: one of `PRECISIONS`; the saved
    network is float32 in any case. rate: what every phase's learning rate is multiplied by.
    """

    seed: int = 0
    epochs: int | None = None
    weights: str = "none"
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


def _quiet(_: Progress | str) -> None:
    pass


def train(
    system: System,
    data: Dataset,
    out: Path,
    *,
    classes: int,
    run: TrainingRun | None = None,
    tell: Tell = _quiet,
    say: Say = _quiet,
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
    with only_training(out):
        before = begin(out, belongs, say, resume=run.resume)
        if before is not None:
            return _known(out, before)
        parts = _Parts(resolved, data, out, classes, run, belongs)
        return parts.train(tell, say)


def belonging(system: System, data: Dataset, classes: int, run: TrainingRun) -> dict[str, str]:
    """What a run's training is of, with the epochs and rates that the run asks for; see `identity`."""
    return identity(
        _resolved(system, run),
        data.fingerprint(),
        classes=classes,
        seed=run.seed,
        weights=run.weights,
        precision=run.precision,
    )


class _Parts:
    """What a training is made of, and the steps in their order."""

    def __init__(
        self,
        system: System,
        data: Dataset,
        out: Path,
        classes: int,
        run: TrainingRun,
        belongs: Mapping[str, str],
    ) -> None:
        self.system, self.data, self.out = system, data, out
        self.classes, self.run, self.belongs = classes, run, belongs
        self.systems = [changed(system, change) for change in system.members or ({},)]
        self.sides = self._prepare()

    def train(self, tell: Tell, say: Say) -> Trained:
        for line in self.sides[0].lines:
            say(line)
        reporter = Reporter(tell, sum(map(work, self.systems)), say, members=len(self.systems))
        members = [self._member(number, reporter) for number in range(len(self.systems))]
        facts = Facts(tuple(self.data.images.shape[1:]), self.classes, self.run.seed)
        notes = write_folder(self.out, self.system, members, self.sides[0].split, facts)
        done = self._measured(members, notes)
        figures = {name: value for name, value in asdict(done).items() if name != "folder"}
        mark_finished(self.out, self.belongs, figures)
        clear(self.out)
        return done

    def _prepare(self) -> list[Prepared]:
        """The images of each network; prepared once where the networks want the same."""
        made: dict[tuple[object, ...], Prepared] = {}
        sides = []
        for system in self.systems:
            wanted = (
                *(system.side, system.isolation, system.class_weights),
                *(system.validation, system.test, system.recover),
            )
            if wanted not in made:
                made[wanted] = prepare(system, self.data, self.classes, self.run.seed)
            sides.append(made[wanted])
        held_out = sides[0].validation.ids
        if not all(np.array_equal(one.validation.ids, held_out) for one in sides):
            raise RecipeError(
                f"{self.system.name}: its networks hold out different images; members may not "
                "change isolation, validation or test."
            )
        return sides

    def _checkpoint(self, number: int) -> Checkpoint:
        return Checkpoint(self.out / "checkpoint" / str(number + 1), self.belongs)

    def _member(self, number: int, reporter: Reporter) -> Member:
        """One network, trained; float32."""
        reporter.member = number + 1
        with computing_in(self.run.precision):
            model, state = learn(self._task(number, reporter), self._checkpoint(number))
        return Member(in_float32(model), self.systems[number], state.history)

    def _task(self, number: int, reporter: Reporter) -> Task:
        system, side = self.systems[number], self.sides[number]
        seed = self.run.seed + _MEMBER_SEEDS * number
        shape = self._shape(number)
        return Task(
            system=system,
            classes=self.classes,
            seed=seed,
            build=lambda: network(system, shape, self.classes, self.run.weights),
            train=side.train,
            held_out=side.validation,
            class_weights=side.weights,
            pretrained=system.backbone is not None and self.run.weights != "none",
            reporter=reporter,
            pictures=side.pictures,
        )

    def _shape(self, number: int) -> tuple[int, int, int]:
        height, width, channels = self.sides[number].train.images.shape[1:]
        return height, width, channels

    def _measured(self, members: Sequence[Member], notes: tuple[str, ...]) -> Trained:
        validation = [side.validation for side in self.sides]
        tested = [side.test for side in self.sides if side.test is not None]
        judged = tested or validation
        clean = self._accuracy(members, validation, ())
        chains = dict.fromkeys((*self.system.benchmark, validation_chain(self.system)))
        rows = [row for member in members for row in member.history]
        seconds = sum(row["seconds"] for row in rows)
        waited = sum(row["waited_share"] * row["seconds"] for row in rows)
        return Trained(
            folder=self.out,
            validation_accuracy=clean[0],
            train_images=len(self.sides[0].train),
            validation_images=len(validation[0]),
            epochs=len(rows),
            seconds=seconds,
            waited_share=waited / seconds if seconds else 0.0,
            parameters=sum(member.model.count_params() for member in members),
            test_accuracy=self._accuracy(members, tested, ())[0] if tested else None,
            test_images=len(tested[0]) if tested else 0,
            benchmark={
                " + ".join(chain): self._accuracy(members, judged, chain)[0]
                for chain in chains
                if chain
            },
            members=clean[1],
            notes=notes,
        )

    def _accuracy(
        self, members: Sequence[Member], sides: Sequence[Dataset], chain: tuple[str, ...]
    ) -> tuple[float, tuple[float, ...]]:
        found = accuracy(
            members,
            sides,
            chain,
            classes=self.classes,
            seed=self.run.seed,
            ensemble=self.system.ensemble,
            pictures=[side.pictures for side in self.sides],
        )
        return found.together, found.each


def _resolved(system: System, run: TrainingRun) -> System:
    """The system with the number of epochs and the learning rates that the run asks for."""
    phases = tuple(
        replace(
            phase, epochs=run.epochs or phase.epochs, learning_rate=run.rate * phase.learning_rate
        )
        for phase in system.phases
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
    backbones = {changed(system, change).backbone for change in system.members or ({},)}
    if run.weights not in (NONE, IMAGENET) and len(backbones) > 1:
        names = ", ".join(sorted(str(name) for name in backbones))
        raise RecipeError(
            f"{system.name} trains several backbones ({names}), and {run.weights} can hold the "
            "weights of one: say --weights imagenet or none."
        )


def _known(out: Path, figures: Mapping[str, Any]) -> Trained:
    lists = {name: tuple(figures[name]) for name in ("members", "notes")}
    return Trained(**{**figures, **lists, "folder": out})

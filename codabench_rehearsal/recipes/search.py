"""A random search over a few hyper-parameters before the training, as hidden_players did it.

Keras Tuner draws the values and keeps the trials; each trial trains briefly through our own
`train`, so that augmentation, phases and seeds are the recipe's.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.checkpoint import require_same
from codabench_rehearsal.recipes.fitting import DivergedError
from codabench_rehearsal.recipes.folder import SEARCH, make_folder, refuse_cut_off
from codabench_rehearsal.recipes.progress import Progress, Say, Tell
from codabench_rehearsal.recipes.system import Change, RecipeError, System, changed
from codabench_rehearsal.recipes.train import TrainingRun, belonging, train

MISSING = (
    "The search needs Keras Tuner, which is not installed: pip install "
    "'codabench-rehearsal[search]' (or pip install keras-tuner)."
)
BRIEFLY = 0.1  # of each phase's epochs trains a trial, where the run does not say how many; ours
RATES = 5.0  # a learning rate is looked for between its fifth and its fivefold; ours
DROPOUTS = (0.0, 0.6)  # ours
SIZES = (0.5, 1.0, 2.0)  # of a dense layer, in its own size; ours
TABLE = "search.csv"
OF = "search.json"  # what the trials are of


@dataclass(frozen=True)
class Knob:
    """A value that the search may change.

    name: as in the table. draw: takes Keras Tuner's HyperParameters, returns the value. place: the
    field of the system, the key or number in it, and for a tuple in `model_options` which item.
    """

    name: str
    draw: Callable[[Any], Any]
    place: tuple[str | int, ...]


def search(
    system: System,
    data: Dataset,
    out: Path,
    *,
    classes: int,
    run: TrainingRun,
    trials: int,
    tell: Tell = lambda _: None,
    say: Say = lambda _: None,
) -> System:
    """Return the system with the values of the trial that validated best.

    A trial trains one network, without folds, for `run.epochs` epochs a phase or a tenth of the
    recipe's. The table of trials is `out/search.csv`, best last kept in `out/search`, from where
    `run.resume` goes on with the next trial. Raises `RecipeError` where Keras Tuner is missing or
    the recipe has nothing to search.
    """
    refuse_cut_off(out, resume=run.resume)
    tuner = _keras_tuner()
    space = knobs(system)
    if trials < 1:
        raise RecipeError(f"A search needs one trial or more, not {trials}.")
    make_folder(out)

    def one(hyperparameters: Any, number: int) -> float:
        values = {knob.name: knob.draw(hyperparameters) for knob in space}
        tried = briefly(with_values(system, space, values), run.epochs)
        reached = _tried(tried, data, out, classes, run, _numbered(tell, number, trials))
        say(f"trial {number} of {trials}: validation accuracy {reached:.4f}")
        return reached

    _refuse_another(out, system, data, classes, run)
    searched = _search(tuner, one, trials, out, run)
    rows = _rows(searched, space)
    write_text(out / TABLE, table(rows))
    best = max(rows, key=lambda row: float(row["validation_accuracy"]))
    return with_values(system, space, {knob.name: best[knob.name] for knob in space})


def knobs(system: System) -> tuple[Knob, ...]:
    """What can be searched: the phases' learning rates, and dropouts and dense sizes of the network.

    Of the network's options, set or not, these are the numbers, alone or in a tuple, whose name
    begins with "dropout" or "dense". Raises `RecipeError` for a recipe with none of them, which has no phase.
    """
    found = [_rate(number, system) for number in range(len(system.phases))]
    for name, value in _options(system).items():
        for place, number in _numbers(name, value):
            if name.startswith("dropout"):
                found.append(_dropout(place, float(number)))
            elif name.startswith("dense"):
                found.append(_size(place, int(number)))
    if not found:
        raise RecipeError(f"{system.name} has no phase, so there is nothing to search.")
    return tuple(found)


def with_values(system: System, space: tuple[Knob, ...], values: Mapping[str, Any]) -> System:
    """The system with these values, by the knobs' names, in all its networks."""
    for knob in space:
        system = changed(system, _change(system, knob.place, values[knob.name]))
    return system


def briefly(system: System, epochs: int | None) -> System:
    """The system as a trial trains it: one network, no folds, few epochs."""
    phases = tuple(
        replace(phase, folds=0, validation=True, epochs=epochs or _short(phase.epochs))
        for phase in system.phases
    )
    return replace(system, phases=phases, members=(), average=0, benchmark=())


def table(rows: list[dict[str, Any]]) -> str:
    """The trials as CSV, in their order."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()


def _tried(
    system: System, data: Dataset, out: Path, classes: int, run: TrainingRun, tell: Tell
) -> float:
    """The validation accuracy of a trial, 0 if its loss diverges; leaves nothing behind."""
    folder = out / SEARCH / "trial"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    settings = replace(run, epochs=None, resume=False)
    try:
        done = train(system, data, folder, classes=classes, run=settings, tell=tell)
    except DivergedError:
        return 0.0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return done.validation_accuracy


def _refuse_another(
    out: Path, system: System, data: Dataset, classes: int, run: TrainingRun
) -> None:
    """Raise `RecipeError` if the run resumes another search's trials; note what these are of."""
    path = out / OF
    belongs = belonging(system, data, classes, run)
    belongs["epochs"] = str(run.epochs)
    if run.resume and path.is_file():
        require_same(out, json.loads(path.read_text(encoding="utf-8")), belongs)
    write_text(path, json.dumps(belongs, indent=1) + "\n")


def _keras_tuner() -> Any:
    try:
        return importlib.import_module("keras_tuner")  # an extra, so that no type checker needs it
    except ImportError:
        raise RecipeError(MISSING) from None


def _search(
    tuner: Any, one: Callable[[Any, int], float], trials: int, out: Path, run: TrainingRun
) -> Any:
    """Run the trials that are still to do; Keras Tuner keeps them in `out/search`."""

    class Ours(tuner.RandomSearch):  # type: ignore[misc]  # Keras Tuner ships no types
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            try:
                reached = one(trial.hyperparameters, int(trial.trial_id) + 1)
            except RecipeError as error:  # any other error it would note, and go on
                raise tuner.errors.FatalError from error
            return {"validation_accuracy": reached}

    with redirect_stdout(io.StringIO()):  # it prints that it found earlier trials
        searched = Ours(
            objective=tuner.Objective("validation_accuracy", "max"),
            max_trials=trials,
            seed=run.seed,
            directory=str(out),
            project_name=SEARCH,
            overwrite=not run.resume,
            max_consecutive_failed_trials=1,
        )
    try:
        searched.search(verbose=0)
    except tuner.errors.FatalError as error:
        raise error.__cause__ or error from None
    return searched


def _rows(searched: Any, space: tuple[Knob, ...]) -> list[dict[str, Any]]:
    """A row for each trial that came to its end."""
    rows = []
    for trial in sorted(searched.oracle.trials.values(), key=lambda trial: int(trial.trial_id)):
        if trial.score is not None:
            number = int(trial.trial_id) + 1
            values = {knob.name: trial.hyperparameters.get(knob.name) for knob in space}
            rows.append({"trial": number, **values, "validation_accuracy": float(trial.score)})
    return rows


def _numbered(tell: Tell, number: int, trials: int) -> Tell:
    """Tell the same with the trial's number in front; the time left is the trial's."""

    def numbered(now: Progress) -> None:
        tell(replace(now, phase=f"trial {number} of {trials}, {now.phase}"))

    return numbered


def _short(epochs: int) -> int:
    return max(1, round(BRIEFLY * epochs))


def _rate(number: int, system: System) -> Knob:
    phase = system.phases[number]
    name, rate = f"{phase.name}: learning rate", phase.learning_rate
    if [one.name for one in system.phases].count(phase.name) > 1:
        name = f"{number + 1} {name}"
    return Knob(
        name,
        lambda drawn: drawn.Float(name, rate / RATES, rate * RATES, sampling="log", default=rate),
        ("phases", number, "learning_rate"),
    )


def _dropout(place: tuple[str | int, ...], usual: float) -> Knob:
    name, (low, high) = _said(place), DROPOUTS
    return Knob(
        name,
        lambda drawn: drawn.Float(name, low, max(high, usual), step=None, default=usual),
        ("model_options", *place),
    )


def _size(place: tuple[str | int, ...], usual: int) -> Knob:
    name = _said(place)
    sizes = sorted({max(1, round(factor * usual)) for factor in SIZES})
    return Knob(
        name, lambda drawn: drawn.Choice(name, sizes, default=usual), ("model_options", *place)
    )


def _options(system: System) -> dict[str, Any]:
    """The options of the system's network and its head: its own values, else their defaults."""
    made = [getattr(models, system.model), models.HEADS.get(system.model_options.get("head", ""))]
    usual = dict(item for one in made if one is not None for item in _defaults(one))
    return usual | dict(system.model_options)


def _defaults(function: Any) -> Iterator[tuple[str, Any]]:
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            yield name, parameter.default


def _numbers(name: str, value: Any) -> list[tuple[tuple[str | int, ...], float]]:
    """The numbers in an option with their places."""
    if isinstance(value, list | tuple):
        return [((name, index), one) for index, one in enumerate(value) if _number(one)]
    return [((name,), value)] if _number(value) else []


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(place: tuple[str | int, ...]) -> str:
    return " ".join(str(one + 1) if isinstance(one, int) else one for one in place)


def _change(system: System, place: tuple[str | int, ...], value: Any) -> Change:
    field, key, *rest = place
    if field == "phases":
        phases = list(system.phases)
        phases[int(key)] = replace(phases[int(key)], learning_rate=value)
        return {"phases": tuple(phases)}
    if rest:
        items = list(_options(system)[str(key)])
        items[int(rest[0])] = value
        value = tuple(items)
    return {f"{field}.{key}": value}

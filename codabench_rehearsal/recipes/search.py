"""A random search over a few hyper-parameters before the training, as hidden_players did it.

Keras Tuner draws the values and keeps the trials; each trial trains briefly through our own
`train`, so that augmentation, phases and seeds are the recipe's.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.files import write_text
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.checkpoint import require_same
from codabench_rehearsal.recipes.fitting import DivergedError
from codabench_rehearsal.recipes.folder import SEARCH, make_folder, refuse_cut_off, table
from codabench_rehearsal.recipes.schedule import Say, Tell, TrainingProgress
from codabench_rehearsal.recipes.system import RecipeError, System
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
    if trials < 1:
        raise RecipeError(f"A search needs one trial or more, not {trials}.")
    if not system.phases:
        raise RecipeError(f"{system.name} has no phase, so there is nothing to search.")
    make_folder(out)
    settings = replace(run, epochs=None, resume=False)

    def one(hyperparameters: Any, number: int) -> float:
        def numbered(now: TrainingProgress) -> None:
            tell(replace(now, phase=f"trial {number} of {trials}, {now.phase}"))

        tried = briefly(tuned(system, hyperparameters), run.epochs)
        folder = out / SEARCH / "trial"
        shutil.rmtree(folder, ignore_errors=True)  # of a killed run
        try:
            done = train(tried, data, folder, classes=classes, run=settings, tell=numbered)
            reached = done.validation_accuracy
        except DivergedError:
            reached = 0.0
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        say(f"trial {number} of {trials}: validation accuracy {reached:.4f}")
        return reached

    belongs = belonging(system, data, classes, run) | {"epochs": str(run.epochs)}
    if run.resume and (out / OF).is_file():
        require_same(out, json.loads((out / OF).read_text(encoding="utf-8")), belongs)
    write_text(out / OF, json.dumps(belongs, indent=1) + "\n")
    ended = _trials(tuner, one, trials, out, run)
    rows = [
        {"trial": number, **trial.hyperparameters.values, "validation_accuracy": trial.score}
        for number, trial in ended.items()
    ]
    write_text(out / TABLE, table(rows))
    best = max(ended.values(), key=lambda trial: float(trial.score))  # of equals the first
    return tuned(system, best.hyperparameters)


def tuned(system: System, draw: Any) -> System:
    """The system with values that Keras Tuner's HyperParameters draw, or have drawn.

    Searched are the phases' learning rates, and of the options of the network and its head, set or
    not, the numbers, alone or in a tuple, whose name begins with "dropout" or "dense".
    """
    names = [phase.name for phase in system.phases]
    phases = []
    for number, phase in enumerate(system.phases, start=1):
        number_too = f"{number} " if names.count(phase.name) > 1 else ""
        name, usual = f"{number_too}{phase.name}: learning rate", phase.learning_rate
        ends = usual / RATES, usual * RATES
        rate = draw.Float(name, *ends, sampling="log", default=usual)
        phases.append(replace(phase, learning_rate=rate))
    options = dict(system.model_options)
    for name, value in _usual_options(system).items():
        if not name.startswith(("dropout", "dense")):
            continue
        if isinstance(value, list | tuple):
            places = enumerate(value, start=1)
            options[name] = tuple(_drawn(f"{name} {place}", one, draw) for place, one in places)
        elif _is_number(value):
            options[name] = _drawn(name, value, draw)
    return replace(system, phases=tuple(phases), model_options=options)


def briefly(system: System, epochs: int | None) -> System:
    """The system as a trial trains it: one network, no folds, few epochs."""
    phases = []
    for phase in system.phases:
        few = epochs or max(1, round(BRIEFLY * phase.epochs))
        phases.append(replace(phase, folds=0, validation=True, epochs=few))
    return replace(system, phases=tuple(phases), members=(), average=0, benchmark=())


def _keras_tuner() -> Any:
    try:
        return importlib.import_module("keras_tuner")  # an extra, so that no type checker needs it
    except ImportError:
        raise RecipeError(MISSING) from None


def _trials(
    tuner: Any, one: Callable[[Any, int], float], trials: int, out: Path, run: TrainingRun
) -> Mapping[int, Any]:
    """Run the trials that are still to do, kept in `out/search`; by number those that ended."""

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
            seed=run.seed or 2**31,  # it takes 0 for none, and throws dice
            directory=str(out),
            project_name=SEARCH,
            overwrite=not run.resume,
            max_consecutive_failed_trials=1,
        )
    try:
        searched.search(verbose=0)
    except tuner.errors.FatalError as error:
        raise error.__cause__ or error from None
    found = {int(trial.trial_id) + 1: trial for trial in searched.oracle.trials.values()}
    return {number: found[number] for number in sorted(found) if found[number].score is not None}


def _usual_options(system: System) -> dict[str, Any]:
    """The options of the system's network and its head: its own values, else their defaults."""
    head = models.HEADS.get(system.model_options.get("head", ""))
    made = [models.NETWORKS[system.model], *([head] if head else [])]
    usual = {
        name: one.default
        for function in made
        for name, one in inspect.signature(function).parameters.items()
        if one.default is not inspect.Parameter.empty
    }
    return usual | dict(system.model_options)


def _drawn(name: str, usual: Any, draw: Any) -> Any:
    """A dropout or a dense layer's size; what is no number stays."""
    if not _is_number(usual):
        return usual
    if name.startswith("dropout"):
        low, high = DROPOUTS
        return draw.Float(name, low, max(high, usual), step=None, default=float(usual))
    sizes = sorted({max(1, round(factor * usual)) for factor in SIZES})
    return draw.Choice(name, sizes, default=int(usual))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""`python -m bench.demonstration`: the estimate on models trained here.

Forty networks: a small plain one on fourteen kinds of images, kept early and late, a residual one
on seven, and the five recipes' evening versions. A participant's share of the data is cut in two,
to train on and to evaluate with `local-eval`. Hidden sets come from images that nobody else sees,
under damage that no small network learnt and no condition repeats (demonstration_hidden_*.toml).
Every model's hidden scores are then predicted from K = 0, 1, 3, 5 scores of models from other
trainings, ten seeded choices of them, with and without the belief of the challenge's profile,
beside the rivals of `bench.estimate` with the hyper-parameters chosen there.

With --data FILE --out FOLDER it trains and measures what is not in the file of figures yet, each
model a few minutes, and keeps it there: stop it when you like. Without, it predicts from them.
--write docs/demonstration.md puts the tables into the page and the plot beside it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from bench.demonstration_figures import FILE, Measured, read
from bench.demonstration_hidden import SETS, sizes
from bench.demonstration_local import Place
from bench.demonstration_models import QUICK, VARIANTS, Model, models
from bench.demonstration_plot import plot
from bench.demonstration_report import bars, judged, put_into, tables
from bench.demonstration_sides import Sides, read_sides
from bench.demonstration_study import Guess, Task
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import save, synthetic
from corruptions.presets import LIBRARY, resolve
from evaluator.beliefs import as_beliefs
from evaluator.estimate.inputs import Belief
from evaluator.plan import CLEAN

DRAWS = 10
QUICK_EPOCHS, QUICK_CONDITIONS, QUICK_IMAGES, QUICK_DRAWS = (1, 2), 400, 60, 1


@dataclass(frozen=True)
class Size:
    """How much is done: the real thing, or a tiny one that shows that all of it runs."""

    chosen: tuple[Model, ...]
    epochs: tuple[int, ...] | None
    images: int | None
    draws: int


REAL = Size(models(VARIANTS), None, None, DRAWS)
TINY = Size(models(QUICK, QUICK_EPOCHS), QUICK_EPOCHS, QUICK_IMAGES, QUICK_DRAWS)


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing, predict, and tell; returns 0."""
    options = _arguments(argv)
    size = TINY if options.quick else REAL
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        data = _drawn(options.out.resolve()) if options.quick else options.data.resolve()
        _measure(data, options.out.resolve(), size, options.figures)
    found = read(options.figures)
    if found is None:
        raise SystemExit(f"{options.figures}: nothing is measured yet: --data FILE --out FOLDER")
    tasks = _tasks(found)
    context = get_context("spawn")  # a fork would copy the locks of numpy's threads
    with ProcessPoolExecutor(machine()["cores"], context) as pool:
        made = pool.map(_guesses, tasks, [size.draws] * len(tasks))
        guesses = [guess for some in made for guess in some]
    _tell(options, found, tasks, guesses)
    return 0


def _guesses(task: Task, draws: int) -> list[Guess]:
    return list(task.guesses(draws))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.demonstration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="training_set.npz of the challenge")
    parser.add_argument("--out", type=Path, help="of weights and images, outside of the repository")
    parser.add_argument("--figures", type=Path, default=FILE, help=f"default {FILE.name}")
    parser.add_argument("--quick", action="store_true", help="drawn cells, four tiny trainings")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/demonstration.md")
    options = parser.parse_args(argv)
    if options.quick:
        if options.out is None:
            parser.error("--out is missing")
        options.figures = options.out / "figures.json"
    elif (options.data is None) != (options.out is None):
        parser.error("--data and --out go together: the challenge's training_set.npz, and a folder")
    return options


def _drawn(out: Path) -> Path:
    path = out / "cells.npz"
    if not path.is_file():
        save(synthetic(QUICK_CONDITIONS, seed=4), path)
    return path


def _measure(data: Path, out: Path, size: Size, figures: Path) -> None:
    """What the file lacks, model by model; its own data and library are kept to."""
    sides = read_sides(data)
    place, basis = Place(data, sides, out, size.images), _basis(sides)
    found = read(figures) or Measured(LIBRARY, (), sizes(sides), {}, basis)
    if (found.library, dict(found.sizes)) != (LIBRARY, sizes(sides)):
        raise SystemExit(f"{figures} is of {found.library} or other images: give --figures FILE")
    for model in size.chosen:
        if model.name in found.models:
            continue
        began = time.monotonic()
        measured = place.measured(model, size.epochs or model.variant.kept)
        conditions = found.conditions or place.conditions(model)
        every = {**found.models, model.name: measured}
        found = replace(found, conditions=conditions, models=every)
        found.write(figures)
        scores = ", ".join(f"{name} {score:.3f}" for name, score in measured.scores.items())
        console().print(f"{model.name}: {scores}; {time.monotonic() - began:.0f} s")


def _basis(sides: Sides) -> dict[str, object]:
    packages = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "train": len(sides.train),
        "validation": len(sides.validation),
        **packages,
    }


def _tasks(found: Measured) -> list[Task]:
    known = tuple(found.models.values())
    return [
        Task(name, found.sizes[name], found.conditions, known, belief(found.library))
        for name in SETS
        if all(name in one.scores for one in known)
    ]


def belief(library: str) -> Belief:
    """What the challenge's profile believes, by the library's conditions."""
    believed = load_challenge().believed
    assert believed is not None  # noqa: S101  the built-in profile believes something
    return as_beliefs((believed,), (CLEAN, *resolve(library).conditions))[0]


def _tell(
    options: argparse.Namespace, found: Measured, tasks: Sequence[Task], guesses: Sequence[Guess]
) -> None:
    sets = [(task.hidden, SETS[task.hidden], task.images) for task in tasks]
    verdicts = bars(guesses)
    parts = [_head(found), *([judged(verdicts)] if verdicts else [])]
    text = "\n\n".join([*parts, tables(tasks[0].models, guesses, sets)])
    console().print(text, markup=False)
    if options.json:
        write_json(
            options.json,
            {
                "machine": machine(),
                "basis": dict(found.basis),
                "bars": [verdict.plain() for verdict in verdicts],
                "guesses": [asdict(guess) for guess in guesses],
            },
        )
    picture = (options.write or options.figures).with_name("demonstration.png")
    if options.write:
        put_into(options.write, text)
    if options.write or options.out:
        plot(guesses, sets, picture)


def _head(found: Measured) -> str:
    basis = found.basis
    packages = ", ".join(f"{name} {basis[name]}" for name in ("tensorflow", "keras", "numpy"))
    hidden = ", ".join(f"{count:,} in {name}" for name, count in found.sizes.items())
    return (
        f"{len(found.models)} models, measured from {basis['date']} on with {packages}; library "
        f"{found.library}. Images: {basis['train']:,} to train on, {basis['validation']:,} for "
        f"local-eval; hidden {hidden}."
    )


if __name__ == "__main__":
    sys.exit(main())

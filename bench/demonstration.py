"""`python -m bench.demonstration --data FILE --out FOLDER`: the estimate on models trained here.

Trains one small network on fourteen kinds of images, each kept early and late: 28 models. A
participant's share of the data is cut in two, to train on and to evaluate with `local-eval`, in a
store. Two hidden sets come from images that nobody else sees, under damage that no model learnt
and no condition repeats: A is AN2DL-like (demonstration_hidden_a.toml), B has operators that no
preset uses (demonstration_hidden_b.toml). Then every model's hidden scores are predicted from
K = 0, 1, 3, 5 scores of models from other trainings, ten seeded choices of them, beside the rivals
of `bench.estimate` with the hyper-parameters chosen there. Seeds are fixed; what is done is not
done again.

--write docs/demonstration.md puts the tables into the page and the plot beside it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.crew import ROOT
from bench.demonstration_hidden import Hidden, child_environment, true_scores, write_hidden
from bench.demonstration_local import evaluated, rehearse, zipped
from bench.demonstration_models import EARLY, EPOCHS, QUICK, VARIANTS, Model, models
from bench.demonstration_plot import plot
from bench.demonstration_report import put_into, tables
from bench.demonstration_sides import Sides, read_sides
from bench.demonstration_study import Guess, Rehearsed, Task
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset, save, synthetic

DRAWS = 10
QUICK_EPOCHS, QUICK_CONDITIONS, QUICK_IMAGES, QUICK_DRAWS = (1, 2), 400, 60, 1


@dataclass(frozen=True)
class Size:
    """How much is done: the real thing, or a tiny one that shows that all of it runs."""

    chosen: tuple[Model, ...]
    epochs: tuple[int, ...]
    images: int | None
    draws: int


REAL = Size(models(VARIANTS, (EARLY, EPOCHS)), (EARLY, EPOCHS), None, DRAWS)
TINY = Size(models(QUICK, QUICK_EPOCHS), QUICK_EPOCHS, QUICK_IMAGES, QUICK_DRAWS)


def main(argv: list[str] | None = None) -> int:
    """Run all of it; returns 0."""
    options = _arguments(argv)
    size = TINY if options.quick else REAL
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    data = _conditions(out) if options.quick else options.data.resolve()
    sides = read_sides(data)
    times = Times()
    _train(data, out, size, quick=options.quick)
    times.note("training")
    hidden = write_hidden(sides, out)
    scores = true_scores([out / "models" / model.name for model in size.chosen], hidden)
    times.note("hidden sets and true scores")
    tasks = _tasks(sides.own(), out, size, hidden, scores)
    times.note("local-eval on every model")
    guesses = [guess for task in tasks for guess in task.guesses(size.draws)]
    times.note("predictions")
    repeat = _repeated(sides.own(), out, size)
    _tell(options, sides, tasks, guesses, hidden, times, repeat)
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.demonstration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="training_set.npz of the challenge")
    parser.add_argument("--out", type=Path, required=True, help="outside of the repository")
    parser.add_argument("--quick", action="store_true", help="drawn cells, four tiny trainings")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/demonstration.md")
    options = parser.parse_args(argv)
    if not options.quick and options.data is None:
        parser.error("--data is missing: the challenge's training_set.npz, or --quick without it")
    return options


class Times:
    """Wall seconds of each stage; a repeated run finds most of them done."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def note(self, stage: str) -> None:
        """The stage that ends now."""
        now = time.monotonic()
        self.seconds[stage], self._last = now - self._last, now
        console().print(f"{stage}: {self.seconds[stage]:.0f} s")


def _conditions(out: Path) -> Path:
    path = out / "cells.npz"
    if not path.is_file():
        save(synthetic(QUICK_CONDITIONS, seed=4), path)
    return path


def _train(data: Path, out: Path, size: Size, *, quick: bool) -> None:
    words = ["--data", str(data), "--out", str(out / "models"), "--epochs", *map(str, size.epochs)]
    subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.demonstration_training", *words, *["--quick"] * quick],
        check=True,
        cwd=ROOT,
        env=child_environment(),
        stdout=subprocess.DEVNULL,
    )


def _tasks(
    own: Dataset,
    out: Path,
    size: Size,
    hidden: Sequence[Hidden],
    scores: dict[str, dict[str, float]],
) -> list[Task]:
    folders = [out / "models" / model.name for model in size.chosen]
    conditions, local = rehearse(
        folders, own, load_challenge(), out, size.images, lambda said: console().print(said)
    )
    known = tuple(
        Rehearsed(
            one.name,
            model.variant.name,
            one.figures,
            one.validation,
            one.benchmark,
            scores[one.name],
        )
        for one, model in zip(local, size.chosen, strict=True)
    )
    return [Task(one.name, one.images, conditions, known) for one in hidden]


def _repeated(own: Dataset, out: Path, size: Size) -> float:
    """Seconds of evaluating the first model once more."""
    challenge, folder = load_challenge(), out / "models" / size.chosen[0].name
    started = time.monotonic()
    report = evaluated(zipped(folder, challenge, out), own, challenge, out, size.images)
    if report.asked:
        raise RuntimeError(f"a finished evaluation asked {report.asked} questions again")
    return time.monotonic() - started


def _tell(
    options: argparse.Namespace,
    sides: Sides,
    tasks: Sequence[Task],
    guesses: Sequence[Guess],
    hidden: Sequence[Hidden],
    times: Times,
    repeat: float,
) -> None:
    sets = [(one.name, one.about, one.images) for one in hidden]
    head = _head(sides, machine(), repeat)
    text = f"{head}\n\n{tables(tasks[0].models, guesses, sets)}"
    console().print(text, markup=False)
    if options.json:
        content = {"machine": machine(), "seconds": times.seconds, "repeat_seconds": repeat}
        write_json(options.json, content | {"guesses": [asdict(guess) for guess in guesses]})
    picture = options.out / "demonstration.png"
    if options.write:
        put_into(options.write, text)
        picture = options.write.with_name("demonstration.png")
    plot(guesses, sets, picture)


def _head(sides: Sides, seen: dict[str, object], repeat: float) -> str:
    from importlib.metadata import version

    today = dt.datetime.now(dt.UTC).date().isoformat()
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    return (
        f"Measured on {today} with Python {seen['python']}, {packages}, on {seen['cores']} cores "
        f"({seen['processor']}). Images: {len(sides.train):,} to train on, "
        f"{len(sides.validation):,} for local-eval, {len(sides.hidden_a):,} hidden in A and "
        f"{len(sides.hidden_b):,} in B. Evaluating a finished model again took {repeat:.2f} s."
    )


if __name__ == "__main__":
    raise SystemExit(main())

"""`train-recipe`: train a system on a data set and leave a training folder behind."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cells import DataError
from recipes.system import RecipeError, load_system, system_names
from submission.arguments import add_challenge, positive
from submission.challenge import load_challenge
from submission.command import Exit, run_command
from submission.errors import SubmissionError

if TYPE_CHECKING:
    from recipes.train import Trained

EXAMPLES = """\
examples:
  train-recipe list
  train-recipe baseline --data training_set.npz --out runs/baseline
  make-submission runs/baseline
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(argv)
    body = _list if options.name == "list" else lambda: _train(options)
    return run_command("train-recipe", body, (RecipeError, DataError, SubmissionError))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train-recipe",
        description="Train a system; leaves weights.keras, recipe.json, split.json and history.csv.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help=f"list, or one of: {', '.join(system_names())}")
    parser.add_argument("--data", metavar="FILE", help="images and labels: .npz, .npy or a folder")
    parser.add_argument("--out", metavar="DIR", help="the training folder to write")
    parser.add_argument("--epochs", type=positive, metavar="N", help="instead of the recipe's own")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    add_challenge(parser)
    return parser


def _list() -> int:
    for name in system_names():
        system = load_system(name)
        print(f"{name:24} {system.summary} (reported: {system.reported}; {system.cost})")
    return Exit.FINE


def _train(options: argparse.Namespace) -> int:
    system = load_system(options.name)
    for flag in ("data", "out"):
        if getattr(options, flag) is None:
            raise RecipeError(
                f"--{flag} is missing. Example: train-recipe {system.name} --data FILE --out DIR"
            )
    challenge = load_challenge(options.challenge)
    from cells import load

    data = load(options.data, shape=challenge.shape, classes=challenge.classes)
    for note in data.notes:
        print(f"note: {note}")
    print(f"{len(data):,} images from {options.data}; training {system.name} ({system.summary})")
    with _progress() as tell:
        train = _import_training()
        done = train(
            system,
            data,
            Path(options.out),
            classes=challenge.classes,
            seed=options.seed,
            epochs=options.epochs,
            tell=tell,
        )
    _say(done)
    return Exit.FINE


def _import_training() -> Callable[..., Trained]:
    """Import Keras without the lines that TensorFlow writes past every log level at its start."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            from recipes.train import train
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return train


def _say(done: Trained) -> None:
    print(
        f"validation accuracy {done.validation_accuracy:.4f} on {done.validation_images:,} images, "
        f"trained on {done.train_images:,} for {done.epochs} epochs in {done.seconds:.0f} s"
    )
    print(f"next: make-submission {done.folder}")


class _progress:  # noqa: N801 - reads as a function where it is used
    """A progress bar with the time left on a terminal; nothing elsewhere."""

    def __enter__(self) -> Callable[[int, int, Mapping[str, float]], None]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("loading Keras", total=None)
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _tell(self, epoch: int, epochs: int, logs: Mapping[str, float]) -> None:
        figures = f"validation accuracy {logs.get('val_accuracy', float('nan')):.3f}"
        self._bar.update(self._task, completed=epoch, total=epochs, description=figures)


if __name__ == "__main__":
    sys.exit(main())

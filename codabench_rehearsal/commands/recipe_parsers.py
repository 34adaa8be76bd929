"""What the subcommands share: how a recipe is named, changed and said."""

from __future__ import annotations

import argparse

from codabench_rehearsal.console.command import Parser, tell
from codabench_rehearsal.recipes.loading import BACKENDS
from codabench_rehearsal.recipes.system import RecipeError, System, chosen, load_system


def new_parser(name: str, what: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose examples keep their lines."""
    return Parser(name, what, examples)


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

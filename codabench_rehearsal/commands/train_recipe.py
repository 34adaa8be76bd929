# PYTHON_ARGCOMPLETE_OK
"""`train-recipe`: train a system and leave a training folder behind; list, show, look into them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands import recipe_train
from codabench_rehearsal.commands.recipe_train import add_recipe, named_system
from codabench_rehearsal.console.arguments import add_challenge, add_part, positive, seed
from codabench_rehearsal.console.bar import progress
from codabench_rehearsal.console.command import Exit, Parser, console, run_command
from codabench_rehearsal.console.guard import add_force, guard
from codabench_rehearsal.console.roles import DATA, PRESET, TRAINED, Writes
from codabench_rehearsal.console.settings import read_options
from codabench_rehearsal.console.slips import refuse_slip
from codabench_rehearsal.recipes.loading import BACKENDS, loading_keras
from codabench_rehearsal.recipes.system import Phase, System, load_system, system_names
from submission.training_folder import read_training_folder

LIST_EXAMPLES = "examples:\n  train-recipe list\n  train-recipe show madapenguins\n"
SHOW_EXAMPLES = """\
examples:
  train-recipe show overfitting_gods
  train-recipe show reluctant_learners --set backbone=MobileNetV3Small --images 4000
  train-recipe show madapenguins --evening
  train-recipe show madapenguins --fast --layers
  train-recipe show madapenguins --fast --measure

Parameters and operations are counted without training or drawing a weight, for the default \
--weights.
--measure builds the whole network and times a few steps: minutes and gigabytes for the largest.
"""
PICTURE_EXAMPLES = """\
examples:
  train-recipe picture runs/gods --data training_set.npz --out where.png
  train-recipe picture runs/gods --data training_set.npz --corrupt an2dl-2024 --images 12
"""
_IMAGES = 10_000  # about what the challenge's file holds to train on
_PICTURE = Writes("a picture", (".png",), only=True)
_HIDDEN = (
    *("name", "summary", "source", "reported", "cost", "description"),
    *("options", "versions"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("train-recipe", argv, _read_and_run)


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    command = COMMANDS[words[0]] if named else TRAIN
    parser = command.parser()
    if not named:
        parser.lists(SUMMARIES, system_names())
        refuse_slip(parser, words, COMMANDS, system_names())
    options = read_options(parser, words[1:] if named else words)
    options.words = words  # an interrupted training says how to go on
    guard(options)
    return command.run(options)


def _list_parser() -> Parser:
    what = "List the recipes with their reported scores."
    return Parser("train-recipe list", what, LIST_EXAMPLES)


def _list(_options: argparse.Namespace) -> int:
    """Print the recipes, and what their teams reported."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("recipe", "what it is", "reported", "cost"):
        table.add_column(name, overflow="fold", no_wrap=name == "recipe")
    for system in map(load_system, system_names()):
        cells = (system.name, system.summary, system.reported, system.cost)
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
    return Exit.FINE


def _show_parser() -> Parser:
    what = "Show a recipe, its network and its cost."
    made = Parser("train-recipe show", what, SHOW_EXAMPLES)
    made.keeps("--images")
    add_recipe(made, "a recipe (train-recipe list)")
    made.add_argument("--layers", action="store_true", help="every layer of the network too")
    measure = "time a few steps here too, and estimate the whole"
    made.add_argument("--measure", action="store_true", help=measure)
    images = f"training images to assume (default {_IMAGES:,})"
    made.add_argument("--images", type=positive, default=_IMAGES, metavar="N", help=images)
    add_challenge(made)
    return made


def _show(options: argparse.Namespace) -> int:
    """Print the recipe's page, its values, its options, the network and the cost."""
    system, challenge = named_system(options), load_challenge(options.challenge)
    print(f"{system.description}\n\nreported: {system.reported}\n")
    print("\n".join(_values(system)))
    print("\n".join(_choices(system, options.version)))
    with loading_keras(options.backend):
        from codabench_rehearsal.recipes import training_cost
    with progress(f"counting what {system.name} computes"):
        costs = training_cost.counted_costs(system, challenge.shape, challenge.classes)
    if options.layers:
        tables = ("\n".join(training_cost.layer_table(cost)) for cost in costs)
        print("\n\n".join(tables), end="\n\n")
    print("\n".join(training_cost.lines(costs, options.images)), flush=True)
    if options.measure:
        with progress("timing") as bar:
            said = list(training_cost.timed(costs, challenge.classes, options.images, bar.update))
        print("\n".join(said))
    return Exit.FINE


def _values(system: System) -> Iterator[str]:
    """What differs from the defaults; phases a line each."""
    for one in fields(system):
        value = getattr(system, one.name)
        if one.name in _HIDDEN or value == one.default or value in ((), {}, None):
            continue
        if one.name == "phases":
            yield from (f"  phase {phase.name}: {_phase(phase)}" for phase in value)
        else:
            yield f"  {one.name}: {_plain(value)}"


def _phase(phase: Phase) -> str:
    values = ((one, getattr(phase, one.name)) for one in fields(phase) if one.name != "name")
    return ", ".join(f"{one.name} {value}" for one, value in values if value != one.default)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        named = ((key.removeprefix("model_options."), one) for key, one in value.items())
        return ", ".join(f"{key} {_plain(one)}" for key, one in named) or "another start"
    if isinstance(value, tuple) and all(isinstance(one, tuple | dict) for one in value):
        return "; ".join(_plain(one) or "as they come" for one in value)
    if isinstance(value, tuple):
        return " + ".join(map(str, value))
    return str(value)


def _choices(system: System, asked: str | None) -> Iterator[str]:
    for name, choices in system.options.items():
        yield f"  --set {name}={'|'.join(choices)}"
    for name, version in system.versions.items():
        yield f"  --{name}{' (shown)' if name == asked else ''}: {version.relation}"


def _picture_parser() -> Parser:
    what = "Draw class activation maps: which parts of an image speak for the answer."
    made = Parser("train-recipe picture", what, PICTURE_EXAMPLES)
    made.keeps("--part", "--seed", "--images", "--corrupt")
    add, usual = made.add_argument, "picture.png"
    add("folder", type=TRAINED, metavar="DIR", help="a training folder")
    add("--data", type=DATA, metavar="FILE", required=True, help="images and labels")
    add_part(made, "val, else test")
    add("--out", type=_PICTURE, metavar="FILE.png", default=usual, help=f"default {usual}")
    add("--images", type=positive, default=8, metavar="N", help="default 8")
    add("--corrupt", type=PRESET, default="clean", metavar="PRESET", help="default clean")
    add("--seed", type=seed, default=0, help="which images (default 0)")
    add("--backend", choices=BACKENDS, help="for Keras")
    add_force(made)
    add_challenge(made)
    return made


def _picture(options: argparse.Namespace) -> int:
    """Choose validation images of every class, damage them if asked, and draw."""
    folder, out = Path(options.folder), Path(options.out)
    read_training_folder(folder)  # a wrong name is told before Keras is loaded
    challenge = load_challenge(options.challenge)
    with loading_keras(options.backend):
        from codabench_rehearsal.recipes.looking import draw
    how = {"part": options.part, "preset": options.corrupt, "seed": options.seed}
    draw(folder, options.data, out, challenge, images=options.images, **how)
    print(f"written: {out}")
    return Exit.FINE


class Command(NamedTuple):
    """What a word stands for."""

    parser: Callable[[], Parser]
    run: Callable[[argparse.Namespace], int]


TRAIN = Command(recipe_train.parser, recipe_train.run)
COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "list": Command(_list_parser, _list),
        "show": Command(_show_parser, _show),
        "picture": Command(_picture_parser, _picture),
    }
)

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "list": "the recipes with their reported scores",
        "show": "a recipe, its network and its cost",
        "picture": "which parts of an image speak for the answer",
    }
)


if __name__ == "__main__":
    sys.exit(main())

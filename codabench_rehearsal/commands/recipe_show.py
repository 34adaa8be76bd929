"""`train-recipe show NAME`: the resolved recipe, its network, and what training computes."""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import fields

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.recipe_parsers import add_recipe, named_system, new_parser
from codabench_rehearsal.console.arguments import add_challenge, positive
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.recipes.loading import loading_keras, working
from codabench_rehearsal.recipes.system import Phase, System

EXAMPLES = """\
examples:
  train-recipe show overfitting_gods
  train-recipe show reluctant_learners --set backbone=MobileNetV3Small --images 4000
  train-recipe show madapenguins --fast --layers
  train-recipe show madapenguins --fast --measure

Parameters and operations are counted without training or drawing a weight, for the default --weights.
--measure builds the whole network and times a few steps: minutes and gigabytes for the largest.
"""
_IMAGES = 10_000  # about what the challenge's file holds to train on
_HIDDEN = ("name", "summary", "source", "reported", "cost", "options", "fast", "miniature")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = new_parser("train-recipe show", "Show a recipe, its network and its cost.", EXAMPLES)
    add_recipe(made, "a recipe (train-recipe list)")
    made.add_argument("--layers", action="store_true", help="every layer of the network too")
    made.add_argument(
        "--measure", action="store_true", help="time a few steps here too, and reckon the whole"
    )
    made.add_argument(
        "--images", type=positive, default=_IMAGES, metavar="N",
        help=f"training images to reckon with (default {_IMAGES:,})",
    )  # fmt: skip
    add_challenge(made)
    return made


def run(options: argparse.Namespace) -> int:
    """Print the recipe's page, its values, its options, the network and the cost."""
    system, challenge = named_system(options), load_challenge(options.challenge)
    print(
        inspect.getdoc(
            importlib.import_module(f"codabench_rehearsal.recipes.systems.{system.name}")
        )
    )
    print(f"\nreported: {system.reported}\n")
    print("\n".join(_values(system)))
    print("\n".join(_options(system, fast=options.fast)))
    with loading_keras(options.backend):
        from codabench_rehearsal.recipes.cost import counted, lines, table, timed
    with working(f"counting what {system.name} computes"):
        costs = counted(system, challenge.shape, challenge.classes)
    if options.layers:
        print("\n\n".join("\n".join(table(cost)) for cost in costs), end="\n\n")
    print("\n".join(lines(costs, options.images)), flush=True)
    if options.measure:
        with working("timing") as begins:
            said = list(timed(costs, challenge.classes, options.images, begins))
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
    shown = (one for one in fields(phase) if one.name != "name")
    return ", ".join(
        f"{one.name} {getattr(phase, one.name)}"
        for one in shown
        if getattr(phase, one.name) != one.default
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        named = ((key.removeprefix("model_options."), one) for key, one in value.items())
        return ", ".join(f"{key} {_plain(one)}" for key, one in named) or "another start"
    if isinstance(value, tuple) and all(isinstance(one, tuple | dict) for one in value):
        return "; ".join(_plain(one) or "as they come" for one in value)
    if isinstance(value, tuple):
        return " + ".join(map(str, value))
    return str(value)


def _options(system: System, *, fast: bool) -> Iterator[str]:
    for name, choices in system.options.items():
        yield f"  --set {name}={'|'.join(choices)}"
    if system.miniature:
        yield f"  --fast{' (shown)' if fast else ''}: {system.miniature}"

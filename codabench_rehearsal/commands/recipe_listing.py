"""`train-recipe list`: the recipes, and what their teams reported."""

from __future__ import annotations

import argparse

from codabench_rehearsal.commands.recipe_parsers import new_parser
from codabench_rehearsal.console.command import Exit, console
from codabench_rehearsal.recipes.system import load_system, system_names

EXAMPLES = """\
examples:
  train-recipe list
  train-recipe show madapenguins
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    return new_parser("train-recipe list", "List the recipes with their reported scores.", EXAMPLES)


def run(_options: argparse.Namespace) -> int:
    """Print the table."""
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

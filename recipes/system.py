"""What a system is: a value that says how it is trained. Importing it does not import Keras."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Phases = tuple["Phase", ...]


class RecipeError(ValueError):
    """An unknown recipe or an option that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one setting.

    learning_rate: at its start. patience: epochs without a better validation accuracy before the
    phase ends early, None for never; the best weights are kept then.
    """

    name: str
    epochs: int
    learning_rate: float
    optimizer: str = "adam"
    patience: int | None = None


@dataclass(frozen=True)
class System:
    """A team's system, or our own.

    model: a function of `recipes.models`, called with (shape, classes, **model_options).
    scale: what the model expects, "0..255", "0..1" or "-1..1". augment: a function of
    `recipes.augment`, or "". validation: the fraction held out.
    """

    name: str
    summary: str
    source: str
    reported: str
    cost: str
    model: str
    phases: Phases
    model_options: Mapping[str, Any] = field(default_factory=dict)
    augment: str = ""
    scale: str = "0..255"
    batch: int = 64
    validation: float = 0.2


def system_names() -> tuple[str, ...]:
    """The names of all systems: the files of `recipes/systems`."""
    package = importlib.import_module("recipes.systems")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def load_system(name: str) -> System:
    """The system of that name. Raises `RecipeError` with the nearest names."""
    known = system_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
        raise RecipeError(f"No recipe {name!r}; {hint}")
    system: System = importlib.import_module(f"recipes.systems.{name}").SYSTEM
    return system

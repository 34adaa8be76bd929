"""What the server's Keras takes, read from `backport_tables/`."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError

TABLES = resources.files("submission") / "backport_tables"


@dataclass(frozen=True)
class Table:
    """Names and keys that one version of Keras knows, and what newer ones write beyond them."""

    target: str
    accepts: dict[str, frozenset[str]]  # class -> keys its config may have
    defaults: dict[
        str, dict[str, list[Any]]
    ]  # class -> key the target lacks -> values without effect
    differs: dict[str, str]  # class -> why the target does something else with it
    idle: frozenset[str]  # augmentations: they do nothing outside training
    operations: frozenset[str]  # keras.ops as classes: nothing refers to their own name
    new_classes: frozenset[str]
    activations: frozenset[str]
    new_activations: frozenset[str]
    functions: frozenset[str]


def targets() -> list[str]:
    """Return the versions of Keras that files can be rewritten for."""
    names = [path.name for path in TABLES.iterdir() if path.name.startswith("keras-")]
    return sorted(name.removeprefix("keras-").removesuffix(".json") for name in names)


@cache
def load_table(target: str) -> Table:
    """Return the table of that version; SubmissionError where there is none."""
    if target not in targets():
        raise SubmissionError(
            f"No table says what Keras {target} reads; there are tables for "
            f"{', '.join(targets())}. Take one of these, or make one with "
            "tools/make_backport_table.py."
        )
    raw = json.loads((TABLES / f"keras-{target}.json").read_text(encoding="utf-8"))
    names = ("idle", "operations", "new_classes", "activations", "new_activations", "functions")
    return Table(
        target=target,
        accepts={
            name: _spelled_out(keys, raw["layer_keys"]) for name, keys in raw["accepts"].items()
        },
        defaults=raw["defaults"],
        differs=raw["differs"],
        **{name: frozenset(raw[name]) for name in names},
    )


def _spelled_out(keys: list[str], layer_keys: list[str]) -> frozenset[str]:
    """Put the keys of the base class for "*"."""
    return frozenset(keys) | (frozenset(layer_keys) if "*" in keys else frozenset())

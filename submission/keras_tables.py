"""What each version of Keras reads, from `backport_tables/`, and which of them is the newer one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError

TABLES = resources.files("submission") / "backport_tables"
FIRST_KERAS_3 = "3.0.0"


@dataclass(frozen=True)
class Table:
    """Names and keys that one version of Keras knows, and what newer ones write beyond them."""

    target: str
    accepts: dict[str, frozenset[str]]  # class -> keys its config may have
    defaults: dict[str, dict[str, list[Any]]]  # class -> key it lacks -> values without effect
    differs: dict[str, str]  # class -> why the target does something else with it
    idle: frozenset[str]  # augmentations: they do nothing outside training
    operations: frozenset[str]  # keras.ops as classes: nothing refers to their own name
    new_classes: frozenset[str]
    activations: frozenset[str]
    new_activations: frozenset[str]
    functions: frozenset[str]


@cache
def targets() -> tuple[str, ...]:
    """Return the versions of Keras that files can be rewritten for."""
    names = [path.name for path in TABLES.iterdir() if path.name.startswith("keras-")]
    return tuple(sorted(name.removeprefix("keras-").removesuffix(".json") for name in names))


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
    of_all = frozenset(raw["layer_keys"])  # the keys of the base class, which "*" stands for
    names = ("idle", "operations", "new_classes", "activations", "new_activations", "functions")
    return Table(
        target=target,
        accepts={
            n: frozenset(k) | (of_all if "*" in k else set()) for n, k in raw["accepts"].items()
        },
        defaults=raw["defaults"],
        differs=raw["differs"],
        **{name: frozenset(raw[name]) for name in names},
    )


def written_for(keras: str, saved_with: str) -> str:
    """The version to rewrite a file for, "" where it has to go as it is.

    keras: the server's, "" where unknown. Where no table says what it reads, files of Keras 2 are
    still written as the oldest Keras 3 with a table reads them, which all later ones do, too.
    """
    if keras in targets():
        return keras
    is_three = not keras or is_newer(keras, FIRST_KERAS_3) or keras == FIRST_KERAS_3
    return targets()[0] if is_three and is_keras_2(saved_with) else ""


def is_keras_2(version: str) -> bool:
    """Whether a file of that version is of Keras 1 or 2; "" is not known to be."""
    return version.startswith(("1.", "2."))


def is_newer(version: str, than: str) -> bool:
    """Whether the first version is the later one; "" counts as later."""
    return not version or _numbers(version) > _numbers(than)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]

"""What a training needs to go on after a kill; written after every epoch, never half of it.

A folder holds arrays (`*.npz`) and `state.json`, which names the ones that count and is replaced
in one step after they are written: a kill at any moment leaves the last whole state.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.files import replacing
from codabench_rehearsal.console.temporary import remove_abandoned
from codabench_rehearsal.recipes.system import RecipeError, System

SCHEMA = 1
# These say something to people or are resolved before a training begins; they change no weight.
# The name is the part "recipe" of an identity.
_SAID = frozenset(
    {*("name", "summary", "source", "reported", "cost"), *("miniature", "options", "fast", "tta")}
    | {"ensemble", "benchmark"}
)
_MOST = 4  # differences that a line can bear
Arrays = Sequence[NDArray[Any]]


@dataclass
class State:
    """Where one network's training stands.

    phase: how many phases have ended. epochs: how many were trained over all phases. schedule: the
    state of the phase under way, None before its first epoch. folds: the best epochs that its
    folds have found. history: a row an epoch. kept: epochs of the phase that may be its best ones:
    number -> validation accuracy (None without one) and the network's weights.
    """

    phase: int = 0
    epochs: int = 0
    schedule: dict[str, Any] | None = None
    folds: list[int] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[int, tuple[float | None, Arrays]] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """A state with the values of the network's variables and its optimizer's (or none of these)."""

    state: State
    variables: Arrays
    optimizer: Arrays


def identity(
    system: System, fingerprint: str, *, classes: int, seed: int, weights: str, precision: str
) -> dict[str, str]:
    """What a training is of, value by value: a checkpoint is only of use to the same one."""
    resolved = {
        one.name: _plain(getattr(system, one.name))
        for one in fields(system)
        if one.name not in _SAID
    }
    phases = enumerate(resolved.pop("phases"), start=1)
    named = {f"phase {number}": phase for number, phase in phases}
    return {
        "recipe": system.name,
        "data": fingerprint,
        "classes": str(classes),
        "seed": str(seed),
        "weights": weights,
        "precision": precision,
        **dict(_flat({**resolved, "phases": len(named), **named})),
    }


def require_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    """Raise `RecipeError` if what lies in a folder is of another training; it says what differs."""
    parts = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if not parts:
        return
    said = [
        f"{one} ({_short(found, one)} there, {_short(wanted, one)} now)" for one in parts[:_MOST]
    ]
    more = f" and {len(parts) - _MOST} more" if len(parts) > _MOST else ""
    raise RecipeError(
        f"{folder} holds another training; what differs: {', '.join(said)}{more}. "
        "Repeat the command that began it, or choose another --out; nothing was changed."
    )


class Checkpoint:
    """One network's checkpoint in a folder of its own."""

    def __init__(self, folder: Path, belongs: Mapping[str, str]) -> None:
        self._folder, self._belongs = folder, dict(belongs)
        self._kept: set[str] = set()  # of these the file is known to be whole

    @property
    def exists(self) -> bool:
        """Whether a state was saved here."""
        return self._index.is_file()

    @property
    def _index(self) -> Path:
        return self._folder / "state.json"

    def save(self, state: State, variables: Arrays, optimizer: Arrays = ()) -> None:
        """Replace what is there. Raises `FileError` where it cannot be written."""
        self._make_folder()
        main = f"epoch-{state.phase}-{state.epochs}-{len(state.folds)}.npz"
        self._write(main, [*variables, *optimizer])
        kept = {
            number: f"kept-{state.phase}-{state.epochs - _trained(state) + number}.npz"
            for number in state.kept
        }
        for number, name in kept.items():
            if name not in self._kept:
                self._write(name, state.kept[number][1])
        self._commit(state, main, kept, len(variables))
        self._kept = set(kept.values())
        self._tidy({main, *self._kept})

    def load(self) -> Saved | None:
        """What was saved last, or None. Raises `RecipeError` for another training's or a broken one."""
        if not self.exists:
            return None
        with self._explained():
            return self._restored(self._content())

    def check(self) -> None:
        """Raise as `load` does for another training's, before anything else is done."""
        if self.exists:
            with self._explained():
                self._content()

    def remove(self) -> None:
        """Take it away: the index first, so that no reader meets half of it."""
        self._index.unlink(missing_ok=True)
        if self._folder.is_dir():
            self._tidy(set())
            with suppress(OSError):  # a file that is not ours stays, and the folder with it
                self._folder.rmdir()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except RecipeError:
            raise
        except (
            *(OSError, EOFError, ValueError, KeyError, TypeError),
            *(RecursionError, zipfile.BadZipFile),
        ) as error:
            raise RecipeError(
                f"The checkpoint {self._folder} cannot be read ({error}). Delete it to begin anew."
            ) from None

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        require_same(self._folder, content["belongs"], self._belongs)
        return content

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(
                f"No checkpoint can be written to {self._folder} ({error.strerror}). Make room, or "
                "choose another --out."
            ) from None

    def _restored(self, content: Mapping[str, Any]) -> Saved:
        state = State(**content["state"])
        for number, (accuracy, name) in content["kept"].items():
            state.kept[int(number)] = accuracy, self._read(name)
            self._kept.add(name)
        arrays = self._read(content["arrays"])
        count = content["variables"]
        return Saved(state, arrays[:count], arrays[count:])

    def _commit(self, state: State, main: str, kept: Mapping[int, str], variables: int) -> None:
        content = {
            "schema": SCHEMA,
            "belongs": self._belongs,
            "state": {
                one.name: getattr(state, one.name) for one in fields(state) if one.name != "kept"
            },
            "kept": {number: [state.kept[number][0], name] for number, name in kept.items()},
            "arrays": main,
            "variables": variables,
        }
        with replacing(self._index) as file:
            file.write(json.dumps(content, indent=1).encode())

    def _write(self, name: str, arrays: Arrays) -> None:
        with replacing(self._folder / name) as file:
            np.savez(file, *arrays)

    def _read(self, name: str) -> list[NDArray[Any]]:
        with (
            (self._folder / name).open("rb") as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            return [archive[f"arr_{number}"] for number in range(len(archive.files))]

    def _tidy(self, needed: set[str]) -> None:
        """Delete what no index names: older states, and drafts of a killed run."""
        for path in self._folder.glob("*.npz"):
            if path.name not in needed:
                path.unlink(missing_ok=True)
        remove_abandoned([self._folder])


def _trained(state: State) -> int:
    return 0 if state.schedule is None else int(state.schedule["epochs"])


def _flat(value: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    """Every value as text, with the names that lead to it."""
    for name, one in value.items():
        path = f"{under}{name}"
        if isinstance(one, Mapping):
            yield from _flat(one, f"{path}: ")
        else:
            yield path, one if isinstance(one, str) else json.dumps(one)


def _short(values: Mapping[str, Any], name: str) -> str:
    """A value as a line can bear it."""
    text = str(values.get(name, "none"))
    return text if len(text) <= 40 else f"{text[:36]} ..."


def _plain(value: Any) -> Any:
    """The value as JSON holds it; dataclasses and mappings by their fields."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value

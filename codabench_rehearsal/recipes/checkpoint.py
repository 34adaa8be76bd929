"""What a training needs to go on after a kill; written after every epoch, never half of it.

A folder holds arrays (`*.npz`) and `state.json`, which names the ones that count and is replaced
in one step after they are written: a kill at any moment leaves the last whole state.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
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
    {"name", "summary", "description", "source", "reported", "cost", "options", "versions"}
    | {"tta", "ensemble", "benchmark"}
)
_MOST = 4  # differences that a line can bear
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile)
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

    def keep_best(self, epoch: int, accuracy: float | None, limit: int, model: Any) -> None:
        """Keep the weights of this epoch if it is among the `limit` best of its phase so far."""
        self.kept[epoch] = accuracy, ()
        for number in self._ranked()[limit:]:
            del self.kept[number]
        if epoch in self.kept:
            copies = [np.array(one) for one in model.get_weights()]  # no views, which change
            self.kept[epoch] = accuracy, copies

    def settle(self, model: Any, *, average: bool) -> None:
        """Give the model what its phase leaves: the best epoch's weights, or the mean of the kept.

        The mean covers batch norm's averages too. Without kept epochs the last weights stay.
        """
        sets = [self.kept[number][1] for number in self._ranked()]
        if sets:
            model.set_weights(mean_weights(sets) if average else sets[0])

    def _ranked(self) -> list[int]:
        """The kept epochs, best first: by accuracy, the first of equals; without it the latest."""

        def rank(number: int) -> tuple[float, int]:
            accuracy = self.kept[number][0]
            return (0.0, -number) if accuracy is None else (-accuracy, number)

        return sorted(self.kept, key=rank)


def mean_weights(sets: Sequence[Arrays]) -> list[NDArray[Any]]:
    """The mean of several networks' weights, array by array; whole numbers are the first one's."""
    return [
        np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
        if np.issubdtype(arrays[0].dtype, np.floating)
        else arrays[0]
        for arrays in zip(*sets, strict=True)
    ]


def identity(
    system: System, fingerprint: str, *, classes: int, seed: int, weights: str, precision: str
) -> dict[str, str]:
    """What a training is of, value by value: a checkpoint is only of use to the same one."""
    values = {name: one for name, one in asdict(system).items() if name not in _SAID}
    phases = [_without_new(phase) for phase in values.pop("phases")]
    named = {f"phase {number}": phase for number, phase in enumerate(phases, start=1)}
    return {
        "recipe": system.name,
        "data": fingerprint,
        "classes": str(classes),
        "seed": str(seed),
        "weights": weights,
        "precision": precision,
        **dict(_flat({**values, "phases": len(named), **named})),
    }


def _without_new(phase: dict[str, Any]) -> dict[str, Any]:
    """Without what a phase of an earlier version did not have, where it is as it was then."""
    return {name: one for name, one in phase.items() if name != "ema" or one}


def require_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    """Raise `RecipeError` if what lies in a folder is of another training; it says what differs."""
    parts = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if not parts:
        return
    said = [
        f"{one} ({_short(found.get(one))} there, {_short(wanted.get(one))} now)"
        for one in parts[:_MOST]
    ]
    more = f" and {len(parts) - _MOST} more" if len(parts) > _MOST else ""
    raise RecipeError(
        f"{folder} holds another training; what differs: {', '.join(said)}{more}. "
        "Repeat the command that began it, or choose another --out; nothing was changed."
    )


class Checkpoint:
    """One network's checkpoint in a folder of its own."""

    def __init__(self, folder: Path, belongs: Mapping[str, str]) -> None:
        self._folder, self._index, self._belongs = folder, folder / "state.json", dict(belongs)
        self._written: set[str] = set()  # files of kept epochs that are known to be whole

    def save(self, state: State, variables: Arrays, optimizer: Arrays = ()) -> None:
        """Replace what is there; arrays: the values of the network's variables, its optimizer's.

        Raises `FileError` where it cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(
                f"No checkpoint can be written to {self._folder} ({error.strerror}). Make room, or "
                "choose another --out."
            ) from None
        main = f"epoch-{state.phase}-{state.epochs}-{len(state.folds)}.npz"
        self._write(main, [*variables, *optimizer])
        before = state.epochs - (int(state.schedule["epochs"]) if state.schedule else 0)
        kept = {}
        for number, (accuracy, weights) in state.kept.items():
            name = f"kept-{state.phase}-{before + number}.npz"
            if name not in self._written:
                self._write(name, weights)
            kept[number] = accuracy, name
        content = {
            "schema": SCHEMA,
            "belongs": self._belongs,
            "state": {
                one.name: getattr(state, one.name) for one in fields(state) if one.name != "kept"
            },
            "kept": kept,
            "arrays": main,
            "variables": len(variables),
        }
        with replacing(self._index) as file:
            file.write(json.dumps(content, indent=1).encode())
        self._written = {name for _, name in kept.values()}
        self._tidy({main, *self._written})

    def load(self) -> tuple[State, Arrays, Arrays] | None:
        """What was saved last, or None.

        Raises `RecipeError` for another training's or a broken one.
        """
        if not self._index.is_file():
            return None
        with self._explained():
            content = self._content()
            state = State(**content["state"])
            for number, (accuracy, name) in content["kept"].items():
                state.kept[int(number)] = accuracy, self._read(name)
                self._written.add(name)
            arrays, count = self._read(content["arrays"]), content["variables"]
            return state, arrays[:count], arrays[count:]

    def check(self) -> None:
        """Raise as `load` does for another training's, before anything else is done."""
        if self._index.is_file():
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
        except _DAMAGED as error:
            raise RecipeError(
                f"The checkpoint {self._folder} cannot be read ({error}). Delete it to begin anew."
            ) from None

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        require_same(self._folder, content["belongs"], self._belongs)
        return content

    def _write(self, name: str, arrays: Arrays) -> None:
        with replacing(self._folder / name) as file:
            np.savez(file, *arrays)

    def _read(self, name: str) -> list[NDArray[Any]]:
        with (
            (self._folder / name).open("rb") as file,  # NumPy leaves a damaged one open
            np.load(file, allow_pickle=False) as archive,
        ):
            return [archive[f"arr_{number}"] for number in range(len(archive.files))]

    def _tidy(self, needed: set[str]) -> None:
        """Delete what no index names: older states, and drafts of a killed run."""
        for path in self._folder.glob("*.npz"):
            if path.name not in needed:
                path.unlink(missing_ok=True)
        remove_abandoned([self._folder])


def _flat(value: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    """Every value as text, with the names that lead to it."""
    for name, one in value.items():
        path = f"{under}{name}"
        if isinstance(one, Mapping):
            yield from _flat(one, f"{path}: ")
        else:
            yield path, one if isinstance(one, str) else json.dumps(one)


def _short(value: object) -> str:
    """A value as a line can bear it."""
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."

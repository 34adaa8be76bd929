"""What a system is: a value that says how it is trained, read from a page of `systems/`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from typing import Any, Literal

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.reading import parse_toml

Change = Mapping[str, Any]  # field, or "field.key" of a mapping -> its new value
Chain = tuple[str, ...]  # names of `recipes.augment`, applied one after the other
Trainable = float | Literal["last"]
VERSIONS = ("fast", "evening")  # smaller than the full one, as `train-recipe --fast` asks for them
_PAGES = files("codabench_rehearsal.recipes") / "systems"


class RecipeError(UserError):
    """An unknown recipe or an option that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one setting.

    learning_rate: at its start. optimizer: "adam" or "lion". trainable: how much of the backbone
    learns: 0.0 nothing, "last" its last block, 1.0 everything, between: that share of its layers,
    counted from the top; the head always learns. decay: "" or "cosine", down to 0 at the end.
    patience: epochs without a better validation accuracy before the phase ends early, None for
    never; the best weights are kept. plateau: epochs without a better one before the rate is
    multiplied by `factor`. validation: False for a phase that looks at no validation image: all
    its epochs run and the last weights stay. folds: so many folds of the training images find the
    number of epochs first, at most `epochs`; then it trains that many, without validation.
    ema: above 0, an epoch is judged and kept by an exponential moving average of the weights,
    which keeps this share of itself at each step; training itself goes on without it.
    """

    name: str
    epochs: int
    learning_rate: float
    optimizer: str = "adam"
    trainable: Trainable = 1.0
    decay: str = ""
    patience: int | None = None
    plateau: int | None = None
    factor: float = 0.2
    validation: bool = True
    folds: int = 0
    ema: float = 0.0


@dataclass(frozen=True)
class Version:
    """A smaller version of a system. relation: how it differs from the full one, for people."""

    change: Change
    relation: str


@dataclass(frozen=True)
class System:
    """A team's system, or our own.

    model: a function of `recipes.models`, called with (shape, classes, **model_options); a
    "backbone" among these is a name of `recipes.backbones`. side: images are resized to so many
    pixels, None: as they come. isolation: share of odd images that an isolation forest drops,
    beside duplicates and blended ones, which always go. validation, test: shares held out; the
    second one is only looked at in the end. balance: augmentations by which small classes are
    filled up to the largest; () for none. class_weights: answers count inversely to their class's
    frequency. copies: for each copy of the training images in an epoch, what happens to it.
    recover: the pictures in blended outliers are taken out of them, C = (A - a B) / (1 - a),
    for overlays to blend in. hurt_validation: the first chain, applied once to the validation
    images. benchmark: chains of the recipe's own randomised benchmark, reported in the end.
    loss: one of `recipes.compiling.LOSSES`. average: weights are the mean over so many best epochs,
    0: those of the best. members: changes, one for each network of an ensemble; (): one network.
    tta, ensemble: as `make-submission` has them. options: name -> choice -> change. versions: those
    of `VERSIONS` that it has. description: for people; where it comes from, what it costs, and what
    in it is ours.
    """

    name: str
    summary: str
    source: str
    reported: str
    cost: str
    model: str
    phases: tuple[Phase, ...]
    model_options: Mapping[str, Any] = field(default_factory=dict)
    side: int | None = None
    isolation: float = 0.0
    validation: float = 0.2
    test: float = 0.0
    balance: Chain = ()
    class_weights: bool = False
    recover: bool = False
    copies: tuple[Chain, ...] = ((),)
    hurt_validation: bool = False
    benchmark: tuple[Chain, ...] = ()
    loss: str = "crossentropy"
    loss_options: Mapping[str, float] = field(default_factory=dict)
    batch: int = 64
    average: int = 0
    members: tuple[Change, ...] = ()
    tta: str = "none"
    ensemble: str = "mean"
    options: Mapping[str, Mapping[str, Change]] = field(default_factory=dict)
    versions: Mapping[str, Version] = field(default_factory=dict)
    description: str = ""

    @property
    def backbone(self) -> str | None:
        """The ImageNet network it builds on, or None."""
        found = self.model_options.get("backbone")
        return None if found is None else str(found)

    @property
    def augmentations(self) -> Chain:
        """Everything that training does to its images, each once."""
        used = [name for chain in (*self.copies, self.balance) for name in chain]
        return tuple(dict.fromkeys(used))

    @property
    def validation_chain(self) -> Chain:
        """What happens, once, to the validation images."""
        return self.copies[0] if self.hurt_validation else ()

    @property
    def networks(self) -> list[System]:
        """The system of each network that is trained: of all members, else the one itself."""
        return [changed(self, change) for change in self.members or ({},)]


def changed(system: System, change: Change) -> System:
    """The system with other values. Raises `RecipeError` for a field that there is not."""
    for path, value in change.items():
        name, _, key = path.partition(".")
        if name not in {one.name for one in fields(system)}:
            raise RecipeError(f"A recipe has no {name!r}.")
        new: dict[str, Any] = {name: {**getattr(system, name), key: value} if key else value}
        system = replace(system, **new)
    return system


def chosen(system: System, choices: Mapping[str, str], version: str | None = None) -> System:
    """The system with a version's values, then those of the choices made for its options.

    version: one of `VERSIONS`, None for the full one. Raises `RecipeError` for a version, an option
    or a choice that it does not have, and for two that set the same value: the later would undo the
    earlier without a word.
    """
    if version not in (None, *system.versions):
        raise RecipeError(f"{system.name} has no --{version} version.")
    said = {} if version is None else {f"--{version}": system.versions[version].change}
    for option, choice in choices.items():
        change = _option(system, option, choice)
        for other, before in said.items():
            if shared := _contradiction(before, change):
                raise RecipeError(
                    f"{system.name}: {option}={choice} and {other} both set {shared}: "
                    "leave one out."
                )
        said[f"{option}={choice}"] = change
    for change in said.values():
        system = changed(system, change)
    return system


def system_names() -> tuple[str, ...]:
    """The names of all systems: the pages of `recipes/systems`."""
    pages = (page.name for page in _PAGES.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in pages if name.endswith(".toml")))


def load_system(name: str) -> System:
    """The system of that name. Raises `RecipeError` with the nearest names."""
    known = system_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
        raise RecipeError(f"No recipe {name!r}; {hint}")
    page = parse_toml((_PAGES / f"{name}.toml").read_text(encoding="utf-8"))
    values = {key: _value(key, one) for key, one in page.items()}
    versions = {one: _version(values.pop(one)) for one in VERSIONS if one in values}
    return System(name=name, versions=versions, **values)


def _version(table: Mapping[str, Any]) -> Version:
    change = {name: value for name, value in table.items() if name != "relation"}
    return Version(change, table["relation"])


def _value(name: str, value: Any) -> Any:
    """A value of a page as a recipe has it: lists are tuples, tables of phases are phases."""
    if name == "phases":
        return tuple(Phase(**one) for one in value)
    if name == "options":  # a mere list of choices is of the network's option of the same name
        choices = {
            option: {one: {f"model_options.{option}": one} for one in made}
            for option, made in value.items()
            if isinstance(made, list)
        }
        value = value | choices
    if isinstance(value, dict):
        return {key: _value(key, one) for key, one in value.items()}
    return tuple(_value("", one) for one in value) if isinstance(value, list) else value


def _option(system: System, option: str, choice: str) -> Change:
    if option not in system.options:
        raise RecipeError(f"{system.name} has no option {option!r}; {_known(system.options)}")
    if choice not in system.options[option]:
        raise RecipeError(f"{system.name}: {option}={choice}: {_known(system.options[option])}")
    return system.options[option][choice]


def _contradiction(change: Change, other: Change) -> str:
    """The first value that two changes, or their members', set differently; "" if there is none."""
    for path, value in _flat(change):
        for name, wanted in _flat(other):
            inside = path.startswith(f"{name}.") or name.startswith(f"{path}.")
            if inside or (path == name and value != wanted):
                return max(path, name, key=len)
    return ""


def _flat(change: Change) -> list[tuple[str, Any]]:
    """What a change sets, and what its members set each for itself."""
    members = [pair for member in change.get("members", ()) for pair in member.items()]
    return [*change.items(), *members]


def _known(names: Mapping[str, Any]) -> str:
    return f"known: {', '.join(names)}." if names else "it has none."

"""A training folder: weights, `recipe.json` and `split.json`. Users may write them by hand.

What the rehearsal needs of it lies beside the zip: the split, and what augmented the training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.fields import (
    Fields,
    is_above_zero,
    is_text,
    is_texts,
    is_whole,
    one_of,
    told,
)
from codabench_rehearsal.console.files import write_bytes, written
from codabench_rehearsal.console.reading import (
    LARGEST_SETTINGS,
    first_file,
    parse_json,
    read_json,
    require_file,
)
from submission.model_page import mode_of

RECIPE, SPLIT = "recipe.json", "split.json"
SCHEMA = 1
LARGEST_SIDE = 10_000  # pixels
SCALES = ("0..255", "0..1", "-1..1")
ENSEMBLES = ("mean", "vote")
TTAS = ("none", "flips", "rot90", "d4")
OUTPUTS = ("auto", "probabilities", "logits")
_KEYS = (
    *("schema", "weights"),  # needed
    *("scale", "preprocess", "resize", "tta", "output", "ensemble", "member_weights", "include"),
    *("name", "augmentation", "shape", "classes", "seed", "versions", "note"),
)
T = TypeVar("T")


@dataclass(frozen=True)
class Packing:
    """What goes into a zip and how the shipped `model.py` uses it.

    scale, resize, tta, preprocess and output hold one value for all networks, or a tuple with one
    for each. scale: what the weights were trained on. preprocess: "caffe", "torch", "tf" or None;
    then the scale is 0..255. resize: side in pixels, None for as it comes. include: further files
    for the zip. model: a `model.py` of the user's own, None for the template.
    splits: to put beside the zip; several are merged. no_split: weights that have none, while
    others do. scale_given: False when assumed. member_weights: how much each network counts.
    shrink, float16: see `submission.shrink`. augmentation: what the training did to its images, by
    name; put beside the zip.
    """

    weights: tuple[Path, ...]
    scale: str | tuple[str, ...] = SCALES[0]
    resize: int | tuple[int | None, ...] | None = None
    tta: str | tuple[str, ...] = "none"
    ensemble: str = "mean"
    include: tuple[Path, ...] = ()
    model: Path | None = None
    splits: tuple[Path, ...] = ()
    scale_given: bool = True
    no_split: tuple[Path, ...] = ()
    preprocess: str | tuple[str | None, ...] | None = None
    output: str | tuple[str, ...] = "auto"
    member_weights: tuple[float, ...] | None = None
    batch_size: int | None = None
    shrink: bool = False
    float16: bool = False
    augmentation: tuple[str, ...] = ()

    def each(self, value: T | tuple[T, ...]) -> tuple[T, ...]:
        """A setting as a tuple with one value for each network."""
        return value if isinstance(value, tuple) else (value,) * len(self.weights)


def read_training_folder(folder: Path) -> Packing:
    """Read `recipe.json` and find what it names. Raises `SubmissionError` for what is wrong."""
    path = folder / RECIPE
    if (folder / "saved_model.pb").is_file():
        raise SubmissionError(
            f"{folder} is a SavedModel, which Keras 3 does not load: save the model with "
            "model.save('model.keras') and give that file."
        )
    if not folder.is_dir():
        raise SubmissionError(f"{folder}: there is no such folder.")
    require_file(path, SubmissionError)
    if not path.is_file():
        found = [*sorted(folder.glob("*.keras")), *sorted(folder.glob("*.h5"))]
        raise SubmissionError(
            f"{folder} has no recipe.json, so it is no training folder. Give the weights file "
            f"itself: make-submission {(*found, folder / 'weights.keras')[0]}"
        )
    malformed, unreadable = ": not valid JSON ({}).", " cannot be read: {}."
    with told(path, SubmissionError, malformed=malformed, unreadable=unreadable):
        values = read_json(path, LARGEST_SETTINGS, SubmissionError)
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise SubmissionError(f"{path}: expected an object {{...}}, received {kind}.")
    recipe = Fields(values, path, SubmissionError, missing="null", show=json.dumps)
    recipe.only(_KEYS)
    if values.get("schema") != SCHEMA:
        raise recipe.fail("schema", str(SCHEMA))
    return _packing(recipe, folder)


def split_in(folder: Path) -> tuple[Path, ...]:
    """The `split.json` of a folder, if there is one. Raises `SubmissionError` for a pipe there."""
    found = first_file([folder / SPLIT], SubmissionError)
    return () if found is None else (found,)


def split_place(zip_path: Path | str) -> Path:
    """Where a zip's split lies."""
    return Path(zip_path).with_suffix(".split.json")


def recipe_place(zip_path: Path | str) -> Path:
    """Where a zip's record of augmentation lies."""
    return Path(zip_path).with_suffix(".recipe.json")


def read_splits(splits: Sequence[Path]) -> bytes | None:
    """One split as its file has it, or several merged into one; None where there is none.

    What any network was trained on is training; held out is what none was trained on.
    """
    if len(splits) < 2:
        return read(splits[0]) if splits else None
    sides = [_sides(path) for path in splits]
    train = set().union(*(train for train, _ in sides))
    held_out = set().union(*(validation for _, validation in sides)) - train
    merged = {"schema": SCHEMA, "train": sorted(train), "validation": sorted(held_out)}
    return json.dumps(merged, indent=1).encode() + b"\n"


def recipe_of(augmentation: Sequence[str]) -> bytes | None:
    """The record of augmentation: a benchmark of what the training used flatters."""
    text = json.dumps({"schema": SCHEMA, "augmentation": augmentation}, indent=1) + "\n"
    return text.encode() if augmentation else None


def put_beside(content: bytes | None, target: Path) -> Path | None:
    """Write a file beside a zip, never into it: there it tells nothing and costs bytes.

    Returns its path, or None without content; an older zip's file is then put aside as `NAME.old`
    (`.old.2`, ...), for somebody may have written it by hand.
    """
    if content is not None:
        write_bytes(target, content)
        return target
    tails = ("old", *(f"old.{number}" for number in range(2, 1000)))
    names = (target.with_name(f"{target.name}.{tail}") for tail in tails)
    with written(target), suppress(FileNotFoundError):
        target.rename(next(name for name in names if not os.path.lexists(name)))
    return None


def read(path: Path) -> bytes:
    """A file's bytes. Raises `SubmissionError`, in people's words."""
    require_file(path, SubmissionError)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None


def _packing(recipe: Fields, folder: Path) -> Packing:
    sides = ("a side in pixels, or null", lambda value: is_whole(value) and value <= LARGEST_SIDE)
    given = recipe.values
    weights = _files(recipe, "weights", folder)
    return Packing(
        weights=weights,
        # scale, preprocess and resize: of one length with weights
        scale=_each(recipe, "scale", lambda one: one.take("scale", one_of(SCALES), SCALES[0])),
        resize=_each(recipe, "resize", lambda one: one.take("resize", sides, None)),
        tta=recipe.take("tta", one_of(TTAS), TTAS[0]),
        ensemble=recipe.take("ensemble", one_of(ENSEMBLES), ENSEMBLES[0]),
        include=_files(recipe, "include", folder) if given.get("include") else (),
        splits=split_in(folder),
        scale_given="scale" in given or given.get("preprocess") is not None,
        preprocess=_preprocess(recipe),
        output=recipe.take("output", one_of(OUTPUTS), OUTPUTS[0]),
        member_weights=_member_weights(recipe, len(weights)),
        augmentation=tuple(recipe.take("augmentation", ("a list of names", is_texts), [])),
    )


def _files(recipe: Fields, key: str, folder: Path) -> tuple[Path, ...]:
    paths = tuple(
        folder / name
        for name in recipe.take(key, ("a list of file names", lambda v: is_texts(v) and v != []))
    )
    for path in paths:
        if not path.is_file():
            raise SubmissionError(f"{recipe.source}: {key}: there is no file {path}.")
    return paths


def _each(recipe: Fields, key: str, read: Callable[[Fields], T]) -> T | tuple[T, ...]:
    """One value for all networks, or a tuple with one for each where the recipe lists them."""
    value = recipe.values.get(key)
    if not isinstance(value, list):
        return read(recipe)
    if len(value) != len(recipe.values["weights"]):
        raise recipe.fail(key, "one value, or a list with one for each of weights")
    found = tuple(read(replace(recipe, values={key: one})) for one in value)
    return found[0] if len(set(found)) == 1 else found


def _preprocess(recipe: Fields) -> str | tuple[str | None, ...] | None:
    """The modes, None where the recipe names none; a scale beside a name must be 0..255."""
    found = _each(recipe, "preprocess", _mode)
    listed = [_listed(recipe.values.get(key)) for key in ("preprocess", "scale")]
    count = max(map(len, listed))
    names, scales = (values * count if len(values) == 1 else values for values in listed)
    for name, scale in zip(names, scales, strict=True):
        if name is not None and scale not in (None, SCALES[0]):
            raise recipe.fail("scale", f"{SCALES[0]} or nothing beside preprocess {name!r}")
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _mode(recipe: Fields) -> str | None:
    expected = ("the name of a Keras application, or null", is_text)
    name = recipe.take("preprocess", expected, "none")
    try:
        mode = mode_of(name)
    except SubmissionError as error:
        raise SubmissionError(f"{recipe.source}: preprocess: {error}") from None
    return None if mode == "none" else mode


def _member_weights(recipe: Fields, count: int) -> tuple[float, ...] | None:
    def fits(value: Any) -> bool:
        good = isinstance(value, list) and all(map(is_above_zero, value))
        return good and len(value) == count

    expected = f"{count} numbers above 0, one for each of weights"
    value = recipe.take("member_weights", (expected, fits), None)
    return None if value is None else tuple(value)


def _sides(path: Path) -> tuple[set[str], set[str]]:
    try:
        content = parse_json(read(path))
        train, validation = (set(map(str, content[side])) for side in ("train", "validation"))
    except (ValueError, KeyError, TypeError):
        raise SubmissionError(
            f"{path}: expected a split with the lists train and validation, as "
            "docs/training_folder.md has it."
        ) from None
    return train, validation

"""A training folder: weights, `recipe.json` and `split.json`. Users may write them by hand."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import (
    LARGEST_SETTINGS,
    first_file,
    read_json,
    require_file,
)
from codabench_rehearsal.console.words import LONGEST_NAME, one_line
from submission.model_page import mode_of

SCHEMA = 1
LARGEST_SIDE = 10_000  # pixels
SCALES = ("0..255", "0..1", "-1..1")
ENSEMBLES = ("mean", "vote")
TTAS = ("none", "flips", "rot90", "d4")
OUTPUTS = ("auto", "probabilities", "logits")
_NEEDED = ("schema", "weights")
_USED = (
    *("scale", "preprocess", "resize", "tta", "output"),
    *("ensemble", "member_weights", "include"),
)
_RECORDED = ("name", "augmentation", "shape", "classes", "seed", "versions", "note")
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
    path = folder / "recipe.json"
    if (folder / "saved_model.pb").is_file():
        raise SubmissionError(
            f"{folder} is a SavedModel, which Keras 3 does not load: save the model with "
            "model.save('model.keras') and give that file."
        )
    if not folder.is_dir():
        raise SubmissionError(f"{folder}: there is no such folder.")
    require_file(path, SubmissionError)
    if not path.is_file():
        raise SubmissionError(
            f"{folder} has no recipe.json, so it is no training folder. Give the weights file "
            f"itself: make-submission {_a_weights_file(folder)}"
        )
    recipe = _Recipe(path, _parse(path))
    recipe.check_keys()
    return Packing(
        weights=recipe.files("weights"),
        scale=recipe.choices("scale", SCALES),  # of one length with weights, as is preprocess
        resize=recipe.each("resize", lambda value: recipe.side("resize", value)),
        tta=recipe.choice("tta", TTAS),
        ensemble=recipe.choice("ensemble", ENSEMBLES),
        include=recipe.files("include") if recipe.data.get("include") else (),
        splits=split_in(folder),
        scale_given="scale" in recipe.data or recipe.data.get("preprocess") is not None,
        preprocess=recipe.preprocess(),
        output=recipe.choice("output", OUTPUTS),
        member_weights=recipe.member_weights(),
        augmentation=recipe.augmentation(),
    )


def split_in(folder: Path) -> tuple[Path, ...]:
    """The `split.json` of a folder, if there is one. Raises `SubmissionError` for a pipe there."""
    found = first_file([folder / "split.json"], SubmissionError)
    return () if found is None else (found,)


def _a_weights_file(folder: Path) -> Path:
    found = sorted(folder.glob("*.keras")) + sorted(folder.glob("*.h5"))
    return found[0] if found else folder / "weights.keras"


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = read_json(path, LARGEST_SETTINGS, SubmissionError)
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None
    except SubmissionError:
        raise
    except ValueError as error:
        raise SubmissionError(f"{path}: not valid JSON ({error}).") from None
    if not isinstance(data, dict):
        raise SubmissionError(
            f"{path}: expected an object {{...}}, received {type(data).__name__}."
        )
    return data


class _Recipe:
    """The values of a recipe.json; every error names file, key, expected and received."""

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        self.path, self.data = path, data

    def fail(self, key: str, expected: str) -> SubmissionError:
        received = one_line(json.dumps(self.data.get(key)), LONGEST_NAME)
        return SubmissionError(f"{self.path}: {key}: expected {expected}, received {received}.")

    def check_keys(self) -> None:
        known = (*_NEEDED, *_USED, *_RECORDED)
        for key in self.data:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
                raise SubmissionError(f"{self.path}: unknown key {key!r}; {hint}")
        if self.data.get("schema") != SCHEMA:
            raise self.fail("schema", str(SCHEMA))

    def each(self, key: str, read: Callable[[Any], T]) -> T | tuple[T, ...]:
        """One value for all networks, or a tuple with one for each where the recipe lists them."""
        value = self.data.get(key)
        if not isinstance(value, list):
            return read(value)
        weights = self.data.get("weights")
        if not isinstance(weights, list) or len(value) != len(weights):
            raise self.fail(key, "one value, or a list with one for each of weights")
        found = tuple(read(one) for one in value)
        return found[0] if len(set(found)) == 1 else found

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        return self._among(key, self.data.get(key), among)

    def choices(self, key: str, among: tuple[str, ...]) -> str | tuple[str, ...]:
        return self.each(key, lambda value: self._among(key, value, among))

    def _among(self, key: str, value: Any, among: tuple[str, ...]) -> str:
        if value is None:
            return among[0]
        if value not in among:
            raise self.fail(key, "one of " + ", ".join(among))
        return str(value)

    def preprocess(self) -> str | tuple[str | None, ...] | None:
        """The modes, None where the recipe names none; a scale beside a name must be 0..255."""
        found = self.each("preprocess", self._mode)
        count = max(len(self._listed(key)) for key in ("preprocess", "scale"))
        pairs = zip(self._listed("preprocess", count), self._listed("scale", count), strict=True)
        for name, scale in pairs:
            if name is not None and scale not in (None, SCALES[0]):
                raise self.fail("scale", f"{SCALES[0]} or nothing beside preprocess {name!r}")
        return found

    def _listed(self, key: str, count: int = 1) -> list[Any]:
        value = self.data.get(key)
        return value if isinstance(value, list) else [value] * count

    def _mode(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fail("preprocess", "the name of a Keras application, or null")
        try:
            mode = mode_of(value)
        except SubmissionError as error:
            raise SubmissionError(f"{self.path}: preprocess: {error}") from None
        return None if mode == "none" else mode

    def member_weights(self) -> tuple[float, ...] | None:
        value = self.data.get("member_weights")
        if value is None:
            return None
        numbers = value if isinstance(value, list) else []
        good = [n for n in numbers if type(n) in (int, float) and 0 < n < float("inf")]
        if len(good) != len(self.data["weights"]) or len(good) != len(numbers):
            count = len(self.data["weights"])
            raise self.fail("member_weights", f"{count} numbers above 0, one for each of weights")
        return tuple(good)

    def augmentation(self) -> tuple[str, ...]:
        value = self.data.get("augmentation", [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self.fail("augmentation", "a list of names")
        return tuple(value)

    def side(self, key: str, value: Any) -> int | None:
        if value is not None and (type(value) is not int or not 1 <= value <= LARGEST_SIDE):
            raise self.fail(key, "a side in pixels, or null")
        return None if value is None else int(value)

    def files(self, key: str) -> tuple[Path, ...]:
        names = self.data.get(key)
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            raise self.fail(key, "a list of file names")
        paths = tuple(self.path.parent / name for name in names)
        for path in paths:
            if not path.is_file():
                raise SubmissionError(f"{self.path}: {key}: there is no file {path}.")
        return paths

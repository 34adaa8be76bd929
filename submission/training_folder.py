"""A training folder: weights, `recipe.json` and `split.json`. Users may write them by hand."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from submission.errors import SubmissionError

SCHEMA = 1
SCALES = ("0..255", "0..1", "-1..1")
ENSEMBLES = ("mean", "vote")
TTAS = ("none", "flips", "rot90", "d4")
_NEEDED = ("schema", "weights")
_USED = ("scale", "preprocess", "resize", "tta", "ensemble", "include")
_RECORDED = ("name", "augmentation", "shape", "classes", "seed", "versions", "note")


@dataclass(frozen=True)
class Packing:
    """What goes into a zip and how the shipped `model.py` uses it.

    scale: what the weights were trained on. resize: side in pixels, None for as it comes.
    include: further files for the zip. model: a `model.py` of the user's own, None for the
    template. split: the `split.json` to copy beside the zip. scale_given: False when assumed.
    """

    weights: tuple[Path, ...]
    scale: str = SCALES[0]
    resize: int | None = None
    tta: str = "none"
    ensemble: str = "mean"
    include: tuple[Path, ...] = ()
    model: Path | None = None
    split: Path | None = None
    scale_given: bool = True


def read_training_folder(folder: Path) -> Packing:
    """Read `recipe.json` and find what it names. Raises `SubmissionError` for what is wrong in it."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise SubmissionError(
            f"{folder} has no recipe.json, so it is no training folder. Give the weights file "
            f"itself: make-submission {_a_weights_file(folder)}"
        )
    recipe = _Recipe(path, _parse(path))
    recipe.check_keys()
    split = folder / "split.json"
    return Packing(
        weights=recipe.files("weights"),
        scale=recipe.choice("scale", SCALES),
        resize=recipe.side("resize"),
        tta=recipe.choice("tta", TTAS),
        ensemble=recipe.choice("ensemble", ENSEMBLES),
        include=recipe.files("include") if recipe.data.get("include") else (),
        split=split if split.is_file() else None,
        scale_given="scale" in recipe.data,
    )


def _a_weights_file(folder: Path) -> Path:
    found = sorted(folder.glob("*.keras")) + sorted(folder.glob("*.h5"))
    return found[0] if found else folder / "weights.keras"


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
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
        received = json.dumps(self.data.get(key))
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
        if self.data.get("preprocess") is not None:
            raise self.fail("preprocess", "null (no named preprocessing is known yet)")

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        value = self.data.get(key, among[0])
        if value not in among:
            raise self.fail(key, "one of " + ", ".join(among))
        return str(value)

    def side(self, key: str) -> int | None:
        value = self.data.get(key)
        if value is not None and (type(value) is not int or value < 1):
            raise self.fail(key, "a side in pixels, or null")
        return value

    def files(self, key: str) -> tuple[Path, ...]:
        names = self.data.get(key)
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            raise self.fail(key, "a list of file names")
        paths = tuple(self.path.parent / name for name in names)
        for path in paths:
            if not path.is_file():
                raise SubmissionError(f"{self.path}: {key}: there is no file {path}.")
        return paths

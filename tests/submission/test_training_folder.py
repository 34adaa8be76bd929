"""A training folder's recipe.json, also when a user wrote it by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.console.errors import SubmissionError
from submission.training_folder import read_training_folder


def folder(place: Path, **changes: Any) -> Path:
    """A training folder whose recipe.json is the smallest good one, changed; None removes a key."""
    recipe = {"schema": 1, "weights": ["weights.keras"], **changes}
    kept = {key: value for key, value in recipe.items() if value is not None}
    (place / "recipe.json").write_text(json.dumps(kept), encoding="utf-8")
    (place / "weights.keras").write_bytes(b"weights")
    return place


def test_the_smallest_recipe(tmp_path: Path) -> None:
    """Else a user could not write one by hand."""
    packing = read_training_folder(folder(tmp_path))
    assert packing.weights == (tmp_path / "weights.keras",)
    assert (packing.scale, packing.scale_given, packing.splits) == ("0..255", False, ())


def test_everything_is_read(tmp_path: Path) -> None:
    """Else the zip would not do what the training did."""
    (tmp_path / "layers.py").touch()
    (tmp_path / "split.json").touch()
    changes = {
        "scale": "0..1",
        "resize": 64,
        "tta": "flips",
        "ensemble": "vote",
        "include": ["layers.py"],
        "output": "logits",
        "member_weights": [2],
        "augmentation": ["flips", "fog"],
    }
    packing = read_training_folder(folder(tmp_path, **changes))
    assert (packing.scale, packing.scale_given, packing.resize) == ("0..1", True, 64)
    assert (packing.tta, packing.ensemble) == ("flips", "vote")
    assert (packing.output, packing.member_weights) == ("logits", (2,))
    assert packing.include == (tmp_path / "layers.py",)
    assert packing.splits == (tmp_path / "split.json",)
    assert packing.augmentation == ("flips", "fog")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"schema": 2}, "schema: expected 1, received 2"),
    ({"weights": None}, "weights: expected a list of file names"),
    ({"weights": []}, "weights: expected a list of file names"),
    ({"weights": ["other.keras"]}, "there is no file"),
    ({"scale": "255"}, "one of 0..255, 0..1, -1..1"),
    ({"tta": "flip"}, "one of none, flips, rot90, d4"),
    ({"resize": "96"}, "a side in pixels"),
    ({"weight": ["x"]}, "did you mean 'weights'"),
    ({"preprocess": "resnet5"}, "preprocess: no preprocessing is called 'resnet5'"),
    ({"preprocess": 50}, "preprocess: expected the name of a Keras application, or null"),
    ({"preprocess": "vgg16", "scale": "0..1"}, "scale: expected 0..255 or nothing beside"),
    ({"output": "softmax"}, "one of auto, probabilities, logits"),
    ({"member_weights": [1, 1]}, "expected 1 numbers above 0"),
    ({"member_weights": [0]}, "expected 1 numbers above 0"),
    ({"member_weights": ["2"]}, "expected 1 numbers above 0"),
    ({"member_weights": 2}, "expected 1 numbers above 0"),
    (
        {"preprocess": ["vgg16", None]},
        "preprocess: expected one value, or a list with one for each",
    ),
    ({"preprocess": ["vgg16"], "scale": "0..1"}, "scale: expected 0..255 or nothing beside"),
    ({"preprocess": "efficientnetb0", "scale": ["0..1"]}, "scale: expected 0..255 or nothing"),
    ({"scale": []}, "scale: expected one value, or a list with one for each of weights"),
    ({"resize": ["96"]}, "a side in pixels"),
    ({"augmentation": "flips"}, "expected a list of names"),
    ({"augmentation": [1]}, "expected a list of names"),
]


@pytest.mark.parametrize(
    ("name", "mode"), [("resnet50", "caffe"), ("DenseNet121", "torch"), ("efficientnetb0", None)]
)
def test_preprocess_takes_the_names_of_the_command(
    tmp_path: Path, name: str, mode: str | None
) -> None:
    """Else a recipe could not say what --preprocess can; the scale is then known."""
    packing = read_training_folder(folder(tmp_path, preprocess=name))
    assert (packing.preprocess, packing.scale) == (mode, "0..255")
    assert packing.scale_given


def test_networks_may_differ(tmp_path: Path) -> None:
    """Else an ensemble of different ImageNet networks would need a folder for each."""
    (tmp_path / "more.keras").touch()
    changes = {
        "weights": ["weights.keras", "more.keras"],
        "scale": ["0..255", "0..1"],
        "preprocess": ["resnet50", None],
        "resize": [64, 64],
    }
    packing = read_training_folder(folder(tmp_path, **changes))
    assert packing.scale == ("0..255", "0..1")
    assert packing.preprocess == ("caffe", None)
    assert packing.resize == 64


@pytest.mark.parametrize(("changes", "said"), MISTAKES)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """Else a typo would silently be a default."""
    with pytest.raises(SubmissionError) as caught:
        read_training_folder(folder(tmp_path, **changes))
    assert said in str(caught.value)
    assert "recipe.json" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 10_000])
def test_what_is_no_json_object(tmp_path: Path, text: str) -> None:
    """Else the user meets a parser's words."""
    (tmp_path / "recipe.json").write_text(text, encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"recipe\.json"):
        read_training_folder(tmp_path)


def test_a_saved_model_is_named(tmp_path: Path) -> None:
    """Else the user is told of a recipe, not that the format is the fault."""
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(SubmissionError, match="is a SavedModel"):
        read_training_folder(tmp_path)


def test_a_folder_without_recipe_points_to_its_weights(tmp_path: Path) -> None:
    """Else the user does not know how to go on."""
    (tmp_path / "best.keras").touch()
    with pytest.raises(SubmissionError, match=r"make-submission .*best\.keras"):
        read_training_folder(tmp_path)

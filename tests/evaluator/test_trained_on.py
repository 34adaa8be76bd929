"""Which damage the training used: from the recipe beside the zip, or by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codabench_rehearsal.console.errors import EvaluationError
from corruptions.presets import resolve
from evaluator.report.training import read_given, recorded, shared_training, shared_weight, warning

HEAVY = resolve("heavy")
ZIP = Path("a.zip")

SHARED = [
    (["fog"], ("fog",)),
    (["Gaussian-Noise", "fog:2"], ("gaussian_noise", "fog")),
    (["fog:3+jpeg_compression:2"], ("fog", "jpeg_compression")),
    (["weather"], ("fog", "frost", "snow", "spatter")),
    (["gaussian_noise", "grayscale_of_mine"], ("gaussian_noise",)),
]


@pytest.mark.parametrize(("names", "shared"), SHARED)
def test_names_as_people_write_them(
    tmp_path: Path, names: list[str], shared: tuple[str, ...]
) -> None:
    """Else a benchmark that was trained on would pass for a test."""
    (tmp_path / "recipe.json").write_text(json.dumps({"augmentation": names}), encoding="utf-8")
    assert shared_training(tmp_path / "a.zip", HEAVY) == shared


def test_rand_augment_counts_with_all_that_it_applies() -> None:
    """Else solarize would count as new to a model that saw it in every batch."""
    found = shared_training(ZIP, HEAVY, ["RandAugment"])
    assert {"rand_augment", "solarize", "shear_x", "adjust_contrast"} <= set(found)
    assert not {"fog", "gaussian_noise", "aug_mix", "contrast"} & set(found)


def test_another_preset_counts_with_its_operators() -> None:
    """Else training on `light` would not show in a benchmark of `heavy`."""
    assert "fog" in shared_training(ZIP, HEAVY, ["light"])


def test_the_zips_own_recipe_comes_first(tmp_path: Path) -> None:
    """Else one recipe would speak for every zip in a folder."""
    for name, used in (("recipe.json", "fog"), ("a.recipe.json", "snow")):
        text = json.dumps({"schema": 1, "weights": ["w"], "augmentation": [used]})
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert recorded(tmp_path / "a.zip") == ("snow",)
    assert recorded(tmp_path / "b.zip") == ("fog",)
    assert shared_training(tmp_path / "a.zip", HEAVY, []) == ()


def test_no_recipe_is_no_statement(tmp_path: Path) -> None:
    """Else every zip without a recipe would be an error."""
    assert shared_training(tmp_path / "a.zip", HEAVY) == ()


@pytest.mark.parametrize("text", ["{", "\x00"])
def test_a_broken_recipe_is_a_sentence(tmp_path: Path, text: str) -> None:
    """Else the user would meet our traceback."""
    (tmp_path / "recipe.json").write_text(text, encoding="utf-8")
    with pytest.raises(EvaluationError, match="correct it"):
        recorded(tmp_path / "a.zip")


@pytest.mark.parametrize("text", ["[]", "{}", '{"augmentation": "fog"}', '{"augmentation": [3]}'])
def test_a_recipe_without_a_list_of_names_says_nothing(tmp_path: Path, text: str) -> None:
    """Else another tool's recipe.json would stop the comparison."""
    (tmp_path / "recipe.json").write_text(text, encoding="utf-8")
    assert recorded(tmp_path / "a.zip") == ()


def test_an_operator_is_not_the_family_of_its_name() -> None:
    """Else training with RandAugment is said to have used the strips of `an2dl-2024`."""
    hidden = resolve("an2dl-2024")
    assert "randaugment" in hidden.families
    assert shared_training(ZIP, hidden, ["rand_augment"]) == ("rand_augment",)
    assert "corner_strip" in shared_training(ZIP, hidden, ["composite"])


def test_a_slip_in_the_flag_is_told() -> None:
    """Else a mistyped name would mean "not trained on"."""
    with pytest.raises(EvaluationError, match="Did you mean 'fog'"):
        shared_training(ZIP, HEAVY, ["fgo"])


def test_the_share_is_the_conditions_weight() -> None:
    """Else the warning would exaggerate or belittle."""
    inside = [
        condition
        for condition in HEAVY.conditions
        if "fog" in {step.corruption for step in condition.steps}
    ]
    assert len(inside) == 2
    assert shared_weight(["fog"], HEAVY) == pytest.approx(
        sum(condition.weight for condition in inside)
    )
    said = warning("a.zip", ["fog"], HEAVY)
    assert "a.zip was trained with fog" in said
    share = sum(condition.weight for condition in inside)
    assert f"{100 * share:.0f} %" in said


def test_the_flag_speaks_for_all_or_for_one() -> None:
    """Else the baseline would be accused of what the other one did."""
    zips = [Path("runs/a.zip"), Path("b.zip")]
    given = read_given(["fog, snow", "b.zip=frost"], zips)
    assert given == {zips[0]: ("fog", "snow"), zips[1]: ("fog", "snow", "frost")}
    assert read_given(["a=fog"], zips) == {zips[0]: ("fog",)}
    with pytest.raises(EvaluationError, match="expected one of"):
        read_given(["c.zip=fog"], zips)

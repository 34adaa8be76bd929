"""Trainings as a user types them: cut off at any moment, and equal in the end, bit for bit."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cells import save, synthetic

pytestmark = [pytest.mark.keras, pytest.mark.slow]

PROGRAM = Path(sys.executable).parent / "train-recipe"
FAST = "overfitting_gods"  # its miniature has folds, early ends and dropout
KILLS = np.random.default_rng(13)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn cells."""
    path = tmp_path_factory.mktemp("killed")
    save(synthetic(120, seed=3), path / "cells.npz")
    return path


def history(out: Path) -> list[dict[str, str]]:
    """The rows of history.csv, without what the clock says."""
    with (out / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"], row["waited_share"]
    return rows


def weights(out: Path, name: str = "weights.keras") -> list[Any]:
    """The weights that a folder ended in."""
    import keras

    return [np.asarray(one) for one in keras.models.load_model(out / name).get_weights()]


def same_weights(out: Path, other: Path) -> bool:
    """Whether two trainings ended in the same weights, bit for bit."""
    both = zip(weights(out), weights(other), strict=True)
    return all(one.tobytes() == two.tobytes() for one, two in both)


def start(folder: Path, out: str, *more: str) -> subprocess.Popen[str]:
    """Train as a user types it, in a session of its own, nothing set that the command sets itself."""
    kept = {name: one for name, one in os.environ.items() if not name.startswith("TF_")}
    words = (FAST, "--fast", "--epochs", "2", "--data", "cells.npz", "--out", out, *more)
    return subprocess.Popen(
        [str(PROGRAM), *words],
        cwd=folder, env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(child: subprocess.Popen[str]) -> str:
    """Wait for its end; what it said on standard error."""
    said = child.communicate(timeout=300)[1]
    assert child.returncode == 0, said
    return said


def reached(out: Path, child: subprocess.Popen[str]) -> None:
    """Wait until a checkpoint lies there."""
    while not (out / "checkpoint" / "1" / "state.json").is_file():
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Path:
    """A training of a miniature that nothing cut off."""
    ended(start(folder, "whole"))
    return folder / "whole"


def test_two_trainings_with_one_seed_are_equal(folder: Path, undisturbed: Path) -> None:
    """Else nobody could say whether a change of the recipe or of the dice made the difference."""
    ended(start(folder, "again"))
    assert history(folder / "again") == history(undisturbed)
    assert same_weights(folder / "again", undisturbed)
    for name in ("split.json", "recipe.json"):
        assert (folder / "again" / name).read_bytes() == (undisturbed / name).read_bytes()
    recipe = json.loads((undisturbed / "recipe.json").read_text(encoding="utf-8"))
    assert "equal bit for bit with TensorFlow" in recipe["note"]


def test_killed_and_resumed_ends_in_the_same_weights(folder: Path, undisturbed: Path) -> None:
    """Else a machine that is taken away costs the training, or gives another network."""
    child = start(folder, "cut")
    reached(folder / "cut", child)
    for _ in range(4):
        time.sleep(KILLS.uniform(0, 6))  # loading, preparing, training, saving: whatever it is at
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.communicate()
        child = start(folder, "cut", "--resume")
    ended(child)
    assert history(folder / "cut") == history(undisturbed)
    assert same_weights(folder / "cut", undisturbed)
    assert not (folder / "cut" / "checkpoint").exists()


def test_an_interrupted_training_names_the_command_that_goes_on(
    folder: Path, undisturbed: Path
) -> None:
    """Else somebody who pressed Ctrl-C begins anew, or tries what is refused."""
    out = "cut again; echo"
    child = start(folder, out)
    reached(folder / out, child)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=300)[1]
    assert child.returncode == 130
    found = re.search(
        r"(?:epochs?|folds?) kept in .*; to go on: (train-recipe .* --resume)$", said, re.M
    )
    assert found, said
    pasted = subprocess.run(
        ["/bin/sh", "-c", found[1]],
        cwd=folder, check=False, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert pasted.returncode == 0, pasted.stderr
    assert same_weights(folder / out, undisturbed)

"""Trainings as a user types them: cut off at any moment, and equal in the end, bit for bit."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.images import save, synthetic
from tests.recipes.test_train import history, same_weights

pytestmark = [pytest.mark.keras, pytest.mark.slow]

PROGRAM = Path(sys.executable).parent / "train-recipe"
# A small CNN, where TensorFlow's usual threads are told from ours; a miniature with folds and dropout.
RECIPES = {
    "baseline": ("baseline", "--epochs", "4"),
    "miniature": ("overfitting_gods", "--fast", "--epochs", "2"),
}
PATIENCE = 1800  # seconds; a training takes one of two idle CPUs for one to three minutes
KILLS = np.random.default_rng(13)


@dataclass(frozen=True)
class Whole:
    """A training that nothing cut off: the words that began it, and its folder beside `cells.npz`."""

    words: tuple[str, ...]
    out: Path

    def start(self, out: str, *more: str) -> subprocess.Popen[str]:
        """The same training in another folder, as a user types it; nothing set that it sets itself."""
        kept = {name: one for name, one in os.environ.items() if not name.startswith("TF_")}
        words = (*self.words, "--data", "cells.npz", "--out", out, *more)
        return subprocess.Popen(
            [str(PROGRAM), *words],
            cwd=self.out.parent, env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def equals(self, out: Path) -> bool:
        """Whether it ended in the same history and the same weights, bit for bit."""
        return history(out) == history(self.out) and same_weights(out, self.out)


@pytest.fixture(scope="module", params=RECIPES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A training that nothing cut off."""
    folder = tmp_path_factory.mktemp("killed")
    save(synthetic(120, seed=3), folder / "cells.npz")
    made = Whole(RECIPES[request.param], folder / "whole")
    ended(made.start("whole"))
    return made


def ended(child: subprocess.Popen[str]) -> str:
    """Wait for its end; what it said on standard error."""
    said = child.communicate(timeout=PATIENCE)[1]
    assert child.returncode == 0, said
    return said


def reached(out: Path, child: subprocess.Popen[str]) -> None:
    """Wait until a checkpoint lies there."""
    while not (out / "checkpoint" / "1" / "state.json").is_file():
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)


def test_two_trainings_with_one_seed_are_equal(whole: Whole) -> None:
    """Else nobody could say whether a change of the recipe or of the dice made the difference."""
    ended(whole.start("again"))
    again = whole.out.with_name("again")
    assert whole.equals(again)
    for name in ("split.json", "recipe.json"):
        assert (again / name).read_bytes() == (whole.out / name).read_bytes()
    recipe = json.loads((whole.out / "recipe.json").read_text(encoding="utf-8"))
    assert "equal bit for bit with TensorFlow" in recipe["note"]


def test_killed_and_resumed_ends_in_the_same_weights(whole: Whole) -> None:
    """Else a machine that is taken away costs the training, or gives another network."""
    out = whole.out.with_name("cut")
    child = whole.start("cut")
    reached(out, child)
    for _ in range(3):
        time.sleep(KILLS.uniform(0, 6))  # loading, preparing, training, saving: whatever it is at
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.communicate()
        child = whole.start("cut", "--resume")
    ended(child)
    assert whole.equals(out)
    assert not (out / "checkpoint").exists()


def test_an_interrupted_training_names_the_command_that_goes_on(whole: Whole) -> None:
    """Else somebody who pressed Ctrl-C begins anew, or tries what is refused."""
    out = whole.out.with_name("cut again; echo")
    child = whole.start(out.name)
    reached(out, child)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=PATIENCE)[1]
    assert child.returncode == 130
    found = re.search(r"(?:epochs?|folds?) kept in .*; to go on: (train-recipe .*)$", said, re.M)
    assert found, said
    pasted = subprocess.run(
        ["/bin/sh", "-c", found[1]],
        cwd=whole.out.parent, check=False, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert pasted.returncode == 0, pasted.stderr
    assert whole.equals(out)

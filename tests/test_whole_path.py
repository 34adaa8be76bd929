"""The whole path as a user walks it, with the real commands: train, pack, rehearse, report."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset, save, synthetic

BIN = Path(sys.executable).parent
GREY = """
schema = 1
name = "grey"
title = "Grey 28x28, nine classes"
[images]
shape = [28, 28, 1]
[labels]
names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
[scoring]
metric = "macro-F1"
[server]
working_folder = "program"
keras = "3.4.1"
"""


def call(folder: Path, *words: str, code: int = 0) -> str:
    """Run a command in a folder; it must end with that code and show no traceback."""
    command = [str(BIN / words[0]), *words[1:]]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def figures(folder: Path) -> Any:
    """The report.json that a run left."""
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.keras
def test_from_drawn_cells_to_a_report(tmp_path: Path) -> None:
    """Else the story of the README is not true."""
    save(synthetic(200, seed=3), tmp_path / "training_set.npz")
    call(
        tmp_path,
        "train-recipe",
        "baseline",
        "--data",
        "training_set.npz",
        "--out",
        "run",
        "--epochs",
        "10",  # batch norms' averages need some 40 steps
    )
    assert "rewritten for Keras 3.4.1" in call(tmp_path, "make-submission", "run")
    shown = call(tmp_path, "local-eval", "--corrupt", "medium", "--json", "report.json")
    assert "the validation images of its split" in shown
    found = figures(tmp_path)
    held_out = json.loads((tmp_path / "run" / "split.json").read_text(encoding="utf-8"))[
        "validation"
    ]
    assert found["schema"] == 2
    assert found["split"] == "validation"
    assert found["validation"]["n"] == len(held_out)
    assert found["benchmark"]["answers"] == 4 * len(held_out)
    assert sum(one["n"] for one in found["benchmark"]["conditions"]) == 4 * len(held_out)
    for part in (found["validation"], found["benchmark"]):
        assert part["interval"][0] <= part["accuracy"] <= part["interval"][1]
    assert {finding["severity"] for finding in found["findings"]} <= {"note"}
    assert found["timing"]["predict_calls"] >= 1
    assert found["estimate"]["regime"] == "uncalibrated"
    assert found["peak_memory_bytes"] > 10**8
    assert set(found["versions"]) == {"python", "numpy", "tensorflow", "keras"}


BY_BRIGHTNESS = """
import numpy as np
class Model:
    def predict(self, X):
        return np.asarray(X).reshape(len(X), -1)[:, ::97].astype(np.int64).sum(1) // 40 % 8
"""


def grey_stripes(count: int, seed: int) -> Dataset:
    """Nine kinds of stripes, three directions by three widths, on grey 28x28 images."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 9
    row, column = np.mgrid[:28, :28]
    across = np.stack([row, column, row + column])[labels // 3]
    period = np.array([4, 8, 16])[labels % 3][:, None, None]
    waves = np.sin(2 * np.pi * (across / period + rng.random((count, 1, 1))))
    images = (128 + 90 * waves + rng.normal(0, 12, waves.shape)).clip(0, 255).astype(np.uint8)
    return Dataset(images[..., None], labels, np.arange(count))


@pytest.mark.slow
@pytest.mark.keras
def test_a_grey_challenge_of_nine_classes(tmp_path: Path) -> None:
    """Else the tool would serve one challenge only."""
    (tmp_path / "grey.toml").write_text(GREY, encoding="utf-8")
    save(grey_stripes(720, seed=1), tmp_path / "data.npz")
    with_profile = ("--challenge", "grey.toml")
    call(
        tmp_path,
        "train-recipe",
        "baseline",
        "--data",
        "data.npz",
        "--out",
        "run",
        "--epochs",
        "6",
        *with_profile,
    )
    call(tmp_path, "make-submission", "run", *with_profile)
    shown = call(
        tmp_path,
        "local-eval",
        "submission.zip",
        "--data",
        "data.npz",
        "--json",
        "report.json",
        *with_profile,
    )
    found = figures(tmp_path)
    assert "macro-F1" in shown
    assert found["challenge"] == {"name": "grey", "metric": "macro-F1"}
    assert len(found["validation"]["recall"]) == 9
    assert found["benchmark"]["preset"] == "heavy"


@pytest.mark.slow  # part by part: test_rounds.py and test_together.py
def test_the_same_inputs_give_the_same_figures(tmp_path: Path) -> None:
    """Else two runs could not be compared."""
    save(synthetic(120, seed=3), tmp_path / "cells.npz")
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as file:
        file.writestr("model.py", BY_BRIGHTNESS)
    arguments = (
        "local-eval",
        "submission.zip",
        "--data",
        "cells.npz",
        "--corrupt",
        "light",
        "--json",
        "report.json",
    )
    call(tmp_path, *arguments, code=1)  # no better than guessing: a finding
    first = figures(tmp_path)
    call(tmp_path, *arguments, "--block", "17", "--store", "none", code=1)
    second = figures(tmp_path)
    assert second["timing"]["predict_calls"] > first["timing"]["predict_calls"]
    call(tmp_path, *arguments, code=1)
    third = figures(tmp_path)
    assert third["asked"] == 0
    for other in (second, third):
        for part in ("validation", "benchmark", "estimate", "library", "confusion"):
            assert first[part] == other[part]

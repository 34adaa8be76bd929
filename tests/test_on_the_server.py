"""The demo's zip under the server's own versions, TensorFlow 2.17.0 and Keras 3.4.1."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import save, synthetic
from codabench_rehearsal.sandbox.ingest import Outcome, Request, Session
from submission.archive import Archive
from submission.packager import pack
from submission.training_folder import read_training_folder
from tests.sandbox.children import ask
from tests.submission.server import server_python

BIN = Path(sys.executable).parent


def answers(zip_path: Path, folder: Path, python: str, images: NDArray[np.uint8]) -> Outcome:
    """What a zip answers under some Python."""
    with Archive(zip_path) as archive:
        archive.extract(folder)
    with Session(Request(folder, classes=8, python=python, device="cpu")) as session:
        return ask(session, images.shape[1:], [len(images)], lambda _, out: np.copyto(out, images))


@pytest.mark.slow
def test_the_demos_zip_answers_the_same_on_the_server(tmp_path: Path) -> None:
    """Else every zip that we build fails on the platform, or answers otherwise there."""
    python = server_python()
    save(synthetic(1200, seed=3), tmp_path / "cells.npz")
    train = ["train-recipe", "baseline", "--data", "cells.npz", "--out", "run", "--epochs", "8"]
    subprocess.run([str(BIN / train[0]), *train[1:]], cwd=tmp_path, check=True)
    packing, challenge = read_training_folder(tmp_path / "run"), load_challenge()
    pack(packing, challenge, tmp_path / "rewritten.zip")
    pack(packing, replace(challenge, keras=""), tmp_path / "original.zip")
    images = synthetic(400, seed=8).images
    there = answers(tmp_path / "rewritten.zip", tmp_path / "a", python, images)
    here = answers(tmp_path / "original.zip", tmp_path / "b", sys.executable, images)
    naive = answers(tmp_path / "original.zip", tmp_path / "c", python, images)
    assert there.problem is None
    assert here.problem is None
    assert there.versions["keras"] == "3.4.1"
    assert there.versions["tensorflow"] == "2.17.0"
    assert here.versions["keras"] != "3.4.1"
    assert len(np.unique(here.labels[0])) > 3
    assert np.array_equal(there.labels[0], here.labels[0])
    assert naive.problem is not None, "without the rewriting it would not load there"
    assert naive.problem.stage == "init"

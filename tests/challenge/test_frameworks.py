"""A submission of each framework goes the whole way: the zip, both jobs, the site's score."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.commands.make_submission import main
from tests.challenge.bundles import Draft, zipped

INGESTION = """\
import sys
sys.path.append("/app/ingested_program")
import numpy as np
from model import Model

train = np.load("/app/input_data/train.npz")
model = Model()
model.fit(train["X"], train["y"])
found = np.asarray(model.predict(np.load("/app/input_data/test.npy")))
np.savetxt("/app/output/predictions.txt", found.astype(int), fmt="%d")
"""
SKLEARN = """\
from sklearn.linear_model import LogisticRegression

class Model:
    def __init__(self):
        self.inner = LogisticRegression()

    def fit(self, X, y):
        self.inner.fit(X, y)
        return self

    def predict(self, X):
        return self.inner.predict(X)
"""
TORCH = """\
import torch

class Model:
    def __init__(self):
        torch.manual_seed(0)
        self.net = torch.nn.Linear(4, 3)

    def fit(self, X, y):
        X, y = torch.as_tensor(X).float(), torch.as_tensor(y).long()
        steps = torch.optim.Adam(self.net.parameters(), lr=0.1)
        for _ in range(200):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(self.net(X), y).backward()
            steps.step()

    def predict(self, X):
        with torch.no_grad():
            return self.net(torch.as_tensor(X).float()).argmax(1).numpy()
"""
KERAS = """\
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
from pathlib import Path
import keras
import numpy as np

class Model:
    def __init__(self):
        keras.utils.set_random_seed(0)
        self.net = keras.saving.load_model(Path(__file__).parent / "start.keras")
        self.net.compile("adam", "sparse_categorical_crossentropy")
        self.net.optimizer.learning_rate = 0.1

    def fit(self, X, y):
        self.net.fit(X, y, epochs=15, verbose=0)

    def predict(self, X):
        return self.net.predict(X, verbose=0).argmax(1)
"""


def _bundle(place: Path) -> Path:
    """Three clouds that a straight line tells apart."""
    rng = np.random.default_rng(0)
    centres = 6.0 * rng.normal(size=(3, 4))
    labels = np.arange(120) % 3
    points = centres[labels] + rng.normal(size=(120, 4))
    np.savez(place / "train.npz", X=points[:60], y=labels[:60])
    np.save(place / "test.npy", points[60:])
    np.save(place / "labels.npy", labels[60:])
    draft = Draft()
    for name in [n for n in draft.files if n.endswith(".npy")]:
        del draft.files[name]
    draft.add("ingestion_program/ingestion.py", INGESTION)
    for name in ("train.npz", "test.npy"):
        draft.add(f"input_data/{name}", (place / name).read_bytes())
    for phase in ("dev", "final"):
        draft.add(f"reference_data/{phase}/labels.npy", (place / "labels.npy").read_bytes())
    draft.yaml["docker_image"] = "somebody/of-their-own:1"  # has them all, or who knows
    return draft.as_zip(place / "bundle.zip")


def _rehearsed(place: Path, files: dict[str, bytes]) -> float:
    """The accuracy that the site would show, by the command as it is typed."""
    zip_path, report = place / "submission.zip", place / "report.json"
    zip_path.write_bytes(zipped(files))
    words = ["--check-only", str(zip_path), "--challenge", str(_bundle(place)), "--phase", "0"]
    assert main([*words, "--worker", "2026-10", "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["ready"]
    assert found["findings"] == []
    return float(found["runs"][0]["scores"]["accuracy"])


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed here")
def test_scikit_learn(tmp_path: Path) -> None:
    """The commonest submission of all: an estimator that is fitted on the server."""
    assert _rehearsed(tmp_path, {"model.py": SKLEARN.encode()}) > 0.95


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed here")
def test_pytorch(tmp_path: Path) -> None:
    """Half of all participants think in it: no word about Keras may stand in their way."""
    assert _rehearsed(tmp_path, {"model.py": TORCH.encode()}) > 0.95


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_keras(tmp_path: Path) -> None:
    """Saved weights in the zip, loaded beside the module and trained on."""
    keras = pytest.importorskip("keras")
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    net.save(tmp_path / "start.keras")
    weights = (tmp_path / "start.keras").read_bytes()
    assert _rehearsed(tmp_path, {"model.py": KERAS.encode(), "start.keras": weights}) > 0.95

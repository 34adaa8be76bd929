"""The code under "What to train on", run as the page shows it, is worth its while."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from codabench_rehearsal.images import Dataset, synthetic
from corruptions.presets import resolve
from evaluator import Report, local_eval
from evaluator.report.augmentation import chosen
from submission.model_page import model_page
from tests.evaluator.test_augmentation import failing, programs

RISE, FALL = 0.10, 0.02  # of benchmark accuracy at least, of clean accuracy at most
MACHINE = """
from pathlib import Path

import cv2
import joblib
import numpy as np


def features(images):
    \"\"\"Sorted values of the middle and of the whole, and a small picture.\"\"\"
    found = []
    for one in np.asarray(images):
        middle = np.sort(one[24:72, 24:72].reshape(-1, 3), axis=0)[::128]
        whole = np.sort(one.reshape(-1, 3), axis=0)[::512]
        small = cv2.resize(one, (8, 8), interpolation=cv2.INTER_AREA)
        found.append(np.concatenate([middle.ravel(), whole.ravel(), small.ravel()]))
    return np.array(found)


class Model:
    def __init__(self):
        self.model = joblib.load(Path(__file__).parent / "model.joblib")

    def predict(self, X):
        return self.model.predict(features(X))
"""
LOOPS = """
import numpy as np
import random
seen = []
x_train = np.repeat(np.load(sys.argv[1])[:1], 24, axis=0)
y_train = np.arange(24)
transform = lambda image: torch.from_numpy(image.copy()).permute(2, 0, 1) / 255
random.seed(1)
"""
CHECKS = """
assert "torch" not in before, "ours imports PyTorch"
for workers in (0, 2):
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, num_workers=workers)
    epochs = [list(loader) for _ in range(2)]
    assert sorted(int(label) for _, labels in epochs[0] for label in labels) == list(range(24))
    for images, labels in epochs[0]:
        assert images.shape == (8, 3, 96, 96) and images.dtype == torch.float32
    one, two = (torch.cat([images for images, _ in epoch]) for epoch in epochs)
    damaged = [len({image.numpy().tobytes() for image in epoch}) for epoch in (one, two)]
    assert min(damaged) > 6, damaged  # half are clean, and so the same; no two others are
    shared = {i.numpy().tobytes() for i in one} & {i.numpy().tobytes() for i in two}
    assert len(shared) <= 1, "an epoch saw what the one before it saw"
print("fine")
"""


def halves(count: int, train: int) -> tuple[Dataset, Dataset]:
    """Drawn cells to train on, and others to measure by."""
    cells = synthetic(count, seed=0)
    return cells.subset(np.arange(train)), cells.subset(np.arange(train, count))


def packed(path: Path, source: str, *more: Path) -> Path:
    """A zip of a model.py and files beside it."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("model.py", source)
        for one in more:
            made.write(one, one.name)
    return path


def rehearsed(path: Path, cells: Dataset) -> Report:
    """Measured by `local_eval`, as a user does."""
    report = local_eval(path, cells, corrupt="heavy", held_out=True, estimate=False, store="none")
    assert report.scores is not None, str(report)
    return report


def run(code: str, **names: Any) -> dict[str, Any]:
    """The program as it is shown, with what the reader has already."""
    exec(compile(code, "page", "exec"), names)
    return names


def gains(before: Report, after: Report) -> tuple[float, float]:
    """What the benchmark's and the clean accuracy gained."""
    assert before.scores is not None
    assert after.scores is not None
    one, two = before.scores, after.scores
    return (
        two.benchmark.accuracy.value - one.benchmark.accuracy.value,
        two.validation.accuracy.value - one.validation.accuracy.value,
    )


@pytest.mark.slow
def test_scikit_learn_gains_ten_points(tmp_path: Path) -> None:
    """Else who copies the code trains for nothing, or loses what the network could."""
    import joblib

    train, held_out = halves(700, 500)
    features = run(MACHINE)["features"]
    model = make_pipeline(StandardScaler(), SVC(C=5))

    def zipped(name: str) -> Path:
        joblib.dump(model, tmp_path / "model.joblib")
        return packed(tmp_path / name, MACHINE, tmp_path / "model.joblib")

    model.fit(features(train.images), train.labels)
    before = rehearsed(zipped("before.zip"), held_out)
    (code,) = programs(before.to_page())
    run(code, x_train=train.images, y_train=train.labels, model=model, features=features)
    risen, clean = gains(before, rehearsed(zipped("after.zip"), held_out))
    print(f"benchmark {risen:+.3f}, clean {clean:+.3f}")
    assert (risen >= RISE, clean >= -FALL) == (True, True), (risen, clean)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, saving
@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")  # Keras, of any Dataset
def test_keras_gains_ten_points(tmp_path: Path) -> None:
    """Else who copies the code trains for nothing, or loses what the network could."""
    import keras

    keras.utils.set_random_seed(0)
    train, held_out = halves(1440, 960)
    model = small_network()

    def measured(name: str) -> Report:
        model.save(tmp_path / "weights.keras")
        page = model_page({"WEIGHTS": ["weights.keras"]})
        return rehearsed(packed(tmp_path / name, page, tmp_path / "weights.keras"), held_out)

    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(train.images, train.labels, epochs=12, batch_size=32, verbose=0)
    before, weights, found = measured("before.zip"), model.get_weights(), {}
    assert before.scores is not None
    print(before.scores.validation.accuracy.value, before.scores.benchmark.accuracy.value)
    for way, code in zip(("fit", "tf.data"), programs(before.to_page()), strict=True):
        model.set_weights(weights)
        model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        run(code, x_train=train.images, y_train=train.labels, model=model)
        found[way] = gains(before, measured(f"{way}.zip"))
        print(way, found[way], flush=True)
    assert all(risen >= RISE and clean >= -FALL for risen, clean in found.values()), found


def small_network() -> Any:
    """Images 0..255 in, probabilities of eight classes out: the tutorial's."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((96, 96, 3)), layers.Rescaling(1 / 127.5, offset=-1.0)])
    for width in (16, 32, 64):
        model.add(layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(8, activation="softmax"))
    return model


def torch_python() -> str | None:
    """A Python of our version that has PyTorch: this one, or $TORCH_PYTHON."""
    if find_spec("torch") is not None:
        return sys.executable
    return os.environ.get("TORCH_PYTHON")


@pytest.mark.skipif(torch_python() is None, reason="no PyTorch here or in $TORCH_PYTHON")
def test_pytorch_sees_new_damage_in_every_epoch_and_worker(tmp_path: Path) -> None:
    """Else each worker, or each epoch, would show the network the same few damaged images."""
    preset = resolve("medium")
    noise = {one.name: 0.5 for one in preset.conditions if one.family == "noise"}
    found = chosen(failing(preset, noise))  # in which no two draws are alike
    assert found is not None
    np.save(tmp_path / "x.npy", synthetic(1, seed=0).images)
    shown = found.code("torch")
    ours = "import sys\nimport codabench_rehearsal as r\nr.CorruptedDataset\nbefore = set(sys.modules)\n"
    program = f"{ours}import torch\n{LOOPS}{shown}{CHECKS}"
    places = (str(Path(__file__).parents[2]), sysconfig.get_path("purelib"))
    done = subprocess.run(
        [torch_python() or "", "-c", f"import sys; sys.path += {places!r}\n{program}", str(tmp_path / "x.npy")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout == "fine\n", done.stderr

"""Networks to pack, what they answer computed straight with Keras, and what packed ones answer.

    python packed_networks.py save FOLDER           a, b, c as .keras and .h5, and code
    python packed_networks.py answer FOLDER         FOLDER/cases.json -> FOLDER/expected.npz
    python packed_networks.py run ROOT              ROOT/NAME/model.py -> ROOT/NAME/labels.npy

`answer` shares nothing with the template: whole sets instead of batches, Keras's own functions.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

LAYERS = '''
import keras

@keras.saving.register_keras_serializable(package="team")
class Swell(keras.layers.Layer):
    """Makes values larger by a learnt factor a channel."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * (1 + self.factor)
'''
OWN = '''
from pathlib import Path

import keras
import numpy as np


class Model:
    """Network a, built by hand."""

    def __init__(self):
        inputs = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(16, 3, strides=2, activation="tanh")(inputs)
        x = keras.layers.Conv2D(32, 3, activation="tanh")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        self.network = keras.Model(inputs, keras.layers.Dense(8, activation="softmax")(x))
        self.network.load_weights(Path(__file__).parent / "a.weights.h5")

    def predict(self, X):
        return np.argmax(self.network.predict(X.astype("float32"), verbose=0), axis=1)
'''
APPLICATIONS = {"caffe": "vgg16", "torch": "densenet", "tf": "mobilenet_v2"}
SCALINGS = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}


def images() -> Any:
    """Thirty images of 12x12 patches of colour; nothing in them is symmetric."""
    patches = np.random.default_rng(7).integers(0, 256, (30, 4, 4, 3), dtype="uint8")
    return patches.repeat(3, axis=1).repeat(3, axis=2)


def network(name: str) -> Any:
    """A gives probabilities, b logits behind a custom layer, c probabilities behind statistics."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(16, 3, strides=2, activation="tanh")(inputs)
    if name == "b":
        scope: dict[str, Any] = {}
        exec(LAYERS, scope)
        x = scope["Swell"]()(x)
    x = layers.BatchNormalization()(x) if name == "c" else x
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, activation="tanh")(x))
    model = keras.Model(inputs, layers.Dense(8, activation=None if name == "b" else "softmax")(x))
    draws = np.random.default_rng(ord(name))
    for variable in model.weights:  # not Keras's own: its versions may differ
        wide = draws.uniform(-0.1, 0.1, variable.shape) * (20 if len(variable.shape) == 2 else 1)
        near_one = variable.path.endswith(("gamma", "moving_variance"))
        variable.assign(np.abs(wide) + 0.5 if near_one else wide)
    return model


def save(folder: Path) -> None:
    """Save them compiled and fitted, so that they drag optimizer state along."""
    (folder / "layers.py").write_text(LAYERS)
    (folder / "own.py").write_text(OWN)
    for name in "abc":
        model = network(name)
        model.compile("adam", "sparse_categorical_crossentropy")
        weights = model.get_weights()
        model.fit(images().astype("float32"), np.arange(30) % 8, verbose=0)
        model.set_weights(weights)
        model.save(folder / f"{name}.keras")
        if name != "b":
            model.save(folder / f"{name}.h5")
        if name == "a":
            model.save_weights(folder / "a.weights.h5")


def answer(folder: Path) -> None:
    """Compute the labels of every case."""
    expected = {
        name: labels(case) for name, case in json.loads((folder / "cases.json").read_text()).items()
    }
    np.savez(folder / "expected.npz", **expected)


def labels(case: dict[str, Any]) -> Any:
    """The labels of all images at once, for one case."""
    scores = np.stack([of_member(**member) for member in case["members"]])
    weights = np.array(case["weights"] or [1] * len(scores), dtype="float64")
    mean = np.average(scores, axis=0, weights=weights)
    if case["ensemble"] == "mean":
        return mean.argmax(axis=1)
    votes = scores.argmax(axis=2)
    ballots = np.stack([(votes == label).T @ weights for label in range(8)], axis=1)
    return np.lexsort((mean, ballots), axis=1)[:, -1]  # the mean decides between equal ballots


def of_member(name: str, scale: str, preprocess: str, resize: int, tta: str, float16: bool) -> Any:
    """The probabilities (30, 8) of one network."""
    model = network(name)
    if float16:
        model.set_weights([w.astype("float16").astype("float32") for w in model.get_weights()])
    x = images().astype("float32")
    if resize:
        x = np.array(keras.ops.image.resize(x, (resize, resize), interpolation="bilinear"))
    if preprocess:
        module = getattr(keras.applications, APPLICATIONS[preprocess])
        x = module.preprocess_input(np.array(x))
    else:
        x = np.array(layers.Rescaling(*SCALINGS[scale])(x))
    turned = [np.rot90(x, k, (1, 2)) for k in range(4)]
    views = {
        "none": [x],
        "flips": [x, x[:, ::-1], x[:, :, ::-1], x[:, ::-1, ::-1]],
        "rot90": turned,
        "d4": turned + [view[:, ::-1] for view in turned],
    }[tta]
    found = [np.array(model(np.ascontiguousarray(view)), dtype="float64") for view in views]
    if name == "b":
        found = [np.array(keras.ops.softmax(logits)) for logits in found]
    return np.mean(found, axis=0)


def run(root: Path) -> None:
    """Import every ROOT/*/model.py as the server does; labels.npy or error.txt."""
    for page in sorted(root.glob("*/model.py")):
        sys.path.insert(0, str(page.parent))
        sys.modules.pop("layers", None)
        try:
            spec = importlib.util.spec_from_file_location(f"model_{page.parent.name}", page)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            np.save(page.parent / "labels.npy", module.Model().predict(images()))
        except Exception:  # noqa: BLE001  (what a model does wrong is the test's finding)
            (page.parent / "error.txt").write_text(traceback.format_exc())
        finally:
            sys.path.remove(str(page.parent))
            keras.backend.clear_session()


if __name__ == "__main__":
    {"save": save, "answer": answer, "run": run}[sys.argv[1]](Path(sys.argv[2]))

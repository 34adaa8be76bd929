"""Tells the class of each image; this is the file that the server imports.

The server makes one `Model()` and calls `predict(X)` once, with all hidden images in `X`. The
weights lie beside this file. The settings say how the networks were trained: change them only
along with that.
"""

import importlib
from pathlib import Path

import keras
import numpy as np

# Settings, one a line ---------------------------------------------------------------------------
WEIGHTS = ["weights.keras"]  # files beside this one; several make an ensemble
MODULES = []  # Python files beside this one that define custom layers, as in ["layers"]
SCALE = "0..255"  # the values the networks were trained on: "0..255", "0..1" or "-1..1"
RESIZE = None  # the side in pixels that images are resized to (bilinear); None: as they come
OUTPUT = "auto"  # the last layer gives "probabilities" or "logits"; "auto": see probabilities()
NUM_CLASSES = None  # checked against what the networks give; None: not checked
TTA = "none"  # views of each image to average over: "none", "flips" (4), "rot90" (4) or "d4" (8)
ENSEMBLE = "mean"  # of the networks' probabilities, or a majority "vote"
MEMBER_WEIGHTS = None  # how much each network counts, as in [2, 1, 1]; None: all the same
BATCH_SIZE = 64  # images at a time: less where memory is short
# ------------------------------------------------------------------------------------------------

# Custom layers and functions go here or into MODULES, each under
# @keras.saving.register_keras_serializable().
for name in MODULES:
    importlib.import_module(name)

FACTOR, OFFSET = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}[SCALE]
# A view is a number of quarter turns, and whether left and right change places after them.
VIEWS = {
    "none": [(0, False)],
    "flips": [(0, False), (0, True), (2, False), (2, True)],
    "rot90": [(turns, False) for turns in range(4)],
    "d4": [(turns, flip) for turns in range(4) for flip in (False, True)],
}[TTA]


class Model:
    """The networks, and how to get labels out of them."""

    def __init__(self):
        folder = Path(__file__).parent  # not the working directory: the server's is another one
        self.networks = [keras.models.load_model(folder / name, compile=False) for name in WEIGHTS]
        self.member_weights = MEMBER_WEIGHTS or [1] * len(WEIGHTS)
        if len(self.member_weights) != len(WEIGHTS):
            raise ValueError(f"MEMBER_WEIGHTS has to have {len(WEIGHTS)} numbers, one a network")

    def predict(self, X):  # noqa: N803  (the server's name)
        """Return the labels, int64 (n,), of images (n, height, width, channels) in 0..255."""
        X = np.asarray(X)  # noqa: N806
        if len(X) and X.ndim != 4:
            raise ValueError(
                f"predict wants images of shape (n, height, width, channels), not {X.shape}"
            )
        labels = np.zeros(len(X), dtype="int64")
        for start in range(0, len(X), BATCH_SIZE):
            stop = start + BATCH_SIZE
            labels[start:stop] = self.scores(prepare(X[start:stop])).argmax(axis=1)
        return labels

    def scores(self, images):
        """Return scores (n, classes) of one prepared batch: the highest one is the class."""
        total = 0
        for weight, network in zip(self.member_weights, self.networks):  # noqa: B905  (Python 3.9)
            member = average(network, images)
            total = total + weight * (votes(member) if ENSEMBLE == "vote" else member)
        return total


def prepare(batch):
    """Return what the networks see: float32, resized and scaled as in training."""
    images = batch.astype("float32")
    if RESIZE and images.shape[1:3] != (RESIZE, RESIZE):
        images = np.asarray(keras.ops.image.resize(images, (RESIZE, RESIZE)))
    # A preprocessing function that training applied and the network does not hold goes here.
    return images * np.float32(FACTOR) + np.float32(OFFSET)


def average(network, images):
    """Return the network's probabilities, averaged over the views, one view at a time."""
    total = 0
    for turns, flip in VIEWS:
        view = np.rot90(images, turns, axes=(1, 2))
        view = view[:, :, ::-1] if flip else view
        total = total + probabilities(network.predict_on_batch(np.ascontiguousarray(view)))
    return total / len(VIEWS)


def probabilities(outputs):
    """Return probabilities (n, classes) from what the last layer gives.

    "auto" takes rows that are not probabilities for logits. One column is the probability of
    class 1, or its logit where OUTPUT says so.
    """
    if isinstance(outputs, (list, tuple, dict)):
        raise TypeError("the network has several outputs: choose one here, as in outputs[0]")
    scores = np.asarray(outputs).astype("float64").reshape(len(outputs), -1)
    if scores.shape[1] == 1:
        scores = np.hstack(
            [-scores / 2, scores / 2] if OUTPUT == "logits" else [1 - scores, scores]
        )
    if OUTPUT == "logits" or (OUTPUT == "auto" and not are_probabilities(scores)):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    if NUM_CLASSES and scores.shape[1] != NUM_CLASSES:
        raise ValueError(f"the network tells {scores.shape[1]} classes, not {NUM_CLASSES}")
    return scores


def are_probabilities(scores):
    """Whether each row could be what a softmax gives; half precision sums up roughly."""
    return scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=0.01)


def votes(scores):
    """Return 1 for the highest score of each row; the others only break ties."""
    return (scores == scores.max(axis=1, keepdims=True)) + 1e-6 * scores

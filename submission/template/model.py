"""Tells the class of each image; this is the file that the server imports.

The server makes one `Model()` and calls `predict(X)` once, with all hidden images in `X`. The
weights lie beside this file. The settings say how the networks were trained: change them only
along with that. SCALE, PREPROCESS, RESIZE, OUTPUT and TTA hold one value for all networks, or a
list with one for each, as in SCALE = ["0..1", "0..255"].
"""

import importlib
import sys
from pathlib import Path

import keras
import numpy as np

# Settings, one a line ---------------------------------------------------------------------------
WEIGHTS = ["weights.keras"]  # files beside this one; several make an ensemble
MODULES = []  # Python files beside this one that define custom layers, as in ["layers"]
SCALE = "0..255"  # the values the networks were trained on: "0..255", "0..1" or "-1..1"
PREPROCESS = None  # in SCALE's place: "caffe", "torch" or "tf", see prepare(); None: SCALE alone
RESIZE = None  # the side in pixels that images are resized to (bilinear); None: as they come
OUTPUT = "auto"  # the last layer gives "probabilities" or "logits"; "auto": see probabilities()
HEAD = None  # of several outputs: which one, by its name or number; None: by NUM_CLASSES
NUM_CLASSES = None  # checked against what the networks give; None: not checked
TTA = "none"  # views of each image to average over: "none", "flips" (4), "rot90" (4) or "d4" (8)
ENSEMBLE = "mean"  # of the networks' probabilities, or a majority "vote"
MEMBER_WEIGHTS = None  # how much each network counts, as in [2, 1, 1]; None: all the same
BATCH_SIZE = 64  # images at a time: less where memory is short
# ------------------------------------------------------------------------------------------------

# Custom layers and functions go here or into MODULES, each under
# @keras.saving.register_keras_serializable().
if MODULES:
    sys.path.insert(0, str(Path(__file__).parent))  # in case the server loaded this file alone
for name in MODULES:
    importlib.import_module(name)

# Values are divided by the first number, less the second, divided by the third.
SCALES = {"0..255": (1.0, 0.0, 1.0), "0..1": (255.0, 0.0, 1.0), "-1..1": (127.5, 1.0, 1.0)}
PREPROCESSINGS = {  # as keras.applications has them
    "caffe": (1.0, [103.939, 116.779, 123.68], 1.0),  # ResNet, VGG; the colours in the order BGR
    "torch": (255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),  # DenseNet
    "tf": (127.5, 1.0, 1.0),  # Inception, MobileNet, MobileNetV2, NASNet, ResNetV2, Xception
}
# A view is a number of quarter turns, and whether left and right change places after them.
VIEWS = {
    "none": [(0, False)],
    "flips": [(0, False), (0, True), (2, False), (2, True)],
    "rot90": [(turns, False) for turns in range(4)],
    "d4": [(turns, flip) for turns in range(4) for flip in (False, True)],
}


class Model:
    """The networks, and how to get labels out of them."""

    def __init__(self):
        check_settings()
        folder = Path(__file__).parent  # not the working directory: the server's is another one
        self.networks = [
            finalized(keras.models.load_model(folder / name, compile=False)) for name in WEIGHTS
        ]

    def predict(self, X):  # noqa: N803  (the server's name)
        """Return the labels, int64 (n,), of images (n, height, width, channels) in 0..255."""
        X = np.asarray(X)  # noqa: N806
        if len(X) and X.ndim != 4:
            raise ValueError(
                f"predict wants images of shape (n, height, width, channels), not {X.shape}"
            )
        labels = np.zeros(len(X), dtype="int64")
        last = max(0, len(X) - BATCH_SIZE)  # batches of one size: Keras traces each size anew
        for start in [*range(0, last, BATCH_SIZE), last] if len(X) else []:
            stop = start + BATCH_SIZE
            labels[start:stop] = self.scores(X[start:stop]).argmax(axis=1)
        return labels

    def scores(self, batch):
        """Return scores (n, classes) of one batch in 0..255: the highest one is the class."""
        total = 0
        for index, network in enumerate(self.networks):
            scale, preprocess, side = own(SCALE, index), own(PREPROCESS, index), own(RESIZE, index)
            images = prepare(batch, scale, preprocess, side)
            member = average(network, images, index)
            member = votes(member) if ENSEMBLE == "vote" else member
            total = total + own(MEMBER_WEIGHTS or 1, index) * member
        return total


def own(setting, index):
    """Return a setting's value for one network."""
    return setting[index] if isinstance(setting, list) else setting


def finalized(network):
    """Return the network with its Normalization layers at work.

    An .h5 file brings their mean and variance, but Keras goes on without them until it is told.
    """
    for layer in layers_of(network):
        if hasattr(layer, "finalize_state") and hasattr(layer, "input_mean"):
            layer.finalize_state()
    return network


def layers_of(network):
    """Return the network's layers, those inside others too."""
    found, waiting = {}, [network]
    while waiting:
        layer = waiting.pop()
        if id(layer) not in found:
            found[id(layer)] = layer
            waiting += getattr(layer, "_layers", None) or getattr(layer, "layers", None) or []
    return list(found.values())


def check_settings():
    """Raise ValueError for a setting that cannot be."""
    for name, setting, known in [
        ("SCALE", SCALE, list(SCALES)),
        ("PREPROCESS", PREPROCESS, [None, *PREPROCESSINGS]),
        ("TTA", TTA, list(VIEWS)),
        ("OUTPUT", OUTPUT, ["auto", "probabilities", "logits"]),
        ("ENSEMBLE", ENSEMBLE, ["mean", "vote"]),
        ("RESIZE", RESIZE, None),
        ("HEAD", HEAD, None),
        ("MEMBER_WEIGHTS", MEMBER_WEIGHTS, None),
    ]:
        if isinstance(setting, list) and len(setting) != len(WEIGHTS):
            raise ValueError(f"{name} has to have {len(WEIGHTS)} values, one a network")
        for value in setting if isinstance(setting, list) else [setting]:
            if known and value not in known:
                raise ValueError(f"{name} has to be one of {known}, not {value!r}")
    if any(own(PREPROCESS, i) and own(SCALE, i) != "0..255" for i in range(len(WEIGHTS))):
        raise ValueError('PREPROCESS takes 0..255: leave SCALE at "0..255" with it')


def prepare(batch, scale, preprocess, side):
    """Return what a network sees: float32, resized and scaled as in training."""
    images = batch.astype("float32")
    if side and images.shape[1:3] != (side, side):
        images = np.asarray(keras.ops.image.resize(images, (side, side)))
    # A preprocessing function that training applied and the network does not hold goes here.
    images = images[..., ::-1] if preprocess == "caffe" else images
    divisor, mean, deviation = PREPROCESSINGS[preprocess] if preprocess else SCALES[scale]
    return (images / np.float32(divisor) - np.float32(mean)) / np.float32(deviation)


def average(network, images, index):
    """Return the network's probabilities, averaged over the views, one view at a time."""
    total = 0
    views = VIEWS[own(TTA, index)]
    for turns, flip in views:
        view = np.rot90(images, turns, axes=(1, 2))
        view = np.ascontiguousarray(view[:, :, ::-1] if flip else view)
        outputs, activation = chosen(network, network.predict_on_batch(view), own(HEAD, index))
        total = total + probabilities(outputs, own(OUTPUT, index), activation)
    return total / len(views)


def chosen(network, outputs, head):
    """Return one array of what the network gives, and the name of its activation, "" if unknown."""
    named = by_name(network, outputs)
    fits = [n for n in named if np.size(named[n]) == (NUM_CLASSES or 0) * len(named[n])]
    names = (
        fits if head is None else [n for place, n in enumerate(named) if head in (n, str(place))]
    )
    names = list(named) if len(named) == 1 else names
    if len(names) != 1:
        told = ", ".join(f"{n or 'its only one'} {np.shape(named[n])}" for n in named)
        raise TypeError(
            f"the network has several outputs ({told}): make-submission --output NAME says which"
            if head is None
            else f"the network has no output {head!r} (--output), but {told}"
        )
    return named[names[0]], activation_of(network, names[0])


def by_name(network, outputs):
    """Return the arrays by their names: keys of a dict, layers of a list; "" for a single array."""
    if isinstance(outputs, dict):
        return {str(name): array for name, array in outputs.items()}
    if isinstance(outputs, (list, tuple)):
        names = list(getattr(network, "output_names", []))
        names = names if len(outputs) == len(names) == len(set(names)) else range(len(outputs))
        return {str(names[place]): array for place, array in enumerate(outputs)}
    return {"": outputs}


def activation_of(network, name):
    """Return the name of the activation of an output's layer, "" where it cannot be told."""
    layers = getattr(network, "layers", None) or [network]
    last = [layer for layer in layers if name and getattr(layer, "name", "") == name] or layers
    if hasattr(last[-1], "layers"):
        return activation_of(last[-1], "")
    told = getattr(getattr(last[-1], "activation", None), "__name__", "")
    passes_on = told == "linear" and not hasattr(last[-1], "kernel")  # as at the end of float16
    return "" if passes_on else told


def probabilities(outputs, output, activation=""):
    """Return probabilities (n, classes) from what the last layer gives.

    "auto" takes rows that add up to 1 for probabilities, sigmoids for shares of their sum, and all
    else for logits. One column is the probability of class 1, or its logit where OUTPUT says so.
    """
    values = np.asarray(outputs)
    if values.dtype.kind in "iu" and values.size == len(values):  # argmax is in the network
        return np.eye(NUM_CLASSES or int(values.max()) + 1)[values.reshape(-1)]
    scores = values.astype("float64").reshape(len(values), -1)
    if scores.shape[1] == 1:
        scores = two_columns(scores, output)
    if output == "auto" and is_sigmoid(scores, activation):
        scores = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    elif output == "logits" or (output == "auto" and not are_probabilities(scores)):
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    if NUM_CLASSES and scores.shape[1] != NUM_CLASSES:
        raise ValueError(f"the network tells {scores.shape[1]} classes, not {NUM_CLASSES}")
    return scores


def is_sigmoid(scores, activation):
    """Whether each column is a probability of its own: by the layer, else by the values."""
    if activation in ("sigmoid", "softmax", "linear") or are_probabilities(scores):
        return activation == "sigmoid"
    return scores.min() >= 0 and scores.max() <= 1


def two_columns(scores, output):
    """Return one column for each of two classes, from the one of class 1."""
    if output == "logits":
        return np.hstack([-scores / 2, scores / 2])
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            "one column outside 0..1: are these logits? Then pack with --output logits"
        )
    return np.hstack([1 - scores, scores])


def are_probabilities(scores):
    """Whether each row could be what a softmax gives; half precision sums up roughly."""
    return scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=0.01)


def votes(scores):
    """Return 1 for the highest score of each row; the others only break ties."""
    return (scores == scores.max(axis=1, keepdims=True)) + 1e-6 * scores

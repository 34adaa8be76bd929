"""What the shipped `model.py` takes of networks with several outputs, sigmoids, and Normalization layers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.submission.test_template import IMAGES, Network, Scores, colours, load, softmax

RIGHT = colours(IMAGES).argmax(axis=1).tolist()


def wide(images: Any) -> Any:
    """An output of five columns."""
    return np.zeros((len(images), 5), "float32")


def reverse(images: Any) -> Any:
    """Scores of three columns that give other labels."""
    return -colours(images)


class Named(Network):
    """A network whose outputs and last layer have names, as Keras tells them."""

    def __init__(self, function: Scores, *names: str, activation: str = "") -> None:
        super().__init__(function)
        self.output_names = list(names)
        acts = SimpleNamespace(__name__=activation) if activation else None
        last = SimpleNamespace(name="last", activation=acts)
        if activation == "linear":
            last.kernel = np.zeros(1)  # a Dense; a layer without one passes on what came before it
        self.layers = [last]


OUTPUTS: list[tuple[str, Scores, tuple[str, ...], str | None]] = [
    ("a dict of one", lambda x: {"cls": colours(x)}, (), None),
    ("a list of one", lambda x: [colours(x)], ("cls",), None),
    ("by its columns", lambda x: {"aux": wide(x), "cls": colours(x)}, (), None),
    ("by its columns, a list", lambda x: [wide(x), colours(x)], ("aux", "cls"), None),
    ("by its columns, a tuple", lambda x: (colours(x), wide(x)), (), None),
    ("by its key", lambda x: {"aux": reverse(x), "cls": colours(x)}, (), "cls"),
    ("by its layer", lambda x: [reverse(x), colours(x)], ("aux", "cls"), "cls"),
    ("by its number", lambda x: [reverse(x), colours(x)], ("aux", "cls"), "1"),
    ("by its number, no names", lambda x: [reverse(x), colours(x)], (), "1"),
    ("the only one, whatever was said", colours, (), "cls"),
    ("maps beside it", lambda x: [x, colours(x)], ("map", "cls"), None),
]  # fmt: skip


@pytest.mark.parametrize(("function", "names", "head"), [o[1:] for o in OUTPUTS], ids=[o[0] for o in OUTPUTS])  # fmt: skip
def test_the_output_is_found(tmp_path: Path, function: Scores, names: tuple[str, ...], head: str | None) -> None:  # fmt: skip
    """Else a network with an auxiliary head cannot be submitted, or its wrong head is."""
    model = load(tmp_path, [Named(function, *names)], HEAD=head, NUM_CLASSES=3)
    assert model.predict(IMAGES).tolist() == RIGHT


@pytest.mark.parametrize(
    ("function", "head", "said"),
    [
        (lambda x: {"a": colours(x), "b": colours(x)}, None, r"several outputs \(a \(10, 3\), b"),
        (lambda x: {"a": wide(x), "b": wide(x)}, None, "--output NAME"),
        (lambda x: {"a": wide(x), "b": colours(x)}, "c", "no output 'c' .--output., but a"),
    ],
)
def test_an_unclear_output_speaks_of_the_option(tmp_path: Path, function: Scores, head: str | None, said: str) -> None:  # fmt: skip
    """Else the advice is about a line of a file that nobody wrote."""
    with pytest.raises(TypeError, match=said) as caught:
        load(tmp_path, [Network(function)], HEAD=head, NUM_CLASSES=3).predict(IMAGES)
    assert "here" not in str(caught.value)


def test_each_network_has_its_own_output(tmp_path: Path) -> None:
    """Else one network's head is looked for in the other one."""
    first = Named(lambda x: {"a": reverse(x), "b": colours(x)})
    second = Named(lambda x: {"a": colours(x), "b": reverse(x)})
    model = load(tmp_path, [first, second], HEAD=["b", "a"], NUM_CLASSES=3)
    assert model.predict(IMAGES).tolist() == RIGHT


@pytest.mark.parametrize("activation", ["sigmoid", ""])
def test_a_sigmoid_beside_a_softmax_keeps_its_say(tmp_path: Path, activation: str) -> None:
    """Else a sure sigmoid is flattened by a softmax, and an unsure network outvotes it."""
    sure = Named(lambda x: np.tile([0.98, 0.02, 0.02], (len(x), 1)), activation=activation)
    unsure = Named(lambda x: np.tile([0.2, 0.5, 0.3], (len(x), 1)), activation="softmax")
    model = load(tmp_path, [sure, unsure], NUM_CLASSES=3)
    assert model.predict(IMAGES).tolist() == [0] * 10
    scores = model.scores(IMAGES)
    assert np.allclose(scores.sum(axis=1), 2)
    assert scores[0, 0] > 1.1


def test_logits_between_0_and_1_are_told_by_the_layer(tmp_path: Path) -> None:
    """Else small logits count as sigmoids."""
    logits = np.array([[0.9, 0.3, 0.1]])
    network = Named(lambda x: np.tile(logits, (len(x), 1)), activation="linear")
    scores = load(tmp_path, [network], NUM_CLASSES=3).scores(IMAGES)
    assert np.allclose(scores[0], softmax(logits)[0])


def test_a_sigmoid_handed_on_as_float32_is_one(tmp_path: Path) -> None:
    """Else the usual last layer of mixed precision hides what stands before it."""
    network = Named(lambda x: np.tile([0.9, 0.9, 0.1], (len(x), 1)))
    network.layers[0].activation = SimpleNamespace(__name__="linear")
    scores = load(tmp_path, [network], NUM_CLASSES=3).scores(IMAGES)
    assert np.allclose(scores[0], np.array([0.9, 0.9, 0.1]) / 1.9)


def test_a_sigmoid_that_says_nothing(tmp_path: Path) -> None:
    """Else a row of zeros ends in a division by zero."""
    network = Named(lambda x: np.zeros((len(x), 3)), activation="sigmoid")
    assert np.isfinite(load(tmp_path, [network], NUM_CLASSES=3).scores(IMAGES)).all()


class Normalizing:
    """A Normalization layer that came out of an HDF5 file; it counts how often it is finalized."""

    def __init__(self) -> None:
        self.input_mean, self.times = None, 0

    def finalize_state(self) -> None:
        """Note the call."""
        self.times += 1


def test_normalization_layers_are_finalized_once_each(tmp_path: Path) -> None:
    """Else their mean and variance are loaded and not used, silently."""
    deep, flat = Normalizing(), Normalizing()
    network = Network(colours)
    inner = SimpleNamespace(_layers=[deep, SimpleNamespace(_layers=[flat])], layers=[deep])
    network.layers = [flat, inner]  # type: ignore[attr-defined]  # as a model of Keras has them
    load(tmp_path, [network])
    assert (deep.times, flat.times) == (1, 1)

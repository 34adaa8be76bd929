"""Settings of the shipped `model.py` that differ between networks, and mistakes made in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from submission.model_page import MODES
from tests.submission.test_template import IMAGES, Network, always, colours, corner, load, softmax


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("name", ["caffe", "torch", "tf"])
def test_preprocessing(tmp_path: Path, name: str, dtype: str) -> None:
    """Else the network sees values it never saw in training: one class for every image."""
    model = load(tmp_path, [Network(colours)], PREPROCESS=name, BATCH_SIZE=4)
    model.predict(IMAGES.astype(dtype))
    seen = np.concatenate(model.networks[0].seen)
    assert seen.dtype == np.float32
    in_batches = np.concatenate([IMAGES[:4], IMAGES[4:8], IMAGES[6:]])  # the last one is whole too
    assert np.array_equal(seen, MODES[name].apply(in_batches))


def test_each_network_sees_what_it_was_trained_on(tmp_path: Path) -> None:
    """Else members of an ensemble that were trained differently spoil each other."""
    networks = [Network(lambda x: softmax(colours(x))) for _ in range(3)]
    model = load(
        tmp_path,
        networks,
        SCALE=["0..1", "0..255", "0..255"],
        PREPROCESS=[None, "caffe", None],
        RESIZE=[None, None, 3],
        TTA=["none", "flips", "none"],
    )
    given = IMAGES.copy()
    model.predict(IMAGES)
    assert np.array_equal(IMAGES, given)
    first, second, third = (network.seen for network in networks)
    assert [len(first), len(second), len(third)] == [1, 4, 1]
    assert np.array_equal(first[0], IMAGES.astype("float32") / np.float32(255))
    assert np.array_equal(second[0], MODES["caffe"].apply(IMAGES))
    assert third[0].shape == (10, 3, 3, 3)
    assert third[0].max() > 200


def test_outputs_of_each_network(tmp_path: Path) -> None:
    """Else a logit of one network counts as a probability of another."""
    logit, sure = Network(lambda x: np.full((len(x), 1), 0.4)), always(0.9)
    model = load(tmp_path, [logit, sure], OUTPUT=["logits", "probabilities"], NUM_CLASSES=2)
    expected = 1 / (1 + np.exp(-0.4)) + 0.9
    assert np.allclose(model.scores(IMAGES)[:, 1], expected)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_bound_what_is_in_memory(tmp_path: Path, batch_size: int) -> None:
    """Else test-time augmentation copies the whole set and dies of memory on the server."""
    network = Network(lambda x: softmax(corner(x)))
    model = load(tmp_path, [network], TTA="d4", BATCH_SIZE=batch_size, RESIZE=12)
    model.predict(IMAGES)
    assert max(len(seen) for seen in network.seen) <= batch_size
    assert len({len(seen) for seen in network.seen}) == 1  # Keras would trace each size anew
    assert sum(len(seen) for seen in network.seen) >= 8 * len(IMAGES)


@pytest.mark.parametrize("values", [[0.2, 1.4], [-3.0, 0.4]])
@pytest.mark.parametrize("output", ["auto", "probabilities"])
def test_one_column_of_logits_is_not_guessed(
    tmp_path: Path, values: list[float], output: str
) -> None:
    """Else the threshold is 0.5 where it should be 0, without a word."""
    network = Network(lambda _: np.array(values)[:, None])
    with pytest.raises(ValueError, match="--output logits"):
        load(tmp_path, [network], OUTPUT=output, NUM_CLASSES=2).predict(IMAGES[:2])


def test_layers_beside_the_page_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a server that loads model.py by its path does not find the layers beside it."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "layers_of_this_test.py").write_text("value = 3\n", encoding="utf-8")
    load(tmp_path, [Network(colours)], MODULES=["layers_of_this_test"])
    assert sys.modules.pop("layers_of_this_test").value == 3


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"SCALE": "0-255"}, "SCALE has to be one of .* not '0-255'"),
    ({"SCALE": ["0..1", "255"]}, "SCALE has to be one of"),
    ({"PREPROCESS": "resnet50"}, "PREPROCESS has to be one of .*caffe.* not 'resnet50'"),
    ({"TTA": "flip"}, "TTA has to be one of"),
    ({"OUTPUT": "softmax"}, "OUTPUT has to be one of"),
    ({"ENSEMBLE": "Vote"}, "ENSEMBLE has to be one of"),
    ({"RESIZE": [64]}, "RESIZE has to have 2 values, one a network"),
    ({"TTA": ["none", "d4", "d4"]}, "TTA has to have 2 values"),
    ({"SCALE": "0..1", "PREPROCESS": "tf"}, "PREPROCESS takes 0..255"),
    ({"SCALE": ["0..255", "0..1"], "PREPROCESS": [None, "tf"]}, "PREPROCESS takes 0..255"),
]


@pytest.mark.parametrize(("settings", "said"), MISTAKES)
def test_mistakes_are_found_before_the_weights_are_loaded(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    """Else a setting changed by hand is passed over, or fails deep inside predict."""
    with pytest.raises(ValueError, match=said):
        load(tmp_path, [Network(colours), Network(colours)], **settings)


def test_a_scale_beside_another_networks_preprocessing(tmp_path: Path) -> None:
    """Else an ensemble of both kinds could not be packed."""
    networks = [Network(colours), Network(colours)]
    load(tmp_path, networks, SCALE=["0..1", "0..255"], PREPROCESS=[None, "caffe"]).predict(IMAGES)

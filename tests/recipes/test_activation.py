"""Class activation maps, against what the network itself says."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import pytest

from codabench_rehearsal.recipes import models
from codabench_rehearsal.recipes.looking import activation_maps, activation_picture
from codabench_rehearsal.recipes.system import RecipeError

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

NAMES = ("basophil", "eosinophil", "erythroblast", "a rather long name of a cell class")
SHAPE = (64, 64, 3)


def images(count: int) -> Any:
    """Patches of colour."""
    draws = np.random.default_rng(2).integers(0, 256, (count, 8, 8, 3), dtype="uint8")
    return draws.repeat(8, axis=1).repeat(8, axis=2)


def network(name: str) -> Any:
    """A network that has maps."""
    if name == "small_cnn":
        return models.small_cnn(SHAPE, 4, widths=(8, 16))
    return models.transfer(SHAPE, 4, backbone=name, head="inception", width=16)


@pytest.mark.parametrize("name", ["small_cnn", "MiniConvNeXt", "MiniResNet"])
def test_maps_add_up_to_what_the_network_says(name: str) -> None:
    """Else a map shows something else than what the answer came from."""
    model, inputs = network(name), images(70)
    dense = model.layers[-1]
    dense.bias.assign([0.1, -0.2, 0.3, 0.0])
    maps, probabilities = activation_maps(model, inputs)
    scores = maps.mean(axis=(1, 2)) + np.array([0.1, -0.2, 0.3, 0.0])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    straight = model.predict(inputs, verbose=0)
    assert np.allclose(powers / powers.sum(axis=1, keepdims=True), straight, atol=1e-5)
    assert np.allclose(probabilities, straight, atol=1e-5)


def test_a_map_points_to_where_the_class_is() -> None:
    """Else the bright spot lies beside the cell that it is to explain."""
    inputs = keras.Input(SHAPE)
    features = keras.layers.Conv2D(4, 8, 8, kernel_initializer="ones")(inputs)
    mean = keras.layers.GlobalAveragePooling2D()(features)
    dense = keras.layers.Dense(4, "softmax", kernel_initializer="identity")
    model = keras.Model(inputs, dense(keras.layers.Dropout(0.5)(mean)))
    image = np.zeros((1, *SHAPE), np.uint8)
    image[0, 8:16, 40:48] = 255
    maps = activation_maps(model, image)[0][0, ..., 2]
    assert divmod(int(maps.argmax()), maps.shape[1]) == (1, 5)
    picture = activation_picture(model, image, [2], NAMES, lambda batch: batch)
    over = cv2.cvtColor(picture[166:312, 8:158], cv2.COLOR_RGB2GRAY)
    row, column = np.unravel_index(cv2.GaussianBlur(over, (0, 0), 5).argmax(), over.shape)
    assert abs(row - 28 + 4) < 12
    assert abs(column - 103) < 12


@pytest.mark.parametrize(("count", "across"), [(1, 3), (3, 3), (8, 8), (11, 8)])
def test_the_picture_holds_every_image(count: int, across: int) -> None:
    """Else some image is left out, or the picture cannot be written."""
    seen = []

    def feed(batch: Any) -> Any:
        seen.append(batch.dtype)
        return batch

    labels = np.arange(count)[:, None] % 4
    picture = activation_picture(network("small_cnn"), images(count), labels, NAMES, feed)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == across * 158
    assert picture.shape[2] == 3
    tiles = [
        picture[8 + row * 352 : 158 + row * 352, 8 + column * 158 : 158 + column * 158]
        for row in range(-(-count // across))
        for column in range(across)
    ]
    for tile, image in zip(tiles, images(count), strict=False):
        small = cv2.resize(tile, (8, 8), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - image[4::8, 4::8]).mean() < 20
    assert seen == [np.uint8]


@pytest.mark.parametrize("head", ["excited", "two_dense"])
def test_networks_without_maps(head: str) -> None:
    """Else a picture would show maps that do not explain the answer."""
    model = models.transfer(SHAPE, 4, backbone="MiniResNet", head=head)
    with pytest.raises(RecipeError, match="GlobalAveragePooling2D"):
        activation_maps(model, images(1))
    with pytest.raises(RecipeError, match="no image"):
        activation_picture(model, images(0), [], NAMES, lambda batch: batch)

"""Where a trained network looks: its training folder and a file of images to a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

import codabench_rehearsal.recipes.layers  # noqa: F401  registers the layer that a network may hold
from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.files import write_bytes
from codabench_rehearsal.images import Dataset, load, prefix_order, read_split
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.recipes.activation import activation_picture
from codabench_rehearsal.recipes.prepare import resized
from codabench_rehearsal.recipes.system import RecipeError
from corruptions import corrupt_mixed
from corruptions.presets import CLEAN, resolve
from submission.preprocessing import MODES
from submission.training_folder import Packing, read_training_folder

Images = NDArray[np.uint8]
_SCALES = {"0..255": (1, 0), "0..1": (255, 0), "-1..1": (127.5, 1)}  # divisor, then what goes off


def draw(
    folder: Path,
    data: str,
    out: Path,
    challenge: Challenge,
    *,
    part: str | None = None,
    preset: str = CLEAN,
    images: int = 8,
    seed: int = 0,
) -> None:
    """Write a PNG of images with their class activation maps.

    The images are those that the network was not trained on, as far as the folder's split tells,
    all classes in the data's shares, damaged by the preset. Raises `RecipeError` for a folder with
    several networks, for one whose network has no such maps, and for a file without new images.
    """
    packing = read_training_folder(folder)
    if len(packing.weights) != 1:
        raise RecipeError(
            f"{folder} has {len(packing.weights)} networks: expected one to look into."
        )
    model = _loaded(packing.weights[0])
    shape, classes = challenge.shape, challenge.label_names
    given = load(data, part=part, prefer=TO_REHEARSE, shape=shape, classes=classes)
    new = _new(given, packing)
    shown = new.subset(prefix_order(new, seed)[:images])
    damaged = shown.images
    if preset != CLEAN:
        damaged = corrupt_mixed(damaged, resolve(preset), seed, shown.ids)
    picture = activation_picture(
        model,
        resized(damaged, packing.each(packing.resize)[0]),
        shown.labels,
        challenge.label_names,
        feed=lambda given: _fed(given, packing),
    )
    write_bytes(out, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _loaded(weights: Path) -> Any:
    try:
        return keras.models.load_model(weights, compile=False)
    except (OSError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise RecipeError(f"{weights} cannot be loaded as a Keras model: {first}") from None


def _new(data: Dataset, packing: Packing) -> Dataset:
    """The images that the network was not trained on."""
    if not isinstance(packing.split, Path):
        return data
    new = data.subset(read_split(packing.split).side(data) != "train")
    if len(new) == 0:
        raise RecipeError(f"the network was trained on all images of {data.source}: give others.")
    return new


def _fed(images: Images, packing: Packing) -> NDArray[Any]:
    """As the zip's model.py feeds them."""
    mode, scale = packing.each(packing.preprocess)[0], packing.each(packing.scale)[0]
    if mode is not None:
        return np.asarray(MODES[mode].apply(images))
    divisor, mean = _SCALES[scale]
    return images.astype(np.float32) / np.float32(divisor) - np.float32(mean)

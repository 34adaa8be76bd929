"""Where a trained network looks: its training folder and a file of images to a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

import codabench_rehearsal.recipes.own_layer  # noqa: F401  registered, for networks that hold it
from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.files import write_bytes
from codabench_rehearsal.images import Dataset, load, prefix_order, read_split
from codabench_rehearsal.images.keys import TO_REHEARSE
from codabench_rehearsal.recipes.prepare import Floats, Images, resized
from codabench_rehearsal.recipes.system import RecipeError
from corruptions.chain import corrupt_mixed
from corruptions.presets import CLEAN, resolve
from submission.model_page import MODES
from submission.training_folder import Packing, read_training_folder

_SCALES = {"0..255": (1, 0), "0..1": (255, 0), "-1..1": (127.5, 1)}  # divisor, then what goes off
_BATCH = 64
_TILE, _GAP, _LINE = 150, 8, 18  # pixels
_A_ROW, _NARROWEST = 8, 3  # images a row, at most and at least, for the caption's sake
_INK, _WRONG, _PAPER = (30, 30, 30), (170, 30, 20), 255
_CAPTION = "bright: what spoke for the class that was said"


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
    shape, names = challenge.shape, challenge.label_names
    new = _new(load(data, part=part, prefer=TO_REHEARSE, shape=shape, classes=names), packing)
    shown = new.subset(prefix_order(new, seed)[:images])
    damaged = shown.images
    if preset != CLEAN:
        damaged = corrupt_mixed(damaged, resolve(preset), seed, shown.ids)
    damaged = resized(damaged, packing.each(packing.resize)[0])
    picture = activation_picture(
        model, damaged, shown.labels, names, feed=lambda given: _fed(given, packing)
    )
    write_bytes(out, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def activation_maps(model: Any, inputs: NDArray[Any]) -> tuple[Floats, Floats]:
    """The maps `(n, h, w, classes)` of images as the network takes them, and its probabilities.

    For networks that end in a mean over feature maps, dropout, and one dense layer, a class's score
    is, but for a bias, the mean of a map, its weights times the feature maps (Zhou et al. 2016):
    exact, without gradients. Raises `RecipeError` for a network that does not end like that.
    """
    features, dense = _end(model)
    answering = keras.Model(model.inputs, [features, model.outputs[0]])
    weights = np.asarray(keras.ops.convert_to_numpy(dense.kernel), np.float32)
    maps, probabilities = [], []
    for start in range(0, len(inputs), _BATCH):
        found, told = answering.predict_on_batch(inputs[start : start + _BATCH])
        maps.append(np.asarray(found, np.float32) @ weights)
        probabilities.append(np.asarray(told, np.float32))
    return np.concatenate(maps), np.concatenate(probabilities)


def activation_picture(
    model: Any,
    images: Images,
    labels: Sequence[int] | NDArray[Any],
    names: Sequence[str],
    feed: Callable[[Images], NDArray[Any]],
) -> Images:
    """An RGB picture: images, the map of the class that was said over them, and what was said.

    images: uint8 `(n, h, w, 3)`; labels: the true ones `(n,)`; names: of the classes. feed: makes
    of images what the network takes. Raises `RecipeError` as `activation_maps` does.
    """
    if len(images) == 0:
        raise RecipeError("There is no image to draw activation maps of.")
    found = (*activation_maps(model, feed(images)), np.asarray(labels).reshape(-1))
    columns = [
        _column(image, maps, told, int(label), names)
        for image, maps, told, label in zip(images, *found, strict=True)
    ]
    picture = _rows(columns)
    caption = _line(_CAPTION, _INK, picture.shape[1] - _GAP)
    return np.concatenate([picture, _padded(caption, _GAP, _GAP)])


def _loaded(weights: Path) -> Any:
    try:
        return keras.models.load_model(weights, compile=False)
    except (OSError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise RecipeError(f"{weights} cannot be loaded as a Keras model: {first}") from None


def _new(data: Dataset, packing: Packing) -> Dataset:
    """The images that the network was not trained on."""
    if not packing.splits:
        return data
    new = data.subset(read_split(packing.splits[0]).side(data) != "train")
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


def _end(model: Any) -> tuple[Any, Any]:
    """The feature maps that the last layers take the mean of, and the dense layer."""
    kinds = keras.layers
    last, *before = [one for one in model.layers[::-1] if not isinstance(one, kinds.Dropout)]
    mean = before[0] if before else last
    fits = isinstance(last, kinds.Dense) and isinstance(mean, kinds.GlobalAveragePooling2D)
    if not fits:
        raise RecipeError(
            f"{model.name} ends in {type(mean).__name__}, {type(last).__name__}: class activation "
            "maps need a mean over feature maps (GlobalAveragePooling2D), dropout, and one Dense "
            "layer, as small_cnn and the head 'inception' have them. Layers between would change "
            "what a map says."
        )
    return mean.input, last


def _column(image: Images, maps: Floats, told: Floats, label: int, names: Sequence[str]) -> Images:
    """One image, the map over it, and two lines."""
    said = int(told.argmax())
    large = cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    heat = cv2.applyColorMap(_heat(maps[..., said]), cv2.COLORMAP_INFERNO)[..., ::-1]
    over = cv2.addWeighted(large, 0.45, np.ascontiguousarray(heat), 0.55, 0)
    space = np.full((_GAP // 2, _TILE, 3), _PAPER, np.uint8)
    lines = [
        _line(f"is {names[label]}", _INK),
        _line(f"said {names[said]} {told[said]:.0%}", _INK if said == label else _WRONG),
    ]
    return np.concatenate([large, space, over, space, *lines])


def _heat(values: Floats) -> Images:
    """A map as 0..255 in a tile's size: what speaks for the class, the highest value 255."""
    positive = np.maximum(values, 0)
    highest = float(positive.max())
    scaled = positive / highest if highest > 0 else positive
    wide = cv2.resize(scaled, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    heat: Images = np.rint(np.clip(wide, 0, 1) * 255).astype(np.uint8)
    return heat


def _line(text: str, ink: tuple[int, int, int], width: int = _TILE) -> Images:
    """A line of text, smaller where it would not fit. OpenCV's letters are ASCII's."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    needed = cv2.getTextSize(plain, font, scale, 1)[0][0]
    scale *= min(1.0, (width - 2) / max(1, needed))
    line = np.full((_LINE, width, 3), _PAPER, np.uint8)
    cv2.putText(line, plain, (1, _LINE - 5), font, scale, ink, 1, cv2.LINE_AA)
    return line


def _rows(columns: list[Images]) -> Images:
    """The columns beside each other, so many a row, with space around them."""
    across = min(_A_ROW, max(_NARROWEST, len(columns)))
    padded = [_padded(one, _GAP, 0) for one in columns]
    padded += [np.full_like(padded[0], _PAPER)] * (-len(padded) % across)
    rows = [np.concatenate(padded[i : i + across], axis=1) for i in range(0, len(padded), across)]
    return np.concatenate(rows)


def _padded(picture: Images, above: int, below: int) -> Images:
    """With paper above, below, and to the left."""
    return np.pad(picture, ((above, below), (_GAP, 0), (0, 0)), constant_values=_PAPER)

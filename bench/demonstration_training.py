"""Train the demonstration's models: `python -m bench.demonstration_training`, a child of the bench.

Writes training folders as `train-recipe` does; what is finished is not trained again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from bench.demonstration_models import VARIANTS, Variant
from bench.demonstration_sides import Sides, read_sides
from codabench_rehearsal.recipes.augment import flipped
from codabench_rehearsal.recipes.models import small_cnn
from corruptions.chain import corrupt_mixed
from corruptions.pipeline import keras_batches

CLASSES, BATCH, RATE, SEED = 8, 64, 2e-3, 11
Change = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Writes a training folder after some epochs."""

    def __init__(self, epochs: tuple[int, ...], write: Callable[[Any, int], None]) -> None:
        super().__init__()
        self._epochs, self._write = epochs, write

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's own
        """Keep this one, if it is to be kept."""
        if epoch + 1 in self._epochs:
            self._write(self.model, epoch + 1)


def residual(shape: tuple[int, int, int], classes: int, *, widths: tuple[int, ...]) -> Any:
    """Two convolutions and a way around them for each width, each half as large as the last."""
    layers = keras.layers
    inputs = keras.Input(shape)
    x = layers.Conv2D(widths[0], 3, 2, "same")(layers.Rescaling(1 / 127.5, -1)(inputs))
    for place, width in enumerate(widths):
        stride = 2 if place else 1
        around = layers.Conv2D(width, 1, stride)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(width, 3, stride, "same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Add()([layers.Conv2D(width, 3, 1, "same")(x), around])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def change_of(variant: Variant) -> Change:
    """Flips, then the variant's damage; each image its own draws, epoch by epoch."""
    preset = variant.preset()

    def change(images: NDArray[np.uint8], ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        if variant.flips:
            images = flipped(images, np.random.default_rng((SEED, *map(int, ids[:4]))))
        return images if preset is None else corrupt_mixed(images, preset, SEED, ids)

    return change


def train(variant: Variant, sides: Sides, out: Path, epochs: tuple[int, ...]) -> None:
    """One training; leaves one folder for each of `epochs`, the last of which ends it."""
    keras.utils.set_random_seed(SEED)
    shape = tuple(int(side) for side in sides.train.images.shape[1:])
    make = small_cnn if variant.network == "plain" else residual
    network = make((shape[0], shape[1], shape[2]), CLASSES, widths=variant.widths)
    batches = keras_batches(
        sides.train.images, sides.train.labels, change_of(variant), batch=BATCH, seed=SEED
    )
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs[-1] * len(batches))
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")

    def write(model: Any, epoch: int) -> None:
        _write(model, variant, out / f"{variant.name}-{epoch:02d}", shape, sides)

    network.fit(batches, epochs=epochs[-1], callbacks=[Keeper(epochs, write)], verbose=0)


def _write(
    model: Any, variant: Variant, folder: Path, shape: tuple[int, ...], sides: Sides
) -> None:
    """`recipe.json` comes last: a folder that has one is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = keras.models.clone_model(model)
    kept.set_weights(model.get_weights())
    kept.compile(optimizer=None, loss=None)  # else the file holds the optimizer's state too
    kept.save(folder / "weights.keras")
    sides.save_split(folder / "split.json")
    recipe = {
        "schema": 1,
        "name": variant.name,
        "weights": ["weights.keras"],
        "scale": "0..255",
        "augmentation": [*(["flips"] if variant.flips else []), *variant.damage],
        "shape": list(shape),
        "classes": CLASSES,
        "seed": SEED,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
    }
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.demonstration_training")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, nargs="+", required=True)
    parser.add_argument("--name", required=True, help="of the training")
    options = parser.parse_args(argv)
    variant = next(one for one in VARIANTS if one.name == options.name)
    train(variant, read_sides(options.data), options.out, tuple(options.epochs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

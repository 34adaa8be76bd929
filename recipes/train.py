"""Train a system on a data set and leave a training folder behind."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cells import Dataset, clean, split
from recipes import augment, models
from recipes.system import Phase, RecipeError, System
from submission.arguments import write_text

RECIPE_SCHEMA = 1
_OPTIMIZERS = {"adam": keras.optimizers.Adam, "lion": keras.optimizers.Lion}


@dataclass(frozen=True)
class Trained:
    """What came of a training: accuracies on the validation side, wall seconds, and the folder."""

    folder: Path
    validation_accuracy: float
    train_images: int
    validation_images: int
    epochs: int
    seconds: float


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Augmented training batches: a fresh, seeded order and fresh draws every epoch."""

    def __init__(self, data: Dataset, system: System, seed: int) -> None:
        super().__init__()
        self._data, self._batch, self._seed = data, system.batch, seed
        self._augment: Callable[..., NDArray[np.uint8]] | None = (
            getattr(augment, system.augment) if system.augment else None
        )
        self._epoch = 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._data) / self._batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        rows = self._order[index * self._batch : (index + 1) * self._batch]
        images = self._data.images[rows]
        if self._augment is not None:
            images = self._augment(images, np.random.default_rng((self._seed, self._epoch, index)))
        return images, self._data.labels[rows]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, self._epoch)).permutation(len(self._data))


class Reporter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Hands every epoch's figures to a function: (epoch, epochs, logs)."""

    def __init__(
        self, tell: Callable[[int, int, Mapping[str, float]], None], before: int, total: int
    ) -> None:
        super().__init__()
        self._tell, self._before, self._total = tell, before, total

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Pass the figures on."""
        self._tell(self._before + epoch + 1, self._total, dict(logs or {}))


def train(
    system: System,
    data: Dataset,
    out: Path,
    *,
    classes: int,
    seed: int = 0,
    epochs: int | None = None,
    tell: Callable[[int, int, Mapping[str, float]], None] = lambda *_: None,
) -> Trained:
    """Clean, split, train, and write `weights.keras`, `recipe.json`, `split.json`, `history.csv`.

    epochs: replaces the number of epochs of every phase. Seeded: the same inputs give the same
    split and order of batches (floating point on several threads may still differ in last digits).
    Raises `RecipeError` when there is too little data.
    """
    started = time.monotonic()
    cleaned, _ = clean(data)
    sides = split(cleaned, system.validation, seed)
    if min(len(sides.train), len(sides.validation)) == 0:
        raise RecipeError(f"{len(cleaned)} images are too few to train on and to validate.")
    keras.utils.set_random_seed(seed)
    shape = tuple(int(side) for side in data.images.shape[1:])
    model = getattr(models, system.model)(shape, classes, **system.model_options)
    phases = [replace(p, epochs=epochs or p.epochs) for p in system.phases]
    history = _run_phases(model, system, phases, sides, seed, tell)
    accuracy = float(model.evaluate(sides.validation.images, sides.validation.labels, verbose=0)[1])
    out.mkdir(parents=True, exist_ok=True)
    sides.save(out / "split.json")
    _save_model(model, out / "weights.keras")
    write_text(out / "history.csv", _history_csv(history))
    write_text(out / "recipe.json", json.dumps(_recipe(system, shape, classes, seed), indent=1))
    seconds = time.monotonic() - started
    return Trained(out, accuracy, len(sides.train), len(sides.validation), len(history), seconds)


def _run_phases(
    model: Any,
    system: System,
    phases: list[Phase],
    sides: Any,
    seed: int,
    tell: Callable[..., None],
) -> list[dict[str, float]]:
    total = sum(phase.epochs for phase in phases)
    history: list[dict[str, float]] = []
    for number, phase in enumerate(phases):
        batches = Batches(sides.train, system, seed + 1000 * number)
        model.compile(
            optimizer=_optimizer(phase, len(batches)),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        callbacks = [Reporter(tell, len(history), total), *_early_stopping(phase)]
        checked = (sides.validation.images, sides.validation.labels)
        done = model.fit(
            batches, epochs=phase.epochs, validation_data=checked, callbacks=callbacks, verbose=0
        )
        columns = done.history
        history += [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    return history


def _optimizer(phase: Phase, steps: int) -> Any:
    rate = keras.optimizers.schedules.CosineDecay(phase.learning_rate, phase.epochs * steps)
    return _OPTIMIZERS[phase.optimizer](rate)


def _early_stopping(phase: Phase) -> list[Any]:
    if phase.patience is None:
        return []
    return [
        keras.callbacks.EarlyStopping(
            "val_accuracy", mode="max", patience=phase.patience, restore_best_weights=True
        )
    ]


def _recipe(system: System, shape: tuple[int, ...], classes: int, seed: int) -> dict[str, Any]:
    return {
        "schema": RECIPE_SCHEMA,
        "name": system.name,
        "weights": ["weights.keras"],
        "scale": system.scale,
        "preprocess": None,
        "resize": None,
        "tta": "none",
        "ensemble": "mean",
        "include": [],
        "augmentation": [system.augment] if system.augment else [],
        "shape": list(shape),
        "classes": classes,
        "seed": seed,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
    }


def _save_model(model: Any, path: Path) -> None:
    model.compile(optimizer=None, loss=None)  # a compiled model drags its optimizer's state along
    part = path.with_name("part-" + path.name)
    model.save(part)
    part.replace(path)


def _history_csv(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", *history[0]])
    for epoch, row in enumerate(history, start=1):
        writer.writerow([epoch, *(f"{value:.6g}" for value in row.values())])
    return text.getvalue()

"""Trainings with the callback, each told as plain values: a child process of test_callback.py."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from codabench_rehearsal.images import from_arrays, prefix_order, synthetic
from codabench_rehearsal.recipes.models import small_cnn
from corruptions.presets import resolve
from evaluator import BenchmarkCallback
from evaluator.callback import labels_of
from evaluator.metrics import score
from evaluator.plan import Questions, draw_benchmark, fill_block

Story = Callable[[], dict[str, Any]]
CONDITIONS = synthetic(300, seed=1)
LEARNT, HELD = slice(0, 200), slice(200, 300)


def compiled(network: Any, rate: float = 3e-3) -> Any:
    """Ready to fit."""
    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return network


def fitted(*callbacks: Any, epochs: int = 3, network: Any = None, **more: Any) -> Any:
    """A short training on conditions; returns the model."""
    keras.utils.set_random_seed(1)
    model = network or compiled(small_cnn((96, 96, 3), 8, widths=(4, 8)))
    images, labels = CONDITIONS.images[LEARNT], CONDITIONS.labels[LEARNT]
    model.fit(images, labels, epochs=epochs, callbacks=list(callbacks), verbose=0, **more)
    return model


def watching(corrupt: str = "light", every: int = 1, **options: Any) -> Any:
    """The callback on the other conditions."""
    return BenchmarkCallback(
        CONDITIONS.images[HELD], CONDITIONS.labels[HELD], corrupt, every, **options
    )


def asked_once(model: Any, callback: Any, steps: int = 40) -> float:
    """What the callback logs for a model as it stands."""
    callback.set_model(model)
    callback.set_params({"epochs": 9, "steps": steps, "verbose": 0})
    callback.on_train_begin()
    logs: dict[str, float] = {}
    callback.on_epoch_end(0, logs)
    return logs["bench_accuracy"]


def two_signs(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Two classes with a robust sign, right for 80 % (upper half brighter), and a brittle one.

    The brittle one, the image's level, is fainter, so it is learnt later; it is nearly always
    right until the light changes.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    told = np.where(rng.random(count) < 0.8, labels, 1 - labels)
    level = 70 + 12.0 * (2 * labels - 1) + rng.normal(0, 6, count)
    halves = level[:, None] + 36 * (2 * told[:, None] - 1) * np.array([1, -1])
    images = np.repeat(halves, 16, axis=1)[:, :, None, None] * np.ones((1, 1, 32, 3))
    return np.clip(images + rng.normal(0, 2, images.shape), 0, 255).astype(np.uint8), labels


def stopping() -> dict[str, Any]:
    """The model learns the robust sign, then the brittle one; the benchmark changes the light."""
    keras.utils.set_random_seed(2)
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 16, offset=-70 / 16),
            keras.layers.AveragePooling2D((16, 32)),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.SGD(0.002), loss, metrics=["accuracy"])
    held = two_signs(400, 1)
    stop = keras.callbacks.EarlyStopping(
        "bench_accuracy", mode="max", patience=4, restore_best_weights=True
    )
    watch = BenchmarkCallback(*held, "brightness:1", count=400)
    done = network.fit(
        *two_signs(800, 0), epochs=60, validation_data=held, callbacks=[watch, stop], verbose=0
    )
    kept = asked_once(network, watch)
    return {**plain(done.history), "stopped": stop.stopped_epoch, "kept": kept}


def plateau() -> dict[str, Any]:
    """A model that does not learn: the learning rate falls for want of a better figure."""
    reduce = keras.callbacks.ReduceLROnPlateau(
        "bench_accuracy", mode="max", patience=1, factor=0.5, min_delta=1
    )
    model = fitted(watching(count=10), reduce, epochs=4)
    return plain(model.history.history)


def plain(history: dict[str, list[Any]]) -> dict[str, list[float]]:
    """A History for JSON."""
    return {name: [float(value) for value in values] for name, values in history.items()}


def between() -> dict[str, Any]:
    """Every third epoch of five; warnings are collected."""
    asked: list[int] = []

    def counting(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append(len(images))
        return images.astype(np.float32)

    watch = watching(every=3, count=20, preprocess=counting)
    stop = keras.callbacks.EarlyStopping("bench_accuracy", mode="max", patience=9)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = fitted(watch, stop, epochs=5)
    said = [str(one.message) for one in heard if "bench_accuracy" in str(one.message)]
    return {"logged": model.history.history["bench_accuracy"], "asked": asked, "said": said}


def untouched() -> dict[str, Any]:
    """The same training with and without the callback, and `evaluate` afterwards."""
    tf.config.experimental.enable_op_determinism()
    found = {}
    for name, callbacks in (("with", [watching()]), ("without", [])):
        model = fitted(*callbacks, validation_split=0.2)
        after = model.evaluate(
            CONDITIONS.images[HELD], CONDITIONS.labels[HELD], verbose=0, return_dict=True
        )
        found[name] = {
            "history": model.history.history["loss"] + model.history.history["val_accuracy"],
            "evaluate": {key: float(value) for key, value in after.items()},
            "weights": float(sum(np.abs(w).sum() for w in model.get_weights())),
        }
    return found


def weighted() -> dict[str, Any]:
    """The figure beside that of `evaluator.metrics`, for a preset of unequal weights."""
    data = from_arrays(CONDITIONS.images[HELD], CONDITIONS.labels[HELD])
    data = data.subset(prefix_order(data, 4))
    model = fitted(epochs=6)
    logged = {}
    for preset, count in (("an2dl-2024", 300), ("heavy", 100)):
        watch = watching(preset, count=count, seed=4)
        logged[preset] = [asked_once(model, watch), *_scored(model, data, preset, watch.count)]
    return logged


def _scored(model: Any, data: Any, preset: str, count: int) -> list[float]:
    drawn = draw_benchmark(data, replace(resolve(preset), draws=count // len(data)), 4)
    rows = np.repeat(np.arange(len(data)), drawn.dealt.shape[1])
    damaged = Questions(rows, drawn.dealt.ravel())
    images = np.empty((len(rows), 96, 96, 3), np.uint8)
    fill_block(drawn, damaged, images, 1)
    labels = model.predict(images.astype(np.float32), verbose=0).argmax(1)
    clean = Questions(np.arange(len(data)), np.zeros(len(data), np.int64))
    both = Questions(
        np.append(damaged.rows, clean.rows), np.append(damaged.conditions, clean.conditions)
    )
    answers = np.append(labels, np.zeros(len(data), np.int64))
    found = score(drawn, both, answers, 8).benchmark.accuracy.value
    return [found, float((labels == data.labels[rows]).mean())]


def outputs() -> dict[str, Any]:
    """One network with differently dressed outputs; first eight classes, then two."""
    ops, layers = keras.ops, keras.layers
    seen = keras.Input((96, 96, 3))
    pooled = layers.AveragePooling2D(24)(layers.Rescaling(1 / 255)(seen))
    eight = layers.Dense(8, name="eight")(layers.Flatten()(pooled))
    trained = keras.Model(seen, eight)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.Adam(0.01), loss)
    fitted(epochs=10, network=trained)
    many = {
        "logits": eight,
        "softmax": layers.Softmax()(eight),
        "labels": layers.Lambda(lambda x: ops.argmax(x, axis=-1))(eight),
        "label column": layers.Lambda(lambda x: ops.argmax(x, axis=-1)[:, None])(eight),
        "float labels": layers.Lambda(lambda x: ops.cast(ops.argmax(x, axis=-1), "float32"))(eight),
        "in a list": [eight],
        "in a dict": {"class": eight},
    }
    found = {name: asked_once(keras.Model(seen, out), watching()) for name, out in many.items()}
    halves = CONDITIONS.labels[HELD] % 2
    column = eight[:, 1:2] - eight[:, 0:1]
    two = {
        "two logits": (eight[:, :2], None),
        "one logit": (column, keras.losses.BinaryCrossentropy(from_logits=True)),
        "a small logit": (column / 1000 + 0.0, keras.losses.BinaryCrossentropy(from_logits=True)),
        "sigmoid": (layers.Activation("sigmoid")(column), "binary_crossentropy"),
    }
    for name, (out, chosen) in two.items():
        watch = BenchmarkCallback(CONDITIONS.images[HELD], halves, "light")
        model = keras.Model(seen, out)
        model.compile(loss=chosen)
        found[name] = asked_once(model, watch)
    return found


def half_precision() -> dict[str, Any]:
    """Fits under both mixed policies."""
    found = {}
    for policy in ("mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            watch = watching()
            fitted(watch, epochs=1)
        finally:
            keras.config.set_dtype_policy("float32")
        found[policy] = watch.score.value
    return found


def scaled() -> dict[str, Any]:
    """A model that scales by itself, and the same one that is fed 0..1."""
    inner = keras.Sequential(
        [
            keras.Input((96, 96, 3)),
            keras.layers.AveragePooling2D(24),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(8, activation="softmax"),
        ]
    )
    whole = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.Rescaling(1 / 255), inner])
    fitted(epochs=20, network=compiled(whole, 0.01))
    fed = watching(preprocess=lambda images: images.astype(np.float32) / 255)
    figures = [asked_once(whole, watching()), asked_once(inner, fed), asked_once(whole, fed)]
    return {"figures": figures}


def refused() -> dict[str, Any]:
    """What is refused, in whose words."""
    seen = keras.Input((96, 96, 3))
    flat = keras.layers.GlobalAveragePooling2D()(seen)
    heads = [keras.layers.Dense(8, activation="softmax", name=name)(flat) for name in "ab"]
    floats = CONDITIONS.images[HELD] / 255.0
    labels = CONDITIONS.labels[HELD]
    cases: dict[str, Callable[[], Any]] = {
        "several outputs": lambda: asked_once(keras.Model(seen, heads), watching()),
        "named outputs": lambda: asked_once(
            keras.Model(seen, dict(zip("ab", heads, strict=True))), watching()
        ),
        "one column": lambda: asked_once(
            keras.Model(seen, keras.layers.Dense(1)(flat)), watching()
        ),
        "maps": lambda: asked_once(keras.Model(seen, seen), watching()),
        "preprocess": lambda: fitted(watching(preprocess=lambda images: images[:3])),
        "0..1": lambda: BenchmarkCallback(floats, labels),
        "every": lambda: watching(every=0),
        "count": lambda: watching(count=1.5),
        "corrupt": lambda: watching("heavi"),
        "corruption": lambda: watching("fogg:3"),
        "labels": lambda: BenchmarkCallback(CONDITIONS.images[HELD], labels[:-1]),
    }
    return {name: _said(case) for name, case in cases.items()}


def _said(case: Callable[[], Any]) -> list[str]:
    try:
        case()
    except ValueError as error:
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def counts() -> dict[str, Any]:
    """How many damaged images are asked, by default and told, out of 100."""
    model = compiled(small_cnn((96, 96, 3), 8, widths=(4,)))
    found = {}
    for steps in (3, 8, 400):
        watch = watching("heavy")
        asked_once(model, watch, steps)
        found[f"{steps} steps"] = watch.count
    for preset in ("heavy", "fog:3"):
        told = watching(preset, count=300)
        found["before"] = told.count
        asked_once(model, told, 8)
        found[f"{preset}, told"] = told.count
    return found


def recorded() -> dict[str, Any]:
    """What CSVLogger wrote, and TensorBoard where it is installed (TensorFlow may come without)."""
    there = importlib.util.find_spec("tensorboard") is not None
    with tempfile.TemporaryDirectory() as folder:
        board = [keras.callbacks.TensorBoard(folder)] if there else []
        path = Path(folder) / "log.csv"
        fitted(watching(count=10), keras.callbacks.CSVLogger(path), *board, epochs=2)
        tags = set()
        for events in Path(folder).rglob("events*"):
            for record in tf.compat.v1.train.summary_iterator(str(events)):
                tags |= {value.tag for value in record.summary.value}
        return {"csv": path.read_text(encoding="utf-8"), "tags": sorted(tags) if there else None}


def broken() -> dict[str, Any]:
    """A model that answers NaN, and outputs that are partly so."""
    model = fitted(epochs=1)
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    mixed = np.array([[0.1, 0.9], [np.nan, 1.0], [2.0, 0.0]], np.float32)
    return {"figure": asked_once(model, watching()), "labels": labels_of(mixed, 2).tolist()}


def again() -> dict[str, Any]:
    """The same seed twice, another one, and a second `fit` with the same callback."""
    model = fitted(epochs=4)
    figures = [asked_once(model, watching(seed=seed)) for seed in (0, 0, 1)]
    watch = watching(every=5)
    first = fitted(watch, epochs=2).history.history["bench_accuracy"]
    second = fitted(watch, epochs=2).history.history["bench_accuracy"]
    return {"figures": figures, "first": first, "second": second}


STORIES: tuple[Story, ...] = (
    *(stopping, plateau, between, weighted, outputs, half_precision, scaled),
    *(refused, counts, recorded, broken, again, untouched),  # the last: determinism stays on
)


def main(names: list[str]) -> None:
    """Tell some stories."""
    told = {story.__name__: story() for story in STORIES if story.__name__ in names}
    real = issubclass(BenchmarkCallback, keras.callbacks.Callback)
    print(json.dumps({"keras": keras.__version__, "real": real, **told}))


if __name__ == "__main__":
    main(sys.argv[1:])

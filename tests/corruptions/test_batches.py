"""Whole tables, streams of batches, mixtures for training, and the input pipelines."""

from __future__ import annotations

import os
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from codabench_rehearsal.images import synthetic
from corruptions import (
    CorruptedDataset,
    CorruptionError,
    corrupt,
    corrupt_all,
    corrupt_condition,
    keras_batches,
    mixture,
)
from corruptions.chain import corrupt_mixed, corrupt_stream, table_names
from corruptions.presets import NAMES, resolve

IMAGES = synthetic(12, seed=4).images


def test_the_sweep_is_19_by_5() -> None:
    """Else a robustness table would miss a row or count our own operators as ImageNet-C's."""
    seen = [(name, severity) for name, severity, _ in corrupt_all(IMAGES[:1])]
    assert len(seen) == len(set(seen)) == 95
    assert len(table_names()) == 19


def test_the_sweep_gives_what_corrupt_gives() -> None:
    """Else figures of a sweep would not be those of single corruptions."""
    for name, severity, changed in corrupt_all(IMAGES[:2], seed=3, severities=(2,)):
        assert np.array_equal(changed, corrupt(IMAGES[:2], name, severity, seed=3))


@pytest.mark.parametrize("size", [1, 5, 12])
def test_a_stream_gives_the_same_as_one_piece(size: int) -> None:
    """Else data larger than memory would be corrupted otherwise than data that fits."""
    condition = resolve("shot_noise:3+rand_augment:3").conditions[0]
    batches = (IMAGES[start : start + size] for start in range(0, 12, size))
    streamed = np.concatenate(list(corrupt_stream(batches, condition, seed=2, first_id=100)))
    assert np.array_equal(streamed, corrupt_condition(IMAGES, condition, 2, np.arange(100, 112)))


def test_batches_refuse_scaled_images_at_once() -> None:
    """Else who trains on `images / 255` reads it below a traceback of Keras, in the first epoch."""
    cells = synthetic(4, seed=0)
    scaled: Any = cells.images / 255
    with pytest.raises(CorruptionError, match="must be uint8"):
        keras_batches(scaled, cells.labels, "light")


def test_a_mixture_depends_on_the_image_alone() -> None:
    """Else training would not be reproducible with another batch size or order."""
    preset = resolve("heavy")
    whole = corrupt_mixed(IMAGES, preset, seed=1)
    order = np.array([7, 2, 11])
    assert np.array_equal(corrupt_mixed(IMAGES[order], preset, 1, order), whole[order])
    assert not np.array_equal(corrupt_mixed(IMAGES, preset, seed=2), whole)


def test_a_mixture_follows_the_weights() -> None:
    """Else a preset's families would not weigh in training what they weigh in the benchmark."""
    preset = resolve("medium")
    one = np.repeat(IMAGES[:1], 400, axis=0)
    changed = corrupt_mixed(one, preset, seed=0)
    noisy = sum(condition.weight for condition in preset.conditions if condition.family == "noise")
    rough = np.abs(np.diff(changed.astype(int), axis=2)).mean(axis=(1, 2, 3))
    by_noise = rough > 3 * np.abs(np.diff(one[0].astype(int), axis=1)).mean()
    assert abs(by_noise.mean() - noisy) < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_presets_conditions_depend_on_the_image_alone(name: str) -> None:
    """Else a benchmark's figures would depend on batch, order or the number of processes."""
    ids = np.array([40, 7, 3])
    for condition in resolve(name).conditions:
        whole = corrupt_condition(IMAGES[:3], condition, 5, ids)
        backwards = corrupt_condition(IMAGES[:3][::-1], condition, 5, ids[::-1])[::-1]
        alone = [
            corrupt_condition(IMAGES[i : i + 1], condition, 5, ids[i : i + 1])[0] for i in range(3)
        ]
        assert np.array_equal(whole, backwards), condition.name
        assert np.array_equal(whole, np.stack(alone)), condition.name


def test_wrong_ids_are_named() -> None:
    """Else images would silently share draws."""
    with pytest.raises(CorruptionError, match=r"\(12,\)"):
        corrupt_mixed(IMAGES, resolve("light"), ids=[1, 2])
    with pytest.raises(CorruptionError, match="one integer"):  # halves would be cut off
        corrupt_mixed(IMAGES, resolve("clean"), ids=np.arange(12) / 2)  # type: ignore[arg-type]


def test_a_mixture_is_a_preset() -> None:
    """Else the shares that a report names could not be trained on."""
    found = mixture({"clean": 2, "fog:2": 1, "rotate:2+hue:1.5": 1}, table="cells-96")
    assert [c.weight for c in found.conditions] == [0.5, 0.25, 0.25]
    assert {c.table for c in found.conditions} == {"cells-96"}
    changed = corrupt_mixed(np.repeat(IMAGES[:1], 200, axis=0), found, seed=1)
    same = (changed == IMAGES[0]).all(axis=(1, 2, 3)).mean()
    assert 0.4 < same < 0.6


def test_a_preset_is_mixed_in_whole() -> None:
    """Else a mixture of what is shipped would have other severities than its file says."""
    found = mixture({"clean": 1, "light": 3})
    light = resolve("light").conditions
    assert [c.weight for c in found.conditions[1:]] == pytest.approx(
        [0.75 * c.weight for c in light]
    )
    assert {c.table for c in found.conditions[1:]} == {"cells-96"}


@pytest.mark.parametrize(
    ("shares", "table", "said"),
    [
        ({"fgo:2": 1}, "cells-96", "Did you mean fog"),
        ({"fog:2": 0}, "cells-96", "fog:2: expected a share above 0, received 0"),
        ({"fog:2": "half"}, "cells-96", "share above 0, received 'half'"),
        ({"fog": 1}, "cells-96", "fog:3"),
        ({"fog:2": 1}, "cells", "cells-96"),
        ({}, "cells-96", "expected chains and shares"),
        (["fog:2"], "cells-96", "expected chains and shares"),
    ],
)
def test_what_is_no_mixture_is_said(shares: Any, table: str, said: str) -> None:
    """Else a slip in a training's first lines would show a traceback of ours."""
    with pytest.raises(CorruptionError, match=re.escape(said)):
        mixture(shares, table)


def test_a_data_set_is_damaged_anew_each_time() -> None:
    """Else PyTorch's epochs would show the network the same damage again and again."""
    pictures = [(Image.fromarray(image), label) for label, image in enumerate(IMAGES)]
    data = CorruptedDataset(pictures, "gaussian_noise:2", lambda image: image / 255)
    assert len(data) == 12
    random.seed(3)
    (one, label), (two, _) = data[4], data[4]
    assert label == 4
    assert one.shape == (96, 96, 3)
    assert one.max() <= 1
    assert not np.array_equal(one, two)
    random.seed(3)
    copied = pickle.loads(pickle.dumps(CorruptedDataset(pictures, "gaussian_noise:2")))
    assert np.array_equal(copied[4][0] / 255, one)  # also in a worker that is sent a copy
    with pytest.raises(CorruptionError, match="Did you mean fog"):
        CorruptedDataset(pictures, "fgo:2")


PIPELINES = """
import numpy as np, keras, tensorflow as tf
from corruptions import corrupt_tf, keras_batches, corrupt_mixed
from corruptions.presets import resolve
images = np.random.default_rng(0).integers(0, 256, (10, 40, 40, 3), dtype=np.uint8)
labels = np.arange(10)

data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
changed = corrupt_tf(data, "light", seed=5)
first = [(x.numpy(), y.numpy()) for x, y in changed]
second = [(x.numpy(), y.numpy()) for x, y in changed]
assert np.array_equal(np.concatenate([x for x, _ in first]), corrupt_mixed(images, resolve("light"), 5))
assert np.array_equal(np.concatenate([y for _, y in first]), labels)
assert not np.array_equal(first[0][0], second[0][0]), "every epoch draws anew"
assert changed.element_spec[0].shape[1:] == (40, 40, 3)

def trained():
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
    net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net.fit(keras_batches(images, labels, "rand_augment:3", batch=4, seed=1), epochs=3, verbose=0).history["loss"]

assert trained() == trained(), "the same seed trains the same"
batches = keras_batches(images, labels, "light", batch=4, shuffle=False)
a, _ = batches[0]
batches.on_epoch_end()
b, y = batches[0]
assert not np.array_equal(a, b) and list(y) == [0, 1, 2, 3]
assert len(batches) == 3
scaled, _ = keras_batches(images, labels, "light", batch=4, shuffle=False, prepare=lambda x: x / 255)[0]
assert np.array_equal(scaled, a / 255), "scaled once damaged"
print("fine")
"""


@pytest.mark.keras
def test_training_pipelines() -> None:
    """Else training could not use the same operations as the benchmark."""
    done = subprocess.run(
        [sys.executable, "-c", PIPELINES],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.stdout.strip() == "fine", done.stderr[-3000:]


COMPILING = """
import numpy as np
from corruptions import corrupt
from corruptions.kernels import announce_compiling
announce_compiling(print)
corrupt(np.zeros((1, 32, 32, 3), np.uint8), "shot_noise", 3)
"""


def test_compiling_is_announced_once(tmp_path: Path) -> None:
    """Else the first run on a machine looks as if it hung."""
    said = []
    for _ in range(2):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", COMPILING]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        said.append(done.stdout.count("compiling"))
    assert said == [1, 0]

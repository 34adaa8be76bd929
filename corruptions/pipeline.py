"""Adapters for training pipelines: `tf.data` and Keras, which only this file imports, and PyTorch.

Every epoch sees fresh draws, every image its own; a seed makes the whole training repeatable.
PyTorch's data sets are anything with a length and items, so nothing of it is imported.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.chain import corrupt_mixed, validate
from corruptions.presets import Preset, resolve
from corruptions.registry import Images
from corruptions.validation import check_images

if TYPE_CHECKING:
    import tensorflow as tf

Change = Callable[[Images, NDArray[np.int64]], Images]


class Items(Protocol):
    """What PyTorch calls a map-style data set: pairs of an image and its label."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def change_by(corrupt: str | Preset | Change, seed: int = 0) -> Change:
    """A function `(images, ids) -> images` of a preset's name, "fog:3", a TOML file or a `Preset`.

    Each image gets one condition, drawn by weight. A function is taken as it is. Raises
    `CorruptionError` for an unknown name.
    """
    if callable(corrupt):
        return corrupt
    preset = resolve(corrupt) if isinstance(corrupt, str) else corrupt
    validate(preset)
    return lambda images, ids: corrupt_mixed(images, preset, seed, ids)


def corrupt_tf(
    batches: tf.data.Dataset, corrupt: str | Preset | Change, seed: int = 0
) -> tf.data.Dataset:
    """Corrupt the images of a batched `tf.data` dataset of (images, ...), through numpy_function.

    images: uint8 `(n, h, w, 3)`. Images are numbered as they come, on through the epochs, so every
    epoch draws anew. Order it before, shuffle included; prefetch is added here.
    """
    import tensorflow as tf

    change, seen = change_by(corrupt, seed), 0

    def numbered(images: Images) -> Images:
        nonlocal seen
        ids = np.arange(seen, seen + len(images), dtype=np.int64)
        seen += len(images)
        return change(images, ids)

    def step(images: Any, *rest: Any) -> Any:
        changed = tf.numpy_function(numbered, [images], tf.uint8, stateful=True)
        return (tf.ensure_shape(changed, images.shape), *rest) if rest else changed

    return batches.map(step, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)


def keras_batches(
    images: Images,
    labels: NDArray[Any],
    corrupt: str | Preset | Change,
    *,
    batch: int = 64,
    seed: int = 0,
    shuffle: bool = True,
    workers: int = 1,
    prepare: Callable[[Images], Any] | None = None,
) -> Any:
    """A Keras `PyDataset` of corrupted batches for `model.fit`, on any backend.

    images: uint8 `(n, h, w, 3)`; labels: n of any shape. Order and draws are new each epoch and
    follow the seed. workers: threads that prepare batches beside the training. prepare: what the
    network wants in place of uint8 images, as `lambda images: images / 255`.
    """
    import keras

    if len(images) != len(labels):
        raise CorruptionError(f"{len(images)} images and {len(labels)} labels: expected as many.")
    check_images(images[:1])  # now, not in the middle of `fit`
    change = change_by(corrupt, seed)

    class Corrupted(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
        """Batches in a fresh order every epoch."""

        def __init__(self) -> None:
            super().__init__(workers=workers)
            self.epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(images) / batch)

        def __getitem__(self, index: int) -> tuple[Any, NDArray[Any]]:
            order = np.arange(len(images))
            if shuffle:
                order = np.random.default_rng((seed, self.epoch)).permutation(len(images))
            rows = order[index * batch : (index + 1) * batch]
            changed = change(images[rows], rows + self.epoch * len(images))
            return changed if prepare is None else prepare(changed), labels[rows]

        def on_epoch_end(self) -> None:
            """Go on to the next epoch's order and draws."""
            self.epoch += 1

    return Corrupted()


class CorruptedDataset:
    """A PyTorch data set whose images are corrupted anew each time that they are asked for.

    dataset: anything with a length whose items are (image, label): a data set of PyTorch's without
    its transform, or `list(zip(images, labels))`. An image is uint8 `(h, w, 3)` or a PIL picture.
    transform: what makes the network's input of the corrupted array `(h, w, 3)`. Draws follow
    Python's `random`, which PyTorch seeds in each worker of a loader. Raises `CorruptionError` for
    an unknown name.
    """

    def __init__(
        self,
        dataset: Items,
        corrupt: str | Preset,
        transform: Callable[[Images], Any] | None = None,
    ) -> None:
        self.dataset, self.transform = dataset, transform
        self.preset = resolve(corrupt) if isinstance(corrupt, str) else corrupt
        validate(self.preset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, label = self.dataset[index]
        seed = random.getrandbits(63)
        changed = corrupt_mixed(np.asarray(image)[None], self.preset, seed)[0]
        return changed if self.transform is None else self.transform(changed), label

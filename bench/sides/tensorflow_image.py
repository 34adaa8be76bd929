"""tf.image, one thread: operators without draws in batches or in a tf.data pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.contender import BATCHES, Contender, Images, each
from bench.sides import pipelines


def _tensorflow() -> Any:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def _joined(results: list[Any]) -> Images:
    arrays = [np.asarray(result) for result in results]
    whole = np.concatenate([a if a.ndim == 4 else a[None] for a in arrays])
    if whole.dtype != np.uint8:
        whole = np.clip(np.rint(whole), 0, 255).astype(np.uint8)
    return whole


def _batches(
    tf: Any, task: str, function: str, change: Callable[[Any], Any], note: str
) -> list[Contender]:
    compiled = tf.function(change)

    def prepare(size: int) -> Callable[[Images], list[Any]]:
        return lambda images: [
            tf.constant(images[start : start + size]) for start in range(0, len(images), size)
        ]

    return [
        Contender(
            *(task, f"tf.image {function}, {size} a call", each(compiled)),
            prepare=prepare(size),
            finish=_joined,
            same=True,
            note=note,
        )
        for size in (1, *BATCHES)
    ]


def _jpeg(tf: Any, method: str) -> list[Contender]:
    """Takes one image; as a compiled function, and mapped in tf.data. method: how to decode."""

    def change(image: Any) -> Any:
        return tf.image.adjust_jpeg_quality(image, 15, dct_method=method)

    def prepare(images: Images) -> list[Any]:
        return [tf.constant(image) for image in images]

    label = f"tf.image adjust_jpeg_quality, {method or 'default'}"
    return [
        Contender(
            *("jpeg_compression", label, each(tf.function(change))),
            prepare=prepare,
            finish=_joined,
            same=True,
        ),
        Contender(
            *("jpeg_compression", f"{label}, tf.data", pipelines.run),
            prepare=pipelines.start(tf, change, "uint8"),
            finish=pipelines.whole_levels,
            same=True,
        ),
    ]


def contenders() -> list[Contender]:
    """Contrast, saturation, JPEG and pixelation."""
    tf = _tensorflow()

    def pixelate(batch: Any) -> Any:
        height, width = batch.shape[1], batch.shape[2]
        small = tf.image.resize(batch, (int(height * 0.4), int(width * 0.4)), "area")
        return tf.image.resize(small, (height, width), "nearest")

    return [
        *_batches(
            *(tf, "contrast", "adjust_contrast"),
            lambda batch: tf.image.adjust_contrast(batch, 0.2),
            "same means and factor",
        ),
        *_batches(
            *(tf, "saturate", "adjust_saturation"),
            lambda batch: tf.image.adjust_saturation(batch, 2.0),
            "same factor on S",
        ),
        *_batches(tf, "pixelate", "resize", pixelate, "area, then nearest; results stay float"),
        *_jpeg(tf, ""),
        *_jpeg(tf, "INTEGER_ACCURATE"),
    ]

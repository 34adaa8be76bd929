"""Operators mapped image by image in tf.data, as in training, measured once they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.contender import Images


@dataclass(frozen=True)
class Pipeline:
    """An endless pass over `count` images, its graph built and its first pass done."""

    results: Any  # an iterator
    count: int


def start(tf: Any, change: Callable[[Any], Any], dtype: Any) -> Callable[[Images], Pipeline]:
    """For `Contender.prepare`: one thread, one image a call."""

    def prepare(images: Images) -> Pipeline:
        dataset = tf.data.Dataset.from_tensor_slices(images.astype(dtype))
        results = iter(dataset.map(change, num_parallel_calls=1).repeat())
        run(Pipeline(results, len(images)))
        return Pipeline(results, len(images))

    return prepare


def run(pipeline: Pipeline) -> list[Any]:
    """For `Contender.call`: one pass over the images."""
    return [next(pipeline.results) for _ in range(pipeline.count)]


def whole_levels(results: list[Any]) -> Images:
    """For `Contender.finish`: clipped to 0..255 and rounded, as ours are."""
    levels = np.stack([np.asarray(result) for result in results])
    whole: Images = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole

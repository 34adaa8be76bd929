"""Work for the scaling measurement: all corruptions, and a plain arithmetic loop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from bench.contender import Contender, Images, as_is

LOOP_STEPS = 500_000  # an image: about as long as an image takes in the sweep


@numba.njit(cache=True, nogil=True)
def _arithmetic(images: int, steps: int) -> float:
    """Additions and multiplications in registers: touches no memory, shares nothing."""
    total = 0.0
    for image in range(images):
        value = 0.5 + image * 1e-9
        for _ in range(steps):
            value = value * 1.0000001 + 1e-9
        total += value
    return total


def _sweep(names: tuple[str, ...], severities: tuple[int, ...], images: Images) -> None:
    from corruptions import corrupt

    for name in names:
        for severity in severities:
            corrupt(images, name, severity)


def _loop(images: Images) -> None:
    _arithmetic(len(images), LOOP_STEPS)


def _in_threads(work: Callable[[Images], None], count: int, images: Images) -> None:
    """`count` threads, each with all the images: as much work as `count` processes do."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: work(images), range(count)))


def _discard(_result: Any) -> Images:
    return np.empty((0, 0, 0, 3), np.uint8)


def contenders() -> list[Contender]:
    """`sweep` (severity 3), `all conditions` (five severities), `loop`; alone, in two threads."""
    import cv2

    from corruptions.registry import all_operators

    cv2.setNumThreads(1)
    names = tuple(op.name for op in all_operators() if op.table == "imagecorruptions")
    works: dict[str, Callable[[Images], None]] = {
        "sweep": functools.partial(_sweep, names, (3,)),
        "all conditions": functools.partial(_sweep, names, (1, 2, 3, 4, 5)),
        "loop": _loop,
    }
    tasks = dict(works)
    for name, work in works.items():
        tasks[f"{name} in 2 threads"] = functools.partial(_in_threads, work, 2)
    return [
        Contender(task, "ours", work, prepare=as_is, finish=_discard, whole=True)
        for task, work in tasks.items()
    ]

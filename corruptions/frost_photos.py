"""The photographs of frost that come with the package `imagecorruptions`."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions._cv import cv2

_NAMES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")
COUNT = len(_NAMES)
_SCALE = 1.1


@functools.lru_cache(maxsize=4)
def scaled(height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """All photographs, RGB, at 1.1 times their size, or the least size that covers the image.

    Raises `CorruptionError` where the package is missing.
    """
    return tuple(_scaled(photo, height, width) for photo in photos())


def _scaled(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    factor = max(1.0, height / photo.shape[0], width / photo.shape[1]) * _SCALE
    size = (int(np.ceil(photo.shape[1] * factor)), int(np.ceil(photo.shape[0] * factor)))
    resized = cv2.resize(photo, dsize=size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(resized[..., ::-1], dtype=np.uint8)


@functools.cache
def photos() -> tuple[NDArray[np.uint8], ...]:
    """All photographs as they come, BGR."""
    return tuple(_read(_folder() / name) for name in _NAMES)


def _folder() -> Path:
    found = importlib.util.find_spec("imagecorruptions")  # finds it without importing it
    if found is None or found.origin is None:
        raise CorruptionError(
            "frost needs the photographs of the package imagecorruptions: "
            "pip install imagecorruptions-imaug"
        )
    return Path(found.origin).parent / "frost"


def _read(path: Path) -> NDArray[np.uint8]:
    photo = cv2.imread(str(path))
    if photo is None:
        raise CorruptionError(
            f"Cannot read frost's photograph {path}. "
            "Install the package anew: pip install --force-reinstall imagecorruptions-imaug"
        )
    return np.asarray(photo, dtype=np.uint8)

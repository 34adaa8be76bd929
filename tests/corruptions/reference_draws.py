"""The random numbers that imagecorruptions draws for one image, as our operators take them.

Each recorder seeds the generator that the reference uses and repeats its calls; `SEEDED` names
the corruptions whose reference takes a seed of its own instead of NumPy's global one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from corruptions import pictures
from corruptions.kernels import motion

Image = NDArray[np.uint8]
Draws = dict[str, Any]
Recorder = Callable[[Image, Any, int], Draws]

SEEDED = ("impulse_noise", "glass_blur")
NAMES = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    *("gaussian_blur", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "spatter"),
    *("brightness", "contrast", "saturate", "elastic_transform", "pixelate", "jpeg_compression"),
)


def record(name: str, images: Image, params: Any, seeds: list[int]) -> Draws:
    """What the reference draws for each image after seeding with its seed, stacked."""
    recorder = RECORDERS.get(name, _nothing)
    each = [recorder(image, params, seed) for image, seed in zip(images, seeds, strict=True)]
    return {key: np.stack([drawn[key] for drawn in each]) for key in each[0]}


def reference(name: str, severity: int, images: Image, seeds: list[int]) -> Image:
    """The reference's own results from the same seeds."""
    import imagecorruptions

    results = []
    for image, seed in zip(images, seeds, strict=True):
        np.random.seed(seed)  # noqa: NPY002  the reference draws from it
        own = {"seed": seed} if name in SEEDED else {}
        results.append(
            imagecorruptions.corrupt(image, corruption_name=name, severity=severity, **own)
        )
    return np.stack(results)


def _nothing(_image: Image, _params: Any, _seed: int) -> Draws:
    return {}


def _normals(key: str, *, channels: bool) -> Recorder:
    def recorder(image: Image, _params: Any, seed: int) -> Draws:
        shape = image.shape if channels else image.shape[:2]
        return {key: np.random.RandomState(seed).normal(size=shape)}

    return recorder


def _float32(recorder: Recorder) -> Recorder:
    def rounded(image: Image, params: Any, seed: int) -> Draws:
        return {key: v.astype(np.float32) for key, v in recorder(image, params, seed).items()}

    return rounded


def _shot(image: Image, photons: int, seed: int) -> Draws:
    means = image / 255.0 * photons
    counts = np.random.RandomState(seed).poisson(means)
    middle = (poisson.cdf(counts - 1, means) + poisson.cdf(counts, means)) / 2
    return {"bits": np.minimum(middle * 2**32, 2**32 - 1).astype(np.uint32)}


def _impulse(image: Image, _share: float, seed: int) -> Draws:
    generator = np.random.default_rng(seed)  # scikit-image's
    struck, salt = generator.random(image.shape), generator.random(image.shape) <= 0.5
    return {"bits": (struck * 2**32).astype(np.uint32) & np.uint32(2**32 - 2) | salt}


@numba.njit
def _glass_offsets(height: int, width: int, reach: int, rounds: int, seed: int) -> Any:
    np.random.seed(seed)  # noqa: NPY002  numba's own generator
    drawn = np.empty((rounds, height - 2 * reach, width - 2 * reach), np.uint8)
    for i in range(rounds):
        for row in range(height - 2 * reach):
            for column in range(width - 2 * reach):
                dx, dy = np.random.randint(-reach, reach, size=(2,))  # noqa: NPY002
                drawn[i, row, column] = (dy + reach) * 2 * reach + dx + reach
    return drawn


def _glass(image: Image, params: Any, seed: int) -> Draws:
    return {"neighbour": _glass_offsets(*image.shape[:2], params[1], params[2], seed)}


def _angle(_image: Image, _params: Any, seed: int) -> Draws:
    return {"angle": np.random.RandomState(seed).uniform(-45, 45)}


def _snow(image: Image, params: Any, seed: int) -> Draws:
    state = np.random.RandomState(seed)
    noise = state.normal(size=image.shape[:2])
    top, height = motion.crop(image.shape[0], params[2])
    left, width = motion.crop(image.shape[1], params[2])
    shown = noise[top : top + height, left : left + width]
    return {"flake": shown, "angle": state.uniform(-135, -45)}


def _frost(image: Image, _params: Any, seed: int) -> Draws:
    state = np.random.RandomState(seed)
    photo = state.randint(6)
    height, width = image.shape[:2]
    shape = pictures.scaled(height, width)[photo].shape
    top, left = state.randint(0, shape[0] - height), state.randint(0, shape[1] - width)
    return {"photo": photo, "top": top, "left": left}


def _fog(image: Image, _params: Any, seed: int) -> Draws:
    side = 1 << (max(image.shape[:2]) - 1).bit_length()
    return {"wobble": np.random.RandomState(seed).uniform(size=side * side - 1)}


def _elastic(image: Image, _params: Any, seed: int) -> Draws:
    state = np.random.RandomState(seed)
    return {key: state.uniform(size=image.shape[:2]) for key in ("across", "down")}


RECORDERS: dict[str, Recorder] = {
    "gaussian_noise": _float32(_normals("normal", channels=True)),
    "speckle_noise": _float32(_normals("normal", channels=True)),
    "shot_noise": _shot,
    "impulse_noise": _impulse,
    "glass_blur": _glass,
    "motion_blur": _angle,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "spatter": _normals("liquid", channels=False),
    "elastic_transform": _elastic,
}

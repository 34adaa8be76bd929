"""Smooth shapes and textures on a small canvas, each from one random generator.

Masks are float32 (size, size) in 0..1, antialiased; points are (x, y) in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mask = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Point = tuple[float, float]

_FRACTION_BITS = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_TURN = np.linspace(0, 2 * np.pi, 48, endpoint=False)


def outline(
    rng: np.random.Generator, radius: float, rough: float, stretch: float = 0.1
) -> NDArray[np.float64]:
    """Return a closed, wobbling ellipse around (0, 0) as points (48, 2)."""
    waves = np.arange(2, 8)
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    heights = rng.normal(0, rough, len(waves)) / np.sqrt(waves - 1)
    wobble = 1 + (heights[:, None] * np.cos(np.outer(waves, _TURN) + phases[:, None])).sum(axis=0)
    return turned(_ring(radius * wobble, rng.uniform(0, stretch)), rng.uniform(0, 2 * np.pi))


def dented(
    rng: np.random.Generator, radius: float, dents: int, depth: float
) -> NDArray[np.float64]:
    """Return an outline with that many dents, each about `depth` of the radius deep."""
    points = outline(rng, radius, 0.03, 0.25)
    reach = np.ones(len(points))
    start = rng.uniform(0, 2 * np.pi)
    for dent in range(dents):
        at = start + 2 * np.pi * (dent + rng.uniform(-0.25, 0.25)) / dents
        away = np.angle(np.exp(1j * (_TURN - at)))
        reach -= depth * rng.uniform(0.6, 1.3) * np.exp(-((away / rng.uniform(0.3, 0.55)) ** 2))
    dented: NDArray[np.float64] = points * np.clip(reach, 0.2, 1)[:, None]
    return dented


def turned(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return the points (n, 2) rotated around (0, 0)."""
    cos, sin = np.cos(angle), np.sin(angle)
    moved: NDArray[np.float64] = points @ np.array([[cos, sin], [-sin, cos]])
    return moved


def filled(size: int, points: NDArray[np.float64], centre: Point) -> Mask:
    """Return the mask of a polygon, given around (0, 0) and moved to `centre`."""
    canvas = np.zeros((size, size), np.uint8)
    fixed = np.rint((points + centre) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], (255,), cv2.LINE_AA, _FRACTION_BITS)
    return _unit(canvas)


def beads(size: int, points: NDArray[np.float64], radii: NDArray[np.float64]) -> Mask:
    """Return the mask of discs drawn one after the other: a tube where they overlap."""
    canvas = np.zeros((size, size), np.uint8)
    one = 1 << _FRACTION_BITS
    fixed = np.rint(points * one).astype(int).tolist()
    for (x, y), radius in zip(fixed, np.rint(radii * one).astype(int).tolist(), strict=True):
        cv2.circle(canvas, (x, y), max(radius, 1), (255,), -1, cv2.LINE_AA, _FRACTION_BITS)
    return _unit(canvas)


def clouds(rng: np.random.Generator, size: int, grain: float) -> Mask:
    """Return smooth noise with a mean of 0 and a deviation near 1; spots of about `grain` pixels."""
    cells = max(2, round(size / grain))
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def specks(rng: np.random.Generator, size: int, grain: float, cover: float) -> Mask:
    """Return a mask of grains of about `grain` pixels that cover the part `cover` of the area."""
    field = blurred(hiss(rng, (size, size)), grain)
    level = np.float32(np.quantile(field[::3, ::3], 1 - cover))
    mask: Mask = np.clip((field - level) * np.float32(4 * grain) + np.float32(0.5), 0, 1)
    return mask


def hiss(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    """Return white, uniform noise with a mean of 0 and a deviation of 1; cheaper than a normal's."""
    raw = rng.integers(-128, 128, shape, np.int8)
    return raw.astype(np.float32) * np.float32(np.sqrt(12) / 256)


def blurred(mask: Mask, sigma: float) -> Mask:
    """Return the mask (or image) after a Gaussian blur of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)


def paint(image: Mask, mask: Mask, colour: Mask) -> None:
    """Lay a colour, (3,) or (size, size, 3), over the image (size, size, 3) in place."""
    image += mask[..., None] * (colour - image)


def _ring(radius: NDArray[np.float64], squeeze: float) -> NDArray[np.float64]:
    return np.stack(
        [radius * np.cos(_TURN) * (1 + squeeze), radius * np.sin(_TURN) * (1 - squeeze)], axis=1
    )


def _unit(canvas: NDArray[np.uint8]) -> Mask:
    return canvas.astype(np.float32) * np.float32(1 / 255)

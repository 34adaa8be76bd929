"""Synthetic blood smears: a cell among red cells, drawn from a seed and an index.

Masks are float32 (size, size) in 0..1, antialiased; points are (x, y) in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.images.kinds import ALL, CellKind, blended, related

Mask = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Point = tuple[float, float]

_GOLDEN = 0.6180339887498949
_PAPER = np.array([254, 230, 204], np.float32)
_BLUISH = np.array([222, 216, 226], np.float32)
_RED_CELL = np.array([0.21, 0.285, 0.165], np.float32)  # what a red cell absorbs, by channel
_CHROMATIN = np.array([[134, 76, 158], [50, 16, 112]], np.float32)
_SMALLEST = 16
_FRACTION_BITS = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_TURN = np.linspace(0, 2 * np.pi, 48, endpoint=False)
_TRANSITION = 0.25  # set so that a small CNN makes about as many mistakes as on real cells


@dataclass(frozen=True)
class _Pen:
    """The random draws of one image, on a canvas whose lengths are given in 96ths."""

    rng: np.random.Generator
    size: int

    def between(self, bounds: tuple[float, float]) -> float:
        return float(self.rng.uniform(*bounds))

    def length(self, bounds: tuple[float, float]) -> float:
        return self.between(bounds) * self.size / 96


def synthetic(
    n: int, seed: int = 0, size: int = 96, classes: int = 8, *, balanced: bool = False
) -> Dataset:
    """Draw `n` blood cells: images uint8 (n, size, size, 3), labels 0..classes-1, ids 0..n-1.

    Image i depends on (seed, i) and the other arguments alone, so a longer set begins with a
    shorter one. Classes are the first of `kinds.KINDS`, about as frequent as in the challenge, or
    equally if `balanced`. Raises DataError for numbers outside their range.
    """
    limits = {"n": (n, 1, 10**6), "seed": (seed, 0, 2**64), "size": (size, _SMALLEST, 1024)}
    for name, (value, low, high) in {**limits, "classes": (classes, 1, len(ALL))}.items():
        if not low <= value <= high:
            raise DataError(f"synthetic: {name} must lie in {low}..{high}, received {value}")
    labels = _labels(n, seed, classes, balanced=balanced)
    images = np.empty((n, size, size, 3), np.uint8)
    for index, label in enumerate(labels.tolist()):
        images[index] = _draw(_Pen(np.random.default_rng((seed, index)), size), ALL[label])
    source = f"synthetic(n={n}, seed={seed}, size={size}, classes={classes})"
    return Dataset(images, labels, np.arange(n, dtype=np.int64), (), source)


def _labels(n: int, seed: int, classes: int, *, balanced: bool) -> NDArray[np.int64]:
    """Classes by a golden-ratio sequence: even short beginnings have about the right shares."""
    shares = np.array([1 if balanced else kind.share for kind in ALL[:classes]], float)
    start = np.random.default_rng(seed).random()
    position = (start + _GOLDEN * np.arange(1, n + 1)) % 1
    edges = np.cumsum(shares / shares.sum())[:-1]
    return np.searchsorted(edges, position, side="right").astype(np.int64)


def _draw(pen: _Pen, kind: CellKind) -> NDArray[np.uint8]:
    kind = _in_transition(pen, kind)
    image = _background(pen)
    centre = (pen.length((44, 52)), pen.length((45, 54)))
    body_radius = pen.length(kind.body)
    _red_cells(pen, image, centre, body_radius)
    if pen.rng.random() < 0.25:
        _platelet_crumb(pen, image)
    _white_cell(pen, image, kind, centre, body_radius)
    return _photograph(pen, image)


def _in_transition(pen: _Pen, kind: CellKind) -> CellKind:
    """A quarter of the cells resemble another kind, some of them nearly as much as their own."""
    if pen.rng.random() > _TRANSITION:
        return kind
    other = related(kind, int(pen.rng.integers(0, 6)))
    return blended(kind, other, pen.between((0.1, 0.5)))


def _background(pen: _Pen) -> Mask:
    paper = _BLUISH if pen.rng.random() < 0.04 else _PAPER
    shade = paper + pen.rng.normal(0, 1.5, 3).astype(np.float32)
    return np.full((pen.size, pen.size, 3), shade, np.float32)


def _red_cells(pen: _Pen, image: Mask, centre: Point, keep_off: float) -> None:
    """Absorb light where red cells lie; where two overlap, both absorb."""
    density = np.zeros(image.shape[:2], np.float32)
    radius, pallor = pen.length((15, 19)), pen.between((0.3, 1.0))
    count = 12 if pen.rng.random() < 0.1 else int(pen.rng.integers(2, 10))
    for _ in range(count):
        angle = pen.between((0, 2 * np.pi))
        away = keep_off + radius * pen.between((0.9, 1.3)) + pen.length((0, 26))
        at = (centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle))
        if max(abs(at[0] - pen.size / 2), abs(at[1] - pen.size / 2)) < pen.size / 2 + radius:
            density += _red_cell(pen, at, radius * pen.between((0.85, 1.15)), pallor)
    image *= np.exp(-np.minimum(density, 1.2)[..., None] * _RED_CELL)


def _red_cell(pen: _Pen, at: Point, radius: float, pallor: float) -> Mask:
    shape = _outline(pen.rng, radius, 0.03, 0.15)
    disc = _filled(pen.size, shape, at)
    shift = (at[0] + pen.length((-2, 2)), at[1] + pen.length((-2, 2)))
    pale = _blurred(_filled(pen.size, shape * pen.between((0.4, 0.62)), shift), pen.size / 48)
    return disc * (1 - np.float32(pallor) * pale) * np.float32(pen.between((0.8, 1.15)))


def _platelet_crumb(pen: _Pen, image: Mask) -> None:
    at = (pen.length((2, 94)), pen.length((2, 94)))
    mask = _filled(pen.size, _outline(pen.rng, pen.length((2, 5)), 0.1, 0.2), at)
    grains = np.float32(0.45) * (1 + _specks(pen.rng, pen.size, 0.8, 0.4))
    _paint(image, mask * grains, np.array([112, 58, 142], np.float32))


def _white_cell(pen: _Pen, image: Mask, kind: CellKind, centre: Point, radius: float) -> None:
    shape = _outline(pen.rng, radius, 0.6 * pen.between(kind.rough), 0.1)
    body = _filled(pen.size, shape, centre)
    _paint(image, _blurred(body, 0.6), _cytoplasm(pen, kind))
    _vacuoles(pen, image, kind, body, centre, radius)
    nucleus = _nucleus(pen, kind, centre, radius) * body
    grains = _specks(pen.rng, pen.size, pen.between(kind.grain), pen.between(kind.cover) + 1e-3)
    if not kind.veiled:
        _granules(pen, image, kind, grains * body)
    opacity = pen.between((0.35, 0.7)) if kind.name == "platelet" else 0.96
    _paint(image, nucleus * np.float32(opacity), _chromatin(pen, kind, nucleus))
    if kind.veiled:
        _granules(pen, image, kind, grains * body)


def _cytoplasm(pen: _Pen, kind: CellKind) -> Mask:
    pale, deep = np.array(kind.cytoplasm, np.float32)
    patches = _clouds(pen.rng, pen.size, pen.length((8, 20)))
    fine = _clouds(pen.rng, pen.size, pen.length((1.5, 3)))
    mix = pen.between((0, 1)) + 0.12 * patches + 0.08 * fine
    colour: Mask = pale + mix[..., None] * (deep - pale)
    return colour


def _vacuoles(
    pen: _Pen, image: Mask, kind: CellKind, body: Mask, centre: Point, radius: float
) -> None:
    count = int(pen.rng.integers(0, kind.vacuoles + 1)) if pen.rng.random() < 0.7 else 0
    if not count:
        return
    away = pen.rng.normal(0, 0.55 * radius, (count, 2))
    bubbles = _beads(pen.size, away + centre, pen.rng.uniform(0.8, 3, count) * pen.size / 96)
    _paint(image, bubbles * body * 0.8, np.array([236, 218, 210], np.float32))


def _granules(pen: _Pen, image: Mask, kind: CellKind, mask: Mask) -> None:
    colour = np.array(kind.granule, np.float32) + pen.rng.normal(0, 7, 3).astype(np.float32)
    _paint(image, mask * np.float32(pen.between((0.55, 0.95))), colour)


def _nucleus(pen: _Pen, kind: CellKind, centre: Point, body_radius: float) -> Mask:
    radius = body_radius * pen.between(kind.nucleus)
    angle, drift = pen.between((0, 2 * np.pi)), body_radius * pen.between(kind.drift)
    drift = min(drift, max(body_radius * 1.02 - radius, 0))
    at = (centre[0] + drift * np.cos(angle), centre[1] + drift * np.sin(angle))
    shape = pen.rng.choice(4, p=kind.shapes)
    if shape == 0:
        return _filled(pen.size, _outline(pen.rng, radius, 0.03, 0.12), at)
    if shape == 1:
        return _filled(pen.size, _dented(pen.rng, radius, 1, pen.between((0.15, 0.6))), at)
    if shape == 2:
        dents = int(pen.rng.integers(2, 5))
        return _filled(pen.size, _dented(pen.rng, radius, dents, pen.between((0.1, 0.4))), at)
    return _arc(pen, kind, at, radius)


def _arc(pen: _Pen, kind: CellKind, at: Point, radius: float) -> Mask:
    """A bent tube with waists: a band, a horseshoe, two lobes or a chain of five."""
    lobes = int(pen.rng.integers(kind.lobes[0], kind.lobes[1] + 1))
    pinch = pen.between(kind.pinch)
    width = radius * pen.between((0.42, 0.54)) * (1.05 if lobes < 3 else 0.8)
    along = np.linspace(0, 1, 36)
    turn = pen.between((0, 2 * np.pi)) + 2 * np.pi * pen.between(kind.span) * along
    reach = (radius - width) * (1 + 0.18 * np.sin(2 * np.pi * along * pen.between((0.5, 2))))
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * reach[:, None]
    points += at + pen.rng.uniform(-0.1, 0.1, 2) * radius - points.mean(axis=0) * 0.5
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * lobes * along)  # 0 at both ends and between lobes
    waist = 1 - pinch * (1 - wave)
    sizes = np.repeat(pen.rng.uniform(0.8, 1.15, lobes), 36 // lobes + 1)[:36]
    return _beads(pen.size, points, width * waist * sizes)


def _chromatin(pen: _Pen, kind: CellKind, nucleus: Mask) -> Mask:
    """Clumped texture between a paler and a darker violet, with a dark membrane."""
    clumps = _clouds(pen.rng, pen.size, pen.length((2, 3.5)))
    fine = _clouds(pen.rng, pen.size, pen.length((1.1, 1.5)))
    membrane = 1 - _blurred(nucleus, 1.2 * pen.size / 96)
    mix = 0.35 + pen.between(kind.dark) * 0.5 + 0.2 * clumps + 0.22 * fine + 0.7 * membrane
    pale, dark = _CHROMATIN
    cast = pen.rng.normal(0, 4, 3).astype(np.float32)
    colour: Mask = pale + cast + np.clip(mix, -0.2, 1.2)[..., None] * (dark - pale)
    return colour


def _photograph(pen: _Pen, image: Mask) -> NDArray[np.uint8]:
    """Focus, light that falls off to a side, exposure, white balance and sensor noise."""
    image = _blurred(image, pen.between((0.3, 0.6)) * pen.size / 96)
    image += np.float32(pen.between((0, 0.6))) * (image - _blurred(image, pen.size / 96))
    slope = np.linspace(-1, 1, pen.size, dtype=np.float32) * np.float32(pen.between((0, 0.04)))
    across, down = np.float32(pen.between((-1, 1))), np.float32(pen.between((-1, 1)))
    light = 1 + slope[:, None] * down + slope * across
    gains = pen.between((0.96, 1.06)) * pen.rng.uniform(0.985, 1.015, 3)
    image *= light[..., None] * gains.astype(np.float32)
    image += _hiss(pen.rng, image.shape) * np.float32(pen.between((1, 3)))
    photograph: NDArray[np.uint8] = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    return photograph


def _outline(
    rng: np.random.Generator, radius: float, rough: float, stretch: float = 0.1
) -> NDArray[np.float64]:
    """Return a closed, wobbling ellipse around (0, 0) as points (48, 2)."""
    waves = np.arange(2, 8)
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    heights = rng.normal(0, rough, len(waves)) / np.sqrt(waves - 1)
    wobble = 1 + (heights[:, None] * np.cos(np.outer(waves, _TURN) + phases[:, None])).sum(axis=0)
    squeeze, angle = rng.uniform(0, stretch), rng.uniform(0, 2 * np.pi)
    across = radius * wobble * np.cos(_TURN) * (1 + squeeze)
    down = radius * wobble * np.sin(_TURN) * (1 - squeeze)
    cos, sin = np.cos(angle), np.sin(angle)
    points: NDArray[np.float64] = np.stack([across, down], axis=1) @ [[cos, sin], [-sin, cos]]
    return points


def _dented(
    rng: np.random.Generator, radius: float, dents: int, depth: float
) -> NDArray[np.float64]:
    """Return an outline with that many dents, each about `depth` of the radius deep."""
    points = _outline(rng, radius, 0.03, 0.25)
    reach = np.ones(len(points))
    start = rng.uniform(0, 2 * np.pi)
    for dent in range(dents):
        at = start + 2 * np.pi * (dent + rng.uniform(-0.25, 0.25)) / dents
        away = np.angle(np.exp(1j * (_TURN - at)))
        reach -= depth * rng.uniform(0.6, 1.3) * np.exp(-((away / rng.uniform(0.3, 0.55)) ** 2))
    dented: NDArray[np.float64] = points * np.clip(reach, 0.2, 1)[:, None]
    return dented


def _filled(size: int, points: NDArray[np.float64], centre: Point) -> Mask:
    """Return the mask of a polygon, given around (0, 0) and moved to `centre`."""
    canvas = np.zeros((size, size), np.uint8)
    fixed = np.rint((points + centre) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], (255,), cv2.LINE_AA, _FRACTION_BITS)
    return _unit(canvas)


def _beads(size: int, points: NDArray[np.float64], radii: NDArray[np.float64]) -> Mask:
    """Return the mask of discs drawn one after the other: a tube where they overlap."""
    canvas = np.zeros((size, size), np.uint8)
    one = 1 << _FRACTION_BITS
    fixed = np.rint(points * one).astype(int).tolist()
    for (x, y), radius in zip(fixed, np.rint(radii * one).astype(int).tolist(), strict=True):
        cv2.circle(canvas, (x, y), max(radius, 1), (255,), -1, cv2.LINE_AA, _FRACTION_BITS)
    return _unit(canvas)


def _clouds(rng: np.random.Generator, size: int, grain: float) -> Mask:
    """Return smooth noise, mean 0, deviation near 1, in spots of about `grain` pixels."""
    cells = max(2, round(size / grain))
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _specks(rng: np.random.Generator, size: int, grain: float, cover: float) -> Mask:
    """Return a mask of grains of about `grain` pixels that cover the part `cover` of the area."""
    field = _blurred(_hiss(rng, (size, size)), grain)
    level = np.float32(np.quantile(field[::3, ::3], 1 - cover))
    mask: Mask = np.clip((field - level) * np.float32(4 * grain) + np.float32(0.5), 0, 1)
    return mask


def _hiss(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    """Return white, uniform noise, mean 0, deviation 1; cheaper than a normal's."""
    raw = rng.integers(-128, 128, shape, np.int8)
    return raw.astype(np.float32) * np.float32(np.sqrt(12) / 256)


def _blurred(mask: Mask, sigma: float) -> Mask:
    """Return the mask (or image) after a Gaussian blur of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)


def _paint(image: Mask, mask: Mask, colour: Mask) -> None:
    """Lay a colour, (3,) or (size, size, 3), over the image (size, size, 3) in place."""
    image += mask[..., None] * (colour - image)


def _unit(canvas: NDArray[np.uint8]) -> Mask:
    return canvas.astype(np.float32) * np.float32(1 / 255)

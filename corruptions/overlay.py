"""Something foreign on top of the cell: another picture blended in, or a dark mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from corruptions.pictures import draw_pictures, pick_pictures
from corruptions.registry import Draws, Images, Params, Values, corruption, get, run
from corruptions.streams import Streams
from corruptions.validation import Ids

_OWN = "own"
_CHALLENGE_SIDE = 96  # the strip's pixels are given for images of this side
_ALPHA = (0.15, 0.3, 0.45, 0.6, 0.75)
_DARK = 60  # masks are at most this bright
_HALF = np.float32(0.5)


def _draw_picture(random: Streams, size: tuple[int, int], _alpha: Params) -> Draws:
    return {"picture": draw_pictures(random, size)}


@corruption("overlay", _ALPHA, source=_OWN, draw=_draw_picture)
def blend_convex(images: Images, alpha: Params, draws: Draws) -> Images:
    """Mix: (1 - alpha) * image + alpha * picture: both show through, the cell loses contrast."""
    share = np.float32(alpha)
    return ((1 - share) * images + share * draws["picture"] + _HALF).astype(np.uint8)


@corruption("overlay", _ALPHA, source=_OWN, draw=_draw_picture)
def blend_multiplicative(images: Images, alpha: Params, draws: Draws) -> Images:
    """Shade: image * ((1 - alpha) + alpha * picture / 255); it never brightens."""
    share = np.float32(alpha)
    shade = (1 - share) + share / np.float32(255) * draws["picture"]
    return (images * shade + _HALF).astype(np.uint8)


def blend_from(
    folder: str,
    images: Images,
    name: str,
    severity: float,
    seed: int,
    ids: Ids,
    step: int,
) -> Images:
    """`corrupt()` for one of `BLENDS`, with pictures from a folder in place of drawn ones.

    Each image picks its picture by (seed, name, id, step). Raises `CorruptionError` as `corrupt()`
    does, and for a folder that is missing, empty or unreadable.
    """

    def draw(random: Streams, size: tuple[int, int], _alpha: Params) -> Draws:
        return {"picture": pick_pictures(random, size, folder)}

    operator = replace(get(name), draw=draw)
    return run(operator, operator.at(severity), images, seed, ids, step)


def _draw_strip(random: Streams, size: tuple[int, int], share: Params) -> Draws:
    width = share * min(size) * random.uniform(0.75, 1.25)
    return {"edge": random.integers(0, 4), "width": width, "level": random.uniform(0, _DARK)}


@corruption("overlay", (0.03, 0.06, 0.1, 0.16, 0.24), source=_OWN, draw=_draw_strip)
def strip(images: Images, _share: Params, draws: Draws) -> Images:
    """A dark band along one random edge; the parameter is its share of the side."""
    y, x = _pixels(images)
    bottom, right = images.shape[1] - 1 - y, images.shape[2] - 1 - x
    distance = np.stack([np.broadcast_to(d, images.shape[1:3]) for d in (x, y, right, bottom)])
    return _paint(images, distance[draws["edge"]] < _each(draws["width"]), draws["level"])


def _draw_bars(random: Streams, size: tuple[int, int], params: Params) -> Draws:
    most, share = params
    shape = (most,)
    return {
        "count": random.integers(1, most + 1),
        "angle": random.uniform(0, np.pi, shape),
        "offset": random.uniform(-0.45, 0.45, shape) * min(size),
        "width": share * min(size) * random.uniform(0.5, 1.5, shape),
        "level": random.uniform(0, _DARK, shape),
    }


@corruption(
    "overlay",
    ((1, 0.03), (2, 0.04), (3, 0.06), (4, 0.08), (6, 0.1)),
    source=_OWN,
    draw=_draw_bars,
)
def bars(images: Images, params: Params, draws: Draws) -> Images:
    """1..k straight dark bars at any angle; parameters: k, mean width as a share of the side."""
    y, x = _pixels(images)
    height, width = images.shape[1:3]
    barred = images.copy()
    for bar in range(params[0]):
        cos, sin = np.cos(draws["angle"][:, bar]), np.sin(draws["angle"][:, bar])
        start = (y - (height - 1) / 2) * _each(sin) - _each(draws["offset"][:, bar])
        away = start - _each((width - 1) / 2 * cos) + x * _each(cos)
        half = np.where(bar < draws["count"], draws["width"][:, bar] / 2, 0)
        barred = _paint(barred, np.abs(away) < _each(half), draws["level"][:, bar])
    return barred


def _draw_grid(random: Streams, size: tuple[int, int], params: Params) -> Draws:
    phase = random.uniform(shape=(2,)) * params[0] * min(size)
    return {"phase": phase, "level": random.uniform(0, _DARK)}


@corruption(
    "overlay",
    ((1 / 3, 0.015), (1 / 4, 0.025), (1 / 5, 0.04), (1 / 6, 0.05), (1 / 7, 0.06)),
    source=_OWN,
    draw=_draw_grid,
)
def grid(images: Images, params: Params, draws: Draws) -> Images:
    """Dark lines along rows and columns; parameters: period and line width, shares of the side."""
    side = min(images.shape[1:3])
    period, width = params[0] * side, max(1.0, params[1] * side)
    y, x = _pixels(images)
    lines = (y + _each(draws["phase"][:, 0])) % period < width
    columns = (x + _each(draws["phase"][:, 1])) % period < width
    return _paint(images, lines | columns, draws["level"])


def _draw_cutout(random: Streams, size: tuple[int, int], params: Params) -> Draws:
    count, share = params
    shape = (count,)
    return {
        "row": random.uniform(0, size[0], shape),
        "column": random.uniform(0, size[1], shape),
        "height": share * size[0] * random.uniform(0.5, 1.0, shape),
        "width": share * size[1] * random.uniform(0.5, 1.0, shape),
        "level": random.uniform(0, 255, shape),
    }


@corruption(
    "overlay",
    ((1, 0.25), (2, 0.3), (3, 0.4), (4, 0.45), (5, 0.5)),
    source=_OWN,
    draw=_draw_cutout,
)
def cutout(images: Images, _params: Params, draws: Draws) -> Images:
    """Flat grey rectangles; parameters: how many, largest side as a share of the image's."""
    covered = images.copy()
    size = np.array([[images.shape[1]], [images.shape[2]]])
    centre = np.stack([draws["row"], draws["column"]], axis=1)
    half = np.stack([draws["height"], draws["width"]], axis=1) / 2
    low = np.clip(np.rint(centre - half), 0, size).astype(int)
    high = np.clip(np.rint(centre + half), 0, size).astype(int)
    levels = draws["level"].astype(np.uint8)
    for image, box in np.ndindex(levels.shape):
        (top, left), (bottom, right) = low[image, :, box], high[image, :, box]
        covered[image, top:bottom, left:right] = levels[image, box]
    return covered


@corruption("overlay", ((2, 2), (4, 3), (6, 5), (9, 8), (13, 11)), source="an2dl-2024 hidden set")
def corner_strip(images: Images, params: Params, _draws: Draws) -> Images:
    """Black along the left edge and the bottom: the an2dl-2024 strip, 6 and 5 px at severity 3.

    Parameters: pixels at the left and at the bottom of a 96-pixel image, scaled with the side.
    """
    left = max(1, round(params[0] * images.shape[2] / _CHALLENGE_SIDE))
    bottom = max(1, round(params[1] * images.shape[1] / _CHALLENGE_SIDE))
    striped = images.copy()
    striped[:, :, :left] = 0
    striped[:, -bottom:] = 0
    return striped


def _each(values: Values) -> Values:
    """One value an image, shaped to meet `(n, h, w)`."""
    return values[:, None, None]


def _pixels(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column numbers, shapes `(h, 1)` and `(1, w)`."""
    height, width = images.shape[1:3]
    return np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)[None]


def _paint(images: Images, mask: NDArray[np.bool_], levels: Values) -> Images:
    """Grey levels `(n,)` where the mask `(n, h, w)` holds."""
    paint = levels.astype(np.uint8)[:, None, None, None]
    painted: Images = np.where(mask[..., None], paint, images)
    return painted

"""The eight kinds of blood cell, as ranges to draw from: `kinds.toml`.

Lengths are in pixels of a 96-pixel image, colours are RGB in 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.reading import parse_toml

Range = tuple[float, float]
Colour = tuple[float, float, float]
_BLENDED = (
    *("body", "rough", "nucleus", "drift", "shapes", "pinch", "span", "dark"),
    *("cytoplasm", "granule", "cover", "grain"),
)


@dataclass(frozen=True)
class CellKind:
    """How to draw one kind of cell; every range is drawn from uniformly, image by image.

    share: how many images of this kind the challenge's cleaned training file has.
    body: radius of the cell.
    rough: how far its outline strays from an ellipse, as a part of the radius.
    nucleus: radius of the nucleus as a part of the body's; drift: its distance off the centre.
    shapes: how often the nucleus is a ball, a bean (one dent), a cloud (several) or an arc.
    lobes, pinch, span: for arcs: number of lobes, depth of the waists between them, turns.
    dark: how dark the nucleus is, 0..1.
    cytoplasm: two colours between which the cytoplasm lies.
    granule, cover, grain: colour of the granules, part of the area that they cover, their size.
    veiled: whether granules lie over the nucleus too.
    vacuoles: the largest number of pale bubbles.
    akin: the kinds that it is mistaken for.
    """

    name: str
    share: int
    body: Range
    rough: Range
    nucleus: Range
    drift: Range
    shapes: tuple[float, float, float, float]
    lobes: tuple[int, int]
    pinch: Range
    span: Range
    dark: Range
    cytoplasm: tuple[Colour, Colour]
    granule: Colour
    cover: Range
    grain: Range
    akin: tuple[str, ...] = ()
    veiled: bool = False
    vacuoles: int = 0


def related(kind: CellKind, which: int) -> CellKind:
    """Return one of the kinds that `kind` is mistaken for; `which` may be any number from 0."""
    return _BY_NAME[kind.akin[which % len(kind.akin)]]


def blended(kind: CellKind, other: CellKind, weight: float) -> CellKind:
    """Return `kind` with every range and colour moved towards the other's by `weight`, 0..1."""
    pairs = {name: (getattr(kind, name), getattr(other, name)) for name in _BLENDED}
    return replace(kind, **{name: _mix(a, b, weight) for name, (a, b) in pairs.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _mix(a: Any, b: Any, weight: float) -> Any:
    if isinstance(a, tuple):
        return tuple(_mix(x, y, weight) for x, y in zip(a, b, strict=True))
    return a + weight * (b - a)


_TABLE = parse_toml(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ALL = tuple(
    CellKind(name, **{key: _tuples(value) for key, value in fields.items()})
    for name, fields in _TABLE.items()
)
KINDS: tuple[str, ...] = tuple(kind.name for kind in ALL)
_BY_NAME = {kind.name: kind for kind in ALL}

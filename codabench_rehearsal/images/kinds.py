"""The eight kinds of blood cell, as ranges to draw from.

Lengths are in pixels of a 96-pixel image, colours are RGB in 0..255. The values were chosen by eye
and from mean colours of cells of the PBC set (Acevedo et al. 2020); neighbouring kinds overlap on
purpose, as they do under the microscope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

Range = tuple[float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
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


ALL = (
    Kind(
        name="basophil",
        share=850,
        body=(24, 32),
        rough=(0.02, 0.07),
        nucleus=(0.7, 0.92),
        drift=(0, 0.15),
        shapes=(0.2, 0.25, 0.25, 0.3),
        lobes=(2, 3),
        pinch=(0.2, 0.6),
        span=(0.3, 0.6),
        dark=(0.55, 1.0),
        cytoplasm=((190, 140, 170), (140, 92, 155)),
        granule=(58, 18, 108),
        cover=(0.3, 0.6),
        grain=(0.75, 1.05),
        akin=("immature granulocyte",),
        veiled=True,
        vacuoles=2,
    ),
    Kind(
        name="eosinophil",
        share=2179,
        body=(28, 37),
        rough=(0.01, 0.05),
        nucleus=(0.72, 0.92),
        drift=(0.05, 0.3),
        shapes=(0.02, 0.08, 0.1, 0.8),
        lobes=(2, 3),
        pinch=(0.45, 0.9),
        span=(0.4, 0.7),
        dark=(0.4, 0.8),
        cytoplasm=((198, 150, 166), (172, 104, 140)),
        granule=(186, 92, 112),
        cover=(0.3, 0.6),
        grain=(0.7, 1.0),
        akin=("neutrophil",),
        vacuoles=2,
    ),
    Kind(
        name="erythroblast",
        share=1085,
        body=(17, 29),
        rough=(0.02, 0.08),
        nucleus=(0.5, 0.84),
        drift=(0, 0.45),
        shapes=(0.82, 0.1, 0.03, 0.05),
        lobes=(2, 2),
        pinch=(0.2, 0.5),
        span=(0.15, 0.3),
        dark=(0.5, 1.2),
        cytoplasm=((208, 182, 184), (98, 88, 150)),
        granule=(100, 70, 140),
        cover=(0.0, 0.06),
        grain=(0.6, 0.9),
        akin=("lymphocyte",),
    ),
    Kind(
        name="immature granulocyte",
        share=2023,
        body=(26, 41),
        rough=(0.02, 0.12),
        nucleus=(0.6, 0.86),
        drift=(0.05, 0.35),
        shapes=(0.3, 0.36, 0.14, 0.2),
        lobes=(1, 2),
        pinch=(0.1, 0.45),
        span=(0.25, 0.55),
        dark=(0.3, 0.8),
        cytoplasm=((204, 168, 180), (138, 104, 166)),
        granule=(106, 50, 142),
        cover=(0.08, 0.45),
        grain=(0.6, 0.9),
        akin=("monocyte", "neutrophil", "basophil"),
        vacuoles=2,
    ),
    Kind(
        name="lymphocyte",
        share=849,
        body=(20, 29),
        rough=(0.02, 0.1),
        nucleus=(0.78, 0.96),
        drift=(0, 0.15),
        shapes=(0.62, 0.28, 0.1, 0.0),
        lobes=(1, 1),
        pinch=(0, 0),
        span=(0.2, 0.3),
        dark=(0.45, 1.0),
        cytoplasm=((168, 142, 178), (88, 76, 146)),
        granule=(80, 50, 130),
        cover=(0.0, 0.12),
        grain=(0.6, 0.9),
        akin=("erythroblast", "monocyte"),
    ),
    Kind(
        name="monocyte",
        share=992,
        body=(28, 42),
        rough=(0.03, 0.2),
        nucleus=(0.6, 0.82),
        drift=(0.02, 0.25),
        shapes=(0.1, 0.27, 0.5, 0.13),
        lobes=(1, 2),
        pinch=(0.1, 0.4),
        span=(0.3, 0.6),
        dark=(0.2, 0.7),
        cytoplasm=((190, 164, 186), (128, 106, 164)),
        granule=(110, 70, 150),
        cover=(0.02, 0.25),
        grain=(0.6, 0.85),
        akin=("immature granulocyte", "lymphocyte"),
        vacuoles=12,
    ),
    Kind(
        name="neutrophil",
        share=2330,
        body=(27, 36),
        rough=(0.01, 0.06),
        nucleus=(0.7, 0.9),
        drift=(0, 0.25),
        shapes=(0.03, 0.09, 0.08, 0.8),
        lobes=(1, 5),
        pinch=(0.3, 0.85),
        span=(0.4, 0.85),
        dark=(0.6, 1.0),
        cytoplasm=((222, 186, 184), (184, 142, 170)),
        granule=(150, 84, 140),
        cover=(0.02, 0.3),
        grain=(0.55, 0.8),
        akin=("immature granulocyte", "eosinophil"),
        vacuoles=2,
    ),
    Kind(
        name="platelet",
        share=1643,
        body=(8, 18),
        rough=(0.04, 0.12),
        nucleus=(0.3, 0.75),
        drift=(0, 0.2),
        shapes=(0.5, 0.2, 0.3, 0.0),
        lobes=(1, 1),
        pinch=(0, 0),
        span=(0.2, 0.3),
        dark=(0.0, 0.2),
        cytoplasm=((190, 150, 178), (140, 96, 162)),
        granule=(92, 36, 140),
        cover=(0.3, 0.6),
        grain=(0.7, 1.0),
        akin=("erythroblast",),
        veiled=True,
    ),
)

KINDS: tuple[str, ...] = tuple(kind.name for kind in ALL)


_BY_NAME = {kind.name: kind for kind in ALL}
_BLENDED = (
    "body",
    "rough",
    "nucleus",
    "drift",
    "shapes",
    "pinch",
    "span",
    "dark",
    "cytoplasm",
    "granule",
    "cover",
    "grain",
)


def related(kind: Kind, which: int) -> Kind:
    """Return one of the kinds that `kind` is mistaken for; `which` may be any number from 0."""
    return _BY_NAME[kind.akin[which % len(kind.akin)]]


def blended(kind: Kind, other: Kind, weight: float) -> Kind:
    """Return `kind` with every range and colour moved towards the other's by `weight`, 0..1."""
    pairs = {name: (getattr(kind, name), getattr(other, name)) for name in _BLENDED}
    return replace(kind, **{name: _mix(a, b, weight) for name, (a, b) in pairs.items()})


def _mix(a: Any, b: Any, weight: float) -> Any:
    if isinstance(a, tuple):
        return tuple(_mix(x, y, weight) for x, y in zip(a, b, strict=True))
    return a + weight * (b - a)

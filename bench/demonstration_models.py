"""The demonstration's models: two small networks and five recipes, trained on different damage.

The plain network of each training is kept twice, early and at its end; the residual one and the
recipes, on pretrained weights, once. No damage of the small networks' trainings is a condition of
the library; the recipes train as their teams did, some of them on the library's RandAugment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from corruptions.presets import Condition, Preset, resolve

WIDTHS, NARROW = (16, 32, 64, 96), (8, 16, 32, 48)
EPOCHS, EARLY = 12, 5
TABLE = "cells-96"


@dataclass(frozen=True)
class Variant:
    """A training. damage: chains of corruptions, or a preset's name; every second image has one.

    network: "plain" or "residual"; "recipe" for a recipe's evening version of that name.
    """

    name: str
    damage: tuple[str, ...] = ()
    flips: bool = True
    widths: tuple[int, ...] = WIDTHS
    network: Literal["plain", "residual", "recipe"] = "plain"

    @property
    def kept(self) -> tuple[int, ...]:
        """Epochs after which it is kept; 0: once, in the end."""
        return {"plain": (EARLY, EPOCHS), "residual": (EPOCHS,), "recipe": (0,)}[self.network]

    def preset(self) -> Preset | None:
        """Half of the weight on clean images, the rest shared; None without damage."""
        if not self.damage:
            return None
        conditions = [condition for spec in self.damage for condition in _conditions(spec)]
        shared = [
            Condition(
                condition.name, condition.family, condition.steps, 0.5 / len(conditions), TABLE
            )
            for condition in conditions
        ]
        untouched = Condition("clean", "clean", (), 0.5)
        return Preset(f"demonstration {self.name}", (untouched, *shared), 1, "")


def _conditions(spec: str) -> tuple[Condition, ...]:
    return resolve(spec).conditions


@dataclass(frozen=True)
class Model:
    """A checkpoint of a variant."""

    variant: Variant
    epoch: int

    @property
    def name(self) -> str:
        """Also its folder's and its zip's."""
        return f"{self.variant.name}-{self.epoch:02d}" if self.epoch else self.variant.name


_NOISE = ("gaussian_noise:2", "shot_noise:2", "impulse_noise:2", "speckle_noise:2")
_BLUR = ("gaussian_blur:2", "defocus_blur:2", "motion_blur:2", "glass_blur:2")
_COLOUR = ("adjust_brightness:3", "adjust_contrast:3", "color:3", "hue:3", "solarize:2")
_GEOMETRY = ("shear_x:2", "shear_y:2", "translate_x:3", "translate_y:3", "rotate:3")
_OVERLAYS = ("corner_strip:2", "strip:3", "bars:2", "grid:2", "cutout:2")
_WEATHER = ("fog:2", "frost:2", "snow:2", "spatter:2", "brightness:2", "contrast:2")

_PLAIN = (
    Variant("plain", flips=False),
    Variant("flips"),
    Variant("narrow", widths=NARROW),
    Variant("noise", _NOISE),
    Variant("blur", _BLUR),
    Variant("colour", _COLOUR),
    Variant("geometry", _GEOMETRY),
    Variant("weather", _WEATHER),
    Variant("randaugment", ("rand_augment:2",)),
    Variant("augmix", ("aug_mix:2",)),
    Variant("light", ("light",)),
    Variant("overlays", _OVERLAYS),
    Variant("composed", (*_OVERLAYS, "rand_augment:2", "corner_strip:2+rand_augment:2")),
    Variant("everything", (*_NOISE, *_BLUR, *_COLOUR, *_GEOMETRY, *_WEATHER, "rand_augment:2")),
)
_RESIDUAL = ("flips", "colour", "geometry", "randaugment", "light", "overlays", "composed")
RECIPES = (
    *("madapenguins", "reluctant_learners", "hidden_players", "overfitting_gods"),
    "los_pollos_hermanos",
)
VARIANTS = (
    *_PLAIN,
    *(
        replace(one, name=f"residual-{one.name}", network="residual")
        for one in _PLAIN
        if one.name in _RESIDUAL
    ),
    *(Variant(name, network="recipe") for name in RECIPES),
)
QUICK = (_PLAIN[0], _PLAIN[5])


def models(
    variants: tuple[Variant, ...], epochs: tuple[int, ...] | None = None
) -> tuple[Model, ...]:
    """Every checkpoint of every variant; epochs: instead of its own."""
    return tuple(Model(one, epoch) for one in variants for epoch in epochs or one.kept)

"""The demonstration's models: one small network, trained on differently damaged images.

Each is kept twice, early and at its end. No training damage is a condition of estimate-v1, except
some of those of `light`: a benchmark that shares conditions with the training is part of what is
tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from corruptions.presets import Condition, Preset, resolve

WIDTHS, NARROW = (16, 32, 64, 96), (8, 16, 32, 48)
EPOCHS, EARLY = 12, 5
TABLE = "cells-96"


@dataclass(frozen=True)
class Variant:
    """A training. damage: chains of corruptions, or a preset's name; every second image has one."""

    name: str
    damage: tuple[str, ...] = ()
    flips: bool = True
    widths: tuple[int, ...] = WIDTHS

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
        return f"{self.variant.name}-{self.epoch:02d}"


_NOISE = ("gaussian_noise:2", "shot_noise:2", "impulse_noise:2", "speckle_noise:2")
_BLUR = ("gaussian_blur:2", "defocus_blur:2", "motion_blur:2", "glass_blur:2")
_COLOUR = ("adjust_brightness:3", "adjust_contrast:3", "color:3", "hue:3", "solarize:2")
_GEOMETRY = ("shear_x:2", "shear_y:2", "translate_x:3", "translate_y:3", "rotate:3")
_OVERLAYS = ("corner_strip:2", "strip:3", "bars:2", "grid:2", "cutout:2")
_WEATHER = ("fog:2", "frost:2", "snow:2", "spatter:2", "brightness:2", "contrast:2")

VARIANTS = (
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
QUICK = (VARIANTS[0], VARIANTS[5])


def models(variants: tuple[Variant, ...], epochs: tuple[int, ...]) -> tuple[Model, ...]:
    """Every checkpoint of every variant."""
    return tuple(Model(variant, epoch) for variant in variants for epoch in epochs)

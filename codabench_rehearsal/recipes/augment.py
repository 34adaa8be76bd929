"""Augmentations of a batch in training: uint8 in and out, each image its own draw.

Ours, where the teams' reports say nothing: all ranges, and that turns go by any angle.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.recipes import operations
from codabench_rehearsal.recipes.operations import Warp, flipped, warped
from codabench_rehearsal.recipes.system import Chain, RecipeError

_LUMA = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]
Augmented = tuple[Images, Targets]
Function = Callable[..., Augmented]
Change = Callable[[Images, np.random.Generator], Images]


@dataclass(frozen=True)
class Augmentation:
    """One augmentation of a batch.

    function: `(images, targets, rng) -> (images, targets)`: images uint8 `(n, h, w, 3)`, targets
    float32 `(n, classes)` that sum to 1 in each row; new arrays, the given ones stay. summary: what
    it does, for people. families: the corruptions that amount to the same, as `local-eval` reads
    them. mixes: whether a result depends on other images of the batch, and targets
    change. pictured: whether the function also takes `pictures` to blend in, uint8 `(k, h, w, 3)`.
    """

    function: Function
    summary: str
    families: tuple[str, ...] = ()
    mixes: bool = False
    pictured: bool = False


def augmented(
    chain: Chain,
    images: Images,
    targets: Targets,
    rng: np.random.Generator,
    pictures: Images | None = None,
) -> Augmented:
    """Apply a chain of augmentations by name; an empty one gives the arrays themselves.

    images: uint8 `(n, h, w, 3)`, or `(n, h, w, 1)`, which is changed as colour and turned back by
    its luma. targets: float32 `(n, classes)`. All draws come from `rng`.
    pictures: for the overlays, beside those that they draw. Raises `RecipeError` for an unknown
    name.
    """
    if chain and images.shape[-1] == 1:
        colour = np.repeat(images, 3, axis=-1)
        changed, targets = augmented(chain, colour, targets, rng, pictures)
        return _luma(changed), targets
    for name in chain:
        one = get(name)
        extra: dict[str, Any] = {"pictures": pictures} if one.pictured else {}
        writable = np.require(images, requirements=["C", "W", "E"])  # kernels compiled once
        images, targets = one.function(writable, targets, rng, **extra)
    return images, targets


def get(name: str) -> Augmentation:
    """The augmentation of that name. Raises `RecipeError` with the nearest one."""
    if name not in AUGMENTATIONS:
        near = difflib.get_close_matches(name, AUGMENTATIONS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(AUGMENTATIONS)}."
        raise RecipeError(f"No augmentation {name!r}: {hint}")
    return AUGMENTATIONS[name]


def recorded(chain: Iterable[str]) -> Chain:
    """What recipe.json says of a chain: names that `local-eval` knows, each once.

    An augmentation that is like no corruption goes by its own name. Raises `RecipeError`.
    """
    said = [word for name in chain for word in (get(name).families or (name,))]
    return tuple(dict.fromkeys(said))


def _luma(images: Images) -> Images:
    """Grey `(n, h, w, 1)` of colour `(n, h, w, 3)`; grey pixels stay as they are."""
    weighted = images.astype(np.float32) @ np.array(_LUMA, np.float32)
    grey: Images = np.rint(weighted).astype(np.uint8)[..., None]
    return grey


def _alone(change: Change) -> Function:
    """An augmentation out of a change of images that leaves targets alone."""

    def augment(images: Images, targets: Targets, rng: np.random.Generator) -> Augmented:
        return change(images, rng), targets.copy()

    return augment


def _warp(warp: Warp) -> Function:
    return _alone(lambda images, rng: warped(images, warp, rng))


def _overlay(blend: Callable[..., Images]) -> Function:
    def augment(
        images: Images,
        targets: Targets,
        rng: np.random.Generator,
        pictures: Images | None = None,
    ) -> Augmented:
        return blend(images, rng, pictures), targets.copy()

    return augment


def _rand_augment(images: Images, rng: np.random.Generator) -> Images:
    from corruptions import rand_augment

    return rand_augment(images, seed=_seed(rng))


def _aug_mix(images: Images, rng: np.random.Generator) -> Images:
    from corruptions import aug_mix

    return aug_mix(images, seed=_seed(rng))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def _tones(images: Images, rng: np.random.Generator) -> Images:
    """Contrast by 0.6..1.4, brightness by up to 0.2 of the range, colour from grey to richer."""
    from corruptions import color

    count = len(images)
    images = color.adjust_contrast(images, rng.uniform(0.6, 1.4, count))
    images = color.adjust_brightness(images, rng.uniform(-0.2, 0.2, count))
    return color.color(images, rng.uniform(-0.5, 0.5, count))


def _brightness(images: Images, rng: np.random.Generator) -> Images:
    """Up to 0.1 of the range, either way."""
    from corruptions import color

    return color.adjust_brightness(images, rng.uniform(-0.1, 0.1, len(images)))


def _noise(images: Images, rng: np.random.Generator) -> Images:
    """Normal noise, 0.02 of the range."""
    from corruptions.registry import get as operator
    from corruptions.registry import run

    return run(operator("gaussian_noise"), 0.02, images, _seed(rng))


_LIGHT = Warp(turn=20, scale=(0.9, 1.1), flip=True)
_FIRST = Warp(turn=15, flip=True)


def _light(images: Images, rng: np.random.Generator) -> Images:
    return _noise(_brightness(warped(images, _LIGHT, rng), rng), rng)


def _first_light(images: Images, rng: np.random.Generator) -> Images:
    return _brightness(warped(images, _FIRST, rng), rng)


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "flips": Augmentation(_alone(flipped), "mirrored in each axis, half the time"),
        "rotations": Augmentation(
            _warp(Warp(turn=180)), "turned by any angle, corners reflected", ("rotate",)
        ),
        "stretch": Augmentation(
            _warp(Warp(stretch=(0.75, 1.33))), "each axis by its own factor, 0.75 to 1.33"
        ),
        "zoom": Augmentation(_warp(Warp(scale=(1.0, 1.4))), "enlarged by 1 to 1.4"),
        "scale": Augmentation(_warp(Warp(scale=(0.75, 1.33))), "scaled by 0.75 to 1.33"),
        "a1": Augmentation(
            _warp(Warp(scale=(0.75, 1.33), flip=True)), "Hidden Players' A1: flips, scale"
        ),
        "a2": Augmentation(
            _warp(Warp(turn=30, shift=0.1, shear=0.2)),
            "Hidden Players' A2: turned by up to 30 degrees, moved by 0.1, sheared by 0.2",
            ("rotate", "translate_x", "translate_y", "shear_x", "shear_y"),
        ),
        "a3": Augmentation(
            _alone(_tones),
            "Hidden Players' A3: contrast, brightness, colour",
            ("adjust_contrast", "adjust_brightness", "color:3"),  # "color" is a whole family
        ),
        "light": Augmentation(
            _alone(_light),
            "MadaPenguins': turned by up to 20 degrees, flips, zoom, brightness, noise",
            ("rotate", "adjust_brightness", "gaussian_noise"),
        ),
        "first_light": Augmentation(
            _alone(_first_light),
            "Overfitting Gods' first: flips, turned by up to 15 degrees, brightness",
            ("rotate", "adjust_brightness"),
        ),
        "rand_augment": Augmentation(
            _alone(_rand_augment),
            "RandAugment with KerasCV's defaults",
            ("rand_augment",),
        ),
        "aug_mix": Augmentation(_alone(_aug_mix), "AugMix with KerasCV's defaults", ("aug_mix",)),
        "overlay_convex": Augmentation(
            _overlay(operations.convex),
            "a foreign picture mixed in, 0.1 to 0.6 of it",
            ("blend_convex",),
            pictured=True,
        ),
        "overlay_multiplicative": Augmentation(
            _overlay(operations.multiplicative),
            "shaded by a foreign picture, 0.1 to 0.6 of it",
            ("blend_multiplicative",),
            pictured=True,
        ),
        "cut_mix": Augmentation(
            operations.cut_mix, "a rectangle of another image (CutMix)", mixes=True
        ),
        "mix_up": Augmentation(operations.mix_up, "blended with another image (MixUp)", mixes=True),
        "cut_mix_or_mix_up": Augmentation(
            operations.cut_mix_or_mix_up, "CutMix or MixUp, half the time each", mixes=True
        ),
    }
)

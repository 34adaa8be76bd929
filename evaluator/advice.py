"""What to train on against each family of damage: one sentence a family.

What is code stands between backticks. Keras layers are named as `keras.layers` has them, calls as `corruptions` has them; a test tries all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from corruptions.presets import Cell
from evaluator.tallies import FamilyLoss

WEAK = 0.01  # a family that costs less of the benchmark accuracy is no reason to train anew
AFTERWARDS = (
    "What a network trained on flatters it afterwards: keep some cells out of training, and judge by "
    "those. Keep these layers in the input pipeline, outside of the saved network: Keras 3.4.1 lacks "
    "those marked *."
)
_OWN = "`corruptions.corrupt_tf(batches, {spec!r})`"

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "noise": (
            "Put `keras.layers.GaussianNoise` behind the rescaling (it acts in training only) and add "
            'a share of batches through `corruptions.corrupt_tf(batches, "impulse_noise:3")`.'
        ),
        "blur": (
            "Add `keras.layers.RandomGaussianBlur`*, and for directions that it lacks "
            '`corruptions.corrupt_tf(batches, "motion_blur:3")`.'
        ),
        "weather": (
            "Large soft veils change colour and contrast together: use `keras.layers.RandomBrightness` "
            'and `RandomContrast`, and `corruptions.corrupt_tf(batches, "fog:3")`.'
        ),
        "digital": (
            "Use `keras.layers.RandomBrightness` and `RandomContrast` for the exposure, and "
            '`corruptions.corrupt_tf(batches, "jpeg_compression:3")` for compression and pixels.'
        ),
        "geometry": (
            "Use `keras.layers.RandomTranslation`, `RandomRotation` and `RandomShear`*, with "
            '`fill_mode="reflect"` so that borders look like the hidden ones.'
        ),
        "color": (
            "Use `keras.layers.RandomColorJitter`*, `Solarization`* and `Equalization`*, or all at once "
            'with `corruptions.corrupt_tf(batches, "rand_augment:3")`.'
        ),
        "overlay": (
            "Hide parts of the image with `keras.layers.RandomErasing`* or `CutMix`*, and blend foreign "
            'pictures in with `corruptions.corrupt_tf(batches, "blend_convex:3")`.'
        ),
        "randaugment": (
            "Train with `keras.layers.RandAugment`*, or with "
            '`corruptions.corrupt_tf(batches, "rand_augment:3")`, which needs no newer Keras.'
        ),
        "augmix": (
            "Train with `keras.layers.AugMix`*, or with "
            '`corruptions.corrupt_tf(batches, "aug_mix:3")`, which needs no newer Keras.'
        ),
        "composite": (
            "Several kinds of damage at once are more than the sum: chain them in training too, as in "
            '`corruptions.corrupt_tf(batches, "rotate:2+fog:2+jpeg_compression:3")`.'
        ),
    }
)


@dataclass(frozen=True)
class Advice:
    """What to do about one weak family."""

    family: str
    sentence: str


def advise(losses: Iterable[FamilyLoss], cells: Iterable[Cell]) -> tuple[Advice, ...]:
    """For every family whose loss is beyond chance and worth the work, the costliest first."""
    known = tuple(cells)
    weak = [loss for loss in losses if loss.points.low > 0 and loss.points.value >= WEAK]
    return tuple(Advice(loss.family, _sentence(loss.family, known)) for loss in weak)


def specs() -> tuple[str, ...]:
    """Every chain or preset that the sentences pass to `corrupt_tf`."""
    return tuple(s for text in ADVICE.values() for s in re.findall(r'batches, "([^"]+)"\)', text))


def layers() -> tuple[str, ...]:
    """Every Keras layer that the sentences name."""
    found = (re.findall(r"`(?:keras\.layers\.)?([A-Z]\w+)`", text) for text in ADVICE.values())
    return tuple(dict.fromkeys(name for names in found for name in names))


def _sentence(family: str, cells: tuple[Cell, ...]) -> str:
    """The family's own, or its first cell for a family that is not ours."""
    if family in ADVICE:
        return ADVICE[family]
    chains = [_spec(cell) for cell in cells if cell.family == family and cell.steps]
    call = _OWN.format(spec=chains[0]) if chains else "`corruptions.corrupt_tf`"
    return f"Mix milder images of this kind into the training batches: {call}."


def _spec(cell: Cell) -> str:
    return "+".join(f"{step.corruption}:{step.severity}" for step in cell.steps)

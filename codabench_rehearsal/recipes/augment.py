"""Augmentations of a batch in training: uint8 in and out, each image its own draw.

Ours, where the teams' reports say nothing: all ranges, and that turns go by any angle.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.recipes.system import Chain, RecipeError

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]
Floats = NDArray[np.float64]
Augmented = tuple[Images, Targets]

# As in KerasCV 0.9.0.
CUT_MIX_ALPHA = 1.0
MIX_UP_ALPHA = 0.2
SHARES = (0.1, 0.6)
"""Of a picture that is laid over an image, drawn evenly. Ours: the reports give none; beyond, the
cell can hardly be seen."""
_LUMA = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)


@dataclass(frozen=True)
class Augmentation:
    """One augmentation of a batch.

    change: `(images, rng) -> images`, a new array, both uint8 `(n, h, w, 3)`. families: corruptions
    that amount to the same, as `local-eval` reads them. mixes: a result depends on other images of
    the batch, so `(images, targets, rng) -> (images, targets)`, targets float32 `(n, classes)` that
    sum to 1 in each row. pictured: the last argument of `change` is what is to be blended in, uint8
    `(k, h, w, 3)` or None.
    """

    change: Callable[..., Any]
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
    its luma. targets: float32 `(n, classes)`. All draws come from `rng`. pictures: for overlays,
    beside those that they draw. Raises `RecipeError` for an unknown name.
    """
    if chain and images.shape[-1] == 1:
        colour = np.repeat(images, 3, axis=-1)
        changed, targets = augmented(chain, colour, targets, rng, pictures)
        grey = np.rint(changed.astype(np.float32) @ np.array(_LUMA, np.float32))
        return grey.astype(np.uint8)[..., None], targets
    for one in map(augmentation, chain):
        images = np.require(images, requirements=["C", "W", "E"])  # kernels compiled once
        if one.mixes:
            images, targets = one.change(images, targets, rng)
        else:
            images = one.change(images, rng, *([pictures] if one.pictured else []))
    return images, targets


def augmentation(name: str) -> Augmentation:
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
    said = [word for name in chain for word in (augmentation(name).families or (name,))]
    return tuple(dict.fromkeys(said))


def flipped(images: Images, rng: np.random.Generator) -> Images:
    """Mirror each image left-right and top-bottom with probability 1/2; no pixel is blended."""
    mirrored = images.copy()
    for axis in (1, 2):
        chosen = rng.random(len(images)) < 0.5
        mirrored[chosen] = np.flip(mirrored[chosen], axis)
    return mirrored


@dataclass(frozen=True)
class Warp:
    """One affine map an image about its centre; every image draws its own values, evenly.

    turn: degrees, either way. shift: along each axis, either way, as a share of the side. shear:
    along each axis, either way, pixels aside for each pixel along. scale: least and most
    enlargement of the whole image; stretch: of each axis by itself; both evenly in their
    logarithm. flip: mirrored in each axis with probability one half.

    Bilinear. What comes in from outside is the image reflected about the edge of its last pixel,
    `d c b a | a b c d | d c b a` (OpenCV's BORDER_REFLECT), as in `corruptions` and in KerasCV.
    """

    turn: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    stretch: tuple[float, float] = (1.0, 1.0)
    flip: bool = False

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        """Move each image."""
        import cv2

        height, width = images.shape[1:3]
        matrices = self._matrices(len(images), (height, width), rng)
        moved: Images = np.empty(images.shape, np.uint8)
        for image, matrix, target in zip(images, matrices, moved, strict=True):
            cv2.warpAffine(
                image,
                matrix,
                (width, height),
                dst=target,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
        return moved

    def _matrices(self, count: int, size: tuple[int, int], rng: np.random.Generator) -> Floats:
        """From a pixel of the result to its source, x before y: `(n, 2, 3)`."""
        angle = np.radians(rng.uniform(-self.turn, self.turn, count))
        shear = rng.uniform(-self.shear, self.shear, (count, 2))
        shift = rng.uniform(-self.shift, self.shift, (count, 2)) * size[::-1]
        factor = _factors(self.scale, (count, 1), rng) * _factors(self.stretch, (count, 2), rng)
        signs = rng.choice((-1.0, 1.0), (count, 2)) if self.flip else 1.0
        cos, sin, one = np.cos(angle), np.sin(angle), np.ones(count)
        turns = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
        shears = np.stack([one, shear[:, 0], shear[:, 1], one], axis=1).reshape(-1, 2, 2)
        linear = turns @ shears * (signs / factor)[:, None, :]
        centre = (np.array(size[::-1]) - 1) / 2
        offset = centre - linear @ centre - shift
        return np.concatenate([linear, offset[..., None]], axis=2)


def _factors(
    bounds: tuple[float, float], shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    least, most = np.log(bounds)
    drawn: Floats = np.exp(rng.uniform(least, most, shape))
    return drawn


def cut_mix(images: Images, targets: Targets, rng: np.random.Generator) -> Augmented:
    """A rectangle of another image in place of one's own (Yun et al., ICCV 2019).

    As in KerasCV, with its defaults: shares from Beta(1, 1), partners by a permutation of the
    batch. But targets count the pixels that were replaced, where KerasCV counts the whole box, also
    what lies outside the image.
    """
    count, (height, width) = len(images), images.shape[1:3]
    partners = rng.permutation(count)
    side = np.sqrt(1 - rng.beta(CUT_MIX_ALPHA, CUT_MIX_ALPHA, count))
    top, bottom = _span(side, height, rng)
    left, right = _span(side, width, rng)
    mixed = images.copy()
    for row, partner in enumerate(partners):
        box = (slice(top[row], bottom[row]), slice(left[row], right[row]))
        mixed[row][box] = images[partner][box]
    replaced = (bottom - top) * (right - left) / (height * width)
    return mixed, _mixed_targets(targets, partners, 1 - replaced)


def mix_up(images: Images, targets: Targets, rng: np.random.Generator) -> Augmented:
    """Blend with another image, share * own + (1 - share) * other, rounded; targets by the share.

    Zhang et al., ICLR 2018; as in KerasCV, with its defaults: shares from Beta(0.2, 0.2).
    """
    import cv2

    partners = rng.permutation(len(images))
    shares = rng.beta(MIX_UP_ALPHA, MIX_UP_ALPHA, len(images))
    mixed: Images = np.empty(images.shape, np.uint8)
    for row, (partner, share) in enumerate(zip(partners, shares, strict=True)):
        cv2.addWeighted(images[row], share, images[partner], 1 - share, 0.0, dst=mixed[row])
    return mixed, _mixed_targets(targets, partners, shares)


def _span(
    share: Floats, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel and the one after the last, along an axis: centred anywhere, cut at the edges."""
    length = (share * size).astype(np.int64)
    start = rng.integers(0, size, len(share)) - length // 2
    return np.clip(start, 0, size), np.clip(start + length, 0, size)


def _mixed_targets(targets: Targets, partners: NDArray[np.int64], shares: Floats) -> Targets:
    own = shares[:, None]
    mixed: Targets = (own * targets + (1 - own) * targets[partners]).astype(np.float32)
    return mixed


def _overlaid(
    operator: str, images: Images, rng: np.random.Generator, pictures: Images | None
) -> Images:
    """Blend each image with a picture by an operator of `corruptions.overlay`, half given ones."""
    from corruptions import overlay
    from corruptions.pictures import draw_pictures
    from corruptions.streams import Streams

    count, blend = len(images), getattr(overlay, operator)
    shares = rng.uniform(*SHARES, count)
    keys = rng.integers(0, 2**64, count, dtype=np.uint64)
    drawn = draw_pictures(Streams(keys), (images.shape[1], images.shape[2]))
    if pictures is not None and len(pictures):
        rows = np.flatnonzero(rng.random(count) < 0.5)
        drawn[rows] = pictures[rng.integers(0, len(pictures), len(rows))]
    each = [
        blend(images[row : row + 1], share, {"picture": drawn[row : row + 1]})
        for row, share in enumerate(shares)
    ]
    return np.concatenate(each)


def _stripped(images: Images, rng: np.random.Generator) -> Images:
    """A dark strip along the left edge and the bottom of every second image.

    Up to a tenth of the side: `corner_strip` of the benchmark `an2dl-2024`, which has a sixteenth.
    No team trained with it: its hidden images were known to nobody.
    """
    from corruptions.overlay import corner_strip

    striped = images.copy()
    for row in np.flatnonzero(rng.random(len(images)) < 0.5):
        pixels = tuple(rng.uniform(0, 10, 2))  # of a 96-pixel image, as the operator counts
        striped[row : row + 1] = corner_strip(images[row : row + 1], pixels, {})
    return striped


def _policy(name: str, images: Images, rng: np.random.Generator) -> Images:
    """RandAugment or AugMix with KerasCV's defaults."""
    import corruptions

    changed: Images = getattr(corruptions, name)(images, seed=_seed(rng))
    return changed


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def _tones(images: Images, rng: np.random.Generator) -> Images:
    """Contrast by 0.6..1.4, brightness by up to 0.2 of the range, colour from grey to richer."""
    from corruptions import operations

    count = len(images)
    images = operations.adjust_contrast(images, rng.uniform(0.6, 1.4, count))
    images = operations.adjust_brightness(images, rng.uniform(-0.2, 0.2, count))
    return operations.color(images, rng.uniform(-0.5, 0.5, count))


def _moved_and_brightened(warp: Warp, images: Images, rng: np.random.Generator) -> Images:
    """Brightness by up to 0.1 of the range, either way."""
    from corruptions import operations

    moved = warp(images, rng)
    return operations.adjust_brightness(moved, rng.uniform(-0.1, 0.1, len(images)))


def _light(images: Images, rng: np.random.Generator) -> Images:
    """Moved, brightened, and normal noise of 0.02 of the range."""
    from corruptions.registry import get, run

    warp = Warp(turn=20, scale=(0.9, 1.1), flip=True)
    brightened = _moved_and_brightened(warp, images, rng)
    return run(get("gaussian_noise"), 0.02, brightened, _seed(rng))


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "flips": Augmentation(flipped),
        "rotations": Augmentation(Warp(turn=180), ("rotate",)),
        "stretch": Augmentation(Warp(stretch=(0.75, 1.33))),
        # Hidden Players' three sets.
        "a1": Augmentation(Warp(scale=(0.75, 1.33), flip=True)),
        "a2": Augmentation(
            Warp(turn=30, shift=0.1, shear=0.2),
            ("rotate", "translate_x", "translate_y", "shear_x", "shear_y"),
        ),
        "a3": Augmentation(
            _tones,
            ("adjust_contrast", "adjust_brightness", "color:3"),  # "color" is a whole family
        ),
        # MadaPenguins', and Overfitting Gods' first one.
        "light": Augmentation(_light, ("rotate", "adjust_brightness", "gaussian_noise")),
        "first_light": Augmentation(
            partial(_moved_and_brightened, Warp(turn=15, flip=True)),
            ("rotate", "adjust_brightness"),
        ),
        "strips": Augmentation(_stripped, ("corner_strip",)),
        "rand_augment": Augmentation(partial(_policy, "rand_augment"), ("rand_augment",)),
        "aug_mix": Augmentation(partial(_policy, "aug_mix"), ("aug_mix",)),
        "overlay_convex": Augmentation(
            partial(_overlaid, "blend_convex"), ("blend_convex",), pictured=True
        ),
        "overlay_multiplicative": Augmentation(
            partial(_overlaid, "blend_multiplicative"), ("blend_multiplicative",), pictured=True
        ),
        "cut_mix": Augmentation(cut_mix, mixes=True),
        "mix_up": Augmentation(mix_up, mixes=True),
    }
)

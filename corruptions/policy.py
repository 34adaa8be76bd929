"""RandAugment and AugMix: every image draws its own chain of operations.

Both follow KerasCV 0.9.0 (archived, April 2024), which the challenge's teams used. What a magnitude
means for each operation is said in `moves`. Two differences: images are rounded to uint8 after
every operation, where KerasCV keeps float32, and the random numbers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.fields import nearest
from corruptions.moves import AUG_MIX_MOVES, RAND_AUGMENT_MOVES, Move, Numbers, sample
from corruptions.registry import LARGE_CHUNK_PIXELS, Draws, Images, Values, corruption, get, run
from corruptions.streams import Streams
from corruptions.validation import Ids


def _moves(names: Sequence[str], pool: Mapping[str, Move]) -> tuple[Move, ...]:
    _check(len(names) > 0, "operations", "at least one name", names)
    for name in names:
        if name not in pool:
            hint = nearest(str(name), pool) or f"known: {', '.join(pool)}."
            raise CorruptionError(f"Unknown operation {name!r}: {hint}")
    return tuple(pool[name] for name in names)


def _check(holds: bool, name: str, expected: str, received: object) -> None:  # noqa: FBT001
    if not holds:
        raise CorruptionError(f"{name} must be {expected}, not {received!r}.")


@dataclass(frozen=True)
class RandAugment:
    """Arguments of `rand_augment`, checked. Raises `CorruptionError`."""

    n_ops: int = 3
    magnitude: float = 0.5
    spread: float = 0.15
    rate: float = 10 / 11
    operations: tuple[str, ...] = tuple(RAND_AUGMENT_MOVES)

    def __post_init__(self) -> None:
        whole = isinstance(self.n_ops, int) and self.n_ops >= 0
        _check(whole, "n_ops", "a whole number, 0 or more", self.n_ops)
        for name in ("magnitude", "spread", "rate"):
            value = getattr(self, name)
            _check(0 <= value <= 1, name, "from 0 to 1", value)
        _moves(self.operations, RAND_AUGMENT_MOVES)


@dataclass(frozen=True)
class AugMix:
    """Arguments of `aug_mix`, checked. Raises `CorruptionError`."""

    severity: float = 0.3
    chains: int = 3
    depth: tuple[int, int] = (1, 3)
    alpha: float = 1.0
    operations: tuple[str, ...] = tuple(AUG_MIX_MOVES)

    def __post_init__(self) -> None:
        _check(0.01 <= self.severity <= 1, "severity", "from 0.01 to 1", self.severity)
        whole = isinstance(self.chains, int) and self.chains >= 1
        _check(whole, "chains", "a whole number, 1 or more", self.chains)
        _check(1 <= self.depth[0] <= self.depth[1], "depth", "(least, most), 1 or more", self.depth)
        _check(self.alpha > 0, "alpha", "above 0", self.alpha)
        _moves(self.operations, AUG_MIX_MOVES)


_KERASCV = "KerasCV 0.9.0 defaults at severity 3; own strengths around it"
_GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y")
RAND_AUGMENT: Mapping[str, RandAugment] = MappingProxyType(
    {
        "kerascv": RandAugment(),
        "kerascv-photometric": RandAugment(  # KerasCV's `geometric=False`
            operations=tuple(name for name in RAND_AUGMENT_MOVES if name not in _GEOMETRIC)
        ),
    }
)
AUG_MIX: Mapping[str, AugMix] = MappingProxyType({"kerascv": AugMix()})


def rand_augment(
    images: Images,
    n_ops: int = 3,
    magnitude: float = 0.5,
    seed: int = 0,
    ids: Ids = None,
    *,
    spread: float = 0.15,
    rate: float = 10 / 11,
    operations: Sequence[str] = tuple(RAND_AUGMENT_MOVES),
) -> Images:
    """Apply up to `n_ops` operations to each image, drawn image by image with repetition.

    images: uint8, as `corrupt` takes them. Each of the `n_ops` places is left empty with
    probability 1 - rate. magnitude: 0..1, drawn anew each time with standard deviation `spread`
    where the operation has one (see `moves`). The defaults are KerasCV's; named sets of arguments
    are in `RAND_AUGMENT`: `rand_augment(images, **asdict(RAND_AUGMENT["kerascv"]))`. ids: one
    integer an image, 0..n-1 when left out. Returns a new uint8 array. Raises `CorruptionError`.
    """
    settings = RandAugment(n_ops, magnitude, spread, rate, tuple(operations))
    return run(get("rand_augment"), settings, images, seed, ids)


def aug_mix(
    images: Images,
    severity: float = 0.3,
    chains: int = 3,
    depth: tuple[int, int] = (1, 3),
    alpha: float = 1.0,
    seed: int = 0,
    ids: Ids = None,
    *,
    operations: Sequence[str] = tuple(AUG_MIX_MOVES),
) -> Images:
    """Mix each image with `chains` copies of it that went through `depth` operations each.

    The result is m * image + (1 - m) * sum(w_k * copy_k), m from Beta(alpha, alpha), w from
    Dirichlet(alpha). severity: 0.01..1, the upper end of the operations' strengths (see `moves`).
    images, ids, named arguments (`AUG_MIX`), result and errors as in `rand_augment`.
    """
    settings = AugMix(severity, chains, (depth[0], depth[1]), alpha, tuple(operations))
    return run(get("aug_mix"), settings, images, seed, ids)


def _draw_rand_augment(random: Streams, _size: tuple[int, int], settings: RandAugment) -> Draws:
    """operation: `(n, n_ops)` indices, -1 for none; value: `(n, n_ops, 2)`."""
    moves, shape = _moves(settings.operations, RAND_AUGMENT_MOVES), (settings.n_ops,)
    chosen = random.integers(0, len(moves), shape)
    chosen[random.uniform(shape=shape) > settings.rate] = -1
    numbers = Numbers.draw(random, *shape)
    value = sample(moves, chosen, numbers, settings.magnitude, settings.spread)
    return {"operation": chosen, "value": value}


@corruption(
    "randaugment",
    [RandAugment(magnitude=level) for level in (0.15, 0.3, 0.5, 0.65, 0.8)],
    source=_KERASCV,
    draw=_draw_rand_augment,
    name="rand_augment",
    revision=2,
    chunk_pixels=LARGE_CHUNK_PIXELS,
)
def _apply_rand_augment(images: Images, settings: RandAugment, draws: Draws) -> Images:
    moves = _moves(settings.operations, RAND_AUGMENT_MOVES)
    return _run(images, moves, draws["operation"], draws["value"])


def _draw_aug_mix(random: Streams, _size: tuple[int, int], settings: AugMix) -> Draws:
    """operation: `(n, chains, depth)`; value: with a last axis of 2; weight: `(n, 1 + chains)`."""
    moves, (least, most) = _moves(settings.operations, AUG_MIX_MOVES), settings.depth
    shape = (settings.chains, most)
    chosen = random.integers(0, len(moves), shape)
    depths = random.integers(least, most + 1, (settings.chains, 1))
    chosen[np.arange(most) >= depths] = -1
    value = sample(moves, chosen, Numbers.draw(random, *shape), settings.severity, 0)
    return {"operation": chosen, "value": value, "weight": _weights(random, settings)}


def _weights(random: Streams, settings: AugMix) -> NDArray[np.float32]:
    """Of the image itself and of each chain, by inverse distribution functions; they sum to 1."""
    from scipy.special import betaincinv, gammaincinv

    gamma = gammaincinv(settings.alpha, random.uniform(shape=(settings.chains,)))
    own = betaincinv(settings.alpha, settings.alpha, random.uniform(shape=(1,)))
    chains = (1 - own) * gamma / gamma.sum(axis=1, keepdims=True)
    return np.concatenate([own, chains], axis=1, dtype=np.float32)


@corruption(
    "augmix",
    [AugMix(severity=level) for level in (0.1, 0.2, 0.3, 0.5, 0.8)],
    source=_KERASCV,
    draw=_draw_aug_mix,
    name="aug_mix",
    revision=2,
    chunk_pixels=LARGE_CHUNK_PIXELS,
)
def _apply_aug_mix(images: Images, settings: AugMix, draws: Draws) -> Images:
    moves = _moves(settings.operations, AUG_MIX_MOVES)
    own, *chains = draws["weight"].T[..., None, None, None]
    level = np.float32(0.5) + own * images  # to round half up at the end
    for chain, weight in enumerate(chains):
        level += weight * _run(
            images, moves, draws["operation"][:, chain], draws["value"][:, chain]
        )
    mixed: Images = np.minimum(level, np.float32(255)).astype(np.uint8)
    return mixed


def _run(images: Images, moves: Sequence[Move], chosen: Values, values: Values) -> Images:
    """Operations in order; at each place, images that drew the same one run together."""
    images = np.array(images, order="C")
    for place in range(chosen.shape[1]):
        for index, move in enumerate(moves):
            rows = np.flatnonzero(chosen[:, place] == index)
            if len(rows):
                images[rows] = move.run(images[rows], values[rows, place])
    return images

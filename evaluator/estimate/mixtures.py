"""Mixtures of the library's conditions, drawn: what a hidden set may be before any score is known.

A hidden set is some mixture of damages. Of four kinds are those that organisers make: a few
conditions of any family; one family; a bit of everything; a few composite ones (what RandAugment,
AugMix and chains do). A belief is one more kind: what somebody reads out of published images, never
quite right, so that a part of each of its mixtures is some other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evaluator.estimate.gaussians import Floats
from evaluator.estimate.inputs import Belief, LibraryCondition

DRAWS, BELIEVED_DRAWS = 3000, 600
SPARSE, FAMILY, BROAD, COMPOSITE = 0.25, 0.15, 0.20, 0.40  # shares of the draws
MOST_CONDITIONS = 15  # of a sparse mixture
WITHIN, FAMILIES, CONDITIONS = 0.7, 0.8, 1.5  # concentrations of the Dirichlet draws
FIRM = 60.0  # the concentration of a belief's weights about those that were said
OTHER = (1.0, 8.0)  # the share of something else under a belief: Beta, a ninth on average
SEED = 20261128


@dataclass(frozen=True, eq=False)
class Mixtures:
    """What rests on one belief, or on none. weights: `(S, C)`, rows sum to 1.

    chance: the probability that this is what the hidden set is like.
    """

    weights: Floats
    chance: float


def drawn(
    library: Sequence[LibraryCondition], beliefs: Sequence[Belief] = ()
) -> tuple[Mixtures, ...]:
    """Those of each belief, and last those that rest on none.

    Always the same ones, in whatever order the library's conditions stand.
    """
    places = sorted(range(len(library)), key=lambda i: (library[i].family, library[i].name))
    ordered, back = tuple(library[i] for i in places), np.argsort(places)
    left = 1.0 - sum(belief.confidence for belief in beliefs)
    found = []
    for one in beliefs:
        said = tuple(one.weights[i] for i in places)
        found.append(Mixtures(_believed(said, ordered)[:, back], one.confidence))
    return (*found, Mixtures(_without_belief(ordered)[:, back], left))


@lru_cache(maxsize=8)
def _without_belief(library: tuple[LibraryCondition, ...]) -> Floats:
    rng = np.random.default_rng(SEED)
    groups = _groups(library, range(len(library)))
    composite = _groups(library, [i for i, one in enumerate(library) if one.composite])
    damaged = [group for group in groups if not library[group[0]].clean] or groups
    some = COMPOSITE if composite else 0.0
    kinds: list[tuple[float, Callable[[int], Floats]]] = [
        (SPARSE + COMPOSITE - some, lambda count: _sparse(groups, len(library), count, rng)),
        (FAMILY, lambda count: _one_family(damaged, len(library), count, rng)),
        (BROAD, lambda count: _broad(groups, len(library), count, rng)),
        (some, lambda count: _sparse(composite, len(library), count, rng)),
    ]
    return np.concatenate([make(round(share * DRAWS)) for share, make in kinds if share])


def _groups(library: Sequence[LibraryCondition], places: Sequence[int]) -> list[NDArray[np.intp]]:
    """Places by family."""
    names = dict.fromkeys(library[place].family for place in places)
    return [np.array([i for i in places if library[i].family == name], np.intp) for name in names]


def _sparse(
    groups: Sequence[NDArray[np.intp]], conditions: int, count: int, rng: np.random.Generator
) -> Floats:
    """One to fifteen conditions, of families that are drawn evenly."""
    shape = (count, MOST_CONDITIONS)
    sizes = np.array([len(group) for group in groups])
    members = np.zeros((len(groups), sizes.max()), np.intp)
    for row, group in zip(members, groups, strict=True):
        row[: len(group)] = group
    family = rng.integers(len(groups), size=shape)
    place = members[family, (rng.random(shape) * sizes[family]).astype(np.intp)]
    used = np.arange(MOST_CONDITIONS) < rng.integers(1, MOST_CONDITIONS + 1, (count, 1))
    weights = np.zeros((count, conditions))
    np.add.at(weights, (np.arange(count)[:, None], place), rng.standard_exponential(shape) * used)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _one_family(
    groups: Sequence[NDArray[np.intp]], conditions: int, count: int, rng: np.random.Generator
) -> Floats:
    weights = np.zeros((count, conditions))
    for row, number in zip(weights, rng.integers(len(groups), size=count), strict=True):
        row[groups[number]] = rng.dirichlet(np.full(len(groups[number]), WITHIN))
    return weights


def _broad(
    groups: Sequence[NDArray[np.intp]], conditions: int, count: int, rng: np.random.Generator
) -> Floats:
    shares = rng.dirichlet(np.full(len(groups), FAMILIES), count)
    weights = np.zeros((count, conditions))
    for column, group in zip(shares.T, groups, strict=True):
        inside = rng.dirichlet(np.full(len(group), CONDITIONS), count)
        weights[:, group] = column[:, None] * inside
    return weights


@lru_cache(maxsize=8)
def _believed(said: tuple[float, ...], library: tuple[LibraryCondition, ...]) -> Floats:
    """About the weights that were said, with a share of something else."""
    rng, others = np.random.default_rng((SEED, 1)), _without_belief(library)
    shares = np.array(said) / sum(said)
    inside = np.flatnonzero(shares > 0)
    weights = np.zeros((BELIEVED_DRAWS, len(shares)))
    weights[:, inside] = rng.dirichlet(FIRM * shares[inside], BELIEVED_DRAWS)
    share = rng.beta(*OTHER, (BELIEVED_DRAWS, 1))
    chosen = others[rng.integers(len(others), size=BELIEVED_DRAWS)]
    return np.asarray((1 - share) * weights + share * chosen)

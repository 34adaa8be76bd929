"""Synthetic models, corruptions and chains of them: a world is drawn anew for each trial.

A model loses logits to a corruption: the corruption's own strength, times what severity makes of
it, times the model's weakness there. The log of that weakness has a general part, a few latent
factors whose loadings a family's corruptions half share, and a small part of its own. A chain
loses the sum, times an interaction of the chain's own and a smaller one of model and chain. From
chance (1/8) to 1 the accuracy follows the logistic curve.

Strengths and spreads are those of the CIFAR-10-C matrix: the logits lost there, on the log scale,
vary over models with sd 0.44, half of it in a first principal component, 95 % in four. Clean
accuracy is that of the challenge's teams. Interactions have no source: they are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from evaluator.estimate.inputs import LibraryCondition

Floats = NDArray[np.float64]
MODELS = 40
FAMILIES = ("noise", "blur", "weather", "digital", "geometry", "color")
KINDS_EACH = 3
KINDS = len(FAMILIES) * KINDS_EACH
SEVERITIES = (1, 3, 5)  # of the library
RECIPES = 24
HIDDEN_CHAINS = 40
CHANCE = 1 / 8
CLEAN = (3.9, 0.5)  # logit of clean accuracy: mean and standard deviation over models
STRENGTH = (0.14, 0.39)  # log of the logits lost at severity 5, over corruptions
GENERAL, OWN = 0.23, 0.1  # sd of the log of a model's weakness: everywhere, and to one corruption
FACTORS = (0.25, 0.21, 0.13, 0.09)  # sd of what each latent factor adds to it
SHARED = 0.5  # of a loading's variance: its family's
CHAIN, MODEL_CHAIN = 0.15, 0.1  # sd of the log of the interactions

Steps = tuple[tuple[int, int], ...]  # (corruption, severity) each


@dataclass(frozen=True)
class Composed:
    """The scenario.

    recipes: chains in the library. disjoint: hidden kinds are not in it. unlike: how much more the
    models' weaknesses differ than those of the published models.
    """

    recipes: int = RECIPES
    disjoint: bool = False
    unlike: float = 1.0

    def draw(self, rng: np.random.Generator) -> tuple[tuple[LibraryCondition, ...], Floats, Floats]:
        """Library conditions, accuracies on them `(models, C)`, and on the hidden chains."""
        order = rng.permutation(KINDS)
        cut = KINDS // 3
        known, hidden = (order[cut:], order[:cut]) if self.disjoint else (order, order)
        library: list[Steps] = [(), *(((int(k), s),) for k in sorted(known) for s in SEVERITIES)]
        used: set[Steps] = set()
        library += [_chain(rng, known, used) for _ in range(self.recipes)]
        chains = [_chain(rng, hidden, used) for _ in range(HIDDEN_CHAINS)]
        accuracies = _accuracies(rng, [*library, *chains], self.unlike)
        conditions = tuple(_cell(steps) for steps in library)
        return conditions, accuracies[:, : len(library)], accuracies[:, len(library) :]


def _chain(rng: np.random.Generator, kinds: NDArray[np.int64], used: set[Steps]) -> Steps:
    """Two or three corruptions at any severity; never the same chain twice."""
    while True:
        chosen = sorted(rng.choice(kinds, rng.integers(2, 4), replace=False).tolist())
        steps = tuple((kind, int(rng.integers(1, 6))) for kind in chosen)
        if steps not in used:
            used.add(steps)
            return steps


def _cell(steps: Steps) -> LibraryCondition:
    name = "+".join(f"{kind}:{severity}" for kind, severity in steps) or "clean"
    if not steps:
        return LibraryCondition(name, "clean", 0, clean=True)
    strongest = max(severity for _, severity in steps)
    if len(steps) > 1:
        return LibraryCondition(name, "composite", strongest, composite=True)
    return LibraryCondition(name, FAMILIES[steps[0][0] // KINDS_EACH], strongest)


def _accuracies(rng: np.random.Generator, conditions: list[Steps], unlike: float) -> Floats:
    lost = _losses(rng, unlike)
    totals = np.stack([sum((lost[:, k, s] for k, s in c), np.zeros(MODELS)) for c in conditions], 1)
    chains = np.array([len(steps) > 1 for steps in conditions])
    own = rng.normal(0, CHAIN, len(conditions)) + rng.normal(0, MODEL_CHAIN, totals.shape)
    totals *= np.exp(own * chains)
    clean = rng.normal(*CLEAN, (MODELS, 1))
    return np.asarray(CHANCE + (1 - CHANCE) * expit(clean - totals))


def _losses(rng: np.random.Generator, unlike: float) -> Floats:
    """Logits that a model loses to a corruption at a severity 0..5: `(models, kinds, 6)`."""
    strength = rng.normal(*STRENGTH, KINDS)
    weak = rng.normal(0, GENERAL, (MODELS, 1)) + rng.normal(0, OWN, (MODELS, KINDS))
    weak += rng.normal(0, FACTORS, (MODELS, len(FACTORS))) @ _loadings(rng)
    bend = rng.uniform(0.7, 1.6, KINDS)
    severity = (np.arange(6) / 5)[None, :] ** bend[:, None]
    return np.asarray(np.exp(strength + unlike * weak)[:, :, None] * severity)


def _loadings(rng: np.random.Generator) -> Floats:
    """Of the kinds on the factors, `(factors, kinds)`, variance 1."""
    shape = (len(FACTORS), len(FAMILIES))
    family = np.repeat(rng.normal(0, np.sqrt(SHARED), shape), KINDS_EACH, axis=1)
    return np.asarray(family + rng.normal(0, np.sqrt(1 - SHARED), family.shape))

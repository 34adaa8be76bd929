"""Where a trial's models, conditions and hidden mixtures come from."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.estimation_synthetic import Composed
from evaluator.estimate.inputs import LibraryCondition

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
MATRIX = Path(__file__).parents[2] / "shared" / "data" / "estimation" / "rb_cifar10_c.csv"
PAST = 12
FEWEST_CONDITIONS, MOST_CONDITIONS = 5, 15
HIDDEN_IMAGES = 2000
_FAMILIES = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}


@dataclass(frozen=True)
class Trial:
    """13 models, the target last. library: `(13, C)`. candidates: `(13, H)`, what may be hidden.

    truth: accuracies on the hidden mixture `(13,)`; scores: those with 2,000 images' chance.
    """

    conditions: tuple[LibraryCondition, ...]
    library: Floats
    candidates: Floats
    truth: Floats
    scores: Floats

    @property
    def clean(self) -> int | None:
        """The clean condition's place, if there is one."""
        return next((i for i, condition in enumerate(self.conditions) if condition.clean), None)


@dataclass(frozen=True)
class Pool:
    """What a trial is drawn from: many models' accuracies on library and hidden conditions."""

    conditions: tuple[LibraryCondition, ...]
    library: Floats
    candidates: Floats


@dataclass(frozen=True)
class Scenario:
    """A named way to make pools."""

    name: str
    pool: Callable[[np.random.Generator], Pool]

    def trials(self, count: int, seed: int) -> Iterator[Trial]:
        """The same trials for the same seed."""
        for index in range(count):
            rng = np.random.default_rng((seed, index))
            yield draw(self.pool(rng), rng)


def draw(pool: Pool, rng: np.random.Generator) -> Trial:
    """Models, a mixture, and scores."""
    rows = rng.choice(len(pool.library), PAST + 1, replace=False)
    candidates = pool.candidates[rows]
    truth = candidates @ mixtures(rng, candidates.shape[1], 1)[0]
    scores = rng.binomial(HIDDEN_IMAGES, truth) / HIDDEN_IMAGES
    return Trial(pool.conditions, pool.library[rows], candidates, truth, scores)


def mixtures(rng: np.random.Generator, conditions: int, count: int) -> Floats:
    """As the protocol draws them: `(count, conditions)`, rows sum to 1."""
    sizes = rng.integers(FEWEST_CONDITIONS, MOST_CONDITIONS + 1, count)
    ranks = np.argsort(rng.random((count, conditions)), axis=1)
    weights = rng.standard_exponential((count, conditions)) * (ranks < sizes[:, None])
    return np.asarray(weights / weights.sum(1, keepdims=True))


@dataclass(frozen=True)
class Matrix:
    """Accuracies of published models on corruptions: `(models, conditions)`."""

    conditions: tuple[LibraryCondition, ...]
    kinds: NDArray[np.str_]  # each condition's corruption
    values: Floats

    def pool(self, library: Bools, hidden: Bools) -> Pool:
        """Some conditions as library, some as what may be hidden."""
        conditions = tuple(
            condition for condition, kept in zip(self.conditions, library, strict=True) if kept
        )
        return Pool(conditions, self.values[:, library], self.values[:, hidden])

    def inside(self, rng: np.random.Generator) -> Pool:  # noqa: ARG002 - a Scenario gives one
        """The hidden conditions are the library's."""
        every = np.ones(len(self.conditions), bool)
        return self.pool(every, every)

    def disjoint(self, rng: np.random.Generator) -> Pool:
        """A third of the corruptions is hidden, and only there."""
        hidden = self._third(rng)
        return self.pool(~hidden, hidden)

    def half_outside(self, rng: np.random.Generator) -> Pool:
        """The same library, but anything may be hidden."""
        return self.pool(~self._third(rng), np.ones(len(self.conditions), bool))

    def _third(self, rng: np.random.Generator) -> Bools:
        names = np.unique(self.kinds)
        return np.isin(self.kinds, rng.choice(names, len(names) // 3, replace=False))


def read_matrix(path: Path) -> Matrix:
    """Two header rows, corruption and severity; then a model a row."""
    with path.open(newline="", encoding="utf-8") as file:
        kinds, severities, *rows = csv.reader(file)
    values = np.array([[float(value) for value in row[1:]] for row in rows])
    family = {kind: name for name, members in _FAMILIES.items() for kind in members}
    conditions = tuple(
        LibraryCondition(f"{kind}:{severity}", family[kind], int(severity))
        for kind, severity in zip(kinds[1:], severities[1:], strict=True)
    )
    return Matrix(conditions, np.array(kinds[1:]), values)


def scenarios(path: Path = MATRIX) -> list[Scenario]:
    """All that can be run: those of CIFAR-10-C need its matrix."""
    found = []
    if path.is_file():
        cifar = read_matrix(path)
        found += [
            Scenario("cifar in-library", cifar.inside),
            Scenario("cifar disjoint", cifar.disjoint),
            Scenario("cifar half outside", cifar.half_outside),
        ]
    return [
        *found,
        Scenario("composed", _composed(Composed())),
        Scenario("composed disjoint", _composed(Composed(disjoint=True))),
        Scenario("composed, no recipes", _composed(Composed(recipes=0))),
        Scenario("composed, unlike models", _composed(Composed(unlike=2.0))),
    ]


def _composed(world: Composed) -> Callable[[np.random.Generator], Pool]:
    return lambda rng: Pool(*world.draw(rng))

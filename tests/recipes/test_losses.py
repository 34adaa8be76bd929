"""The losses against their equations in plain NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.recipes.system import RecipeError, System, load_system, system_names

pytestmark = pytest.mark.keras


def system(name: str, options: dict[str, float]) -> System:
    """A system that trains with this loss."""
    return replace(load_system("baseline"), loss=name, loss_options=options)


def cases(*, soft: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Targets and probabilities of 200 images of 8 classes; some nearly sure, some nearly wrong."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (200, 8)) * rng.choice([0.3, 2, 5], (200, 1))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = (1 - 8e-6) * probabilities + 1e-6  # below 1e-7 Keras takes them for 1e-7
    hard = np.eye(8)[rng.integers(0, 8, 200)]
    targets = rng.dirichlet(np.full(8, 0.4), 200) if soft else hard
    return targets.astype(np.float32), probabilities.astype(np.float32)


def equation(
    targets: NDArray[Any],
    probabilities: NDArray[Any],
    smoothing: float,
    alpha: float = 1.0,
    gamma: float = 0.0,
) -> float:
    """FL = -sum_k alpha y'_k (1 - p_k)^gamma log p_k with y' = (1 - S) y + S / K; the mean."""
    smooth = (1 - smoothing) * targets.astype(np.float64) + smoothing / targets.shape[1]
    p = probabilities.astype(np.float64)
    return float(np.mean(-(alpha * smooth * (1 - p) ** gamma * np.log(p)).sum(axis=1)))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("name", "smoothing", "rest"),
    [
        ("focal", 0.05, {"alpha": 1.0, "gamma": 0.5}),  # overfitting_gods
        ("focal", 0.0, {"alpha": 0.25, "gamma": 2.0}),
        ("focal", 0.3, {"alpha": 2.0, "gamma": 1.0}),
        ("crossentropy", 0.0, {}),
        ("crossentropy", 0.1, {}),
    ],
)
def test_a_loss_is_its_equation(
    name: str, smoothing: float, rest: dict[str, float], soft: bool
) -> None:
    """Else a recipe trains on another loss than its team's, also on mixed images."""
    from codabench_rehearsal.recipes.compiling import loss

    targets, probabilities = cases(soft=soft)
    made = loss(system(name, {"label_smoothing": smoothing, **rest}))
    wanted = equation(targets, probabilities, smoothing, **rest)
    assert float(made(targets, probabilities)) == pytest.approx(wanted, rel=2e-5)


@pytest.mark.parametrize("name", system_names())
def test_every_system_has_a_loss(name: str) -> None:
    """Else a recipe fails after its images were prepared."""
    from codabench_rehearsal.recipes.compiling import loss

    targets, probabilities = cases(soft=True)
    assert float(loss(load_system(name))(targets, probabilities)) > 0


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (system("hinge", {}), "No loss 'hinge'; known: crossentropy, focal"),
        (system("crossentropy", {"gamma": 1.0}), "no option 'gamma'; known: label_smoothing"),
    ],
)
def test_unknown_losses_are_one_sentence(made: System, said: str) -> None:
    """Else a typo in a recipe shows as a Keras traceback."""
    from codabench_rehearsal.recipes.compiling import loss

    with pytest.raises(RecipeError, match=said):
        loss(made)

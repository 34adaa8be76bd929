"""The mathematics under the estimate, against plain formulas and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bench.estimation_tuning import density as density_of
from evaluator.estimate.gaussians import Dense, Evidence, Floats, Gaussians, LowRank
from evaluator.estimate.inputs import prior_of

MIXED = Gaussians(np.array([0.3, 0.7]), np.array([-1.0, 2.0]), np.array([0.5, 2.0]))


def covariances(count: int, size: int) -> np.ndarray:
    """Some positive definite ones."""
    rng = np.random.default_rng(count)
    roots = rng.normal(size=(count, size, size))
    return np.asarray(roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(size))


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.95, 0.999])
def test_quantile_inverts_the_probability(share: float) -> None:
    """Else the interval is not a 90 % interval."""
    assert MIXED.below(MIXED.quantile(share)) == pytest.approx(share, abs=1e-9)


def test_mixture_moments_and_density() -> None:
    """Else widths and the study's log densities are wrong."""
    grid = np.linspace(-12, 14, 20_001)
    density = np.array([density_of(MIXED, x) for x in grid])
    step = grid[1] - grid[0]
    assert density.sum() * step == pytest.approx(1)
    assert (density * grid).sum() * step == pytest.approx(MIXED.mean)
    spread = (density * (grid - MIXED.mean) ** 2).sum() * step
    assert spread == pytest.approx(MIXED.variance)


def test_stretching_keeps_the_median() -> None:
    """Else widening an interval moves the prediction."""
    wide = MIXED.stretched(1.7)
    middle = MIXED.quantile(0.5)
    assert wide.quantile(0.5) == pytest.approx(middle)
    assert wide.quantile(0.95) - middle == pytest.approx(1.7 * (MIXED.quantile(0.95) - middle))


def evidence(signal: Floats, noise: Floats, residual: Floats) -> Evidence:
    """What the scores say of variables with this covariance, the last of which is unknown."""
    return Evidence.of(Dense(signal[:, :-1, :-1] + np.diag(noise)), residual)


def predicted(signal: Floats, noise: Floats, residual: Floats) -> Gaussians:
    """The last variable given the others."""
    seen = evidence(signal, noise, residual)
    return seen.given(signal[:, :-1, -1], signal[:, -1, -1])[0]


def test_conditioning_is_the_textbooks() -> None:
    """Else past scores pull the prediction the wrong way."""
    signal, noise = covariances(1, 4), np.array([0.1, 0.2, 0.3])
    residual = np.array([0.5, -1.0, 2.0])
    seen = signal[0, :3, :3] + np.diag(noise)
    pull = np.linalg.solve(seen, signal[0, :3, 3])
    found = predicted(signal, noise, residual)
    assert found.means[0] == pytest.approx(pull @ residual)
    assert found.variances[0] == pytest.approx(signal[0, 3, 3] - pull @ signal[0, :3, 3])


def test_evidence_weighs_the_choices() -> None:
    """Else strengths that the past scores refute count like the others."""
    signal, noise = covariances(3, 3), np.array([0.1, 0.1])
    residual = np.array([1.0, -0.5])
    heights = [
        multivariate_normal(np.zeros(2), one[:2, :2] + np.diag(noise)).pdf(residual)
        for one in signal
    ]
    found = predicted(signal, noise, residual).weights
    assert found == pytest.approx(np.array(heights) / np.sum(heights))


def test_leaving_one_out_is_fitting_without_it() -> None:
    """Else the leave-one-out error flatters: the left-out score had a say."""
    signal, noise = covariances(3, 5), np.array([0.1, 0.2, 0.3, 0.4])
    residual = np.array([0.5, -1.0, 2.0, 0.3])
    found = evidence(signal, noise, residual).left_out()
    for place in range(4):
        rest = [i for i in range(4) if i != place]
        order = [*rest, place]
        alone = predicted(signal[:, order][:, :, order], noise[rest], residual[rest])
        assert found[place].means == pytest.approx(alone.means)
        assert found[place].variances == pytest.approx(alone.variances + noise[place])
        assert found[place].weights == pytest.approx(alone.weights)


def test_levels_are_dirichlet_moments() -> None:
    """Else the prior's wiggles are not those of mixtures: compared with drawn ones."""
    families = ["a", "a", "a", "b", "b", "c"]
    prior = prior_of(families, [1, 2, 3, 1, 2, 0])
    assert prior.mean == pytest.approx([1 / 9, 1 / 9, 1 / 9, 1 / 6, 1 / 6, 1 / 3])
    accuracies = np.array([[0.9, 0.8, 0.5, 0.7, 0.6, 0.95], [0.8, 0.8, 0.6, 0.9, 0.3, 0.9]])
    rng = np.random.default_rng(0)
    concentration = 4.0
    conditions = rng.dirichlet(concentration * prior.mean, 400_000) @ accuracies.T
    wanted = accuracies @ prior.levels[2].matrix @ accuracies.T / (1 + concentration)
    assert np.cov(conditions.T) == pytest.approx(wanted, rel=0.02)
    shares = rng.dirichlet(np.full(3, concentration / 3), 400_000)
    means = np.array([accuracies[:, :3].mean(1), accuracies[:, 3:5].mean(1), accuracies[:, 5]])
    wanted = accuracies @ prior.levels[0].matrix @ accuracies.T / (1 + concentration)
    assert np.cov((shares @ means).T) == pytest.approx(wanted, rel=0.02)


def test_variances_agree_with_the_covariance() -> None:
    """Else the noise of local figures follows another prior than the prediction."""
    for level in prior_of(["a", "a", "b"], [1, 3, 3]).levels:
        assert level.variances() == pytest.approx(np.diag(level.matrix))


def test_one_gaussian_is_a_gaussian() -> None:
    """Else the mixture's arithmetic is off even where it is trivial."""
    one = Gaussians(np.ones(1), np.array([1.0]), np.array([4.0]))
    assert one.quantile(0.95) == pytest.approx(norm(1, 2).ppf(0.95))
    assert density_of(one, 0.3) == pytest.approx(norm(1, 2).pdf(0.3))


def test_many_scores_are_conditioned_on_through_the_unknowns_alike() -> None:
    """Else an estimate jumps when there are more past scores than unknowns."""
    rng = np.random.default_rng(2)
    loadings, diagonal = rng.normal(size=(40, 5)), rng.uniform(0.01, 1, (3, 40))
    roots, residual = rng.normal(size=(3, 5, 5)), rng.normal(size=40)
    signal = loadings @ roots @ roots.transpose(0, 2, 1) @ loadings.T
    dense = Evidence.of(Dense(signal + diagonal[:, :, None] * np.eye(40)), residual)
    thin = Evidence.of(LowRank(loadings, roots, diagonal), residual)
    across, variances = signal[:, 0], signal[:, 0, 0] + 1
    for name in ("weights", "means", "variances"):
        one, other = (getattr(e.given(across, variances)[0], name) for e in (dense, thin))
        assert one == pytest.approx(other)
        for left, right in zip(dense.left_out(), thin.left_out(), strict=True):
            assert getattr(left, name) == pytest.approx(getattr(right, name))

"""Small datasets and the real file, for the tests of `cells`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset, load, synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

REAL = Path(__file__).parents[3] / "shared" / "data" / "training_set.npz"


@pytest.fixture(scope="session")
def drawn() -> Dataset:
    """Two hundred synthetic cells."""
    return synthetic(200, seed=1)


@pytest.fixture(scope="session")
def real() -> Dataset:
    """The stand-in for the challenge's training file."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    return load(REAL, shape=(96, 96, 3), classes=8)


@pytest.fixture
def pixels() -> Callable[..., NDArray[np.uint8]]:
    """Return a maker of random images uint8 of a given shape."""

    def make(*shape: int) -> NDArray[np.uint8]:
        return np.random.default_rng(len(shape)).integers(0, 256, shape, np.uint8)

    return make

"""Linear algebra on one thread."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from evaluator.estimate.gaussians import one_thread


def threads() -> list[int]:
    """Of every BLAS that is loaded."""
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_it_is_one_within_and_as_before_after() -> None:
    """Else small matrices burn all cores, or the user's own products stay slow afterwards."""
    np.linalg.inv(np.eye(2))
    before = threads()
    assert before
    with one_thread():
        assert threads() == [1] * len(before)
    assert threads() == before

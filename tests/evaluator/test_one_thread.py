"""Linear algebra on one thread."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.estimate.numerics import _libraries, one_thread


def test_it_is_one_within_and_as_before_after() -> None:
    """Else small matrices burn all cores, or the user's own products stay slow after a rehearsal."""
    np.linalg.inv(np.eye(2))
    if not _libraries():
        pytest.skip("no OpenBLAS here, or none that can be told")
    before = [get() for get, _ in _libraries()]
    with one_thread():
        assert [get() for get, _ in _libraries()] == [1] * len(before)
    assert [get() for get, _ in _libraries()] == before

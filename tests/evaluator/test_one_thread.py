"""Linear algebra on one thread."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

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


def test_it_holds_until_the_last_has_left() -> None:
    """Else figures of `--workers 2` differ in their last digits from those of one after another."""
    np.linalg.inv(np.eye(2))
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == [1] * len(before), "the second one works on several threads"
        second.__exit__(None, None, None)
        assert threads() == before, "the limit stays for ever"

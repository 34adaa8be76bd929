"""The one place that configures numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """Compile at the first call; kept on disk, and free of the interpreter lock while it runs.

    Divisions follow NumPy: a check for zero would keep the loops from being vectorised.
    """
    return cast("Kernel", numba.njit(cache=True, nogil=True, error_model="numpy")(function))

"""The one place that configures numba."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """Compile at the first call; kept on disk, and free of the interpreter lock while it runs.

    Divisions follow NumPy: a check for zero would keep the loops from being vectorised. Where the disk
    is full, or fills up, it is compiled again next time.
    """
    made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    if kept := getattr(made, "_cache", None):  # none where numba is told not to compile
        kept.save_overload = _if_it_can(kept.save_overload)
    return cast("Kernel", made)


def _if_it_can(save: Callable[..., None]) -> Callable[..., None]:
    """Numba's writing to its disk, which ends the call that was compiled by whatever the disk refuses."""

    def try_to(signature: Any, compiled: Any) -> None:
        with suppress(OSError):
            save(signature, compiled)

    return try_to

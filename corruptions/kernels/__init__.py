"""What is compiled: numba's loops in this folder, and OpenCV. What they mean stands one folder up.

Every kernel takes C-contiguous arrays with the image axis first, and works without fused or
re-ordered arithmetic, so that its bytes do not depend on the processor. Kernels call only
functions of their own file: numba's cache does not notice a change in another one.

Rows are indexed flat, `row[3 * x + channel]`, and copied and filled by loops: numba vectorises
those, where `image[y, x, channel]` and `row[:] = other` cost up to fifty times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError

try:
    import cv2
except ImportError as error:  # the full opencv-python wants libGL and X libraries
    raise CorruptionError(
        f"OpenCV does not load here: {error}. The headless build has the same functions and needs "
        "no system libraries: pip uninstall opencv-python; pip install opencv-python-headless"
    ) from error

__all__ = ["Bytes", "Indices", "Reals", "Values", "announce_compiling", "cv2", "kernel"]

Bytes = NDArray[np.uint8]
Reals = NDArray[np.float64]
Values = NDArray[np.float32]
Indices = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """Compile at the first call; kept on disk, and free of the interpreter lock while it runs.

    Divisions follow NumPy: a check for zero would keep the loops from being vectorised. Where the
    disk is full, or fills up, it is compiled again next time.
    """
    made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    if kept := getattr(made, "_cache", None):  # none where numba is told not to compile
        save = kept.save_overload

        def try_to_save(signature: Any, compiled: Any) -> None:
            with suppress(OSError):  # it would end the call that was compiled
                save(signature, compiled)

        kept.save_overload = try_to_save
    return cast("Kernel", made)


def announce_compiling(tell: Callable[[str], None]) -> None:
    """Call `tell` with one line when the first kernel of this process has to be compiled.

    Kernels that are found on disk are loaded without a word.
    """
    from numba.core import event

    told: list[str] = []

    class Listener(event.Listener):
        def on_start(self, _event: Any) -> None:
            if not told:
                told.append("compiling the corruption kernels (once on this machine, about 20 s)")
                tell(told[0])

        def on_end(self, _event: Any) -> None:
            """Nothing: the work goes on without another word."""

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]  # numba's own

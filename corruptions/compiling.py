"""Say so when kernels are compiled: once on a machine, some 20 seconds, kept on disk afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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

"""Whether this runs in a notebook, and a place in its output that is painted over, not added to.

IPython is never imported where it is not running already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HTML, _PLAIN = "text/html", "text/plain"


def running_shell() -> Any | None:
    """The shell of the notebook that runs this process; None where there is none."""
    ipython = sys.modules.get("IPython")
    if ipython is None or "ipykernel" not in sys.modules:
        return None
    shell = ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def started_by_notebook(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a cell started this process with `!`: a terminal, but each frame in it is stored."""
    inline = "inline" in environment.get("MPLBACKEND", "")
    return inline or "JPY_PARENT_PID" in environment


@dataclass
class Place:
    """A place in the output of a cell. spent: seconds that earlier bars of the cell took."""

    cell: int
    spent: float = 0.0
    _handle: Any = None

    def paint(self, plain: str, markup: str) -> None:
        """Show this in the place of what was there. markup: escaped HTML."""
        data = {_PLAIN: plain, _HTML: markup}
        if self._handle is None:
            from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


_places: list[Place] = []  # the last cell's, at most


def place_in(shell: Any) -> Place:
    """The running cell's: all bars of a cell share it, so that one line is left of them."""
    cell = int(shell.execution_count)
    if not _places or _places[0].cell != cell:
        _places[:] = [Place(cell)]
    return _places[0]

"""Whether this runs in a notebook, its words, and a place in its output that is painted over.

IPython is never imported where it is not running already.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_HTML, _PLAIN = "text/html", "text/plain"
_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[a-z][a-z-]*)(?: (?P<value>FILE|[0-9][0-9.]*\b|none\b))?"
)
_RECORD = re.compile(r"local-eval record (?P<zip>\S+) --score (?P<score>[0-9.]*[0-9])(?P<more>.*)")
_MORE = re.compile(r" --not-mine| --phase (?P<phase>'[^']*'|\S+?(?=[.;,)]*(?:\s|$)))")
_OTHERWISE = MappingProxyType({"data": "images", "images": "count"})  # called so in Python


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


def in_python(said: str) -> str:
    """A sentence of ours with our functions' words in the place of our commands'.

    "say --held-out" becomes "say held_out=True", `local-eval record a.zip --score 0.89` becomes
    `rehearsal.record("a.zip", "0.89")`.
    """
    said = _RECORD.sub(_recorded, said).replace("local-eval record", "rehearsal.record")
    return _OPTION.sub(_argument, said)


def _recorded(found: re.Match[str]) -> str:
    """A call of `record` for the command; what follows the command stays."""
    more, rest = "", found["more"]
    while option := _MORE.match(rest):
        phase = shlex.split(option["phase"] or "")
        more += f', phase="{phase[0]}"' if phase else ", mine=False"
        rest = rest[option.end() :]
    return f'rehearsal.record("{found["zip"]}", "{found["score"]}"{more}){rest}'


def _argument(found: re.Match[str]) -> str:
    option, value = found["name"], found["value"] or "True"
    if option.startswith("no-"):
        return f"{option.removeprefix('no-')}=False"
    name = option.replace("-", "_")
    is_text = value in ("FILE", "none")
    return f"{_OTHERWISE.get(name, name)}=" + (f'"{value}"' if is_text else value)


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

"""The rooms' doors: names that are loaded when they are asked for, beside users' own folders.

Three rooms have names that a project may have too: `corruptions`, `evaluator`, `submission`. A
folder of the user's of that name stands beside ours: the files of both are found, whichever comes
first. A file, such as `submission.py` in a notebook's folder, hides the room; it is told by name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("corruptions", "evaluator", "submission")
_HOME = Path(__file__).resolve().parents[2]  # the folder that they are in


def door(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A room's `__getattr__`. homes: name -> the module that it is loaded from.

    What it returns raises `ImportError` with one line where a file of the user's hides a room.
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        try:
            return getattr(importlib.import_module(homes[name]), name)
        except ImportError:
            if said := hidden():
                raise ImportError(said) from None
            raise

    return found


def hidden() -> str:
    """Which file stands in the place of one of our rooms, and what to do; "" where none does."""
    for name in ROOMS:
        known = sys.modules.get(name)
        spec = known.__spec__ if known else PathFinder.find_spec(name)
        if spec and spec.submodule_search_locations is None:
            return (
                f"{spec.origin} hides the {name} of codabench-rehearsal: give that file another "
                "name, then start Python anew"
            )
    return ""


def stand_beside() -> None:
    """Let our rooms be found behind packages of the user's own, imported by now or later."""
    for name in ROOMS:
        if known := sys.modules.get(name):
            _join(name, getattr(known, "__path__", None))
    if not any(isinstance(finder, _Beside) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Beside())


class _Beside(MetaPathFinder):
    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in ROOMS:
            return None
        spec = PathFinder.find_spec(fullname)
        _join(fullname, spec.submodule_search_locations if spec else None)
        return spec


def _join(name: str, folders: list[str] | None) -> None:
    """Ours behind the folders that a package's modules are looked for in; None: it is a file."""
    ours = _HOME / name
    if folders is not None and ours not in [Path(one).resolve() for one in folders]:
        folders.append(str(ours))

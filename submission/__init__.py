"""The zip: look into it, build it. Nothing in it is executed in this process.

In a notebook: `from submission import check; check("submission.zip", images, labels)`.
Importing this is free; the rest is loaded by the first name that needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.check import Checked
    from codabench_rehearsal.rehearsal.notebook import check

__all__ = ["Checked", "check"]

_HOMES = {"Checked": "check", "check": "notebook"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'submission' has no attribute {name!r}")
    return getattr(importlib.import_module(f"codabench_rehearsal.rehearsal.{_HOMES[name]}"), name)

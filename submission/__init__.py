"""The zip: look into it, build it. Nothing in it is executed in this process.

`from submission import check` is `codabench_rehearsal.check`, loaded when it is asked for.
"""

import importlib
from typing import Any

__all__ = ["Checked", "check"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'submission' has no attribute {name!r}")
    return getattr(importlib.import_module("codabench_rehearsal.rehearsal.check"), name)

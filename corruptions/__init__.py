"""What can happen to an image: the corruptions, chains of them, and presets.

Importing this is free; numpy and OpenCV are loaded by the first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.errors import CorruptionError

if TYPE_CHECKING:
    from corruptions import presets
    from corruptions.chain import corrupt_all, corrupt_condition, corrupt_mixed, corrupt_stream
    from corruptions.chain import corrupt_condition as corrupt_cell
    from corruptions.pipeline import corrupt_tf, keras_batches
    from corruptions.policy import aug_mix, rand_augment
    from corruptions.registry import corrupt, names

__all__ = [
    "CorruptionError",
    "aug_mix",
    "corrupt",
    "corrupt_all",
    "corrupt_cell",  # the next one's former name, for one more version
    "corrupt_condition",
    "corrupt_mixed",
    "corrupt_stream",
    "corrupt_tf",
    "keras_batches",
    "names",
    "presets",
    "rand_augment",
]

_HOMES = {
    "aug_mix": "policy",
    "corrupt": "registry",
    "corrupt_all": "chain",
    "corrupt_cell": "chain",
    "corrupt_condition": "chain",
    "corrupt_mixed": "chain",
    "corrupt_stream": "chain",
    "corrupt_tf": "pipeline",
    "keras_batches": "pipeline",
    "names": "registry",
    "rand_augment": "policy",
}


def __getattr__(name: str) -> Any:
    if name == "presets":
        return importlib.import_module("corruptions.presets")
    if name not in _HOMES:
        raise AttributeError(f"module 'corruptions' has no attribute {name!r}")
    return getattr(importlib.import_module(f"corruptions.{_HOMES[name]}"), name)

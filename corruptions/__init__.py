"""What can happen to an image: the corruptions, chains of them, and presets.

Importing this is free; numpy and OpenCV are loaded by the first name that needs them.
"""

from __future__ import annotations

import importlib
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from codabench_rehearsal.console.doors import door
from codabench_rehearsal.console.errors import CorruptionError

if TYPE_CHECKING:
    from corruptions import presets
    from corruptions.chain import corrupt_all, corrupt_condition, corrupt_mixed, corrupt_stream
    from corruptions.chain import corrupt_condition as corrupt_cell
    from corruptions.named import mixture
    from corruptions.pipeline import CorruptedDataset, corrupt_tf, keras_batches
    from corruptions.policy import aug_mix, rand_augment
    from corruptions.registry import corrupt, names

__all__ = [
    "CorruptedDataset",
    "CorruptionError",
    "aug_mix",
    "corrupt",
    "corrupt_all",
    "corrupt_cell",  # the former name of corrupt_condition, for one more version
    "corrupt_condition",
    "corrupt_mixed",
    "corrupt_stream",
    "corrupt_tf",
    "keras_batches",
    "mixture",
    "names",
    "presets",
    "rand_augment",
]

__path__ = extend_path(__path__, __name__)  # beside a folder of that name of the user's own
_find = door(
    __name__,
    {
        "CorruptedDataset": "corruptions.pipeline",
        "aug_mix": "corruptions.policy",
        "corrupt": "corruptions.registry",
        "corrupt_all": "corruptions.chain",
        "corrupt_cell": "corruptions.chain",
        "corrupt_condition": "corruptions.chain",
        "corrupt_mixed": "corruptions.chain",
        "corrupt_stream": "corruptions.chain",
        "corrupt_tf": "corruptions.pipeline",
        "keras_batches": "corruptions.pipeline",
        "mixture": "corruptions.named",
        "names": "corruptions.registry",
        "rand_augment": "corruptions.policy",
    },
)


def __getattr__(name: str) -> Any:
    if name == "presets":
        return importlib.import_module("corruptions.presets")
    return _find(name)

"""What answers depend on beside the submission and the images: the versions, known before it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from codabench_rehearsal.sandbox.chosen_python import PACKAGES, own_python, python_at
from evaluator.options import Device
from evaluator.storing.rows import environment_text

_GPU = Path("/dev/nvidia0")


def chosen_device(device: Device | None) -> Device:
    """The device to ask for: the GPU, except in a notebook, whose own model may hold it."""
    return device or ("cpu" if "ipykernel" in sys.modules else "gpu")


def environment(device: Device | None, python: str | None = None) -> str:
    """The versions that a submission meets here, and the device, as a text for the store.

    python: what runs the submission, None for our own; ours makes the images all the same.
    """
    own = own_python()
    versions = {"python": own.version, **_known(own.versions)}
    if python is not None and not (asked := python_at(python)).is_own:
        theirs = {"python": asked.version, **_known(asked.versions)}
        versions |= {"asked": asked.path, **{f"asked-{name}": it for name, it in theirs.items()}}
    there = _GPU.exists() and chosen_device(device) == "gpu"
    return environment_text({**versions, "device": "gpu" if there else "cpu"})


def _known(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: versions[name] for name in PACKAGES if name in versions}

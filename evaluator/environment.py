"""What answers depend on beside the submission and the images: the versions, known before it runs."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path

from evaluator.options import Device
from evaluator.storing.rows import environment_text

PACKAGES = (
    *("numpy", "tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "scikit-learn"),
    *("opencv-python-headless", "opencv-python", "scipy", "pillow"),  # they make the images
)
_GPU = Path("/dev/nvidia0")


def chosen_device(device: Device | None) -> Device:
    """The device to ask for: the GPU, except in a notebook, whose own model may hold it."""
    return device or ("cpu" if "ipykernel" in sys.modules else "gpu")


def environment(device: Device | None) -> str:
    """The versions that a submission meets here, and the device, as a text for the store."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    there = _GPU.exists() and chosen_device(device) == "gpu"
    return environment_text({**versions, "device": "gpu" if there else "cpu"})

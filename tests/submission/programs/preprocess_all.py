"""What every preprocess_input of keras.applications makes of the same images.

    python preprocess_all.py OUT.npz

Writes one array for each name of an application and each dtype, as `ResNet50/uint8`.
"""

import os
import sys
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np


def main(out: str) -> None:
    """Ask all of them, under each module's name and each network's."""
    images = np.random.default_rng(3).integers(0, 256, (4, 9, 7, 3), dtype="uint8")
    found: dict[str, Any] = {"images": images}
    for name, item in vars(keras.applications).items():
        home = item.__module__.split(".")[-1] if name[0].isupper() else name
        module: Any = getattr(keras.applications, home, None)
        if hasattr(module, "preprocess_input") and name != "imagenet_utils":
            for dtype in ("uint8", "float32"):
                found[f"{name}/{dtype}"] = module.preprocess_input(images.astype(dtype))
    np.savez(out, **found)


if __name__ == "__main__":
    main(sys.argv[1])

"""Build a submission zip from a dict of paths."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

GOOD_MODEL = """
from pathlib import Path
import numpy as np
class Model:
    def __init__(self):
        self.table = np.load(Path(__file__).parent / "weights.npy")
    def predict(self, X):
        return np.zeros(len(X), dtype=int)
"""


def _npy() -> bytes:
    held = io.BytesIO()
    np.save(held, np.zeros(8))
    return held.getvalue()


GOOD: dict[str, str | bytes] = {"model.py": GOOD_MODEL, "weights.npy": _npy()}


class Link(str):
    """A symbolic link to this target."""

    __slots__ = ()


def build_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a zip; a name ending in a slash is a folder, a `Link` a symbolic link."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if isinstance(content, Link):
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, content)
    return path


def keras_file(version: str, layer_config: Mapping[str, object], optimizer: int = 0) -> bytes:
    """A `.keras` file of one Dense layer with this config, and so many optimizer values."""
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "dense", "trainable": True, "units": 8, **layer_config},
        "registered_name": None,
    }
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "net", "layers": [layer]},
        "registered_name": "Sequential",
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", _h5(optimizer))
    return held.getvalue()


def _h5(optimizer: int) -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        if optimizer:
            file["optimizer/vars/0"] = np.zeros(optimizer, np.float32)
    return held.getvalue()

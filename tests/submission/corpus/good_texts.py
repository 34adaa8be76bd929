"""Whole model.py files in styles of their own, for `good.py`."""

from __future__ import annotations

TYPED = """
from __future__ import annotations
from pathlib import Path
from typing import Any, Optional, Union
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


class Model:
    centres: npt.NDArray[np.float64]

    def __init__(self, folder: Optional[Path] = None) -> None:
        self.centres = np.load((folder or Path(__file__).parent) / "weights.npy")

    def predict(self, X: Union[Any, NotImportedOnPurpose]) -> Labels:
        means: npt.NDArray[np.float64] = X[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
        return np.abs(means[:, None] - self.centres[None]).argmin(axis=1)
"""
DATACLASS = """
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
import numpy as np


@dataclass
class Settings:
    file: str = "weights.npy"
    box: tuple = (32, 64)
    extra: list = field(default_factory=list)


@dataclass(frozen=True)
class Member:
    settings: Settings
    weight: float = 1.0

    @cached_property
    def centres(self):
        return np.load(Path(__file__).parent / self.settings.file)

    def scores(self, X, *, power=1):
        low, high = self.settings.box
        means = np.asarray(X)[:, low:high, low:high].astype("float64").mean(axis=(1, 2, 3))
        return -self.weight * np.abs(means[:, None] - self.centres[None]) ** power


class Model:
    def __init__(self):
        self.members = [Member(Settings()), Member(Settings(box=(40, 56)), weight=0.5)]

    def predict(self, X):
        return sum(member.scores(X, power=2) for member in self.members).argmax(axis=1)
"""
ODD_SYNTAX = """
import os
import sys
import json, random
from pathlib import Path
import numpy as np

SEED = 42
random.seed(SEED)
np.random.seed(SEED)
__all__ = ["Model"]
try:
    import cv2
except ImportError:
    cv2 = None
try:
    from scipy.special import softmax
except Exception:
    def softmax(x, axis=-1):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)
if sys.version_info >= (3, 8):
    from typing import Final
else:
    Final = None

_cache = {}


def centres():
    global _loaded
    if (here := os.path.dirname(os.path.abspath(__file__))) not in _cache:
        _cache[here] = np.load(os.path.join(here, "weights" + ".npy"))
    _loaded = True
    return _cache[here]


def apply(function, *args, **kwargs):
    return function(*args, **kwargs)


def middle(X, low=32, high=64, /, *, axis=(1, 2, 3)):
    return np.asarray(X)[:, low:high, low:high].astype("float64").mean(axis=axis)


class Base:
    def __call__(self, X):
        return self.predict(X)

    @property
    def ready(self):
        return hasattr(self, "centres")

    @staticmethod
    def distance(a, b):
        return np.abs(a[:, None] - b[None])

    @classmethod
    def make(cls, *args, **kwargs):
        return cls(*args, **kwargs)


class Model(Base):
    sizes = [n for n in range(3)]

    def __init__(self):
        super().__init__()
        self.centres = centres()
        self.rank = lambda d: d.argmin(axis=1)

    def predict(self, X):
        assert self.ready
        means = apply(middle, X, 32, 64, axis=(1, 2, 3))
        scores = softmax(-self.distance(means, self.centres), axis=1)
        return scores.argmax(axis=1)


if __name__ == "__main__":
    images = np.load(sys.argv[1])["images"]
    print(Model.make()(images), file=sys.stderr)
    print(json.dumps({"n": len(images), "loaded": _loaded}))
"""
SERVICES = '''
"""Reads its settings from a JSON file, and its weights under a constant name."""
import json
import os
import pathlib
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent
SETTINGS = json.loads((ROOT / "settings.json").read_text())
WEIGHTS = os.path.join(str(ROOT), "parts", f"{SETTINGS['name']}.npy")


class Model:
    def __init__(self):
        if not os.path.exists(WEIGHTS):
            raise FileNotFoundError(WEIGHTS)
        with open(WEIGHTS, "rb") as file:
            self.centres = np.load(file)

    def predict(self, X):
        low, high = SETTINGS["box"]
        means = X[:, low:high, low:high].astype("float64").mean(axis=(1, 2, 3))
        return np.abs(means[:, None] - self.centres[None]).argmin(axis=1)
'''

"""The images: load, clean, split, and draw synthetic ones.

Importing this is free; numpy and OpenCV are loaded by the first name that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codabench_rehearsal.console.doors import door
from codabench_rehearsal.console.errors import DataError

if TYPE_CHECKING:
    from codabench_rehearsal.images.cleaning import clean
    from codabench_rehearsal.images.dataset import Dataset, from_arrays, load, save
    from codabench_rehearsal.images.smear import synthetic
    from codabench_rehearsal.images.splitting import prefix_order, read_split, split

__all__ = [
    "DataError",
    "Dataset",
    "clean",
    "from_arrays",
    "load",
    "prefix_order",
    "read_split",
    "save",
    "split",
    "synthetic",
]
_HOMES = {
    "cleaning": ("clean",),
    "dataset": ("Dataset", "from_arrays", "load", "save"),
    "smear": ("synthetic",),
    "splitting": ("prefix_order", "read_split", "split"),
}
__getattr__ = door(__name__, {n: f"{__name__}.{home}" for home in _HOMES for n in _HOMES[home]})

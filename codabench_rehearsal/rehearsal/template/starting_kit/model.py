"""The smallest submission: zip this file alone, and it can be uploaded.

The platform makes one object and asks it for the labels. Files that lie beside this one are found
by `Path(__file__).parent`, wherever the platform runs it.
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent  # load your weights from here


class Model:
    """Says class 0 to everything."""

    def __init__(self):
        pass

    def predict(self, X):  # noqa: N803 - the platform's name
        """Answer images, uint8 in 0..255."""
        return np.zeros(len(X), dtype=np.int64)

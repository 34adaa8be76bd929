"""The smallest submission that is worth an upload: the class whose mean colour is nearest.

The platform makes one object and asks it for the labels. Files that lie beside this one, as
`colours.npy`, are found by `Path(__file__).parent`, wherever the platform runs it.
"""

from pathlib import Path

import numpy as np


class Model:
    """Replace what is in it by your own."""

    def __init__(self):
        self.colours = np.load(str(Path(__file__).parent / "colours.npy"))

    def predict(self, X):  # noqa: N803 - the platform's name
        """Answer images, uint8 in 0..255."""
        return self.scores(X).argmax(axis=1)

    def scores(self, images):
        """How near each image (n, height, width, channels) is to each class: (n, classes)."""
        means = np.asarray(images).mean(axis=(1, 2))
        return -((means[:, None] - self.colours) ** 2).sum(axis=2)

"""A model.py around a Keras network, in the corpus's plain style."""

from __future__ import annotations

from tests.submission.corpus.case import Content, Weights, indented

PAGE = """
from pathlib import Path
import keras
import numpy as np
{top}
HERE = Path(__file__).parent


class Model:
    def __init__(self):
        {init}

    def predict(self, X):
        {predict}
{end}
"""
INIT = 'self.net = keras.models.load_model(HERE / "w.keras")'
PREDICT = "return np.argmax(self.net.predict(np.asarray(X, dtype='float32'), verbose=0), axis=1)"


def keras_page(predict: str = PREDICT, init: str = INIT, top: str = "", end: str = "") -> str:
    """The page with these bodies."""
    return PAGE.format(top=top, init=indented(init), predict=indented(predict), end=end)


def around(weights: str, model: str = "", **more: Content) -> dict[str, Content]:
    """model.py and w.keras; `layers_py` becomes layers.py."""
    named = {name.replace("_py", ".py"): text for name, text in more.items()}
    return {"model.py": model or keras_page(), "w.keras": Weights(weights), **named}

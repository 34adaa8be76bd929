"""The `model.py` that ships: the template with its settings filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files

from submission.challenge import Challenge
from submission.training_folder import Packing


def shipped_model(packing: Packing, weights: tuple[str, ...], challenge: Challenge) -> str:
    """The text of a self-contained module for the root of the zip.

    weights: the names that the files have in the zip. The settings block at the template's top is
    filled by literals, so that a participant reads and edits plain Python.
    """
    settings = {
        "WEIGHTS": list(weights),
        "SCALE": packing.scale,
        "RESIZE": packing.resize,
        "NUM_CLASSES": challenge.classes,
        "TTA": packing.tta,
        "ENSEMBLE": packing.ensemble,
    }
    template = files("submission") / "template" / "model.py"
    text = _filled(template.read_text(encoding="utf-8"), settings)
    text = text.replace("class Model:", f"class {challenge.class_name}:")
    return text.replace("def predict(self, X):", f"def {challenge.method}(self, X):")


def _filled(text: str, settings: Mapping[str, object]) -> str:
    for name, value in settings.items():
        line = f"{name} = {value!r}" if value is None else f"{name} = {json.dumps(value)}"
        text, found = re.subn(rf"^{name} = .*?(?=  #)", _always(line), text, flags=re.MULTILINE)
        if found != 1:
            raise RuntimeError(f"the template has {found} settings called {name}, not one")
    return text


def _always(line: str) -> Callable[[re.Match[str]], str]:
    """A replacement that re.sub takes as it stands, backslashes and all."""
    return lambda _match: line

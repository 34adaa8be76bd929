"""What a submission was trained with: told by what its code imports, else by what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from codabench_rehearsal.challenge.profile import Challenge
from submission.archive import Archive
from submission.checks.modules import words
from submission.checks.subject import Subject

Framework = Literal["keras", "torch", "sklearn"]

# Top-level names of what a network is made with, in the order in which they are believed: whoever
# imports PyTorch and scikit-learn trained with PyTorch, and counts or scales with the other.
_IMPORTED: Mapping[Framework, frozenset[str]] = MappingProxyType(
    {
        "keras": words("keras tensorflow tf_keras keras_cv keras_hub"),
        "torch": words("torch torchvision timm pytorch_lightning lightning fastai transformers"),
        "sklearn": words("sklearn xgboost lightgbm catboost joblib"),
    }
)
_HELD: Mapping[Framework, tuple[str, ...]] = MappingProxyType(
    {
        "keras": (".keras", ".h5", ".hdf5", ".tflite", "saved_model.pb"),
        "torch": (".pt", ".pth", ".ckpt", ".safetensors"),
        "sklearn": (".joblib", ".pkl", ".pickle", ".skops"),
    }
)


def frameworks(archive: Archive, challenge: Challenge) -> tuple[Framework, ...]:
    """What the zip's networks were made with; () where neither code nor files tell.

    Keras and PyTorch may be there both. Code that does not import any is told by its files, as
    where it loads them through a package of its own.
    """
    subject = Subject(archive, challenge, archive.path.name)
    tops = {name.split(".")[0] for module in subject.modules for _, name, _ in module.imports}
    found = [name for name, known in _IMPORTED.items() if tops & known]
    if not found:
        found = [name for name, endings in _HELD.items() if subject.ending(endings)]
    networks = [name for name in found if name != "sklearn"]
    return tuple(networks or found)

"""The `model.py` that ships: the template with its settings filled in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What the template needs to know; see `Packing` for the meanings."""

    weights: tuple[str, ...]
    scale: str
    resize: int | None
    tta: str
    ensemble: str
    class_name: str = "Model"
    method: str = "predict"


def shipped_model(settings: Settings) -> str:
    """The text of a self-contained module for the root of the zip."""
    raise NotImplementedError

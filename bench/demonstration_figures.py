"""The demonstration's figures as a file: what was measured of each model, whoever trains it again.

Weights and images stay where they were made; accuracies are kept, and the study rests on them
alone. So it runs in a minute, without data, and a model that is measured is not trained again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.report import write_json
from evaluator.estimate.inputs import Figures, LibraryCondition

FILE = Path(__file__).with_name("demonstration_figures.json")


@dataclass(frozen=True)
class Rehearsed:
    """A model, its training, its local figures, and its true score on each hidden set."""

    name: str
    training: str
    figures: Figures
    validation: float
    benchmark: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """All of them. library: its name; sizes: images of each hidden set; basis: said of the data."""

    library: str
    conditions: tuple[LibraryCondition, ...]
    sizes: Mapping[str, int]
    models: Mapping[str, Rehearsed]
    basis: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Whole, in place of what was there."""
        models = {name: _document(one) for name, one in self.models.items()}
        content = {"library": self.library, "basis": dict(self.basis), "sizes": dict(self.sizes)}
        conditions = [asdict(one) for one in self.conditions]
        write_json(path, content | {"conditions": conditions, "models": models})


def read(path: Path) -> Measured | None:
    """None where nothing is measured yet."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Measured(
        content["library"],
        tuple(LibraryCondition(**one) for one in content["conditions"]),
        content["sizes"],
        {name: _rehearsed(name, one) for name, one in content["models"].items()},
        content["basis"],
    )


def _document(one: Rehearsed) -> dict[str, Any]:
    return {
        "training": one.training,
        "validation": one.validation,
        "heavy": one.benchmark,
        "scores": dict(one.scores),
        "right": [round(a * n) for a, n in zip(one.figures.accuracies, _images(one), strict=True)],
        "asked": list(_images(one)),
    }


def _images(one: Rehearsed) -> tuple[int, ...]:
    assert one.figures.images is not None  # noqa: S101  they are measured
    return one.figures.images


def _rehearsed(name: str, content: Mapping[str, Any]) -> Rehearsed:
    pairs = zip(content["right"], content["asked"], strict=True)
    figures = Figures(name, tuple(r / n for r, n in pairs), tuple(content["asked"]))
    local = content["validation"], content["heavy"]
    return Rehearsed(name, content["training"], figures, *local, content["scores"])

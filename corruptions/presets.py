"""Cells and presets: which corruptions a benchmark draws, as data. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One operator of a chain at one severity (1..5)."""

    corruption: str
    severity: int


@dataclass(frozen=True)
class Cell:
    """One kind of damage: a chain of steps. A cell without steps is the clean image.

    `weight` is the cell's share of its preset; a preset's weights sum to 1.
    """

    name: str
    family: str
    steps: tuple[Step, ...]
    weight: float
    table: str = "imagecorruptions"

    @property
    def severity(self) -> int:
        """The strongest step's severity; 0 for the clean cell."""
        return max((step.severity for step in self.steps), default=0)


@dataclass(frozen=True)
class Preset:
    """A weighted list of cells; a benchmark draws `draws` of them for every image, balanced."""

    name: str
    cells: tuple[Cell, ...]
    draws: int
    description: str

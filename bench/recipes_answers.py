"""Answers as a file: what each zip said of every image, whoever trains it again.

Training five recipes, their variants and what their reports say takes longer than a session lasts,
and weights stay where they were made. Labels are kept, so that rows of different days stand in
pairs, and a page is made from the file alone. Who has no such file trains everything anew.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.recipe_runs import Bench, Training
from bench.report import write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset
from codabench_rehearsal.recipes.prepare import prepare
from codabench_rehearsal.recipes.system import chosen, load_system
from evaluator.answers import Answers
from evaluator.comparison.compare import answered, common_plan
from evaluator.options import Options

FILE = Path(__file__).with_name("recipes_answers.json")


@dataclass(frozen=True)
class Answered:
    """What a zip answered: preset -> a label for each question, int8, packed."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Kept(Answered):
    """A row of the evening. training: None where it shares another row's network.

    cores: that it was trained and timed on.
    """

    training: Training | None
    size: int
    rate: float
    cores: int


@dataclass(frozen=True, eq=False)
class Asking:
    """The images that none of the recipes trains on, and how zips are asked about them."""

    data: Dataset
    store: Path

    def options(self, preset: str) -> Options:
        """The same for every row: all of these images, without a split."""
        fixed = {"images": None, "device": "cpu", "estimate": False, "order_seed": 0}
        return Options(corrupt=preset, store=str(self.store), split="none", **fixed)  # type: ignore[arg-type]  # each is of its field's type

    def ask(self, zip_path: Path, preset: str) -> str:
        """What a zip answers, packed."""
        (found,) = answered([zip_path], self.data, load_challenge(), self.options(preset))
        return base64.b64encode(zlib.compress(found.labels.astype(np.int8).tobytes(), 9)).decode()

    def answers(self, kept: Answered, preset: str) -> Answers:
        """A row's answers, unpacked; the questions are what they were."""
        plan = common_plan([], self.data, self.options(preset))
        part = plan.rounds(self.options(preset))[-1]
        raw = zlib.decompress(base64.b64decode(kept.labels[preset]))
        labels = np.frombuffer(raw, np.int8).astype(np.int64)
        questions = plan.questions("shown", part)
        return Answers(
            kept.name, kept.name, plan.benchmark("shown", part.images), questions, labels
        )


def asking(bench: Bench, data: Dataset, names: tuple[str, ...]) -> Asking:
    """What none of these recipes' evenings trains on, by their own splits."""
    challenge = load_challenge()
    wanted: set[str] | None = None
    for name in names:
        system = chosen(load_system(name), {}, "evening")
        sides = prepare(system, data, challenge.classes, 0).split
        held = set(sides.validation.fingerprints()) - set(sides.train.fingerprints())
        wanted = held if wanted is None else wanted & held
    rows = [row for row, one in enumerate(data.fingerprints()) if wanted and one in wanted]
    return Asking(data.subset(rows), bench.out / "store")


def read(path: Path) -> dict[str, Kept]:
    """The evening's rows that are kept, by name."""

    def row(content: dict[str, Any]) -> Kept:
        given = content["training"]
        return Kept(**{**content, "training": Training(**given) if given else None})

    return {name: row(one) for name, one in read_rows(path).items()}


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """What is kept there, by name; nothing where there is no such file."""
    if not path.is_file():
        return {}
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def write(path: Path, rows: Mapping[str, Answered], images: int) -> None:
    """Whole, in place of what was there."""
    named = {name: asdict(one) for name, one in rows.items()}
    write_json(path, {"images": images, "rows": named})

"""A sound bundle in the tests' own words, and what can be wrong with one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c6360"
    "606060000000050001a5f645400000000049454e44ae426082".replace(" ", "")
)
INGESTION = """\
import sys
sys.path.append("/app/ingested_program")
import numpy as np
from model import Model

X = np.load("/app/input_data/test.npy")
model = Model()
model.fit(np.load("/app/input_data/train.npy"))
np.savetxt("/app/output/predictions.txt", model.predict(X))
"""
SCORING = """\
import json
import os
import numpy as np

truth = np.load("/app/input/ref/labels.npy")
if not os.path.exists("/app/input/res/predictions.txt"):
    raise SystemExit("no predictions: ingestion failed")
found = np.loadtxt("/app/input/res/predictions.txt")
with open("/app/output/scores.json", "w") as file:
    json.dump({"accuracy": float((truth == found).mean()), "loss_of_it": 0.5}, file)
"""
TASK = {
    "name": "Development",
    "description": "as it says",
    "scoring_program": "scoring_program",
    "ingestion_program": "ingestion_program",
    "input_data": "input_data",
}


def manifest() -> dict[str, Any]:
    """competition.yaml of the sound bundle."""
    phase = {"max_submissions_per_day": 5, "max_submissions": 100, "execution_time_limit": 600}
    first = {"start": "2026-01-01 00:00:00", "end": "2026-02-01 12:00:00", "tasks": [0]}
    return {
        "version": 2,
        "title": "A challenge",
        "description": "Tell them apart.",
        "image": "logo.png",
        "docker_image": "codalab/codalab-legacy:py312",
        "terms": "pages/terms.md",
        "pages": [{"title": "Overview", "file": "pages/overview.md"}],
        "tasks": [
            {"index": 0, **TASK, "reference_data": "reference_data/dev"},
            {"index": 1, **TASK, "name": "Final", "reference_data": "reference_data/final"},
        ],
        "phases": [
            {"index": 0, "name": "Development", **first, **phase, "starting_kit": "kit"},
            {"index": 1, "name": "Final", "start": "2026-02-02 00:00:00", **phase, "tasks": [1]},
        ],
        "leaderboards": [
            {
                "title": "Results",
                "key": "main",
                "submission_rule": "Force_Best",
                "columns": [
                    {"title": "Accuracy", "key": "accuracy", "index": 0, "sorting": "desc"},
                    {"title": "Loss", "key": "loss_of_it", "index": 1, "sorting": "asc"},
                ],
            }
        ],
    }


def files() -> dict[str, bytes]:
    """What lies beside it."""
    return {
        "logo.png": PNG,
        "pages/terms.md": b"Be fair.",
        "pages/overview.md": b"Submit model.py.",
        "ingestion_program/metadata.yaml": b"command: python3 ingestion.py\n",
        "ingestion_program/ingestion.py": INGESTION.encode(),
        "scoring_program/metadata.yaml": b"command: python3 /app/program/scoring.py\n",
        "scoring_program/scoring.py": SCORING.encode(),
        "input_data/train.npy": bytes(range(200)),
        "input_data/test.npy": bytes(range(100, 250)),
        "reference_data/dev/labels.npy": b"dev labels" * 20,
        "reference_data/final/labels.npy": b"final labels" * 20,
        "kit/README.md": b"Mount -v kit:/app/ingested_program and try.",
        "kit/model.py": b"class Model:\n    pass\n",
    }


@dataclass
class Draft:
    """A bundle that is still to be written. edits: of the text of competition.yaml."""

    yaml: dict[str, Any] = field(default_factory=manifest)
    files: dict[str, bytes] = field(default_factory=files)
    edits: list[tuple[str, str]] = field(default_factory=list)
    name: str = "competition.yaml"

    def edit(self, old: str, new: str) -> None:
        """Replace something in the text of competition.yaml."""
        self.edits.append((old, new))

    def add(self, name: str, text: str | bytes) -> None:
        """Write a file."""
        self.files[name] = text.encode() if isinstance(text, str) else text

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file's text."""
        assert old in self.files[name].decode(), old
        self.files[name] = self.files[name].replace(old.encode(), new.encode())

    def zip_up(self, folder: str) -> None:
        """Put a zip in the place of a folder."""
        inside = {n: d for n, d in self.files.items() if n.startswith(f"{folder}/")}
        for name in inside:
            del self.files[name]
        plain = {name.removeprefix(f"{folder}/"): data for name, data in inside.items()}
        self.files[f"{folder}.zip"] = zipped(plain)

    def every(self) -> dict[str, bytes]:
        """All files, competition.yaml too."""
        text = yaml.safe_dump(self.yaml, sort_keys=False, allow_unicode=True)
        for old, new in self.edits:
            assert old in text, old
            text = text.replace(old, new)
        return {self.name: text.encode(), **self.files}

    def as_folder(self, folder: Path) -> Path:
        """Write it as a folder."""
        for name, data in self.every().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    def as_zip(self, path: Path) -> Path:
        """Write it as a zip."""
        path.write_bytes(zipped(self.every()))
        return path


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


Change = Callable[[Draft], object]

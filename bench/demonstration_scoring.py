"""Score models on the hidden sets: `python -m bench.demonstration_scoring`, the bench's child."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras

from codabench_rehearsal.images import Dataset, load

BATCH = 128


def accuracy(model: keras.Model, data: Dataset) -> float:
    """Of a model that takes 0..255."""
    labels = model.predict(data.images, batch_size=BATCH, verbose=0).argmax(1)
    return float((labels == data.labels).mean())


def main(argv: list[str] | None = None) -> int:
    """Write `scores.json` into every model's folder: set -> accuracy."""
    parser = argparse.ArgumentParser(prog="python -m bench.demonstration_scoring")
    parser.add_argument("--sets", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("models", nargs="+", type=Path)
    options = parser.parse_args(argv)
    sets = {name: load(path) for name, path in (pair.split("=", 1) for pair in options.sets)}
    for folder in options.models:
        model = keras.models.load_model(folder / "weights.keras", compile=False)
        found = {name: accuracy(model, data) for name, data in sets.items()}
        (folder / "scores.json").write_text(json.dumps(found), encoding="utf-8")
        keras.backend.clear_session()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

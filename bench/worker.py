"""A side in a process of its own: `python -m bench.worker MODULE CORES`, JSON lines in and out.

It runs one request at a time, so that sides can take turns within one run. Under the Python of any
environment that has numpy and the side's library.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.contender import Contender, Images

Answer = dict[str, Any]


@dataclass
class Stage:
    """The side's contenders and the images they work on."""

    contenders: dict[str, Contender]
    images: Images = field(default_factory=lambda: np.empty((0, 96, 96, 3), np.uint8))
    _prepared: dict[tuple[str, int], Any] = field(default_factory=dict)

    def load(self, path: str) -> Answer:
        """Read the images of all further requests."""
        self.images = np.load(path, allow_pickle=False)
        self._prepared.clear()
        return {"count": len(self.images)}

    def catalogue(self) -> Answer:
        """What can be timed, as plain data."""
        shown = ("task", "label", "same", "draws", "whole", "note")
        rows = {key: {n: getattr(c, n) for n in shown} for key, c in self.contenders.items()}
        return {"contenders": rows}

    def plan(self, key: str, seconds: float, least: int = 24) -> Answer:
        """Warm up; then how many images and repeats take about `seconds`."""
        count = len(self.images) if self.contenders[key].whole else min(least, len(self.images))
        self.measure(key, count, 1)
        cost = max(self.measure(key, count, 1)["cpu"], 1e-6)
        wanted = seconds / cost
        if not self.contenders[key].whole:
            more = min(max(count, int(count * wanted)), len(self.images))
            wanted, count = wanted * count / more, more
        return {"count": count, "repeats": max(1, round(wanted))}

    def measure(self, key: str, count: int, repeats: int) -> Answer:
        """CPU and wall seconds of `repeats` calls on the first `count` images."""
        contender, ready = self.contenders[key], self._ready(key, count)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            contender.call(ready)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"cpu": cpu, "wall": wall, "images": count * repeats}

    def save(self, key: str, count: int, path: str) -> Answer:
        """Write the results for the first `count` images to a .npy file."""
        contender = self.contenders[key]
        result = contender.finish(contender.call(self._ready(key, count)))
        np.save(path, result, allow_pickle=False)
        return {"shape": list(result.shape)}

    def _ready(self, key: str, count: int) -> Any:
        if (key, count) not in self._prepared:
            self._prepared.clear()  # one at a time: memory
            self._prepared[key, count] = self.contenders[key].prepare(self.images[:count])
        return self._prepared[key, count]


def answer(stage: Stage, request: dict[str, Any]) -> Answer:
    """Run one request; what a library raises is an answer, not the end."""
    actions: dict[str, Callable[..., Answer]] = {
        "load": stage.load,
        "catalogue": stage.catalogue,
        "plan": stage.plan,
        "measure": stage.measure,
        "save": stage.save,
    }
    try:
        return actions[request.pop("do")](**request)
    except Exception as error:  # noqa: BLE001  a foreign library may raise anything
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def main(argv: list[str]) -> int:
    """Answer requests until the input ends. Whatever libraries print goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in argv[1].split(",")})
    sys.path.insert(0, str(Path(__file__).parent.parent))
    try:
        offered = importlib.import_module(argv[0]).contenders()
    except Exception as error:  # noqa: BLE001
        replies.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}) + "\n")
        return 1
    stage = Stage({contender.key: contender for contender in offered})
    replies.write(json.dumps({"ready": argv[0]}) + "\n")
    for line in sys.stdin:
        replies.write(json.dumps(answer(stage, json.loads(line))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What the command's own process takes for `--full`: `python -m bench.full_memory`.

For N images of 96x96 and C conditions, in a fresh process: everything that an evaluation does, up
to the page, except damaging images and asking the submission, whose answers are drawn (three right
in four). Printed: peak of resident memory beyond the data as they were given, and CPU seconds. The
blocks of images on their way to the submission come on top: at most 4,096 of them at a time with a
store.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory import _status as status

SIZES, CONDITIONS = (5_000, 10_000, 20_000), (10, 40, 80)


def main(argv: list[str]) -> int:
    """A row for every number of images, a column for every number of conditions."""
    parser = argparse.ArgumentParser(prog="python -m bench.full_memory", description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=SIZES)
    parser.add_argument("--conditions", type=int, nargs="*", default=CONDITIONS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        print(json.dumps(measure(options.images[0], options.conditions[0])))
        return 0
    for images in options.images:
        for conditions in options.conditions:
            words = [sys.executable, "-m", "bench.full_memory", "--child"]
            words += ["--images", str(images), "--conditions", str(conditions)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"{images:6,} images, {conditions:2} conditions: {found}", flush=True)
    return 0


def measure(count: int, conditions: int) -> dict[str, float]:
    """MB beyond the data, and CPU seconds, in this process."""
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.images import from_arrays
    from codabench_rehearsal.rehearsal.forecast import guard
    from evaluator import evaluate as module
    from evaluator.ask import Runner
    from evaluator.options import Options
    from evaluator.progress import silent

    class Drawn:
        """An executor that draws answers, without a submission."""

        def run(self, works: Any, answered: Any, _progress: Any) -> bool:
            """Answer block by block."""
            draws = np.random.default_rng(0)
            for work in works:
                right, others = draws.random(len(work)) < 0.75, draws.integers(0, 8, len(work))
                answered(work, np.where(right, data.labels[work.ids], others))
            return True

    class Unasked(Runner):
        """Starts nothing."""

        def begin(self) -> Any:
            """Nor here."""
            self.guard = guard(self.bounds)
            return Drawn()

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 96, 96, 3), np.uint8)
    data = from_arrays(images, np.arange(count) % 8)
    del images
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with zipfile.ZipFile(folder / "one.zip", "w") as file:
            file.writestr("model.py", "class Model:\n    def predict(self, X):\n        return X\n")
        options = Options(
            corrupt=preset(folder, conditions),
            full=True,
            estimate=False,
            store=str(folder / "s.sqlite"),
        )
        vars(module).update(Runner=Unasked, meaningless=lambda *_: [])  # the latter would ask again
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
        used = resource.getrusage(resource.RUSAGE_SELF)
        report = module.evaluate(folder / "one.zip", data, load_challenge(), options, silent)
        asked = status("VmHWM") - before
        (folder / "page.html").write_text(report._repr_html_(), encoding="utf-8")
        (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
        now = resource.getrusage(resource.RUSAGE_SELF)
        stored = (folder / "s.sqlite").stat().st_size
    if report.scores is None or report.scores.answers != count * (conditions + 1):
        raise RuntimeError(f"expected {count * (conditions + 1)} answers: {report.scores}")
    return {
        "data MB": round(data.images.nbytes / 1e6),
        "evaluated MB": round(asked / 1e6),
        "with page MB": round((status("VmHWM") - before) / 1e6),
        "CPU s": round(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, 2),
        "store MB": round(stored / 1e6, 2),
    }


def preset(folder: Path, conditions: int) -> str:
    """A preset of so many conditions, `brightness` to `jpeg_compression` at severities 1 to 5."""
    from corruptions.chain import table_names

    names = [f'"{name}:{level}"' for level in range(1, 6) for name in table_names()][:conditions]
    family = f'[[family]]\nname = "all"\nconditions = [{", ".join(names)}]\n'
    head = f'draws = 1\ntable = "cells-96"\n{family}'
    path = folder / "cells.toml"
    path.write_text(head, encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

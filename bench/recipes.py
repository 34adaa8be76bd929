"""`python -m bench.recipes --data FILE --out FOLDER`: train the five miniatures, side by side.

Every recipe is trained with --fast by `train-recipe` itself, packed by `make-submission` (checks
and dry run included), and asked by local-eval's own code on images that none of them was trained
on, clean and under both presets. What is done is not done again: delete a folder to redo it.

The negative control must lose most from clean to `an2dl-2024`: its interval below all others'. The
rest of the order is reported only; the teams' rests on ImageNet weights, which the miniatures lack.

--write docs/recipes.md puts the table into the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.demonstration_report import put_into, table
from bench.recipe_runs import CONTROL, HIDDEN, Bench, Training, interval
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.words import percent
from codabench_rehearsal.images import load
from codabench_rehearsal.recipes.system import load_system, system_names
from evaluator.comparison.standings import Comparison, Standing
from evaluator.metrics import Score

PRESETS = ("heavy", HIDDEN)
OURS = ("baseline",)  # has no miniature: it is one


@dataclass(frozen=True)
class Found:
    """A recipe's accuracies; drop: from clean to the preset, in 0..1."""

    training: Training
    clean: Score
    damaged: dict[str, Score]
    drop: dict[str, Score]


def main(argv: list[str] | None = None) -> int:
    """Train, pack, ask; returns 0, or 1 where a bar is missed: below, the control loses most."""
    options = _arguments(argv)
    kind = "evening" if options.evening else "fast"
    bench = Bench(options.data.resolve(), options.out.resolve() / kind)
    bench.out.mkdir(parents=True, exist_ok=True)
    if options.evening:
        from bench import recipes_evening

        names = options.rows or recipes_evening.NAMES
        return recipes_evening.run(bench, options.json, options.write, names)
    names = [name for name in system_names() if name not in OURS]
    trainings = [bench.train(name, name, "--fast") for name in names]
    challenge = load_challenge()
    data = load(bench.data, shape=challenge.shape, classes=challenge.classes)
    zips = [bench.pack(name) for name in names]
    comparisons = {preset: bench.compare(zips, data, preset) for preset in PRESETS}
    found = [_found(i, training, comparisons) for i, training in enumerate(trainings)]
    text = "\n".join(_table(found, comparisons))
    console().print(text, markup=False)
    if options.json:
        write_json(options.json, _document(found))
    if options.write:
        put_into(options.write, text, "bench.recipes")
    return 0 if _control_loses_most(found) else 1


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.recipes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="training_set.npz")
    parser.add_argument("--out", type=Path, required=True, help="outside of the repository")
    evening = "the versions with real pretrained weights: hours (bench/recipes_evening.py)"
    parser.add_argument("--evening", action="store_true", help=evening)
    rows = "of an evening: make these, and no others that are missing"
    parser.add_argument("--rows", nargs="+", metavar="NAME", help=rows)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/recipes.md")
    return parser.parse_args(argv)


def _found(place: int, training: Training, comparisons: dict[str, Comparison]) -> Found:
    standings: dict[str, Standing] = {
        preset: one.standings[place] for preset, one in comparisons.items()
    }
    return Found(
        training,
        standings[PRESETS[0]].clean,
        {preset: one.benchmark for preset, one in standings.items()},
        {preset: _drop(one.gap.change) for preset, one in standings.items()},
    )


def _drop(change: Score) -> Score:
    return Score(-change.value, -change.high, -change.low, change.n)


def _control_loses_most(found: Sequence[Found]) -> bool:
    """Whether the control's interval lies above every other one's."""
    drops = {one.training.name: one.drop[HIDDEN] for one in found}
    own = drops.pop(CONTROL)
    return all(own.low > other.high for other in drops.values())


def _table(found: Sequence[Found], comparisons: dict[str, Comparison]) -> list[str]:
    images = next(iter(comparisons.values())).images
    basis = f"On {images:,} images that none of them was trained on, with 95 % intervals; trained "
    titles = (
        *("recipe (`--fast`)", "reported for the full one", "epochs", "seconds"),
        *("waiting for data", "clean", *(f"`{preset}`" for preset in PRESETS)),
        "lost to `an2dl-2024`",
    )
    rows = [
        (
            f"`{one.training.name}`",
            load_system(one.training.name).reported,
            f"{one.training.epochs}",
            f"{one.training.seconds:.0f}",
            percent(one.training.waited),
            interval(one.clean),
            *(interval(one.damaged[preset]) for preset in PRESETS),
            interval(one.drop[HIDDEN]),
        )
        for one in sorted(found, key=lambda one: one.drop[HIDDEN].value)
    ]
    said = "loses most, beyond its interval" if _control_loses_most(found) else "does NOT lose most"
    end = f"`{CONTROL}`, the negative control, {said}."
    return [f"{basis}on {machine()['cores']} cores.", "", table(titles, rows), "", end]


def _document(found: Sequence[Found]) -> dict[str, Any]:
    return {
        "machine": machine(),
        "recipes": json.loads(json.dumps(found, default=vars)),
        "control_loses_most": _control_loses_most(found),
    }


if __name__ == "__main__":
    sys.exit(main())

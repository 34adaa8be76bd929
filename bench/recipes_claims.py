"""`python -m bench.recipes_claims --data FILE --out FOLDER`: what the teams' reports say, tried.

Each claim is tried on EfficientNetLite0 with ImageNet's weights: a recipe's evening version,
shortened, and the same with one thing changed; the same images, the same number of steps but for
rounding, one seed. What is done is not done again. --write docs/recipes.md puts the table there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.demonstration_report import put_into
from bench.recipe_runs import Bench, interval, points, table
from bench.report import console, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import load
from codabench_rehearsal.recipes.loading import loading_keras
from codabench_rehearsal.recipes.system import Change, System, changed, chosen, load_system
from evaluator.comparison.standings import Comparison

HIDDEN = "an2dl-2024"
HEAD, EPOCHS = 1, 6  # epochs of the head alone, and of everything
_UNBALANCED = 1.56  # images of the filled-up classes for each image that there is


@dataclass(frozen=True)
class Claim:
    """What a report says. first: what is held against the others, changes of the recipe by name."""

    said: str
    recipe: str
    changes: Mapping[str, Change]


def _one(name: str) -> Change:
    return {"copies": ((name,),)}


CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "augmentation": Claim(
            "RandAugment is the best single augmentation (Hidden Players, Reluctant Learners)",
            "hidden_players",
            {
                "RandAugment": _one("rand_augment"),
                "none": {"copies": ((),)},
                "a1 (flip, scale)": _one("a1"),
                "a2 (rotate, translate, shear)": _one("a2"),
                "a3 (contrast, brightness, colour)": _one("a3"),
                "AugMix": _one("aug_mix"),
                "CutMix": _one("cut_mix"),
                "MixUp": _one("mix_up"),
            },
        ),
        "balance": Claim(
            "filling up small classes beats class weights (Reluctant Learners)",
            "reluctant_learners",
            {
                "filled up": {},
                "class weights": {"balance": (), "class_weights": True},
                "neither": {"balance": ()},
            },
        ),
        "optimizer": Claim(
            "Lion beats Adam (Reluctant Learners, MadaPenguins)",
            "reluctant_learners",
            {
                "Lion 1e-4": {},
                "Adam 3e-4": {"optimizer": ("adam", 3e-4)},
                "Adam 1e-3": {"optimizer": ("adam", 1e-3)},
            },
        ),
        "mask": Claim(
            "masking dark overlays hurts (Overfitting Gods)",
            "overfitting_gods",
            {"no mask": {}, "mask": {"model_options.mask": True}},
        ),
    }
)


def main(argv: list[str] | None = None) -> int:
    """Train, pack, ask, print."""
    options = _arguments(argv)
    bench = Bench(options.data.resolve(), options.out.resolve())
    challenge = load_challenge()
    data = load(bench.data, shape=challenge.shape, classes=challenge.classes)
    found = {}
    for key, claim in CLAIMS.items():
        for number, change in enumerate(claim.changes.values()):
            _train(bench, f"{key}-{number}", _system(claim, change))
        zips = [
            bench.pack(f"{key}-{number}", "--tta", "none") for number in range(len(claim.changes))
        ]
        found[key] = bench.compare(zips, data, HIDDEN)
    text = "\n".join(_text(found))
    console().print(text, markup=False)
    if options.json:
        write_json(options.json, {key: _document(CLAIMS[key], one) for key, one in found.items()})
    if options.write:
        put_into(options.write, text, "bench.recipes_claims")
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.recipes_claims", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="training_set.npz")
    parser.add_argument("--out", type=Path, required=True, help="outside of the repository")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/recipes.md")
    return parser.parse_args(argv)


def _system(claim: Claim, change: Change) -> System:
    """The recipe's evening in two phases, with one thing changed."""
    system = chosen(load_system(claim.recipe), {}, "evening")
    head, last = system.phases[0], system.phases[-1]
    head = replace(head, epochs=HEAD, folds=0, patience=None)
    last = replace(last, epochs=EPOCHS)
    if "optimizer" in change:
        optimizer, rate = change["optimizer"]
        last, change = replace(last, optimizer=optimizer, learning_rate=rate), {}
    filled = bool(system.balance)
    system = changed(system, {**change, "phases": (head, last)})
    if filled and not system.balance:  # as many steps as with the classes filled up
        longer = [replace(one, epochs=round(_UNBALANCED * one.epochs)) for one in system.phases]
        system = replace(system, phases=tuple(longer))
    return system


def _train(bench: Bench, name: str, system: System) -> None:
    folder = bench.out / name
    if (folder / "trained.json").is_file():
        return
    with loading_keras(None):
        import keras

        from codabench_rehearsal.recipes.train import TrainingRun, train
    challenge = load_challenge()
    data = load(bench.data, part="train", shape=challenge.shape, classes=challenge.label_names)
    run = TrainingRun(weights="imagenet", resume=True)
    done = train(system, data, folder, classes=challenge.classes, run=run)
    console().print(f"{name}: {done.validation_accuracy:.4f} in {done.seconds:.0f} s")
    keras.utils.clear_session()


def _text(found: Mapping[str, Comparison]) -> list[str]:
    lines = []
    for key, comparison in found.items():
        claim = CLAIMS[key]
        titles = (f"`{claim.recipe}`", "clean", f"`{HIDDEN}`", "against the first, in points")
        against = ["-", *(points(pair.benchmark.change) for pair in comparison.pairs)]
        rows = [
            (name, interval(one.clean), interval(one.benchmark), points_)
            for name, one, points_ in zip(claim.changes, comparison.standings, against, strict=True)
        ]
        lines += [f"*{claim.said}:*", "", *table(titles, rows), ""]
    return lines[:-1]


def _document(claim: Claim, comparison: Comparison) -> dict[str, Any]:
    named = zip(claim.changes, comparison.standings, strict=True)
    rows = {name: {"clean": vars(one.clean), HIDDEN: vars(one.benchmark)} for name, one in named}
    return {"said": claim.said, "recipe": claim.recipe, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())

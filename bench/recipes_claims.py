"""`python -m bench.recipes_claims --data FILE --out FOLDER`: what the teams' reports say, tried.

Each claim is tried on EfficientNetLite0 with ImageNet's weights: a recipe's evening version,
shortened, and the same with one thing changed; the same images, as many steps (but for the
rounding of epochs), one seed. What is done is not done again. --write docs/recipes.md puts the
tables there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.demonstration_report import put_into, table
from bench.recipe_runs import HIDDEN, Bench, interval, points
from bench.report import console, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import load
from codabench_rehearsal.recipes.loading import loading_keras
from codabench_rehearsal.recipes.system import Change, System, changed, chosen, load_system
from evaluator.comparison.standings import Comparison

HEAD, EPOCHS = 2, 6  # epochs of the head alone, and of everything
_UNBALANCED = 1.56  # images of the filled-up classes for each image that there is


@dataclass(frozen=True)
class Variant:
    """A change of the recipe, and of its last phase. reported: the team's own figure of it."""

    change: Change = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    reported: str = "-"


@dataclass(frozen=True)
class Claim:
    """What a report says, and what is held against each other, by name: the others, the first."""

    said: str
    recipe: str
    variants: Mapping[str, Variant]


def _one(name: str, reported: str = "-") -> Variant:
    return Variant({"copies": ((name,),)}, reported=reported)


def _adam(rate: float) -> Variant:
    return Variant(last={"optimizer": "adam", "learning_rate": rate})


CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "augmentation": Claim(
            "RandAugment is the best single augmentation (Hidden Players, Reluctant Learners)",
            "hidden_players",
            {
                "RandAugment": _one("rand_augment"),
                "none": Variant({"copies": ((),)}),
                "a1 (flip, scale)": _one("a1", "0.955 / 0.204"),
                "a2 (rotate, translate, shear)": _one("a2", "0.987 / 0.196"),
                "a3 (contrast, brightness, colour)": _one("a3", "0.991 / 0.385"),
                "AugMix": _one("aug_mix"),
                "CutMix": _one("cut_mix"),
                "MixUp": _one("mix_up"),
            },
        ),
        "balance": Claim(
            "filling up small classes beats class weights (Reluctant Learners)",
            "reluctant_learners",
            {
                "filled up": Variant(),
                "class weights": Variant({"balance": (), "class_weights": True}),
                "neither": Variant({"balance": ()}),
            },
        ),
        "optimizer": Claim(
            "Lion beats Adam (Reluctant Learners, MadaPenguins)",
            "reluctant_learners",
            {
                "Lion 1e-4": Variant(),
                "Adam 3e-4": _adam(3e-4),
                "Adam 1e-3": _adam(1e-3),
            },
        ),
        "mask": Claim(
            "masking dark overlays hurts (Overfitting Gods)",
            "overfitting_gods",
            {
                "no mask": Variant(reported="Codabench 0.60"),
                "mask": Variant({"model_options.mask": True}, reported="Codabench 0.55"),
            },
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
        names = [f"{key}-{number}" for number in range(len(claim.variants))]
        for name, variant in zip(names, claim.variants.values(), strict=True):
            _train(bench, name, _system(claim, variant))
        zips = [bench.pack(name, "--tta", "none") for name in names]
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


def _system(claim: Claim, variant: Variant) -> System:
    """The recipe's evening in two phases, with one thing changed."""
    system = chosen(load_system(claim.recipe), {}, "evening")
    head = replace(system.phases[0], epochs=HEAD, folds=0, patience=None)
    last = replace(system.phases[-1], epochs=EPOCHS, **variant.last)
    filled = bool(system.balance)
    system = changed(system, {**variant.change, "phases": (head, last)})
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
        theirs = "theirs (clean / own benchmark)"
        titles = (f"`{claim.recipe}`", theirs, "clean", f"`{HIDDEN}`", "against the first")
        against = ["-", *(points(pair.benchmark.change) for pair in comparison.pairs)]
        rows = [
            (name, interval(one.clean), interval(one.benchmark), points_)
            for name, one, points_ in zip(
                claim.variants, comparison.standings, against, strict=True
            )
        ]
        lines += [f"*{claim.said}:*", "", table(titles, rows), ""]
    return lines[:-1]


def _document(claim: Claim, comparison: Comparison) -> dict[str, Any]:
    named = zip(claim.variants, comparison.standings, strict=True)
    rows = {name: {"clean": vars(one.clean), HIDDEN: vars(one.benchmark)} for name, one in named}
    return {"said": claim.said, "recipe": claim.recipe, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())

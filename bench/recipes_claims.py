"""`python -m bench.recipes_claims --data FILE --out FOLDER`: what the teams' reports say, tried.

Each claim is tried on EfficientNetLite0 with ImageNet's weights: a recipe's evening version,
shortened, and the same with one thing changed; the same images, as many steps (but for the
rounding of epochs), one seed. What a variant answers is kept in bench/recipes_claims_answers.json,
and it is not trained again; --claims tries some of them. --write docs/recipes.md puts the tables
there.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.demonstration_report import put_into, table
from bench.recipe_runs import HIDDEN, Bench, interval, points
from bench.recipes_answers import Answered, Asking, asking, read_rows, write
from bench.recipes_evening import TEAMS
from bench.report import console, machine, write_json
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.images import Dataset, load
from codabench_rehearsal.recipes.loading import loading_keras
from codabench_rehearsal.recipes.system import Change, System, changed, chosen, load_system
from evaluator.comparison.compare import compare
from evaluator.comparison.standings import Comparison

FILE = Path(__file__).with_name("recipes_claims_answers.json")
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


@dataclass(frozen=True)
class Tried(Answered):
    """A variant as it was measured. seconds: of its training, on so many cores."""

    seconds: float
    cores: int


def main(argv: list[str] | None = None) -> int:
    """Train, pack and ask what is not kept; print; returns 0."""
    options = _arguments(argv)
    bench = Bench(options.data.resolve(), options.out.resolve())
    challenge = load_challenge()
    data = load(bench.data, shape=challenge.shape, classes=challenge.classes)
    asked = asking(bench, data, TEAMS)
    kept = {name: Tried(**one) for name, one in read_rows(FILE).items()}
    for name, claim, variant in _wanted(options.claims):
        if name not in kept:
            kept[name] = _tried(bench, asked, name, _system(claim, variant), data)
            write(FILE, kept, len(asked.data))
    found = _found(asked, kept)
    text = "\n".join(_text(found, len(asked.data)))
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
    tried = "try these, and no others that are missing"
    parser.add_argument("--claims", nargs="*", choices=CLAIMS, default=list(CLAIMS), help=tried)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="docs/recipes.md")
    return parser.parse_args(argv)


def _wanted(claims: Sequence[str]) -> list[tuple[str, Claim, Variant]]:
    """Every variant of these claims, with the name that it is kept under."""
    return [
        (_name(key, variant), CLAIMS[key], CLAIMS[key].variants[variant])
        for key in claims
        for variant in CLAIMS[key].variants
    ]


def _name(claim: str, variant: str) -> str:
    """Two claims about a recipe share the recipe as it is, which is then trained once."""
    wanted = CLAIMS[claim]
    as_it_is = not wanted.variants[variant].change and not wanted.variants[variant].last
    return f"{wanted.recipe}: as it is" if as_it_is else f"{claim}: {variant}"


def _tried(bench: Bench, asked: Asking, name: str, system: System, data: Dataset) -> Tried:
    folder = re.sub(r"[^a-z0-9]+", "-", name.lower())
    seconds = _train(bench, folder, system, data)
    path = bench.pack(folder, "--tta", "none", "--no-run")  # one that learnt nothing counts, too
    console().print(f"{name}: trained in {seconds:.0f} s")
    return Tried(name, {HIDDEN: asked.ask(path, HIDDEN)}, seconds, machine()["cores"])


def _found(asked: Asking, kept: Mapping[str, Tried]) -> dict[str, Comparison]:
    """The claims whose variants are all there."""
    found = {}
    for key, claim in CLAIMS.items():
        names = [_name(key, variant) for variant in claim.variants]
        if all(name in kept for name in names):
            found[key] = compare([asked.answers(kept[name], HIDDEN) for name in names])
    return found


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


def _train(bench: Bench, name: str, system: System, data: Dataset) -> float:
    """Seconds of its epochs."""
    if not bench.is_trained(name):
        with loading_keras(None):
            import keras

            from codabench_rehearsal.recipes.train import TrainingRun, train
        run = TrainingRun(weights="imagenet", resume=True)
        train(system, data, bench.out / name, classes=load_challenge().classes, run=run)
        keras.utils.clear_session()
    return sum(float(epoch["seconds"]) for epoch in bench.history(name))


def _text(found: Mapping[str, Comparison], images: int) -> list[str]:
    lines = [f"On {images:,} images that none of them was trained on, with 95 % intervals.", ""]
    for key, comparison in found.items():
        claim = CLAIMS[key]
        theirs = "theirs (clean / own benchmark)"
        titles = (f"`{claim.recipe}`", theirs, "clean", f"`{HIDDEN}`", "against the first")
        against = ["-", *(points(pair.benchmark.change) for pair in comparison.pairs)]
        measured = zip(claim.variants.items(), comparison.standings, against, strict=True)
        rows = [
            (name, one.reported, interval(own.clean), interval(own.benchmark), change)
            for (name, one), own, change in measured
        ]
        lines += [f"*{claim.said}:*", "", table(titles, rows), ""]
    if left := [claim.said for key, claim in CLAIMS.items() if key not in found]:
        lines += [f"Not tried yet: {'; '.join(left)}.", ""]
    return lines[:-1]


def _document(claim: Claim, comparison: Comparison) -> dict[str, Any]:
    named = zip(claim.variants, comparison.standings, strict=True)
    rows = {name: {"clean": vars(one.clean), HIDDEN: vars(one.benchmark)} for name, one in named}
    return {"said": claim.said, "recipe": claim.recipe, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())

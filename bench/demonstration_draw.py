"""`python -m bench.demonstration_draw --seed N`: draw new hidden sets of the kinds of A and B.

For judging an estimate that was chosen with A and B known: once all of it is committed, the sets
are drawn, the seed being the first eight hexadecimal digits of that commit. A chain that is in a
preset, the library, a training or another set is drawn again. A2, like the AN2DL challenge's:
something dark over the cell, then RandAugment, mostly; geometry and colour, or AugMix, sometimes.
B2, unlike everything: the operators that no preset uses, one to three at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.demonstration_hidden import HERE, unused_operators
from bench.demonstration_models import VARIANTS
from corruptions.presets import NAMES, resolve

COUNT = 12  # chains of a set
_DARK = ("corner_strip", "strip", "bars", "grid", "cutout")
_GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y")
_COLOUR = ("solarize", "equalize", "adjust_contrast", "adjust_brightness", "color", "posterize")
TABLES = {"A": "cells-96", "B": "medmnist-blood"}  # of severities
_ABOUT = {
    "A2": "Like the AN2DL challenge's: something dark over the cell, then RandAugment, mostly.",
    "B2": "Operators that no preset and no condition of the library uses, nor any training here.",
}


def main(argv: list[str] | None = None) -> int:
    """Write both sets beside the old ones."""
    parser = argparse.ArgumentParser(prog="python -m bench.demonstration_draw", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=lambda text: int(text, 16), required=True, metavar="HEX")
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args(argv)
    for name, draw in (("A2", draw_a), ("B2", draw_b)):
        rng = np.random.default_rng((options.seed, ord(name[0])))
        text = written(name, draw, rng, options.seed)
        path = options.out / f"demonstration_hidden_{name.lower()}.toml"
        path.write_text(text, encoding="utf-8")
    return 0


def written(
    name: str, draw: Callable[[np.random.Generator], str], rng: np.random.Generator, seed: int
) -> str:
    """A set as TOML: different chains, with weights from 1 to 5."""
    taken = set(_known())
    chains: list[tuple[str, int]] = []
    while len(chains) < COUNT:
        chain = draw(rng)
        if chain not in taken:
            taken.add(chain)
            chains.append((chain, int(rng.integers(1, 6))))
    rows = [f'    {{ chain = "{chain}", weight = {weight} }},' for chain, weight in chains]
    head = f"{_ABOUT[name]} Drawn by bench.demonstration_draw --seed {seed:08x}."
    table = f'draws = 1\ntable = "{TABLES[name[0]]}"\n'
    family = f'[[family]]\nname = "hidden {name}"\nconditions = [\n'
    return f'description = """\n{head}\n"""\n{table}\n{family}' + "\n".join(rows) + "\n]\n"


def _known() -> Iterator[str]:
    """Every chain that somebody has seen."""
    presets = [resolve(name) for name in NAMES]
    presets += [resolve(str(HERE / f"demonstration_hidden_{one.lower()}.toml")) for one in "AB"]
    presets += [made for variant in VARIANTS if (made := variant.preset()) is not None]
    for preset in presets:
        for condition in preset.conditions:
            yield "+".join(f"{step.corruption}:{step.severity}" for step in condition.steps)


def draw_a(rng: np.random.Generator) -> str:
    """A chain like the AN2DL challenge's."""
    dark = _step(rng, _DARK)
    kind = rng.random()
    if kind < 0.65:
        return f"{dark}+{_step(rng, ('rand_augment',), 2)}"
    if kind < 0.85:
        return f"{dark}+{_step(rng, _GEOMETRY, 2)}+{_step(rng, _COLOUR, 2)}"
    return f"{dark}+{_step(rng, ('aug_mix',), 2)}+{_step(rng, ('rand_augment',), 2)}"


def draw_b(rng: np.random.Generator) -> str:
    """One to three operators that no preset uses."""
    count = int(rng.integers(1, 4))
    chosen = rng.choice(unused_operators(), count, replace=False)
    return "+".join(_step(rng, (str(name),)) for name in chosen)


def _step(rng: np.random.Generator, names: tuple[str, ...], least: int = 1) -> str:
    return f"{names[rng.integers(len(names))]}:{rng.integers(least, 6)}"


if __name__ == "__main__":
    sys.exit(main())

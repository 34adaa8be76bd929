"""`python -m bench.estimation_cells --data FILE`: the estimate on real cells and many hidden sets.

Forty linear models on five kinds of features of the challenge's images, each trained on eight kinds
of damage: weak, but real images, real damage, and hidden sets by the dozen in minutes. Protocol:
local figures are of 300 validation images under every condition of the library; a hidden set has
400 images that nobody has learnt, under twelve chains that bench.demonstration_draw draws (A: like
the AN2DL challenge's; B: operators that the library lacks), --sets of each kind. A target and its
past scores, of models of other trainings, are drawn --draws times for each set. Reported with and
without the belief of the challenge's profile: mean absolute error with its standard error over
sets, coverage of the 90 % range, its width, and the belief's probability afterwards.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.demonstration import belief
from bench.demonstration_draw import COUNT, TABLES, draw_a, draw_b
from bench.demonstration_report import table
from bench.demonstration_sides import read_sides
from bench.report import console
from codabench_rehearsal.images import Dataset
from corruptions.chain import corrupt_condition, corrupt_mixed
from corruptions.presets import LIBRARY, Condition, Preset, resolve
from evaluator.estimate.estimate import estimate
from evaluator.estimate.gaussians import one_thread
from evaluator.estimate.inputs import Belief, Figures, PastScore, Target
from evaluator.plan import CLEAN, described

Floats = NDArray[np.float64]
LOCAL, HIDDEN, PASTS = 300, 400, (0, 1, 3, 5)
DAMAGE: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "noise": ("gaussian_noise:2", "shot_noise:2", "impulse_noise:2"),
    "blur": ("gaussian_blur:2", "defocus_blur:2"),
    "colour": ("adjust_brightness:3", "adjust_contrast:3", "color:3", "hue:3", "solarize:2"),
    "overlays": ("corner_strip:2", "strip:3", "bars:2", "grid:2", "cutout:2"),
    "randaugment": ("rand_augment:2",),
    "composed": ("corner_strip:2", "rand_augment:2", "corner_strip:2+rand_augment:2"),
    "light": ("light",),
}


@dataclass(frozen=True, eq=False)
class Linear:
    """Softmax regression on standardised features. training: the damage that it has learnt."""

    training: str
    features: str
    mean: Floats
    spread: Floats
    weights: Floats
    offsets: Floats


def main(argv: list[str] | None = None) -> int:
    """Train, measure, predict, print."""
    options = _arguments(argv)
    sides, draws = read_sides(options.data), options.draws
    models = [model for name in DAMAGE for model in _trained(name, sides.train)]
    console().print(f"{len(models)} models")
    local = _local(models, sides.validation.subset(np.arange(LOCAL)))
    rows = []
    for name, draw, side in (("A", draw_a, sides.hidden_a), ("B", draw_b, sides.hidden_b)):
        images = side.subset(np.arange(HIDDEN))
        scores = [_scores(models, images, draw, name, i) for i in range(options.sets)]
        console().print(f"{name}: from {np.min(scores):.2f} to {np.max(scores):.2f}")
        for said, beliefs in (("without", ()), ("believing", (belief(LIBRARY),))):
            guesses = _guessed(models, local, scores, beliefs, draws)
            rows.append([f"{name}, {said}", *(_summed(guesses[past]) for past in PASTS)])
    head = ["", *(f"K = {past}" for past in PASTS)]
    console().print(table(head, rows), markup=False)
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.estimation_cells", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="training_set.npz")
    parser.add_argument("--sets", type=int, default=30, help="hidden sets of each kind")
    parser.add_argument("--draws", type=int, default=6, help="targets for each set")
    return parser.parse_args(argv)


def features(images: NDArray[np.uint8]) -> dict[str, Floats]:
    """Of 96x96 images: coarse pixels, grey levels, colours, contrast-free pixels, frequencies."""
    pixels = np.asarray(images, np.float32) / np.float32(255)
    count, grey = len(pixels), pixels.mean(-1)
    levels = np.stack(
        [((grey >= a) & (grey < a + 0.1)).mean((1, 2)) for a in np.arange(10) / 10], 1
    )
    flat = np.asarray(pixels - pixels.mean((1, 2, 3), keepdims=True), np.float32)
    flat /= pixels.std((1, 2, 3), keepdims=True) + 1e-3
    middle = pixels[:, 30:66, 30:66]
    colours = [part.mean((1, 2)) for part in (pixels, middle)]
    colours += [part.std((1, 2)) for part in (pixels, middle)]
    waves = np.abs(np.fft.rfft2(grey[:, ::2, ::2]))[:, :12, :12].reshape(count, -1)
    found = {
        "pixels": _coarse(pixels, 8),
        "levels": np.concatenate([levels, _coarse(pixels, 16)], 1),
        "colours": np.concatenate([*colours, *(part**2 for part in colours)], 1),
        "contrasts": _coarse(flat, 8),
        "waves": np.concatenate([np.log1p(waves), levels], 1),
    }
    return {name: np.asarray(value, np.float64) for name, value in found.items()}


def _coarse(pixels: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    side = pixels.shape[1] // block
    blocks = pixels.reshape(len(pixels), side, block, side, block, 3)
    return np.asarray(blocks.mean((2, 4)).reshape(len(pixels), -1))


def _trained(name: str, data: Dataset) -> Iterator[Linear]:
    from sklearn.linear_model import LogisticRegression

    images, labels = data.images, data.labels
    if specs := DAMAGE[name]:
        conditions = [one for spec in specs for one in resolve(spec).conditions]
        whole = _mixture([replace(one, table=TABLES["A"]) for one in (*conditions, CLEAN)])
        hurt = [_drawn(data, whole, 50 + turn) for turn in (0, 1)]
        images, labels = np.concatenate(hurt), np.concatenate([labels, labels])
    for kind, values in features(images).items():
        mean, spread = values.mean(0), values.std(0) + 1e-6
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 80 rounds are enough, converged or not
            fit = LogisticRegression(max_iter=80, C=0.03).fit((values - mean) / spread, labels)
        yield Linear(name, kind, mean, spread, fit.coef_, fit.intercept_)


def _mixture(conditions: Sequence[Condition], weights: Sequence[float] = ()) -> Preset:
    shares = weights or [1.0] * len(conditions)
    weighed = (
        Condition(one.name, one.family, one.steps, share / sum(shares), one.table)
        for one, share in zip(conditions, shares, strict=True)
    )
    return Preset("mixture", tuple(weighed), 1, "")


def _drawn(data: Dataset, preset: Preset, seed: int) -> NDArray[np.uint8]:
    return np.asarray(corrupt_mixed(data.images, preset, seed, data.ids), np.uint8)


def _accuracies(
    models: Sequence[Linear], images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> Floats:
    values = features(images)
    found = []
    for one in models:
        scaled = (values[one.features] - one.mean) / one.spread
        answers = (scaled @ one.weights.T + one.offsets).argmax(1)
        found.append((answers == labels).mean())
    return np.array(found)


def _local(models: Sequence[Linear], data: Dataset) -> list[Figures]:
    columns = []
    for condition in (CLEAN, *resolve(LIBRARY).conditions):
        images = data.images
        if condition.steps:
            images = np.asarray(corrupt_condition(images, condition, 0, data.ids), np.uint8)
        columns.append(_accuracies(models, images, data.labels))
    counts = (len(data),) * len(columns)
    return [
        Figures(str(i), tuple(row), counts) for i, row in enumerate(np.array(columns).T.tolist())
    ]


def _scores(
    models: Sequence[Linear],
    data: Dataset,
    draw: Callable[[np.random.Generator], str],
    name: str,
    number: int,
) -> Floats:
    """On one hidden set."""
    rng = np.random.default_rng((77, ord(name), number))
    chains = list(dict.fromkeys(draw(rng) for _ in range(COUNT)))
    conditions = [
        Condition(chain, "hidden", resolve(chain).conditions[0].steps, 1.0, TABLES[name])
        for chain in chains
    ]
    weights = rng.integers(1, 6, len(chains)).astype(float).tolist()
    images = _drawn(data, _mixture(conditions, weights), number)
    return _accuracies(models, images, data.labels)


Guess = tuple[int, float, bool, float, float]  # set, error, held, width, the belief's probability


@one_thread()
def _guessed(
    models: Sequence[Linear],
    local: Sequence[Figures],
    scores: Sequence[Floats],
    beliefs: tuple[Belief, ...],
    draws: int,
) -> dict[int, list[Guess]]:
    library = described((CLEAN, *resolve(LIBRARY).conditions))
    found: dict[int, list[Guess]] = {past: [] for past in PASTS}
    aim = Target(hidden=HIDDEN, decimals=4)
    for number, actual in enumerate(scores):
        rng = np.random.default_rng((78, number))
        for _ in range(draws):
            target, *others = rng.permutation(len(models)).tolist()
            past = [i for i in others if models[i].training != models[target].training]
            for count in PASTS:
                known = [PastScore(local[i], float(actual[i]), 4, HIDDEN) for i in past[:count]]
                made = estimate(library, local[target], known, aim, beliefs)
                score = float(actual[target])
                found[count].append(
                    (
                        number,
                        100 * abs(made.median - score),
                        made.low <= score <= made.high,
                        100 * (made.high - made.low),
                        made.parts[0].after,
                    )
                )
    return found


def _summed(guesses: Sequence[Guess]) -> str:
    numbers, errors, held, widths, after = (np.array(one) for one in zip(*guesses, strict=True))
    by_set = [errors[numbers == one].mean() for one in np.unique(numbers)]
    spread = np.std(by_set, ddof=1) / np.sqrt(len(by_set)) if len(by_set) > 1 else 0.0
    belief_ = "" if (after == 1).all() else f", p {after.mean():.2f}"
    return (
        f"{errors.mean():.1f} ± {spread:.1f} ({100 * held.mean():.0f}) {widths.mean():.0f}{belief_}"
    )


if __name__ == "__main__":
    sys.exit(main())

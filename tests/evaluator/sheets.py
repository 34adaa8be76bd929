"""Sheets for tests: answers that need no submission, on drawn questions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset
from corruptions.presets import Condition, Preset, Step
from evaluator.answers import Answers
from evaluator.plan import Benchmark, Questions, draw_benchmark

CLASSES = 4
NOISE = Condition("gaussian_noise:3", "noise", (Step("gaussian_noise", 3),), 0.5)
FOG = Condition("fog:5", "weather", (Step("fog", 5),), 0.25)
SNOW = Condition("snow:5", "weather", (Step("snow", 5),), 0.25)
PRESET = Preset("three", (NOISE, FOG, SNOW), 2, "")


def drawn(count: int, seed: int = 0) -> tuple[Benchmark, Questions]:
    """A benchmark of three conditions in two families on tiny images, and its questions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    data = Dataset(np.zeros((count, 2, 2, 3), np.uint8), labels, np.arange(count))
    benchmark = draw_benchmark(data, PRESET, seed)
    return benchmark, questions_of(benchmark)


def questions_of(benchmark: Benchmark) -> Questions:
    """Every image once clean and once for each condition it was dealt, in one seeded shuffle."""
    count, draws = benchmark.dealt.shape
    rows = np.repeat(np.arange(count), draws + 1)
    clean = np.zeros((count, 1), np.int64)
    conditions = np.concatenate([clean, benchmark.dealt], axis=1).ravel()
    order = np.random.default_rng((benchmark.seed, 2)).permutation(len(rows))
    return Questions(rows[order], conditions[order])


def sheet(
    name: str, asked: tuple[Benchmark, Questions], wrong: NDArray[np.bool_], off: int = 1
) -> Answers:
    """A submission that answers rightly, but `off` classes further where wrong."""
    benchmark, questions = asked
    truth = benchmark.data.labels[questions.rows]
    labels = np.where(wrong, (truth + off) % CLASSES, truth)
    return Answers(f"{name}.zip", name * 8, benchmark, questions, labels)


def careless(
    name: str, asked: tuple[Benchmark, Questions], rate: float, seed: int = 0, off: int = 1
) -> Answers:
    """A submission that errs at random at this rate."""
    wrong = np.random.default_rng(seed).random(len(asked[1])) < rate
    return sheet(name, asked, wrong, off)

"""Slices by what images look like: what they measure, and how rarely they cry wolf."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset, synthetic
from corruptions.registry import corrupt
from evaluator import local_eval
from evaluator.answers import Answers
from evaluator.plan import draw_benchmark
from evaluator.slices import FEWEST_IMAGES, QUANTILES, luma_of, measured, slices
from tests.evaluator.corner import DATA, submission
from tests.evaluator.sheets import PRESET, drawn, questions_of, sheet

CELLS = synthetic(200, seed=3)
SMALL = Dataset(CELLS.images[:, ::3, ::3].copy(), CELLS.labels, CELLS.ids)


def random_run(seed: int, rate: float = 0.2) -> Answers:
    """A submission that errs at random, image by image and answer by answer."""
    benchmark = draw_benchmark(SMALL, PRESET, seed)
    asked = benchmark, questions_of(benchmark)
    rng = np.random.default_rng((seed, 9))
    hard = rng.beta(1, 4, len(CELLS))[asked[1].rows]  # answers of one image hang together
    return sheet("random", asked, rng.random(len(asked[1])) < rate * 0.5 + 0.5 * hard)


def test_random_errors_are_not_called_a_weakness() -> None:
    """Users would collect images against a weakness that chance made."""
    flagged = sum(any(one.worse for one in slices(random_run(seed))) for seed in range(100))
    assert flagged <= 5


@pytest.mark.parametrize("measure", ["brightness", "contrast", "sharpness", "cell size"])
def test_a_real_weakness_is_found(measure: str) -> None:
    """A model that fails on dark or blurred images would look evenly good."""
    given = random_run(1, 0.1)
    values = measured(SMALL, np.arange(len(SMALL)))[measure]
    weak = values[given.questions.rows] <= np.quantile(values, 0.25)
    wrong = ~given.right | (weak & (np.random.default_rng(5).random(len(weak)) < 0.6))
    found = slices(sheet("weak", (given.benchmark, given.questions), wrong))
    assert (found[0].measure, found[0].quantile, found[0].worse) == (measure, 1, True)
    assert found[0].benchmark.adjusted < 0.02
    assert found[0].benchmark.accuracy.high < found[0].benchmark.rest


def test_quarters_hold_all_images_once() -> None:
    """A slice would leave images out, or two quarters share some."""
    found = slices(random_run(2))
    by_measure: dict[str, list[int]] = {}
    for one in found:
        by_measure.setdefault(one.measure, []).append(one.images)
        assert one.low <= one.high
        low, high = one.benchmark.accuracy.low, one.benchmark.accuracy.high
        assert low <= one.benchmark.accuracy.value <= high
    assert {name: sum(counts) for name, counts in by_measure.items()} == dict.fromkeys(
        ("brightness", "contrast", "sharpness", "cell size"), len(CELLS)
    )
    assert all(len(counts) == QUANTILES for counts in by_measure.values())
    assert [one.lost for one in found] == sorted((one.lost for one in found), reverse=True)
    assert slices(random_run(2)) == found


def test_measures_mean_what_they_are_called() -> None:
    """A table would send users after the wrong images."""
    rows = np.arange(12)
    images = CELLS.images[:12]

    def of(changed: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> dict[str, float]:
        data = Dataset(np.asarray(changed, np.uint8), CELLS.labels[:12], CELLS.ids[:12])
        return {name: float(values.mean()) for name, values in measured(data, rows).items()}

    plain = of(images)
    assert of(corrupt(images, "brightness", 3))["brightness"] > plain["brightness"] + 10
    assert of(corrupt(images, "contrast", 3))["contrast"] < plain["contrast"] / 2
    assert of(corrupt(images, "gaussian_blur", 3))["sharpness"] < plain["sharpness"] / 4


@pytest.mark.parametrize(("dark", "pale"), [(40, 220), (220, 40)])
@pytest.mark.parametrize("radius", [8, 16, 30])
def test_the_size_of_a_disc_is_its_share(radius: int, dark: int, pale: int) -> None:
    """Large cells would pass for small ones, or the background for the cell."""
    y, x = np.mgrid[:96, :96] - 47.5
    inside = x**2 + y**2 < radius**2
    image = np.where(inside[..., None], dark, pale) * np.ones(3)
    images = np.repeat(image[None].astype(np.uint8), 3, axis=0)
    data = Dataset(images, np.zeros(3, np.int64), np.arange(3))
    found = measured(data, np.arange(3))["cell size"]
    assert found == pytest.approx(np.full(3, inside.mean()))


def test_flat_grey_and_tiny_images_are_measured() -> None:
    """An image without a cell would end the evaluation."""
    for shape in ((4, 1, 1, 3), (4, 2, 2, 3), (4, 96, 96, 1)):
        data = Dataset(np.full(shape, 7, np.uint8), np.zeros(4, np.int64), np.arange(4))
        found = measured(data, np.arange(4))
        assert all(np.isfinite(values).all() for values in found.values())
    assert (luma_of(np.full((2, 2, 3), 255, np.uint8)) == 255).all()


def test_equal_images_make_no_quarters() -> None:
    """Twenty slices of one and the same picture would be held against nothing."""
    benchmark, questions = drawn(FEWEST_IMAGES)  # all black
    found = slices(sheet("same", (benchmark, questions), np.zeros(len(questions), bool)))
    assert len(found) == 4
    assert not any(one.worse for one in found)
    few = drawn(FEWEST_IMAGES - 1)
    assert slices(sheet("few", few, np.zeros(len(few[1]), bool))) == ()


def test_the_report_shows_them(tmp_path: Path) -> None:
    """Page, terminal and JSON would name different slices, or the terminal all of them."""
    report = local_eval(submission(tmp_path, 4), DATA, corrupt="fog:3", estimate=False)
    told = json.loads(report.to_json())["slices"]
    assert len(told) == len(report.slices) == 16
    assert told[0]["measure"] == report.slices[0].measure
    assert {"accuracy", "interval", "rest", "p", "p_holm"} <= told[0]["benchmark"].keys()
    text = str(report)
    assert "13 more rows in to_page()" in text
    assert "Accuracy by what the images look like" in text
    page = report.to_page()
    assert page.count('<th scope="row">cell size') == page.count('start">cell size') == 4

"""The severity at which accuracy falls: few evaluations, as near as a dense grid."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import EvaluationError
from corruptions.registry import corrupt, get
from evaluator import Report, local_eval
from evaluator.metrics import resamples
from evaluator.severity import MOST_EVALUATIONS, Curve, Threshold, antitonic, crossings
from tests.evaluator.corner import DATA, submission

TABLE = "imagecorruptions"
RANGE = 4.0  # of severities
DRAWS = resamples(DATA.labels, 0)
# Corruptions under which the corner is misread somewhere between 1 and 5, and how large it is read.
FALLING = [
    ("gaussian_noise", 4), ("gaussian_noise", 2), ("shot_noise", 3), ("impulse_noise", 4),
    ("speckle_noise", 3), ("saturate", 4), ("gaussian_noise", 1), ("speckle_noise", 2),
]  # fmt: skip


def read_right(name: str, severity: float, side: int) -> NDArray[np.bool_]:
    """What `corner.submission(side=side)` answers rightly, without a child."""
    changed = corrupt(DATA.images, name, severity, 0, DATA.ids, table=TABLE)
    corner = changed[:, :side, :side].reshape(len(changed), -1).astype(float).mean(1)
    labels = np.clip(np.round(corner / 30), 0, 7).astype(int)
    return np.asarray(labels == DATA.labels, np.bool_)


def searched(
    answer: Callable[[float], NDArray[np.bool_]], accuracy: float, name: str = "gaussian_noise"
) -> Threshold:
    """What a search finds of a curve."""
    curve = Curve(get(name, TABLE), TABLE, "noise", accuracy, DRAWS)
    while (severity := curve.next()) is not None:
        assert severity not in curve.right
        curve.right[severity] = answer(severity)
    return curve.found()


@cache
def dense(name: str, side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The whole curve, at every tenth of a severity."""
    grid = np.round(np.arange(1, 5.05, 0.1), 3)
    found = [read_right(name, float(at), side).mean() for at in grid]
    return grid, np.array(found, np.float64)


@pytest.mark.parametrize("accuracy", [0.9, 0.7])
@pytest.mark.parametrize(("name", "side"), FALLING)
def test_as_near_as_a_dense_grid(name: str, side: int, accuracy: float) -> None:
    """The figure would say less than what 41 evaluations of each corruption say."""
    grid, values = dense(name, side)
    true = float(crossings(grid, values[None], accuracy)[0])
    found = searched(lambda at: read_right(name, at, side), accuracy, name)
    assert len(found.points) <= MOST_EVALUATIONS
    assert abs(found.severity - true) <= 0.05 * RANGE, (found, true)
    assert found.low <= found.severity <= found.high


@settings(max_examples=60, deadline=None)
@given(st.floats(0.8, 5.2), st.floats(0.2, 8), st.floats(0.5, 0.95))
def test_any_falling_curve_is_found(middle: float, slope: float, accuracy: float) -> None:
    """A steep or a flat curve would need more than eight evaluations, or end beside the fall."""
    limits = np.linspace(0, 1, len(DATA), endpoint=False) + 0.5 / len(DATA)

    def answer(severity: float) -> NDArray[np.bool_]:
        return np.asarray(limits < 1 / (1 + np.exp(slope * (severity - middle))), np.bool_)

    def share(severity: float) -> float:
        return float(answer(severity).mean())

    found = searched(answer, accuracy)
    assert len(found.points) <= MOST_EVALUATIONS
    match found.where:
        case "below":
            assert share(1) < accuracy
        case "above":
            assert share(5) >= accuracy
        case "within":
            near = 0.05 * RANGE
            assert share(max(1, found.severity - near)) >= accuracy
            assert share(min(5, found.severity + near)) < accuracy


def test_where_nothing_lies_between() -> None:
    """A severity of 3.4 would be told of water that turned to mud at 3.5."""
    found = searched(lambda at: np.arange(len(DATA)) < (135 if at < 3.5 else 60), 0.9, "spatter")
    assert (found.severity, found.where) == (3.5, "within")
    assert "nothing lies between 3 and 4" in found.note
    assert set(found.points) <= {1, 2, 3, 4, 5}
    assert "whole steps" in get("jpeg_compression").said_between()
    assert get("fog").said_between() == ""


def test_the_interval_holds_what_other_images_would_say() -> None:
    """A severity to two decimals would look surer than 140 images can be."""
    rng, limits, inside = np.random.default_rng(1), np.linspace(1, 5, 4001), 0
    true = float(limits[np.argmax(1 / (1 + np.exp(1.5 * (limits - 4))) < 0.9)])
    for _ in range(60):
        strength = 4 + rng.logistic(0, 1 / 1.5, len(DATA))  # where each image is lost
        found = searched(lambda at, lost=strength: lost > at, 0.9)  # type: ignore[misc]
        inside += found.low <= true <= found.high
    assert inside >= 52  # of 60: 95 % would be 57


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_fit_falls_and_keeps_the_mean(values: list[float]) -> None:
    """Chance ups and downs would give a curve several crossings."""
    fitted = antitonic(np.array([values]))[0]
    assert (np.diff(fitted) <= 1e-12).all()
    assert fitted.mean() == pytest.approx(np.mean(values))
    if (np.diff(values) <= 0).all():
        assert fitted == pytest.approx(np.array(values))


def evaluated(path: Path, **more: Any) -> Report:
    """In a child process, with a store."""
    named: dict[str, Any] = {
        "corrupt": "gaussian_noise,saturate,contrast",
        "until": 0.9,
        "estimate": False,
    }
    return local_eval(path, DATA, **{**named, **more})


def test_a_real_submission_is_searched_once(tmp_path: Path) -> None:
    """Every look at the page would ask the curves again, or other draws would move them."""
    path = submission(tmp_path, 4)
    first, second = evaluated(path), evaluated(path)
    assert first.search is not None
    assert first.search == second.search
    assert (first.asked > 0, second.asked) == (True, 0)
    found = {one.name: one for one in first.search.found}
    for name in ("gaussian_noise", "saturate"):
        alone = searched(lambda at, name=name: read_right(name, at, 4), 0.9, name)  # type: ignore[misc]
        assert found[name].severity == alone.severity
    assert found["contrast"].where == "below"
    assert first.search.found[0].name == "contrast"
    without = evaluated(path, until=None)
    assert without.search is None
    assert without.scores == first.scores


def test_what_a_search_says(tmp_path: Path) -> None:
    """Terminal, page and JSON would tell different severities."""
    report = evaluated(submission(tmp_path, 4), corrupt="gaussian_noise")
    assert report.search is not None
    one = report.search.found[0]
    told = json.loads(report.to_json())["until"]
    assert told["accuracy"] == 0.9
    assert told["corruptions"][0]["severity"] == one.severity
    assert told["corruptions"][0]["evaluations"] == len(one.points) <= MOST_EVALUATIONS
    for text in (str(report), report.to_page()):
        assert "Severity at which accuracy falls below 0.9" in text
        assert f"{one.severity:.2f}" in text


def test_a_search_that_cannot_begin(tmp_path: Path) -> None:
    """All corruptions would be called too strong where the clean images are not reached."""
    bad = submission(
        tmp_path, 4, "class Model:\n    def predict(self, X):\n        return [0] * len(X)\n"
    )
    report = evaluated(bad)
    assert report.search is not None
    assert report.search.found == ()
    assert "below 0.9 already" in str(report)
    with pytest.raises(EvaluationError, match="until: expected an accuracy"):
        evaluated(bad, until=90)


BREAKS = """
import numpy as np
class Model:
    def predict(self, X):
        grain = np.abs(np.diff(X[:, -20:, -20:].astype(float), axis=2)).mean()
        if grain > 36:
            raise ValueError("grainy")
        corner = X[:, :8, :8].reshape(len(X), -1).astype(float).mean(1)
        return np.clip(np.round(corner / 30), 0, 7).astype(int)
"""


def test_a_submission_that_breaks_in_the_search_has_failed(tmp_path: Path) -> None:
    """The report would show figures of a zip that ends on damaged images."""
    report = evaluated(submission(tmp_path, 8, BREAKS), corrupt="gaussian_noise:1")
    assert report.search is None
    assert report.scores is None
    assert any("grainy" in one.detail + one.message for one in report.findings)

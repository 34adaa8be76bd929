"""Errors relative to a reference: ratios, their mean, and what they are not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.console.errors import EvaluationError
from evaluator import local_eval
from evaluator.relative import FEWEST_ERRORS, relative
from tests.evaluator.corner import DATA, submission
from tests.evaluator.sheets import careless, drawn, sheet


def test_ratios_are_errors_over_errors() -> None:
    """A number would stand on the page that nobody can work out again."""
    asked = drawn(400)
    own, reference = careless("own", asked, 0.1, 1), careless("ref", asked, 0.3, 2)
    found = relative(own, reference)
    conditions = asked[1].conditions
    names = {"clean": 0, "gaussian_noise": 1, "fog": 2, "snow": 3}
    for one in (found.clean, *found.ratios):
        assert one is not None
        here = conditions == names[one.name]
        assert one.error == pytest.approx((~own.right[here]).mean())
        assert one.reference == pytest.approx((~reference.right[here]).mean())
        assert one.value == pytest.approx(one.error / one.reference)
        assert one.low <= one.value <= one.high
    assert found.mean is not None
    assert found.mean.value == pytest.approx(np.mean([one.value for one in found.ratios]))
    assert found.mean.high < 1
    assert [one.value for one in found.ratios] == sorted(r.value for r in found.ratios)[::-1]


def test_the_same_answers_have_a_ratio_of_one() -> None:
    """The interval would doubt what is equal image by image: it is not paired then."""
    asked = drawn(200)
    own = careless("own", asked, 0.3, 1)
    for one in relative(own, own).ratios:
        assert (one.value, one.low, one.high) == (1, 1, 1)


def test_intervals_hold_the_ratio() -> None:
    """Equal submissions would be told apart by chance."""
    inside = total = 0
    for seed in range(40):
        asked = drawn(150, seed)
        own, reference = careless("a", asked, 0.2, seed), careless("b", asked, 0.2, seed + 1000)
        found = relative(own, reference)
        assert found.mean is not None
        inside += found.mean.low <= 1 <= found.mean.high
        total += 1
    assert inside >= 0.85 * total


def test_too_few_errors_are_nothing_to_divide_by() -> None:
    """A reference without an error under fog would make the mean infinite."""
    asked = drawn(200)
    rare = np.zeros(len(asked[1]), bool)
    fog = np.flatnonzero(asked[1].conditions == 2)
    rare[fog[: FEWEST_ERRORS - 1]] = True
    rare[asked[1].conditions == 1] = True
    found = relative(careless("own", asked, 0.3), sheet("ref", asked, rare))
    assert found.left_out == ("fog", "snow")
    assert [one.name for one in found.ratios] == ["gaussian_noise"]
    assert found.clean is None
    none = relative(careless("own", asked, 0.3), sheet("ref", asked, np.zeros(len(rare), bool)))
    assert (none.mean, none.ratios) == (None, ())


def test_only_images_that_are_new_to_both_count() -> None:
    """A reference's errors on what it has learnt would make everybody else look bad."""
    asked = drawn(300)
    learnt = asked[0].data.ids < 150
    wrong = (np.random.default_rng(1).random(len(asked[1])) < 0.4) & ~learnt[asked[1].rows]
    own = careless("own", asked, 0.4, 3)
    found = relative(own, sheet("ref", asked, wrong), ~learnt)
    assert found.images == 150
    assert found.mean is not None
    assert found.mean.low < 1 < found.mean.high
    with pytest.raises(EvaluationError, match="was trained on each of these images"):
        relative(own, sheet("ref", asked, wrong), np.zeros(300, bool))
    with pytest.raises(EvaluationError, match="has not answered"):
        relative(own, careless("ref", drawn(299), 0.4))


def test_a_real_reference_is_asked_the_same(tmp_path: Path) -> None:
    """The baseline would be asked on other images, or anew for every zip."""
    own, baseline = submission(tmp_path, 8), submission(tmp_path, 2)
    wanted: dict[str, Any] = {"corrupt": "gaussian_noise:5+impulse_noise:5", "estimate": False}
    alone = local_eval(own, DATA, **wanted)
    first = local_eval(own, DATA, reference=baseline, **wanted)
    assert alone.relative is None
    assert first.relative is not None
    assert first.asked == 0
    assert first.scores == alone.scores
    assert [one.name for one in first.relative.ratios] == ["gaussian_noise+impulse_noise"]
    assert first.relative.ratios[0].value < 1
    again = local_eval(own, DATA, reference=baseline, **wanted)
    assert again.relative == first.relative
    told = json.loads(first.to_json())["relative"]
    assert told["mean"]["ratio"] == first.relative.ratios[0].value
    for text in (str(first), first.to_page()):
        assert "Errors relative to side2.zip" in text
        assert "Not to be compared with published mCE" in " ".join(text.split())


def test_a_reference_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """Figures would be held against nothing."""
    own, broken = submission(tmp_path, 8), tmp_path / "broken.zip"
    with zipfile.ZipFile(broken, "w") as file:
        file.writestr(
            "model.py", "class Model:\n    def predict(self, X):\n        return X[9999]\n"
        )
    wanted: dict[str, Any] = {"corrupt": "fog:3", "estimate": False}
    with pytest.raises(EvaluationError, match=r"broken.zip, the reference, does not answer"):
        local_eval(own, DATA, reference=broken, **wanted)
    with pytest.raises(EvaluationError, match="no such file"):
        local_eval(own, DATA, reference=tmp_path / "none.zip", **wanted)

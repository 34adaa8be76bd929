"""Severities between whole ones: their parameters, names, and what they are stored under."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.images import synthetic
from corruptions import CorruptionError, corrupt
from corruptions.between import read_severity
from corruptions.chain import condition_revision, corrupt_condition
from corruptions.operator import Corruption
from corruptions.presets import Condition, Step, resolve
from corruptions.registry import all_operators, get, run
from evaluator.store.rows import read_condition

IMAGES = synthetic(6, 3).images
EVERY = pytest.mark.parametrize("one", all_operators(), ids=lambda one: f"{one.table}/{one.name}")


def numbers(params: Any) -> list[float]:
    """All numbers in an operator's parameters."""
    if isinstance(params, int | float):
        return [params]
    parts = params if isinstance(params, tuple) else vars(params).values()
    return [number for part in parts if not isinstance(part, str) for number in numbers(part)]


BETWEEN: dict[str, tuple[str, str, float, Any]] = {
    "on the line": ("gaussian_noise", "tiny", 1.5, 0.06),
    "written as whole, but none": ("gaussian_blur", "imagecorruptions", 4.5, 5.0),
    "a whole number": ("jpeg_compression", "imagecorruptions", 1.5, 22),
    "one of several": ("motion_blur", "imagecorruptions", 1.5, (13, 4.0)),
    "a row that is read": ("zoom_blur", "pcam", 1.5, (1.0, 1.01, 1.02, 1.03)),
    "near the lower kind": ("spatter", "imagecorruptions", 3.4, (0.65, 0.3, 2, 0.68, 0.5, 0)),
    "near the higher kind": ("spatter", "imagecorruptions", 3.6, (0.65, 0.3, 1, 0.65, 1.5, 1)),
    "fades, not the image": ("saturate", "tiny", 2.4, (0.1, 0)),
    "adds in its table": ("saturate", "pcam", 2.5, (1, 0.125)),
    "never flat grey": ("invert", "own", 2.6, 0.65),
    "a policy": ("rand_augment", "own", 2.5, None),
}  # fmt: skip


@pytest.mark.parametrize(("name", "table", "severity", "found"), BETWEEN.values(), ids=BETWEEN)
def test_parameters_between_rows(name: str, table: str, severity: float, found: Any) -> None:
    """A severity of 2.5 would be something else than half of the way."""
    params = get(name, table).at(severity)
    if name == "rand_augment":
        assert params.magnitude == pytest.approx(0.4)
    elif name == "zoom_blur":
        assert params[:4] == pytest.approx(found)
        assert len(get(name, table).at(1)) <= len(params) <= len(get(name, table).at(2))
    else:
        assert params == pytest.approx(found)


@EVERY
def test_whole_severities_are_the_tables(one: Corruption) -> None:
    """Answers that are stored would be asked again, or the golden bytes change."""
    assert tuple(one.at(float(level)) for level in range(1, 6)) == one.severities


@EVERY
def test_between_two_rows_lies_nothing_beyond_them(one: Corruption) -> None:
    """A search between two severities would meet damage that neither of them does."""
    for severity in (1.25, 2.5, 3.75, 4.5):
        if one.name == "zoom_blur":  # a list of layers, longer or shorter
            low, high, found = (
                [max(one.at(at))] for at in (int(severity), int(severity) + 1, severity)
            )
        else:
            low, high, found = (
                numbers(one.at(at)) for at in (int(severity), int(severity) + 1, severity)
            )
        for least, number, most in zip(np.minimum(low, high), found, np.maximum(low, high),
                                       strict=True):  # fmt: skip
            assert least - 0.02 <= number <= most + 0.02
        changed = run(one, one.at(severity), IMAGES[:2], 0)
        assert changed.shape == IMAGES[:2].shape


@EVERY
def test_a_condition_between_is_found_again(one: Corruption) -> None:
    """Work that crosses to another process would not know what to draw."""
    table = "imagecorruptions" if one.table == "own" else one.table
    condition = Condition("x", "y", (Step(one.name, 2.375), Step(one.name, 3)), 1.0, table)
    found = read_condition(condition_revision(condition))
    assert found is not None
    assert found.steps == condition.steps
    assert "2.375=" in condition_revision(condition)


def test_what_is_stored_of_whole_severities_is_as_before() -> None:
    """Every stored answer would be asked once more."""
    chain = resolve("fog:3+jpeg_compression:2.0").conditions[0]
    text = "imagecorruptions/fog:(2.5, 1.7)@1+imagecorruptions/jpeg_compression:18@1"
    assert condition_revision(chain) == text


def test_a_name_between_is_read_back() -> None:
    """`--corrupt fog:2.5`, as a report writes it, would not draw what the report asked."""
    condition = resolve("fog:2.5+contrast:1.125").conditions[0]
    assert condition.steps == (Step("fog", 2.5), Step("contrast", 1.125))
    assert condition.severity == 2.5
    alone = corrupt_condition(IMAGES, resolve("fog:2.5").conditions[0], 4)
    assert np.array_equal(alone, corrupt(IMAGES, "fog", 2.5, 4))
    assert not np.array_equal(alone, corrupt(IMAGES, "fog", 3, 4))


@pytest.mark.parametrize("name", ["fog", "gaussian_noise", "contrast", "defocus_blur", "pixelate"])
def test_damage_grows_with_the_severity(name: str) -> None:
    """The severity at which accuracy falls would be one of several."""
    steps = np.arange(1, 5.1, 0.5)
    changed = [corrupt(IMAGES, name, float(step)).astype(np.float64) for step in steps]
    lost = [float(np.abs(one - IMAGES).mean()) for one in changed]
    assert all(later > 0.98 * earlier for earlier, later in pairwise(lost))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("3", 3), ("2.5", 2.5), ("2.50", 2.5), ("4.0", 4), ("1.125", 1.125)),
        *((text, None) for text in ("", "0.5", "5.1", "6", "2.", ".5", "2.1234", "1e0", "-1")),
        *((text, None) for text in ("nan", "2,5", "\u0663", "12", " 2")),
    ],
)
def test_severities_as_they_are_written(text: str, found: float | None) -> None:
    """A slip of the pen would pass for a severity."""
    assert read_severity(text) == found
    assert isinstance(read_severity(text), type(found))


def test_a_wrong_severity_is_told() -> None:
    """A user would look for the fault in the name."""
    with pytest.raises(CorruptionError, match=r"from 1 to 5, such as fog:3, fog:2\.5"):
        resolve("fog:5.5")

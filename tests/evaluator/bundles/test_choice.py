"""Which conditions are asked, in which order, in how much time."""

from __future__ import annotations

from pathlib import Path

import pytest

from corruptions.presets import NAMES, resolve
from evaluator.bundles.choice import budget_of, choices, duration
from evaluator.bundles.damage import Damage


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_comes_first_then_the_families_in_turn(name: str) -> None:
    """Else a short time is spent on one kind of damage."""
    preset = resolve(name)
    whole, *single = choices(preset)
    assert whole.conditions == preset.conditions
    families = {one.family for one in preset.conditions if one.steps}
    assert {one.family for one in single[: len(families)]} == families
    assert (
        len(single)
        == len({one.name for one in single})
        == sum(bool(one.steps) for one in preset.conditions)
    )


def test_one_condition_is_no_mixture() -> None:
    """Else it is run twice under two names."""
    assert [(one.name, one.is_mixed) for one in choices(resolve("fog:3"))] == [("fog:3", False)]
    assert choices(resolve("clean")) == ()


def test_heavier_conditions_come_first(tmp_path: Path) -> None:
    """Else the time goes to what the hidden set hardly has."""
    (tmp_path / "p.toml").write_text(
        '[[family]]\nname = "a"\nweight = 1\nconditions = ["fog:1", {chain = "fog:2", weight = 3}]\n'
        '[[family]]\nname = "b"\nweight = 2\nconditions = ["snow:1"]\n'
    )
    _, *single = choices(resolve(str(tmp_path / "p.toml")))
    assert [one.name for one in single] == ["snow:1", "fog:2", "fog:1"]


def test_texts_change_with_weights_and_conditions(tmp_path: Path) -> None:
    """Else a changed preset is answered with the figures of the old one."""
    texts = set()
    for weight in (1, 2):
        (tmp_path / "p.toml").write_text(
            f'[[family]]\nname = "a"\nweight = {weight}\nconditions = ["fog:1"]\n'
            '[[family]]\nname = "b"\nconditions = ["snow:1"]\n'
        )
        texts |= {one.text() for one in choices(resolve(str(tmp_path / "p.toml")))}
    assert len(texts) == 4  # two mixtures, two single ones that are the same


@pytest.mark.parametrize(
    ("seconds", "clean", "runs"),
    [
        (None, 0.7, 10),
        (None, 1e-9, 0),
        (100.0, 30.0, 3),
        (99.0, 33.0, 3),
        (5.0, 6.0, 0),
        (0.0, 1.0, 0),
    ],
)
def test_as_many_runs_as_fit(seconds: float | None, clean: float, runs: int) -> None:
    """Else an evening becomes a night."""
    assert budget_of(seconds, clean).runs == runs


def test_the_time_is_said_before_it_starts() -> None:
    """Else nobody knows whether to wait or to go home."""
    line = budget_of(None, 42.0).line(10, 4)
    assert line.startswith("one clean run takes 42 s; 10 conditions fit into 7 min, 4 of them kept")
    assert "about 4 min from now on (--budget TIME" in line


def test_durations_are_for_people() -> None:
    """Else a budget of a night is said in seconds."""
    assert [duration(s) for s in (0.42, 12.3, 180, 9000)] == ["0.4 s", "12 s", "3 min", "2.5 h"]


def test_a_whole_preset_deals_by_weight() -> None:
    """Else the mixture is not the preset's, and its figure not the hidden set's."""
    preset = resolve("heavy")
    chosen = Damage(preset.conditions, 3).chosen(2000)
    for place, condition in enumerate(preset.conditions):
        share = float((chosen == place).mean())
        assert share == pytest.approx(condition.weight, abs=0.002)

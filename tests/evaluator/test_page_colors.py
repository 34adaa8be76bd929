"""Colours that everyone can tell apart and read."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from itertools import pairwise

import pytest

from evaluator.report.svg import (
    DARK,
    LIGHT,
    SCALES,
    SHARES,
    STEPS,
    heat_step,
    share_step,
)

TEXT = ("ink", "soft", "clean", "hurt", "error", "warning", "good")
COLORS = tomllib.loads((files("evaluator.report") / "colors.toml").read_text(encoding="utf-8"))
SCHEMES = {name: (one["palette"], one["heat"]) for name, one in COLORS.items()}
PAPER = {"light": "#000000", "dark": "#ffffff"}  # what steps run away from
STEPPED = [(scheme, scale) for scheme in PAPER for scale in SCALES]
AA = 4.5


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours `#rrggbb`, 1..21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG's relative luminance, 0..1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["card", "ground", "faint"])
def test_text_reads_on_every_ground(scheme: str, ground: str) -> None:
    """Else readers with weak sight could not read part of the report (WCAG AA)."""
    palette = SCHEMES[scheme][0]
    for name in TEXT:
        assert contrast(palette[name], palette[ground]) >= AA, name


@pytest.mark.parametrize(("scheme", "scale"), STEPPED)
def test_figures_read_on_every_step(scheme: str, scale: str) -> None:
    """Else the numbers of the worst or the best conditions could not be read."""
    steps = COLORS[scheme][scale]
    assert len(steps) == len(STEPS) + 1
    assert all(contrast(fill, ink) >= AA for fill, ink in steps)


@pytest.mark.parametrize(("scheme", "scale"), STEPPED)
def test_steps_run_in_luminance(scheme: str, scale: str) -> None:
    """Else the map could not be read in grey, or by the colour-blind."""
    away = [contrast(fill, PAPER[scheme]) for fill, _ in COLORS[scheme][scale]]
    away = away[::-1] if scale == "share" else away  # the smallest share is nearest to the card
    assert all(later > 1.1 * earlier for earlier, later in pairwise(away)), away


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shares_judge_nothing(scheme: str) -> None:
    """Else a share of right answers would look bad, or one of wrong answers good: one hue, a cool one."""
    for fill, _ in COLORS[scheme]["share"]:
        red, green, blue = (int(fill[i : i + 2], 16) for i in (1, 3, 5))
        assert red <= green <= blue, fill


@pytest.mark.parametrize("scheme", SCHEMES)
def test_blue_and_orange_differ_to_the_colour_blind(scheme: str) -> None:
    """Else clean and corrupted would look alike: their blue channels lie far apart."""
    palette = SCHEMES[scheme][0]
    blue, orange = (int(palette[name][5:7], 16) for name in ("clean", "hurt"))
    assert blue - orange > 100


STEP_ROWS = [(0.0, 0), (0.29, 0), (0.3, 1), (0.94, 7), (0.95, 8), (1.0, 8)]


@pytest.mark.parametrize(("accuracy", "step"), STEP_ROWS)
def test_a_step_holds_its_lower_edge(accuracy: float, step: int) -> None:
    """Else the key would name other accuracies than the conditions have."""
    assert heat_step(accuracy) == step


def test_a_larger_share_is_a_stronger_step() -> None:
    """Else a common confusion would look harmless."""
    steps = [share_step(share / 100) for share in range(101)]
    assert (steps[0], steps[-1]) == (0, len(SHARES))
    assert steps == sorted(steps)


def test_every_colour_of_the_style_exists() -> None:
    """Else a name mistyped in the style sheet would fall back to black."""
    rules = (files("evaluator.report") / "page.css").read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--(\w+)\)", rules)) - {"natural"}
    assert used <= set(LIGHT)
    assert set(LIGHT) == set(DARK)
    assert not re.search(r"#[0-9a-f]{3,6}\b", rules), "colours live in colors.toml"

"""The colours of the page and of the figures, in a light and a dark scheme.

Blue and orange stay apart for every common colour blindness, and shapes repeat what they say. The
steps of the heat maps run in luminance alone, so they read in grey too. A test keeps the contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Palette = Mapping[str, str]

# Accuracies at which the heat maps take the next colour; finer where good models differ.
STEPS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)

LIGHT: Palette = MappingProxyType(
    {
        "ground": "#f4f5f7",
        "card": "#ffffff",
        "ink": "#18202c",
        "soft": "#4c5766",
        "rule": "#d9dee5",
        "faint": "#eef1f4",
        "clean": "#0b5fa5",
        "hurt": "#b5470b",
        "error": "#b3261e",
        "warning": "#8a5300",
        "good": "#17693a",
    }
)
DARK: Palette = MappingProxyType(
    {
        "ground": "#0f1319",
        "card": "#181e27",
        "ink": "#e7ebf1",
        "soft": "#aab4c1",
        "rule": "#343e4c",
        "faint": "#222a35",
        "clean": "#74b7ff",
        "hurt": "#ff9f5f",
        "error": "#ff8f86",
        "warning": "#f2b84b",
        "good": "#6fd08f",
    }
)
# From the worst step to the best: (fill, text on it).
LIGHT_HEAT = (
    ("#561848", "#ffffff"),
    ("#8f2a4f", "#ffffff"),
    ("#b94347", "#ffffff"),
    ("#df7742", "#18202c"),
    ("#f0a04b", "#18202c"),
    ("#f8c266", "#18202c"),
    ("#fbdc8c", "#18202c"),
    ("#fdeebb", "#18202c"),
    ("#fffae3", "#18202c"),
)
DARK_HEAT = (
    ("#fbd65c", "#18202c"),
    ("#f39a45", "#18202c"),
    ("#e0694f", "#18202c"),
    ("#b84565", "#ffffff"),
    ("#943a72", "#ffffff"),
    ("#6e3274", "#ffffff"),
    ("#4d2f6b", "#ffffff"),
    ("#33305a", "#ffffff"),
    ("#222c40", "#ffffff"),
)


def heat_step(accuracy: float) -> int:
    """The heat maps' step of an accuracy, 0 the worst."""
    return sum(accuracy >= edge for edge in STEPS)


def error_step(share: float) -> int:
    """The step of a share of wrong answers: 5 % of a class is bad where 5 % right would be."""
    return heat_step(1 - 2 * share)


def variables(palette: Palette, heat: tuple[tuple[str, str], ...]) -> str:
    """A scheme as CSS custom properties."""
    said = [f"--{name}:{value}" for name, value in palette.items()]
    for step, (fill, ink) in enumerate(heat):
        said += [f"--heat{step}:{fill}", f"--on{step}:{ink}"]
    return ";".join(said)


def heat_rules() -> str:
    """The classes of the heat maps' steps."""
    return "\n".join(
        f".rehearsal .heat{step}{{fill:var(--heat{step});background:var(--heat{step})}}"
        f".rehearsal .on{step}{{fill:var(--on{step})}}"
        for step in range(len(STEPS) + 1)
    )


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours `#rrggbb`, 1..21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

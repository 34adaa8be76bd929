"""Colours and style sheets of the page, of a notebook's output, and of figures that stand alone.

Blue and orange stay apart for every common colour blindness, and shapes repeat what they say. The
steps of the heat maps run in luminance alone, so they read in grey too. A test keeps the contrasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from evaluator.report.markup import RawMarkup, Tag, tag

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
# What notebooks set around an output in a dark theme: JupyterLab and nbconvert, VS Code, Colab.
_DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast",
    'html[theme="dark"]',
    '[data-theme="dark"]',
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


def page_style() -> Tag:
    """For a page of its own: the reader's system chooses the scheme; paper is light."""
    dark = f"@media screen and (prefers-color-scheme: dark){{.rehearsal{{{_DARK}}}}}"
    own = ":root{color-scheme:light dark}body{margin:0}.rehearsal{min-height:100vh}"
    return _style(own, f".rehearsal{{{_LIGHT}}}", dark, _rules())


def notebook_style() -> Tag:
    """For an output: the notebook's theme chooses, which need not be the system's."""
    themes = ",".join(f"{name} .rehearsal" for name in _DARK_NOTEBOOKS)
    dark = f"@media screen{{{themes}{{{_DARK}}}}}"
    return _style(f".rehearsal{{{_LIGHT}}}", dark, _rules())


def figure_style() -> Tag:
    """For drawings inside `.rehearsal-figure`: the page's rules for them, in the light colours."""
    colours = dict(said.split(":") for said in _LIGHT.split(";"))
    rules = (
        rule.replace(".rehearsal ", ".rehearsal-figure ")
        for rule in _rules().splitlines()
        if rule.startswith((".rehearsal svg ", ".rehearsal .heat"))
    )
    return _style(
        *(re.sub(r"var\(([\w-]+)\)", lambda var: colours[var[1]], rule) for rule in rules)
    )


def _style(*rules: str) -> Tag:
    return tag("style", RawMarkup("\n".join(rules)))


def _variables(palette: Palette, heat: tuple[tuple[str, str], ...]) -> str:
    said = [f"--{name}:{value}" for name, value in palette.items()]
    for step, (fill, ink) in enumerate(heat):
        said += [f"--heat{step}:{fill}", f"--on{step}:{ink}"]
    return ";".join(said)


_LIGHT, _DARK = _variables(LIGHT, LIGHT_HEAT), _variables(DARK, DARK_HEAT)


def _rules() -> str:
    """The style sheet, and the heat maps' steps."""
    heat = (
        f".rehearsal .heat{step}{{fill:var(--heat{step});background:var(--heat{step})}}"
        f".rehearsal .on{step}{{fill:var(--on{step})}}"
        for step in range(len(STEPS) + 1)
    )
    return (files("evaluator.report") / "page.css").read_text(encoding="utf-8") + "\n".join(heat)

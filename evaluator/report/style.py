"""Colours and style sheets of the page, of a notebook's output, and of figures that stand alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from codabench_rehearsal.console.reading import parse_toml
from evaluator.report.markup import RawMarkup, Tag, tag

_COLORS: Mapping[str, Any] = parse_toml(
    (files("evaluator.report") / "colors.toml").read_text(encoding="utf-8")
)
LIGHT: Mapping[str, str] = _COLORS["light"]["palette"]
DARK: Mapping[str, str] = _COLORS["dark"]["palette"]
# Accuracies at which the heat maps take the next colour; finer where good models differ.
STEPS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
# What notebooks set around an output in a dark theme: JupyterLab and nbconvert, VS Code, Colab.
_DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast",
    'html[theme="dark"]',
    '[data-theme="dark"]',
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


def _variables(scheme: str) -> str:
    colors = _COLORS[scheme]
    said = [f"--{name}:{value}" for name, value in colors["palette"].items()]
    for step, (fill, ink) in enumerate(colors["heat"]):
        said += [f"--heat{step}:{fill}", f"--on{step}:{ink}"]
    return ";".join(said)


_LIGHT, _DARK = _variables("light"), _variables("dark")


def _rules() -> str:
    """The style sheet, and the heat maps' steps."""
    heat = (
        f".rehearsal .heat{step}{{fill:var(--heat{step});background:var(--heat{step})}}"
        f".rehearsal .on{step}{{fill:var(--on{step})}}"
        for step in range(len(STEPS) + 1)
    )
    return (files("evaluator.report") / "page.css").read_text(encoding="utf-8") + "\n".join(heat)

"""The page's style sheet: one file of rules, and the colours of a scheme before it."""

from __future__ import annotations

from importlib.resources import files

from evaluator.page.colors import (
    DARK,
    DARK_HEAT,
    LIGHT,
    LIGHT_HEAT,
    heat_rules,
    variables,
)
from evaluator.page.tags import Raw, Tag, tag

# What notebooks set around an output in a dark theme: JupyterLab and nbconvert, VS Code, Colab.
_DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast",
    'html[theme="dark"]',
    '[data-theme="dark"]',
)


def page_style() -> Tag:
    """For a page of its own: the reader's system chooses the scheme; paper is light."""
    dark = f"@media screen and (prefers-color-scheme: dark){{.rehearsal{{{_dark()}}}}}"
    own = ":root{color-scheme:light dark}body{margin:0}.rehearsal{min-height:100vh}"
    return tag("style", Raw("\n".join([own, _light(), dark, _rules()])))


def notebook_style() -> Tag:
    """For an output: the notebook's theme chooses, which need not be the system's."""
    themes = ",".join(f"{name} .rehearsal" for name in _DARK_NOTEBOOKS)
    dark = f"@media screen{{{themes}{{{_dark()}}}}}"
    return tag("style", Raw("\n".join([_light(), dark, _rules()])))


def _light() -> str:
    return f".rehearsal{{{variables(LIGHT, LIGHT_HEAT)}}}"


def _dark() -> str:
    return f"{variables(DARK, DARK_HEAT)}"


def _rules() -> str:
    return (files("evaluator.page") / "page.css").read_text(encoding="utf-8") + heat_rules()

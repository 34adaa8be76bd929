"""The two forms of a report: a page of its own, and one `<div>` of a notebook's output.

The `<div>` keeps its looks there, and reads without them.

Drawings are pictures here. A notebook that its reader has not trusted loses `<style>` and `<svg>`,
and what an `<svg>` said would run through the page as loose words; a picture stays whole.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from evaluator.report import svg
from evaluator.report.markup import Node, RawMarkup, Tag, Value, escaped, tag

# What notebooks set around an output in a dark theme: JupyterLab and nbconvert, VS Code, Colab.
_DARK_NOTEBOOKS = (
    '[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast",
    'html[theme="dark"]',
    '[data-theme="dark"]',
)
_OURS = re.compile(r"\.rehearsal(?![\w-])")
_ABOVE = ".rehearsal:not(#_)"  # an id's weight: above every rule that a notebook has for outputs
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif'


def notebook_form(*body: Node) -> str:
    """One self-contained `<div>` with its style, in the notebook's theme; drawings as pictures.

    A theme that says nothing of itself is taken for light, whatever the reader's system prefers.
    """
    return str(tag("div", notebook_style(), *map(pictured, body), class_="rehearsal notebook"))


def page_form(title: str, *body: Node, style: str = "", script: str = "", kind: str = "") -> str:
    """One self-contained HTML file: the same parts as a page of its own.

    title: what a browser's tab, a bookmark and a printed file are called. style, script: of a
    page's own. kind: a further class of it.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        svg.page_style(),
        *([tag("style", RawMarkup(style))] if style else ()),
    )
    main = tag("main", *body, class_=f"rehearsal {kind}".strip())
    parts = tag("body", main, *([tag("script", RawMarkup(script))] if script else ()))
    return "<!DOCTYPE html>\n" + str(tag("html", head, parts, lang="en")) + "\n"


def notebook_style() -> Tag:
    """For an output: the notebook's theme chooses, which need not be the system's."""
    light, dark = (_declared(svg.variables(scheme)) for scheme in ("light", "dark"))
    themes = ",".join(f"{name} .rehearsal" for name in _DARK_NOTEBOOKS)
    rules = (
        f".rehearsal{{color-scheme:light;{light}}}",
        f"@media screen{{{themes}{{color-scheme:dark;{dark}}}}}",
        svg.rules(),
    )
    return tag("style", RawMarkup(_OURS.sub(_ABOVE, "\n".join(rules))))


def pictured(node: Node) -> Node:
    """The same with every drawing in it as an `<img>` that holds it."""
    match node:
        case svg.Drawing():
            style = f"--natural:{escaped(float(node.width))}px"
            more: dict[str, Value] = {"class_": "figure", "style": style}
            return _picture(node.width, node.height, node.said, node.nodes, **more)
        case Tag(name="svg"):  # a legend's mark
            _, _, width, height = str(dict(node.attributes)["viewBox"]).split()
            return _picture(float(width), float(height), "", node.children)
        case Tag():
            return _without_links(replace(node, children=tuple(map(pictured, node.children))))
    return node


def _without_links(node: Tag) -> Tag:
    """Nor link inside of a notebook, where another report may have parts of the same names."""
    kept = dict(node.attributes)
    kept.pop("id", None)
    inside = node.name == "a" and str(kept.pop("href", "")).startswith("#")
    return replace(node, name="span" if inside else node.name, attributes=tuple(kept.items()))


def _picture(width: float, height: float, said: str, nodes: Iterable[Node], **more: Value) -> Tag:
    inner = "".join(map(str, map(_without_titles, nodes)))
    size: dict[str, Value] = {"width": round(width), "height": round(height)}
    drawn = tag(
        "svg",
        _picture_style(inner),
        RawMarkup(inner),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {escaped(float(width))} {escaped(float(height))}",
        **size,
    )
    held = base64.b64encode(str(drawn).encode()).decode()
    return tag("img", src=f"data:image/svg+xml;base64,{held}", alt=said, **size, **more)


def _without_titles(node: Node) -> Node:
    """Nobody can point at a part of a picture."""
    if not isinstance(node, Tag):
        return node
    kept = (n for n in node.children if not (isinstance(n, Tag) and n.name == "title"))
    return replace(node, children=tuple(map(_without_titles, kept)))


def _picture_style(inner: str) -> Tag:
    """The page's rules for what is drawn in it; `color-scheme` around the picture chooses."""
    used = {name for said in re.findall(r'class="([^"]+)"', inner) for name in said.split()}
    kept = [
        rule.replace(".rehearsal ", "")
        for rule in svg.rules().splitlines()
        if rule.startswith(svg.DRAWN)
    ]
    parts = (part for rule in kept for part in re.findall(r"[^{}]+\{[^{}]*\}", rule))
    rules = [f"svg{{background:var(--card);font-family:{_FONT}}}"]
    rules += [part for part in parts if _concerns(part, used)]
    colours = (
        {
            name: colour
            for name, colour in svg.variables(scheme).items()
            if f"({name})" in str(rules)
        }
        for scheme in ("light", "dark")
    )
    light, dark = (f":root{{{_declared(found)}}}" for found in colours)
    said = (light, f"@media (prefers-color-scheme:dark){{{dark}}}", *rules)
    return tag("style", RawMarkup("".join(said)))


def _concerns(rule: str, used: set[str]) -> bool:
    """Whether a rule is of one of these classes, or of none."""
    named = set(re.findall(r"\.([a-z][\w-]*)", rule.partition("{")[0]))
    return not named or bool(named & used)


def _declared(colours: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{colour}" for name, colour in colours.items())

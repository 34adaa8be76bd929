"""The worst images, as pictures inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from evaluator.page.picks import Pick, picks
from evaluator.page.tags import Node, Tag, paragraph, section, tag
from evaluator.page.words import mark
from evaluator.result import Report

LONGEST_SIDE = 96  # pixels: two dozen pictures of that size stay below 1 MB whatever they show


def gallery(report: Report) -> Tag:
    """The section."""
    title = f"Where the damage did it{mark(report)}"
    if report.sheet is None:
        return section(title, paragraph("No answers, so no images to show."))
    found = picks(report.sheet)
    if not found:
        return section(
            title,
            paragraph("No image is right when clean and wrong under a cell that costs accuracy."),
        )
    lead = (
        "Right when clean (left), wrong when corrupted (right); from the costliest cells, each image "
        "once, those first that are otherwise answered best. Only labels are known here, so nothing "
        "is said about confidence."
    )
    names = report.source.label_names
    shown = tag("div", *(_figure(pick, names) for pick in found), class_="gallery")
    return section(title, shown, lead=lead)


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture, uint8 `(h, w, c)`, as PNG in a data URI; shrunk to `LONGEST_SIDE`."""
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def breakable(chain: str) -> list[Node]:
    """A chain of corruptions that may break into lines before each step."""
    first, *rest = chain.split("+")
    return [first, *(node for step in rest for node in (tag("wbr"), f"+{step}"))]


def _figure(pick: Pick, names: tuple[str, ...]) -> Tag:
    truth, answer = names[pick.truth], names[pick.answer]
    said = f"{truth} under {pick.cell}, answered {answer}"
    shots = tag(
        "div",
        _image(pick.clean, f"{truth}, clean, answered rightly"),
        _image(pick.corrupted, said),
        class_="shots",
    )
    caption = tag(
        "figcaption",
        tag("span", tag("b", truth), " \u2192 ", tag("b", answer, class_="error")),
        tag("span", *breakable(pick.cell), class_="soft"),
    )
    return tag("figure", shots, caption)


def _image(image: NDArray[np.uint8], alt: str) -> Tag:
    height, width = image.shape[:2]
    return tag("img", src=data_uri(image), alt=alt, title=alt, width=width, height=height)

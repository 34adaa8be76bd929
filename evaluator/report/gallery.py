"""The worst images, as pictures inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from evaluator.answers import CLEAN, Answers
from evaluator.report.card import mark
from evaluator.report.result import Report
from evaluator.report.tags import Node, Tag, paragraph, section, tag

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
            paragraph(
                "No image is right when clean and wrong under a condition that costs accuracy."
            ),
        )
    lead = (
        "Right when clean (left), wrong when corrupted (right); from the costliest conditions, each image "
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
    said = f"{truth} under {pick.condition}, answered {answer}"
    shots = tag(
        "div",
        _image(pick.clean, f"{truth}, clean, answered rightly"),
        _image(pick.corrupted, said),
        class_="shots",
    )
    caption = tag(
        "figcaption",
        tag("span", tag("b", truth), " \u2192 ", tag("b", answer, class_="error")),
        tag("span", *breakable(pick.condition), class_="soft"),
    )
    return tag("figure", shots, caption)


def _image(image: NDArray[np.uint8], alt: str) -> Tag:
    height, width = image.shape[:2]
    return tag("img", src=data_uri(image), alt=alt, title=alt, width=width, height=height)


# Which images to show: those that the damage itself made wrong.


SHOWN = 12


@dataclass(frozen=True, eq=False)
class Pick:
    """One image, clean and corrupted, with what it is and what was answered.

    clean, corrupted: uint8 `(h, w, c)`. truth, answer: labels. others: share of right answers to
    all pictures of this image.
    """

    condition: str
    clean: NDArray[np.uint8]
    corrupted: NDArray[np.uint8]
    truth: int
    answer: int
    others: float


def picks(sheet: Answers, most: int = SHOWN) -> tuple[Pick, ...]:
    """Images right when clean and wrong when corrupted, each once, from the costliest conditions.

    Conditions take turns, the costliest first. Within a condition those images come first that are otherwise
    answered best: there the damage did it, not the image.
    """
    by_condition = [_candidates(sheet, condition) for condition in _costliest(sheet)]
    turns = chain.from_iterable(zip_longest(*by_condition))
    chosen: dict[int, int] = {}
    for question in turns:
        if question is not None and len(chosen) < most:
            chosen.setdefault(int(sheet.questions.rows[question]), question)
    easy = _ease(sheet)
    return tuple(_pick(sheet, question, easy) for question in chosen.values())


def _costliest(sheet: Answers) -> list[int]:
    """Conditions by the accuracy that they take from the clean one, times their weight."""
    size = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=size)
    means = np.bincount(sheet.questions.conditions, sheet.right, size) / np.maximum(asked, 1)
    weights = np.array([condition.weight for condition in sheet.benchmark.conditions])
    cost = np.where(asked > 0, weights * (means[CLEAN] - means), -np.inf)
    cost[CLEAN] = -np.inf
    return [int(condition) for condition in np.argsort(-cost, kind="stable") if cost[condition] > 0]


def _candidates(sheet: Answers, condition: int) -> Iterator[int]:
    """Questions of a condition that were answered wrongly on images that are right when clean."""
    right, questions = sheet.right, sheet.questions
    fine = np.zeros(len(sheet.benchmark.data), bool)
    fine[questions.rows[(questions.conditions == CLEAN) & right]] = True
    wrong = np.flatnonzero((questions.conditions == condition) & ~right & fine[questions.rows])
    order = np.lexsort((questions.rows[wrong], -_ease(sheet)[questions.rows[wrong]]))
    yield from wrong[order].tolist()


def _ease(sheet: Answers) -> NDArray[np.float64]:
    """Each image's share of right answers, `(n,)`; 0 where it was never shown."""
    rows, size = sheet.questions.rows, len(sheet.benchmark.data)
    asked = np.bincount(rows, minlength=size)
    return np.asarray(np.bincount(rows, sheet.right, size) / np.maximum(asked, 1))


def _pick(sheet: Answers, question: int, easy: NDArray[np.float64]) -> Pick:
    row, condition = int(sheet.questions.rows[question]), int(sheet.questions.conditions[question])
    at = np.array([row], np.int64)
    return Pick(
        sheet.benchmark.conditions[condition].name,
        sheet.benchmark.data.pictures(row),
        sheet.benchmark.images(condition, at)[0],
        int(sheet.benchmark.data.labels[row]),
        int(sheet.labels[question]),
        float(easy[row]),
    )

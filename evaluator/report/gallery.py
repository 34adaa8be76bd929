"""The worst images, as pictures: those that the damage itself made wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from evaluator.answers import CLEAN_PLACE, Answers
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.lettering import QUIET, fitted
from evaluator.report.markup import Tag, broken, paragraph, section, tag

LONGEST_SIDE = 96  # pixels: two dozen pictures of that size stay below 1 MB whatever they show
SHOWN = 12
NOTHING = "No image is right when clean and wrong under a condition that costs accuracy"


@dataclass(frozen=True, eq=False)
class Pick:
    """One image, clean and corrupted, with what it is and what was answered.

    clean, corrupted: uint8 `(h, w, c)`. truth, answer: labels.
    """

    condition: str
    clean: NDArray[np.uint8]
    corrupted: NDArray[np.uint8]
    truth: int
    answer: int


def gallery(report: Evaluation) -> Tag:
    """The section."""
    title = f"Images that corruption made wrong{report.mark}"
    if report.sheet is None:
        return section(title, paragraph("No answers, so no images to show."))
    found = picks(report.sheet)
    if not found:
        return section(title, paragraph(f"{NOTHING}."))
    lead = (
        "Right when clean (left), wrong when corrupted (right); from the costliest conditions, "
        "each image once, those first that are otherwise answered best. Only labels are known "
        "here, so nothing is said about confidence."
    )
    names = report.source.label_names
    shown = tag("div", *(_figure(pick, names) for pick in found), class_="gallery")
    return section(title, shown, lead=lead)


def pairs(found: Sequence[Pick], names: tuple[str, ...]) -> list[svg.Drawing]:
    """Each image beside its corrupted self, with what it is, what was answered, and to what."""
    side = LONGEST_SIDE
    said = [f"{names[pick.truth]} \u2192 {names[pick.answer]}" for pick in found]
    labels = fitted(said, 2 * side, 6, bold=True)
    conditions = fitted((pick.condition for pick in found), 2 * side, 9, QUIET)
    first = side + 6 + labels.height / 2
    second = side + 8 + labels.height + conditions.height / 2
    height = second + conditions.height / 2
    return [
        svg.Drawing(
            2 * side + 4,
            height,
            f"{label} under {pick.condition}",
            (
                _picture(pick.clean, 0, side),
                _picture(pick.corrupted, side + 4, side),
                labels.draw(label, 0, first, "strong"),
                conditions.draw(pick.condition, 0, second, "quiet"),
            ),
        )
        for pick, label in zip(found, said, strict=True)
    ]


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture, uint8 `(h, w, c)`, as PNG in a data URI; shrunk to `LONGEST_SIDE`."""
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def picks(sheet: Answers, most: int = SHOWN) -> tuple[Pick, ...]:
    """Images right when clean and wrong when corrupted, each once, from the costliest conditions.

    Conditions take turns, the costliest first. Within a condition those images come first that are
    otherwise answered best: there the damage did it, not the image.
    """
    easy = _share_right(sheet, sheet.questions.rows, len(sheet.benchmark.data))
    by_condition = [_candidates(sheet, condition, easy) for condition in _costliest(sheet)]
    turns = chain.from_iterable(zip_longest(*by_condition))
    chosen: dict[int, int] = {}
    for question in turns:
        if question is not None and len(chosen) < most:
            chosen.setdefault(int(sheet.questions.rows[question]), question)
    return tuple(_pick(sheet, question) for question in chosen.values())


def _figure(pick: Pick, names: tuple[str, ...]) -> Tag:
    truth, answer = names[pick.truth], names[pick.answer]
    shots = (
        _image(pick.clean, f"{truth}, clean, answered rightly"),
        _image(pick.corrupted, f"{truth} under {pick.condition}, answered {answer}"),
    )
    caption = tag(
        "figcaption",
        tag("span", tag("b", truth), " \u2192 ", tag("b", answer, class_="error")),
        tag("span", *broken(pick.condition), class_="soft"),
    )
    return tag("figure", tag("div", *shots, class_="shots"), caption)


def _image(image: NDArray[np.uint8], alt: str) -> Tag:
    height, width = image.shape[:2]
    return tag("img", src=data_uri(image), alt=alt, title=alt, width=width, height=height)


def _picture(image: NDArray[np.uint8], x: float, side: float) -> Tag:
    return tag(
        "image",
        href=data_uri(image),
        x=x,
        y=0,
        width=side,
        height=side,
        style="image-rendering:pixelated",
    )


def _costliest(sheet: Answers) -> list[int]:
    """Conditions by the accuracy that they take from the clean one, times their weight."""
    size = len(sheet.benchmark.conditions)
    asked = np.bincount(sheet.questions.conditions, minlength=size)
    means = _share_right(sheet, sheet.questions.conditions, size)
    weights = np.array([condition.weight for condition in sheet.benchmark.conditions])
    cost = np.where(asked > 0, weights * (means[CLEAN_PLACE] - means), -np.inf)
    cost[CLEAN_PLACE] = -np.inf
    return [int(condition) for condition in np.argsort(-cost, kind="stable") if cost[condition] > 0]


def _candidates(sheet: Answers, condition: int, easy: NDArray[np.float64]) -> Iterator[int]:
    """Questions of a condition that were answered wrongly on images that are right when clean."""
    right, questions = sheet.right, sheet.questions
    fine = np.zeros(len(sheet.benchmark.data), bool)
    fine[questions.rows[(questions.conditions == CLEAN_PLACE) & right]] = True
    wrong = np.flatnonzero((questions.conditions == condition) & ~right & fine[questions.rows])
    rows = questions.rows[wrong]
    yield from wrong[np.lexsort((rows, -easy[rows]))].tolist()


def _share_right(
    sheet: Answers, groups: NDArray[np.signedinteger], size: int
) -> NDArray[np.float64]:
    """The share of right answers in each group of questions; 0 where none was asked."""
    asked = np.bincount(groups, minlength=size)
    return np.asarray(np.bincount(groups, sheet.right, size) / np.maximum(asked, 1))


def _pick(sheet: Answers, question: int) -> Pick:
    row, condition = int(sheet.questions.rows[question]), int(sheet.questions.conditions[question])
    benchmark = sheet.benchmark
    return Pick(
        benchmark.conditions[condition].name,
        benchmark.data.pictures(row),
        benchmark.images(condition, np.array([row], np.int64))[0],
        int(benchmark.data.labels[row]),
        int(sheet.labels[question]),
    )

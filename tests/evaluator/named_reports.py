"""The small report with long names, Chinese ones and many classes, which all need room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from corruptions.presets import Condition, Step
from evaluator.report.report import Report
from tests.evaluator import pages

FORTY = "a class name of exactly forty characters"
LONG = (
    *(FORTY, "a_class_name_of_exactly_forty_characters", "x" * 40, "W" * 40),
    *("immature granulocyte", "monocyte", "Zellvorläufer/Normoblast/Proerythroblast", "i"),
)
CHINESE = (
    *("嗜碱性粒细胞", "嗜酸性粒细胞", "有核红细胞"),
    "未成熟粒细胞包括早幼粒细胞、中幼粒细胞和晚幼粒细胞",
    *("淋巴细胞", "单核细胞", "中性粒细胞", "血小板 platelet"),
)  # fmt: skip


def of_classes(names: tuple[str, ...]) -> Report:
    """The small report with other names of its classes."""
    report = pages.small_report()
    return replace(report, source=replace(report.source, label_names=names))


def of_families(report: Report, family: str, corruption: str) -> Report:
    """With a longer name of each family, and of each corruption that only the library asks."""
    assert report.sheet is not None
    assert report.library is not None
    sheet, library = report.sheet.benchmark, report.library.benchmark
    own = tuple(
        replace(condition, family=f"{condition.family}{family}") for condition in sheet.conditions
    )
    conditions = tuple(_renamed(condition, family, corruption) for condition in library.conditions)
    return replace(
        report,
        sheet=replace(report.sheet, benchmark=replace(sheet, conditions=own)),
        library=replace(report.library, benchmark=replace(library, conditions=conditions)),
    )


def _renamed(condition: Condition, family: str, corruption: str) -> Condition:
    steps = tuple(Step(step.corruption + corruption, step.severity) for step in condition.steps)
    return replace(condition, family=f"{condition.family}{family}", steps=steps)


def of_many(classes: int, name: str) -> Report:
    """With so many classes that the matrix has no figures in it."""
    report = of_classes(tuple(f"{name} {place:02d}" for place in range(classes)))
    assert report.sheet is not None
    rng, data = np.random.default_rng(4), report.sheet.benchmark.data
    labels = rng.integers(0, classes, len(data)).astype(data.labels.dtype)
    rows = report.sheet.questions.rows
    answers = np.where(rng.random(len(rows)) < 0.8, labels[rows], 0).astype(np.int64)
    benchmark = replace(report.sheet.benchmark, data=replace(data, labels=labels))
    return replace(report, sheet=replace(report.sheet, benchmark=benchmark, labels=answers))


REPORTS: dict[str, Callable[[], Report]] = {
    "own": pages.small_report,
    "long": lambda: of_families(of_classes(LONG), " of the microscope's lens", "_as_they_did_it"),
    "chinese": lambda: of_families(of_classes(CHINESE), "显微镜镜头造成的图像损坏", "的中文名称"),
    "twelve": lambda: of_many(12, "immature granulocyte of kind"),
    "forty": lambda: of_many(40, FORTY[:-3]),
    "dollars": lambda: of_classes(tuple(f"${place} and $_{{10" for place in range(8))),
}

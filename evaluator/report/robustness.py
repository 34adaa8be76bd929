"""What users of robustness tools look for, as plain tables and as JSON.

The severity at which accuracy falls, slices by what images look like, errors relative to a
reference. Terminal and page show the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.console.words import counted, few, shown
from evaluator.metrics import Score
from evaluator.relative import Ratio, Relative
from evaluator.report.evaluation import Evaluation
from evaluator.severity import Search, Threshold
from evaluator.slices import FEWEST_IMAGES, Held, Slice

SLICES_SHOWN = 3  # on a terminal
ROWS_SHOWN = 12


@dataclass(frozen=True)
class Listing:
    """A table for terminal and page. note: a sentence on it. rows: () where that says all.

    shown: how many rows a terminal shows.
    """

    title: str
    note: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    shown: int = ROWS_SHOWN


def listings(report: Evaluation) -> Iterator[Listing]:
    """What there is to show of an evaluation that answered, in order."""
    if report.search is not None:
        yield of_search(report.search, report.mark)
    yield of_slices(report.slices, report.mark)
    if report.relative is not None:
        yield of_relative(report.relative, report.mark)


def of_search(found: Search, mark: str = "") -> Listing:
    """The severity of each corruption at which accuracy falls below the figure."""
    title = f"Severity at which accuracy falls below {found.accuracy:g}{mark}"
    if not found.found:
        note = (
            f"Accuracy on clean images is {found.clean.value:.3f}, below {found.accuracy:g} "
            "already: no severity was searched."
        )
        return Listing(title, note)
    note = f"{never_below(found)} {search_note(found)}".lstrip()
    rows = tuple(
        (one.name, severity_text(one), _range(one), str(len(one.points)), one.note)
        for one in falling(found)
    )
    columns = ("corruption", "severity", "95 % interval", "tried", "")
    shorter = None if any(row[-1] for row in rows) else -1
    return Listing(title, note, columns[:shorter], tuple(row[:shorter] for row in rows))


def search_note(found: Search) -> str:
    """On which images it was searched, and what was assumed."""
    most = max(len(one.points) for one in found.found)
    return (
        f"Severities from 1 (mild) to 5 (strong), {counted(found.images, 'image')}, at most {most} "
        "severities for each corruption. Assumed: accuracy only falls as severity grows."
    )


def falling(found: Search) -> tuple[Threshold, ...]:
    """Those under which accuracy falls below the figure, the soonest first: a row or bar each."""
    return tuple(one for one in found.found if one.where != "above")


def never_below(found: Search, most: int = 8) -> str:
    """The others in one sentence, as a row of each would say the same; "" without any.

    most: how many are named.
    """
    names = [one.name for one in found.found if one.where == "above"]
    if not names:
        return ""
    up_to = f"Accuracy stays at {found.accuracy:g} or above up to severity 5 under"
    return f"{up_to} {counted(len(names), 'corruption')}: {few(names, most)}."


def severity_text(one: Threshold) -> str:
    """2.38, or that it lies below 1."""
    return "below 1" if one.where == "below" else f"{one.severity:.2f}"


def _range(one: Threshold) -> str:
    low = "1 or less" if one.low <= 1 else f"{one.low:.2f}"
    high = "5 or more" if one.high >= 5 else f"{one.high:.2f}"
    return "1 or less" if one.high <= 1 else f"{low} to {high}"


def of_slices(found: tuple[Slice, ...], mark: str = "") -> Listing:
    """Accuracy by what images look like, the weakest slices first."""
    title = f"Accuracy by what the images look like, the weakest first{mark}"
    if not found:
        few = f"Fewer than {FEWEST_IMAGES} images: too few to cut into quarters."
        return Listing(title, few, shown=SLICES_SHOWN)
    worse = sum(one.worse for one in found)
    note = (
        f"A slice is a quarter of the images. {worse} of {len(found)} slices "
        f"{'is' if worse == 1 else 'are'} worse than the other images by more than chance (*)."
        if worse
        else f"A slice is a quarter of the images. None of {len(found)} is worse than the other "
        "images by more than chance."
    ) + " p: how often chance alone would show as much."
    columns = ("slice", "images", "clean", "others", "benchmark", "others", "p (Holm)")
    rows = tuple(map(_slice_row, found))
    return Listing(title, note, columns, rows, SLICES_SHOWN)


def _slice_row(one: Slice) -> tuple[str, ...]:
    sides = (one.clean, one.benchmark)
    figures = (text for side in sides for text in (_short(side.accuracy), f"{side.rest:.2f}"))
    least = min(side.adjusted for side in sides)
    chance = "< 0.01" if least < 0.01 else f"{least:.2f}"
    return (slice_name(one), f"{one.images:,}", *figures, chance + "*" * one.worse)


def slice_name(one: Slice) -> str:
    """For example: brightness 120 to 140."""
    return f"{one.measure} {_level(one.low)} to {_level(one.high)}"


def _short(score: Score) -> str:
    return f"{score.value:.2f} ±{(score.high - score.low) / 2:.2f}"


def _level(value: float) -> str:
    """A measure's value, to two or three digits."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def of_relative(found: Relative, mark: str = "") -> Listing:
    """Errors over the reference's, the largest ratio first, the mean on top."""
    title = f"Errors relative to {shown(found.reference)}{mark}"
    note = (
        "Ratio: its error divided by the reference's, on the same "
        f"{counted(found.images, 'image')}; below 1 is better. Not to be compared with published "
        "mCE (mean corruption error): reference, images and severities are yours."
    )
    if found.left_out:
        note += f" Left out, as the reference makes too few errors: {few(found.left_out)}."
    if found.mean is None:
        return Listing(title, note)
    columns = ("corruption", "error", "reference", "ratio", "95 % interval")
    rows = tuple(_ratio_row(name, one) for name, one in named_ratios(found))
    return Listing(title, note, columns, rows)


def named_ratios(found: Relative) -> list[tuple[str, Ratio]]:
    """The mean, clean images, then each corruption, as far as there are any."""
    first = (("mean ratio", found.mean), ("clean images", found.clean))
    return [
        *((name, one) for name, one in first if one is not None),
        *((one.name, one) for one in found.ratios),
    ]


def _ratio_row(name: str, one: Ratio) -> tuple[str, ...]:
    span = f"{one.low:.2f} to {one.high:.2f}"
    return name, f"{one.error:.3f}", f"{one.reference:.3f}", f"{one.value:.2f}", span


def documents(report: Evaluation) -> dict[str, Any]:
    """For JSON: `slices`, `until` and `relative`, docs/report.md; null where not asked for."""
    return {
        "slices": [_slice_document(one) for one in report.slices],
        "until": None if report.search is None else _search_document(report.search),
        "relative": None if report.relative is None else _relative_document(report.relative),
    }


def _score(score: Score) -> dict[str, Any]:
    return {"accuracy": score.value, "interval": [score.low, score.high], "n": score.n}


def _slice_document(one: Slice) -> dict[str, Any]:
    return {
        "measure": one.measure,
        "quantile": one.quantile,
        "range": [one.low, one.high],
        "images": one.images,
        "clean": _held_document(one.clean),
        "benchmark": _held_document(one.benchmark),
    }


def _held_document(one: Held) -> dict[str, Any]:
    own = {"rest": one.rest, "p": one.p, "p_holm": one.adjusted, "worse": one.worse}
    return _score(one.accuracy) | own


def _search_document(found: Search) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "images": found.images,
        "clean": _score(found.clean),
        "corruptions": [_threshold_document(one) for one in found.found],
    }


def _threshold_document(one: Threshold) -> dict[str, Any]:
    points = [{"severity": at} | _score(score) for at, score in one.points.items()]
    return {
        "name": one.name,
        "table": one.table,
        "family": one.family,
        "where": one.where,
        "severity": one.severity if one.where == "within" else None,
        "interval": [one.low, one.high],
        "evaluations": len(points),
        "points": points,
        "note": one.note,
    }


def _relative_document(found: Relative) -> dict[str, Any]:
    return {
        "reference": shown(found.reference),
        "sha256": found.sha256,
        "images": found.images,
        "clean": None if found.clean is None else _ratio_document(found.clean),
        "mean": None if found.mean is None else _ratio_document(found.mean),
        "corruptions": [_ratio_document(one) for one in found.ratios],
        "left_out": list(found.left_out),
    }


def _ratio_document(one: Ratio) -> dict[str, Any]:
    return {
        "name": one.name,
        "error": one.error,
        "reference_error": one.reference,
        "ratio": one.value,
        "interval": [one.low, one.high],
    }

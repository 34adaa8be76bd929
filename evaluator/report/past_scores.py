"""What was predicted of past submissions, and what the leaderboard said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codabench_rehearsal.console.words import counted, listed
from evaluator.metrics import Score
from evaluator.report.axes import (
    Scale,
    across,
    around,
    below,
    beside,
    diamond,
    disc,
    legend,
    square,
    tick,
    upright,
)
from evaluator.report.card import mark, points, span
from evaluator.report.result import Report
from evaluator.report.tags import Node, Tag, line, paragraph, section, svg, table, tag, text
from evaluator.store.rows import HistoryRow

_WIDTH, _HEIGHT = 190, 22


@dataclass(frozen=True)
class Record:
    """How good the predictions were: how many, mean absolute error, and how many intervals held."""

    checked: int
    error: float
    held: int


def record(rows: tuple[HistoryRow, ...]) -> Record | None:
    """Of the scores that had been predicted; None without any."""
    both = [(row.prediction, row.score.value) for row in rows if row.prediction and row.score]
    if not both:
        return None
    error = sum(abs(guess.value - score) for guess, score in both) / len(both)
    return Record(len(both), error, sum(guess.low <= score <= guess.high for guess, score in both))


def history(report: Report) -> Tag:
    """The section."""
    title = "Predicted against actual"
    rows = tuple(row for row in report.history if row.score or row.prediction)
    if not rows:
        return section(
            title,
            paragraph(
                "No score is recorded yet. After an upload: local-eval record ZIP --score 0.89"
            ),
        )
    scale = _scale(rows)
    columns = ("submission", "phase", "date", "predicted (interval)", "", "actual", "error, points")
    key = legend([(diamond(9, 7), "predicted, with its interval"), (tick(9, 7), "actual")])
    shown = table("Scores, as recorded", columns, (_row(row, scale) for row in rows), "wide")
    return section(title, key, shown, lead=_lead(rows))


def _lead(rows: tuple[HistoryRow, ...]) -> str:
    found = record(rows)
    if found is None:
        return "No recorded score had been predicted before it came, so nothing can be checked."
    return (
        f"{counted(found.checked, 'score')} predicted beforehand: off by {100 * found.error:.1f} "
        f"points on average, {found.held} of {found.checked} inside the interval."
    )


def _row(row: HistoryRow, scale: Scale) -> list[Node]:
    score, guess = row.score, row.prediction
    date = (score.date or score.recorded[:10]) if score else ""
    said = f"{guess.value:.3f} ({span(guess.low, guess.high)})" if guess else "\u2013"
    off = points(guess.value - score.value) if guess and score else "\u2013"
    phase = score.phase if score else guess.phase if guess else ""
    return [
        row.submission.name,
        phase,
        date,
        said,
        _drawing(row, scale),
        str(score) if score else "\u2013",
        off,
    ]


def _drawing(row: HistoryRow, scale: Scale) -> Tag:
    score, guess = row.score, row.prediction
    drawn: list[Node] = [line(0, 11, _WIDTH, 11, "grid")]
    said = []
    if guess:
        drawn += [across(scale(guess.low), scale(guess.high), 11, "forecast")]
        drawn.append(diamond(scale(guess.value), 11))
        said.append(f"predicted {guess.value:.3f}")
    if score:
        drawn.append(tick(scale(score.value), 11))
        said.append(f"actual {score}")
    return svg(_WIDTH, _HEIGHT, ", ".join(said), *drawn)


def _scale(rows: tuple[HistoryRow, ...]) -> Scale:
    guesses = [
        v for row in rows if row.prediction for v in (row.prediction.low, row.prediction.high)
    ]
    values = [*guesses, *(row.score.value for row in rows if row.score)]
    return Scale(min(values) - 0.01, max(values) + 0.01, 10, _WIDTH - 10)


# Local figures against the leaderboard, on logit axes: how far each of them can be trusted.


_CHART_WIDTH, _CHART_HEIGHT = 392, 362
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 378, 10, 318


@dataclass(frozen=True)
class Place:
    """One submission in the figure: its local figures and its score, known or expected.

    benchmark: None where it is not known. low, high: of the expected score, equal to it for a
    known one.
    """

    name: str
    validation: Score
    benchmark: Score | None
    score: float
    low: float
    high: float
    known: bool

    @property
    def local(self) -> dict[str, Score]:
        """Its local figures by name."""
        found = {"validation": self.validation, "benchmark": self.benchmark}
        return {name: score for name, score in found.items() if score is not None}


def places(report: Report) -> tuple[Place, ...]:
    """Past submissions, then this one with its expected score."""
    past = [
        Place(p.name, p.validation, p.benchmark, p.score, p.score, p.score, known=True)
        for p in report.past
    ]
    found, scores = report.estimate, report.scores
    if found is not None and scores is not None:
        local = (scores.validation.accuracy, scores.benchmark.accuracy)
        past.append(
            Place("this submission", *local, found.median, found.low, found.high, known=False)
        )
    return tuple(past)


def scatter(report: Report) -> Tag:
    """The section; without anything to draw it says what is missing."""
    found = places(report)
    title = f"Local figures and the leaderboard{mark(report)}"
    if not found:
        return section(
            title,
            paragraph("Nothing to compare: no past score is recorded and no estimate was made."),
        )
    words = [paragraph(said) for said in (bias(found), *_missing(report))]
    reading = paragraph(
        "On the dashed line a local figure is the score itself; to the right of it the figure "
        "promises too much. Axes are in log odds, so that a point near 1 weighs what it should.",
        "soft",
    )
    beside_it = tag("div", *words, reading, _legend(found))
    return section(title, tag("div", _scatter_drawing(found), beside_it, class_="pair"))


def bias(found: Iterable[Place]) -> str:
    """How far validation and benchmark lay from known scores."""
    known = [place for place in found if place.known]
    if not known:
        return "No past score yet: nothing says how far the local figures are off."
    said = []
    for name in ("validation", "benchmark"):
        off = [place.local[name].value - place.score for place in known if name in place.local]
        if off:
            fewer = "" if len(off) == len(known) else f" ({len(off)} of them)"
            said.append(f"{name} minus score{fewer} is {_spread(off)}")
    return f"Over {counted(len(known), 'known score')}, {'; '.join(said)}."


def _spread(off: list[float]) -> str:
    mean = f"{points(sum(off) / len(off))} points"
    return f"{mean} on average ({points(min(off))} to {points(max(off))})" if len(off) > 1 else mean


def _missing(report: Report) -> list[str]:
    said = []
    if report.estimate is None:
        said.append("This submission is left out: no estimate was made.")
    without = [line.name for line in report.past if line.benchmark is None]
    if without:
        preset = report.source.preset
        said.append(
            f"No benchmark figure of {listed(without)}: not asked under {preset} yet "
            f"(local-eval ZIP --corrupt {preset})."
        )
    return said


def _scatter_drawing(found: tuple[Place, ...]) -> Tag:
    locals_ = [f for p in found for s in p.local.values() for f in (s.low, s.high)]
    both = [*locals_, *(v for p in found for v in (p.low, p.high))]
    x = around(both, _LEFT, _RIGHT, odds=True)
    y = Scale(x.low, x.high, _BOTTOM, _TOP, odds=True)
    drawn: list[Node] = [
        *below(x, _BOTTOM, _TOP),
        *beside(y, _LEFT, _RIGHT),
        line(_LEFT, _BOTTOM, _RIGHT, _TOP, "equal"),
        text((_LEFT + _RIGHT) / 2, _CHART_HEIGHT - 6, "local accuracy", "quiet", "middle"),
        _turned("leaderboard score", 11, (_TOP + _BOTTOM) / 2),
    ]
    for place in found:
        drawn += _marks(place, x, y)
    return svg(
        _CHART_WIDTH,
        _CHART_HEIGHT,
        f"Local accuracy against leaderboard score. {bias(found)}",
        *drawn,
    )


def _marks(place: Place, x: Scale, y: Scale) -> list[Node]:
    at = y(place.score)
    places_ = [x(score.value) for score in place.local.values()]
    drawn: list[Node] = [across(min(places_), max(places_), at, "grid")]
    for name, score in place.local.items():
        bar = "cleanbar" if name == "validation" else "hurtbar"
        drawn.append(across(x(score.low), x(score.high), at, bar))
    for name, score in place.local.items():
        said = _said(place, name, score)
        if not place.known:
            drawn.append(upright(x(score.value), y(place.low), y(place.high), "forecast"))
            drawn.append(diamond(x(score.value), at, said))
        drawn.append((disc if name == "validation" else square)(x(score.value), at, said))
    return drawn


def _said(place: Place, name: str, score: Score) -> str:
    kind = "score" if place.known else "expected score"
    interval = "" if place.known else f" ({span(place.low, place.high)})"
    return (
        f"{place.name}: {name} {score.value:.3f} ({span(score.low, score.high)}), "
        f"{kind} {place.score:.3f}{interval}"
    )


def _legend(found: tuple[Place, ...]) -> Tag:
    entries: list[tuple[Node, str]] = [
        (disc(9, 7), "validation (clean)"),
        (square(9, 7), "benchmark"),
    ]
    if not all(place.known for place in found):
        entries.append((diamond(9, 7), "this submission, with 90 % of the forecast"))
    entries.append((line(0, 12, 18, 2, "equal"), "local figure = score"))
    entries.append((line(0, 7, 18, 7, "cleanbar"), "95 % interval of a local figure"))
    return legend(entries)


def _turned(said: str, x: float, y: float) -> Tag:
    return tag(
        "text",
        said,
        x=x,
        y=y,
        class_="quiet",
        text_anchor="middle",
        transform=f"rotate(-90 {x} {y})",
    )

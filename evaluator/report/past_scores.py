"""Past submissions: their local figures, what was predicted, and what the leaderboard said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codabench_rehearsal.console.words import counted, listed
from evaluator.metrics import Score
from evaluator.report import svg
from evaluator.report.evaluation import Evaluation
from evaluator.report.history import NOT_MINE, summary
from evaluator.report.markup import (
    Node,
    Tag,
    folded_section,
    paragraph,
    points,
    section,
    span,
    table,
    tag,
    with_range,
)
from evaluator.store.rows import HistoryRow, Prediction

_WIDTH, _HEIGHT = 190, 22
_CHART_WIDTH, _CHART_HEIGHT = 392, 362
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 378, 10, 318
_NONE = "\u2013"


@dataclass(frozen=True)
class ScorePlace:
    """One submission in the figure: its local figures by name, and its score, known or expected.

    low, high: of the expected score, equal to it for a known one.
    """

    name: str
    local: dict[str, Score]
    score: float
    low: float
    high: float
    known: bool


def history(report: Evaluation) -> Tag:
    """What was predicted of submissions, and what the leaderboard said."""
    title = "Predicted against actual"
    rows = [row for row in report.history if row.score or row.prediction]
    if not any(row.score for row in rows):
        nothing = report.say("After an upload: local-eval record ZIP --score 0.89")
        said = [paragraph(nothing)] if not rows else [_scores(rows), paragraph(nothing, "soft")]
        return folded_section(title, "no score is recorded yet", *said)
    return section(title, _scores(rows), lead=_record(rows))


def _scores(rows: Sequence[HistoryRow]) -> Tag:
    """What was predicted and what came, a line a submission."""
    values = [row.score.value for row in rows if row.score]
    values += [v for row in rows if (p := row.prediction) for v in (p.low, p.high)]
    scale = svg.Scale(min(values) - 0.01, max(values) + 0.01, 10, _WIDTH - 10)
    columns = ("submission", "phase", "date", "predicted (range)", "", "actual", "error, points")
    key = svg.legend(((svg.diamond(9, 7), "predicted, with its range"), (svg.tick(9, 7), "actual")))
    shown = table("Scores, as recorded", columns, (_row(row, scale) for row in rows), "wide")
    return tag("div", key, shown)


def scatter(report: Evaluation) -> Tag:
    """Local figures against the leaderboard; without anything to draw it says what is missing."""
    found = places(report)
    title = f"Local figures and the leaderboard{report.mark}"
    if not found:
        nothing = "Nothing to compare: no past score is recorded and no estimate was made."
        return section(title, paragraph(nothing))
    reading = (
        "On the dashed line a local figure is the score itself; to the right of it the figure "
        "promises too much. Both axes are stretched towards 0 and 1, where points are hard to gain."
    )
    words = [paragraph(said) for said in (bias(found), *_missing(report))]
    words += [paragraph(reading, "soft"), svg.legend(scatter_legend(found))]
    return section(title, tag("div", score_chart(found), tag("div", *words), class_="pair"))


def places(report: Evaluation) -> tuple[ScorePlace, ...]:
    """Past submissions, then this one with its expected score."""
    found = []
    for past in report.past:
        local = {"validation": past.validation}
        if past.benchmark is not None:
            local["benchmark"] = past.benchmark
        score = past.score
        found.append(
            ScorePlace(_named(past.name, mine=past.mine), local, score, score, score, known=True)
        )
    made, scores = report.estimate, report.scores
    if made is not None and scores is not None:
        local = {"validation": scores.validation.accuracy, "benchmark": scores.benchmark.accuracy}
        expected = (made.median, made.low, made.high)
        found.append(ScorePlace("this submission", local, *expected, known=False))
    return tuple(found)


def bias(found: Sequence[ScorePlace]) -> str:
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


def score_chart(found: Sequence[ScorePlace]) -> svg.Drawing:
    """The submissions on logit axes, with the line where both are equal."""
    values = [v for place in found for s in place.local.values() for v in (s.low, s.high)]
    values += [v for place in found for v in (place.low, place.high)]
    x = svg.around(values, _LEFT, _RIGHT, odds=True)
    y = svg.Scale(x.low, x.high, _BOTTOM, _TOP, odds=True)
    middle = (_TOP + _BOTTOM) / 2
    drawn: list[Node] = [
        *svg.ticks_across(x, _TOP, _BOTTOM, _BOTTOM + 14),
        *svg.ticks_beside(y, _LEFT, _RIGHT),
        svg.line(_LEFT, _BOTTOM, _RIGHT, _TOP, "equal"),
        svg.text((_LEFT + _RIGHT) / 2, _CHART_HEIGHT - 6, "local accuracy", "quiet", "middle"),
        tag(
            "text",
            "leaderboard score",
            x=11,
            y=middle,
            class_="quiet",
            text_anchor="middle",
            transform=f"rotate(-90 11 {middle})",
        ),
    ]
    for place in found:
        drawn += _marks(place, x, y)
    said = f"Local accuracy against leaderboard score. {bias(found)}"
    return svg.Drawing(_CHART_WIDTH, _CHART_HEIGHT, said, tuple(drawn))


def scatter_legend(found: Sequence[ScorePlace]) -> svg.Legend:
    """What the chart's marks mean."""
    entries: list[tuple[Node, str]] = [
        (svg.disc(9, 7), "validation (clean)"),
        (svg.square(9, 7), "benchmark"),
    ]
    if not all(place.known for place in found):
        entries.append((svg.diamond(9, 7), "this submission: expected score, range (90 % sure)"))
    entries.append((svg.line(0, 12, 18, 2, "equal"), "local figure = score"))
    entries.append((svg.line(0, 7, 18, 7, "cleanbar"), "95 % interval of a local figure"))
    return tuple(entries)


def _record(rows: Sequence[HistoryRow]) -> str:
    """How good the predictions were, of the scores that had been predicted."""
    seen = summary(rows)
    if seen is None:
        return "No recorded score had been predicted before it came, so nothing can be checked."
    return (
        f"{counted(seen.count, 'score')} predicted beforehand: off by {seen.error:.1f} points on "
        f"average, {seen.held} of {seen.count} inside the range."
    )


def _row(row: HistoryRow, scale: svg.Scale) -> list[Node]:
    score, guess = row.score, row.prediction
    known = score or guess
    return [
        tag("span", _named(row.submission.name, mine=score is None or score.mine)),
        known.phase if known else "",
        tag("span", (score.date or score.recorded[:10]) if score else "", class_="whole"),
        f"{guess.value:.3f} ({span(guess.low, guess.high)})" if guess else _NONE,
        _drawing(guess, score.value if score else None, str(score or ""), scale),
        str(score or _NONE),
        points(guess.value - score.value) if guess and score else _NONE,
    ]


def _drawing(
    guess: Prediction | None, score: float | None, shown: str, scale: svg.Scale
) -> svg.Drawing:
    drawn: list[Node] = [svg.line(0, 11, _WIDTH, 11, "grid")]
    said = []
    if guess:
        drawn.append(svg.across(scale(guess.low), scale(guess.high), 11, "forecast"))
        drawn.append(svg.diamond(scale(guess.value), 11))
        said.append(f"predicted {guess.value:.3f}")
    if score is not None:
        drawn.append(svg.tick(scale(score), 11))
        said.append(f"actual {shown}")
    return svg.Drawing(_WIDTH, _HEIGHT, ", ".join(said), tuple(drawn))


def _named(name: str, *, mine: bool) -> str:
    return name if mine else f"{name} ({NOT_MINE})"


def _spread(off: list[float]) -> str:
    mean = f"{points(sum(off) / len(off))} points"
    return f"{mean} on average ({points(min(off))} to {points(max(off))})" if len(off) > 1 else mean


def _missing(report: Evaluation) -> list[str]:
    said = []
    if report.estimate is None:
        said.append("This submission is left out: no estimate was made.")
    without = [past.name for past in report.past if past.benchmark is None]
    if without:
        preset = report.source.preset
        said.append(
            f"No benchmark figure of {listed(without)}: not run under {preset} yet "
            f"(local-eval ZIP --corrupt {preset})."
        )
    return said


def _marks(place: ScorePlace, x: svg.Scale, y: svg.Scale) -> list[Node]:
    at = y(place.score)
    ends = [x(score.value) for score in place.local.values()]
    drawn: list[Node] = [svg.across(min(ends), max(ends), at, "grid")]
    for name, score in place.local.items():
        bar = "cleanbar" if name == "validation" else "hurtbar"
        drawn.append(svg.across(x(score.low), x(score.high), at, bar))
    kind = "score" if place.known else "expected score"
    interval = "" if place.known else f" ({span(place.low, place.high)})"
    for name, score in place.local.items():
        local = f"{place.name}: {name} {with_range(score)}"
        said = f"{local}, {kind} {place.score:.3f}{interval}"
        if not place.known:
            drawn.append(svg.upright(x(score.value), y(place.low), y(place.high), "forecast"))
            drawn.append(svg.diamond(x(score.value), at, said))
        drawn.append((svg.disc if name == "validation" else svg.square)(x(score.value), at, said))
    return drawn

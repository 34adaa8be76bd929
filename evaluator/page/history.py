"""What was predicted of past submissions, and what the leaderboard said."""

from __future__ import annotations

from dataclasses import dataclass

from codabench_rehearsal.console.words import counted
from evaluator.page.axes import Scale
from evaluator.page.marks import across, diamond, legend, tick
from evaluator.page.tags import Node, Tag, line, paragraph, section, svg, table
from evaluator.page.words import points, span
from evaluator.result import Report
from evaluator.storing.rows import HistoryRow

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

"""How figures are written on the page."""

from __future__ import annotations

from evaluator.report import UNSEEN
from evaluator.result import Report, Score

_FINE = 0.02  # intervals narrower than this deserve a third decimal


def with_range(score: Score, decimals: int = 3) -> str:
    """0.871 (0.850 to 0.890)."""
    return f"{score.value:.{decimals}f} ({span(score.low, score.high, decimals)})"


def span(low: float, high: float, decimals: int = 3, word: str = "to") -> str:
    """0.850 to 0.890."""
    return f"{low:.{decimals}f} {word} {high:.{decimals}f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    rounded = round(100 * difference, 1) + 0.0  # no minus before nothing
    return f"{rounded:+.1f}".replace("-", "\u2212")


def points_with_range(score: Score) -> str:
    """2.3 points (1.1 to 3.4)."""
    low, value, high = (
        f"{100 * v:.1f}".replace("-", "\u2212") for v in (score.low, score.value, score.high)
    )
    return f"{value} points ({low} to {high})"


def decimals_for(low: float, high: float) -> int:
    """As many decimals as the interval supports."""
    return 2 if high - low >= _FINE else 3


def mark(report: Report) -> str:
    """What follows the headings of figures on images that may have been trained on."""
    return f" {UNSEEN}" if report.source.split == "unknown" else ""

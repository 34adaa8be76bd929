"""The headline in words: what score to expect, from what, and how sure that is."""

from __future__ import annotations

from codabench_rehearsal.console.words import percent
from evaluator.estimate.estimate import TOLERANCE, Estimate


def headline(made: Estimate) -> str:
    """One sentence: the expected score, its interval, what it rests on, the chance to win."""
    said = (
        f"Expected hidden score {made.median:.2f}, 90 % between {made.low:.2f} and {made.high:.2f}"
    )
    if made.beats_best is None or made.best is None:
        return f"{said}: uncalibrated, without past scores."
    scores = "1 past score" if made.past == 1 else f"{made.past} past scores"
    return f"{said}, from {scores}; {chance(made.beats_best)} chance of beating your best."


def chance(share: float) -> str:
    """A probability for people; never 0 or 100 %, which nobody can know."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else percent(share)


def explained(made: Estimate, *, more: bool = True) -> list[str]:
    """What stands below it: how good such guesses were, and what would make this one better.

    more: whether there are images and conditions that were not asked.
    """
    lines = []
    if made.regime == "uncalibrated":
        lines.append(
            "It says how far hidden sets of such images may lie apart. The first score narrows it "
            "most: record it after the upload (local-eval record)."
        )
    if made.regime == "offset":
        lines.append(
            "It leans on few scores: for a model of another kind than those that got them, trained "
            "on other damage, it may be far off."
        )
    if made.error is not None:
        lines.append(
            f"Your past scores, each predicted from the others, were missed by {made.error:.3f} on "
            "average."
        )
    if made.widened > 1:
        lines.append(f"The interval is {made.widened:.1f} times as wide because of these misses.")
    if made.finite_share > TOLERANCE:
        advice = "--full asks more" if more else "more images would narrow it"
        share = percent(made.finite_share)
        lines.append(f"{share} of its variance is due to finite local images; {advice}.")
    lines += [belief.sentence().capitalize() + "." for belief in made.consistent_with[:2]]
    return lines

"""What the terminal and the page say of an expected score, in the same words.

What is known leads. With past scores, or a belief about the hidden set, that is the expected score;
with neither it is the collapse on damaged images, and how far hidden sets lie apart is a footnote.
"""

from __future__ import annotations

from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.words import counted, listed, percent, quoted
from evaluator.estimate.result import TOLERANCE, Estimate, Part
from evaluator.metrics import Scores

_EVEN = 1.5  # odds below which scores speak neither for nor against a belief


def is_open(made: Estimate) -> bool:
    """Whether nothing is known of the hidden set: no score, and no belief."""
    return not made.past and not made.parts[0].belief


def headline(made: Estimate, scores: Scores | None = None) -> str:
    """One sentence. scores: the local figures, which lead where nothing is known."""
    if is_open(made):
        where = f"Hidden score {between(made)}: uncalibrated, without past scores or a belief."
        return where if scores is None else f"{collapse(scores)}."
    said = f"Expected hidden score {made.median:.2f}, 90 % {between(made)}"
    if not made.past:
        return f"{said}, {condition(likeliest(made))}."
    said += f", from {counted(made.past, 'past score')}"
    if made.beats_best is None:
        return f"{said}, none of your own."
    return f"{said}; {chance(made.beats_best)} chance of beating your best."


def baseline_first(phase: str) -> str:
    """What gives an estimate its first score before the first upload."""
    where = "" if phase == PHASE else f" --phase {quoted(phase)}"
    return (
        "Before it, the organisers' baseline can be the first score, if you have its zip: "
        f"local-eval record baseline.zip --score 0.61 --not-mine{where}"
    )


def between(made: Estimate | Part) -> str:
    """Its interval."""
    return f"between {made.low:.2f} and {made.high:.2f}"


def collapse(scores: Scores) -> str:
    """What damage does to it, for people."""
    clean, damaged = scores.validation.accuracy.value, scores.benchmark.accuracy.value
    said = f"{clean:.2f} on clean images, {damaged:.2f} on damaged ones"
    if scores.gap.low <= 0 or not scores.losses:
        return said
    worst = sorted(scores.losses, key=lambda one: one.accuracy)[:2]
    return f"{said}, worst under {listed([f'{one.family} ({one.accuracy:.2f})' for one in worst])}"


def likeliest(made: Estimate) -> Part:
    """The part whose figures an estimate without past scores shows."""
    return max(made.parts, key=lambda one: one.before)


def condition(part: Part) -> str:
    """When a part's figures hold."""
    if not part.belief:
        return "if the hidden set is nothing that anybody believes"
    reason = f" ({part.reason})" if part.reason else ""
    return f"if the hidden set is what {part.belief} describes{reason}"


def otherwise(made: Estimate) -> list[str]:
    """Without past scores: what to expect if it is something else; a sentence a part."""
    shown = likeliest(made)
    others = [one for one in made.parts if one is not shown]
    return [
        f"{one.median:.2f} ({one.low:.2f} to {one.high:.2f}) {condition(one)}."
        if one.belief
        else f"{one.low:.2f} to {one.high:.2f} if it is anything else."
        for one in others
    ]


def evidence(made: Estimate) -> list[str]:
    """How far past scores speak for or against each belief; a sentence each."""
    if not made.past:
        return []
    return [_evidence(one) for one in made.parts if one.belief]


def _evidence(part: Part) -> str:
    before, after = (share / max(1 - share, 1e-9) for share in (part.before, part.after))
    change = after / before
    if max(change, 1 / max(change, 1e-9)) < _EVEN:
        told = "speak neither for nor against"
    else:
        told = "speak for" if change > 1 else "speak against"
    now = f"{_odds(after)} for it" if after >= 1 else f"{_odds(1 / max(after, 1e-9))} against it"
    return f"The past scores {told} {part.belief}: odds {now}."


def _odds(odds: float) -> str:
    if odds >= 100:
        return "over 100 to 1"
    return f"{odds:.1f} to 1" if odds < 2 else f"{odds:.0f} to 1"


def chance(share: float) -> str:
    """A probability for people; never 0 or 100 %, which nobody can know."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else percent(share)


def explained(made: Estimate, *, more: bool = True, phase: str = PHASE) -> list[str]:
    """What stands below it: how good such guesses were, and what would make this one better.

    more: whether there are images and conditions that were not asked. phase: whose score it is.
    """
    lines = [*_regime(made, phase), *evidence(made)]
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
    lines += [one.sentence().capitalize() + "." for one in made.consistent_with[:2]]
    return lines


def _regime(made: Estimate, phase: str) -> list[str]:
    if made.regime == "few scores":
        kind = "It leans on few scores: for a model of another kind than those that got them"
        return [f"{kind}, trained on other damage, it may be far off."]
    if made.past:
        return []
    if is_open(made):
        reach = f"The hidden score may lie {between(made)} (90 %)"
        first = "The first score narrows that most: record it after the upload (local-eval record)."
        apart = f"{reach}: so far apart are hidden sets of such images. {first}"
        return [apart, baseline_first(phase)]
    decides = (
        "The first score decides between them: record it after the upload (local-eval record)."
    )
    return [*otherwise(made), decides, baseline_first(phase)]

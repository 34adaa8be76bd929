"""What the terminal and the page say of an expected score, in the same words.

What is known leads. With past scores, or a belief about the hidden set, that is the expected score;
with neither it is the collapse on corrupted images, and how far hidden sets differ is a footnote.
"""

from __future__ import annotations

from codabench_rehearsal.console import PHASE
from codabench_rehearsal.console.words import counted, listed, percent, quoted
from evaluator.estimate.result import TOLERANCE, Estimate, Part
from evaluator.metrics import Scores

_EVEN = 1.5  # odds below which scores speak neither for nor against a belief
_RECORD = "record it after the upload (local-eval record)"


def is_open(made: Estimate) -> bool:
    """Whether nothing is known of the hidden set: no score, and no belief."""
    return not made.past and not made.parts[0].belief


def headline(made: Estimate, scores: Scores | None = None) -> str:
    """One sentence. scores: the local figures, which lead where nothing is known."""
    if is_open(made):
        where = f"Hidden score {sure(made)}: no past score and no belief says more."
        return where if scores is None else f"{collapse(scores)}."
    said = f"Expected hidden score {made.median:.2f}, {sure(made)}"
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
        "No upload yet? The score of the organisers' baseline does as well, if you have its zip: "
        f"local-eval record baseline.zip --score 0.61 --not-mine{where}"
    )


def between(made: Estimate | Part) -> str:
    """Its range."""
    return f"between {made.low:.2f} and {made.high:.2f}"


def sure(made: Estimate | Part) -> str:
    """Its range, and how sure that is."""
    return f"{between(made)} (90 % sure)"


def collapse(scores: Scores) -> str:
    """What corruption does to it, for people."""
    clean, corrupted = scores.validation.accuracy.value, scores.benchmark.accuracy.value
    said = f"Accuracy {clean:.2f} on clean images, {corrupted:.2f} on corrupted ones"
    if scores.gap.low <= 0 or not scores.losses:
        return said
    worst = sorted(scores.losses, key=lambda one: one.accuracy)[:2]
    return f"{said}; lowest for {listed([f'{one.family} ({one.accuracy:.2f})' for one in worst])}"


def likeliest(made: Estimate) -> Part:
    """The part whose figures an estimate without past scores shows."""
    return max(made.parts, key=lambda one: one.before)


def condition(part: Part) -> str:
    """When a part's figures hold."""
    if not part.belief:
        return "if no belief about the hidden set is right"
    reason = f" ({part.reason})" if part.reason else ""
    return f"if the hidden set is as {part.belief} describes it{reason}"


def otherwise(made: Estimate) -> list[str]:
    """Without past scores: what to expect if it is something else; a sentence a part."""
    shown = likeliest(made)
    others = [one for one in made.parts if one is not shown]
    return [
        f"{one.median:.2f} ({one.low:.2f} to {one.high:.2f}) {condition(one)}."
        if one.belief
        else f"If the hidden set is anything else: {sure(one)}."
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
    now = f"{chance(part.after)} likely with them, {chance(part.before)} before"
    return f"The past scores {told} the belief {part.belief}: it is {now}."


def chance(share: float) -> str:
    """A probability for people; never 0 or 100 %, which nobody can know."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else percent(share)


def explained(made: Estimate, *, more: bool = True, phase: str = PHASE) -> list[str]:
    """What stands below it: how good such guesses were, and what would make this one better.

    more: whether there are images and conditions without an answer. phase: whose score it is.
    """
    lines = [*_regime(made, phase), *evidence(made)]
    if made.error is not None:
        lines.append(
            "Tested on your past scores, each predicted from the others: missed by "
            f"{made.error:.3f} on average."
        )
    if made.widened > 1:
        lines.append(f"Because of these misses the range is {made.widened:.1f} times as wide.")
    if made.finite_share > TOLERANCE:
        advice = "--full runs every image under every condition" if more else "more would narrow it"
        share = percent(made.finite_share)
        lines.append(
            f"{share} of this uncertainty (its variance) is due to the number of images; {advice}."
        )
    lines += [one.sentence().capitalize() + "." for one in made.consistent_with[:2]]
    return lines


def _regime(made: Estimate, phase: str) -> list[str]:
    if made.regime == "few scores":
        few = "It rests on few past scores. For a model unlike those that got them"
        return [f"{few}, or trained on other corruptions, it may be far off."]
    if made.past:
        return []
    if is_open(made):
        reach = f"The hidden score may be anywhere {sure(made)}"
        first = f"Your first score on the leaderboard narrows this most: {_RECORD}."
        return [f"{reach}: nothing is known of the hidden set. {first}", baseline_first(phase)]
    decides = f"Your first score on the leaderboard tells which of them is right: {_RECORD}."
    return [*otherwise(made), decides, baseline_first(phase)]

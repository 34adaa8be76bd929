"""Render a vote: for a terminal, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codabench_rehearsal.console.words import as_json, percent, quoted
from evaluator.comparing.text import difference_document, score_document, sentence
from evaluator.comparing.vote import Vote
from evaluator.result import Score

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
APPROXIMATION = (
    "A majority vote of labels, ties to the member taken first. A packed ensemble averages "
    "probabilities (or votes, and breaks ties by them): near this, not the same. Rehearse it."
)


def show(vote: Vote, console: Console) -> None:
    """Print the vote."""
    for part in _parts(vote):
        console.print(part)


def to_json(vote: Vote) -> str:
    """The vote as JSON, as docs/comparing.md describes it."""
    document = {
        "schema": SCHEMA,
        "preset": vote.preset,
        "covered": vote.covered,
        "candidates": vote.candidates,
        "images": {"chosen_on": vote.chosen_on, "scored_on": vote.scored_on},
        "members": [
            {
                "name": one.name,
                "sha256": one.sha256,
                "alone": score_document(one.alone),
                "vote": score_document(one.vote),
            }
            for one in vote.members
        ],
        "gain": {
            "benchmark": difference_document(vote.gain.benchmark),
            "clean": difference_document(vote.gain.clean),
        },
    }
    return as_json(document)


def next_step(vote: Vote) -> str:
    """What to do about it. Where a zip's weights came from is not recorded: the user knows."""
    if len(vote.members) == 1:
        return f"No vote beat {vote.members[0].name} on the choosing half: nothing to pack."
    folders = " ".join(quoted(f"FOLDER_OF_{one.name.removesuffix('.zip')}") for one in vote.members)
    return (
        "To pack it, give each member's training folder (or weights file with its options) in its "
        f"place:\n  make-submission {folders} --ensemble mean --out ensemble.zip"
    )


def _parts(vote: Vote) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(
        f"{vote.candidates} submissions under {vote.preset!r}: chosen on {vote.chosen_on:,} base "
        f"images, scored on {vote.scored_on:,} others. Nothing was run.{_uncovered(vote)}\n"
    )
    yield _table(vote)
    if len(vote.members) > 1:
        against = f"the vote against {vote.members[0].name} alone"
        yield Text(sentence(against, vote.gain.benchmark), "bold")
        yield Text(sentence(f"On clean images, {against}", vote.gain.clean))
        yield Text(APPROXIMATION, "dim")
    yield Text(next_step(vote))


def _uncovered(vote: Vote) -> str:
    if vote.covered > 1 - 1e-9:
        return ""
    return (
        f" All of them have answered {percent(vote.covered)} of the preset, by weight; the rest does not count here "
        "(local-eval on each of them asks it)."
    )


def _table(vote: Vote) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Benchmark accuracy on the scoring half", title_justify="left")
    for name in ("member", "alone (95 % interval)", "vote with those above"):
        table.add_column(name, justify="left" if name == "member" else "right", overflow="fold")
    for one in vote.members:
        table.add_row(Text(one.name), _figure(one.alone), _figure(one.vote))
    return table


def _figure(score: Score) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"

"""Which submissions would vote best together: chosen on half of the images, scored on the others.

Nothing is run. A packed ensemble averages the networks' probabilities (`make-submission --ensemble
mean`); here are labels only, so this is the majority vote, an approximation of either kind. Each
submission counts once, as each network does in a zip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import as_json, percent, quoted
from evaluator.answers import Answers, Labels
from evaluator.comparison.compare import check_same, compare, titles
from evaluator.comparison.standings import Pair, difference_document, sentence
from evaluator.dealing import Stream
from evaluator.estimate.gaussians import Floats, one_thread
from evaluator.metrics import Score, answer_weights
from evaluator.plan import Questions
from evaluator.report.markup import with_range
from evaluator.report.report import score_document
from evaluator.report.terminal import text_table, to_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


SCHEMA = 1
APPROXIMATION = (
    "A majority vote of labels, ties to the member taken first. A packed ensemble averages "
    "probabilities (or votes, and breaks ties by them): near this, not the same. Rehearse it."
)
MOST_MEMBERS = 7  # a zip with more networks gets slow before it gets better
PAIRED = 20  # candidates of which every pair is tried: of 500 there are 124,750
_DIGITS = 12  # of sums in another order


@dataclass(frozen=True)
class Voter:
    """One that votes: its accuracy on the scoring half, alone and with those before it."""

    name: str
    sha256: str
    alone: Score
    vote: Score


@dataclass(frozen=True)
class Vote:
    """The best vote found. The first member is the best single one on the choosing half.

    gain: the vote held against that one on the scoring half. chosen_on, scored_on: base images.
    covered: share of the preset, by weight, whose conditions all of them have answered.
    """

    preset: str
    covered: float
    candidates: int
    chosen_on: int
    scored_on: int
    members: tuple[Voter, ...]
    gain: Pair

    def __str__(self) -> str:
        return to_text(_shown_parts(self))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def to_json(self) -> str:
        """The vote as JSON (docs/comparing.md)."""
        document = {
            "schema": SCHEMA,
            "preset": self.preset,
            "covered": self.covered,
            "candidates": self.candidates,
            "images": {"chosen_on": self.chosen_on, "scored_on": self.scored_on},
            "members": [
                {
                    "name": one.name,
                    "sha256": one.sha256,
                    "alone": score_document(one.alone),
                    "vote": score_document(one.vote),
                }
                for one in self.members
            ],
            "gain": {
                "benchmark": difference_document(self.gain.benchmark),
                "clean": difference_document(self.gain.clean),
            },
        }
        return as_json(document)


@one_thread()
def greedy_vote(sheets: Sequence[Answers], most: int = MOST_MEMBERS) -> Vote:
    """Begin with the best submission, and add whichever one or two more help the vote most.

    Two at once because a second voice alone never outvotes the first; of many candidates, pairs of
    the `PAIRED` that each help most. It ends when nothing helps on the choosing half, or at `most`
    members. Raises `EvaluationError` for fewer than two submissions, and unless all answer the same
    questions.
    """
    sheets = list({sheet.sha256: sheet for sheet in sheets}.values())  # no one votes twice
    if len(sheets) < 2:
        raise EvaluationError("A vote needs at least two different submissions.")
    check_same(sheets)
    choosing, scoring = halves(sheets[0])
    members = _choose(_parts(sheets, choosing), most)
    names = titles(sheets)
    heard = _parts([sheets[i] for i in members], scoring)
    voters = [replace(one, name=names[i]) for one, i in zip(heard, members, strict=True)]
    listed, gain = _members(voters)
    return Vote(
        sheets[0].benchmark.preset.name,
        _covered(sheets[0]),
        len(sheets),
        len(np.unique(sheets[0].questions.rows[choosing])),
        len(np.unique(sheets[0].questions.rows[scoring])),
        tuple(listed),
        gain,
    )


def halves(sheet: Answers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The questions on one half of the base images, and on the other; class by class, seeded.

    Raises `EvaluationError` where a half would have no image or lack a kind of answer.
    """
    truth, seed = sheet.benchmark.data.labels, sheet.benchmark.seed
    rows = np.unique(sheet.questions.rows)
    chosen = np.zeros(len(truth), np.bool_)
    rng = np.random.default_rng((seed, Stream.HALVE))
    for label in np.unique(truth[rows]):
        inside = rng.permutation(rows[truth[rows] == label])
        odd = int(rng.integers(2))  # which half gets the one left over
        chosen[inside[: (len(inside) + odd) // 2]] = True
    first = chosen[sheet.questions.rows]
    for part in (first, ~first):
        conditions = sheet.questions.conditions[part]
        if not ((conditions == 0).any() and (conditions > 0).any()):
            raise EvaluationError(f"{len(rows)} images are too few to choose on half of them.")
    return first, ~first


def show(vote: Vote, console: Console) -> None:
    """Print the vote."""
    for part in _shown_parts(vote):
        console.print(part)


def next_step(vote: Vote) -> str:
    """What to do about it. Where a zip's weights came from is not recorded: the user knows."""
    if len(vote.members) == 1:
        return f"No vote was better than {vote.members[0].name} alone: nothing to pack."
    folders = " ".join(quoted(f"FOLDER_OF_{one.name.removesuffix('.zip')}") for one in vote.members)
    return (
        "To pack it, give each member's training folder (or weights file with its options) in its "
        f"place:\n  make-submission {folders} --ensemble mean --out ensemble.zip"
    )


class _Ballots:
    """Votes by question and label. A voter counts 1 and a bit, half the bit of the one before."""

    def __init__(self, questions: int, classes: int) -> None:
        self._votes: Floats = np.zeros((questions, classes))
        self._rows = np.arange(questions)
        self._voters = 0
        self._leader: Labels = np.zeros(questions, np.int64)
        self._most: Floats = np.zeros(questions)

    def add(self, labels: Labels) -> None:
        """Count one more voter."""
        self._votes[self._rows, labels] += self._weight(0)
        self._voters += 1
        self._leader = np.asarray(self._votes.argmax(axis=1), np.int64)
        self._most = self._votes.max(axis=1)

    def winner(self, more: Sequence[Labels] = ()) -> Labels:
        """Who would win with these voters, at most two, added last. No labels have equal votes."""
        leader, most = self._leader, self._most
        for place, labels in enumerate(more):
            votes = self._votes[self._rows, labels] + self._weight(place)
            if place:
                votes += np.where(more[0] == labels, self._weight(0), 0.0)
            leads = votes > most
            leader, most = np.where(leads, labels, leader), np.where(leads, votes, most)
        return leader

    def gains(self, weights: Floats, truth: Labels) -> Floats:
        """What one voter more would add by each label of its, `(questions, labels)`.

        weights, truth: of the questions. Most labels change no winner, and add nothing.
        """
        leads = self._votes + self._weight(0) > self._most[:, None]
        right = np.arange(self._votes.shape[1]) == truth[:, None]
        held = (self._leader == truth)[:, None]
        signs = right.astype(np.int8) - held
        return np.where(leads, signs * weights[:, None], 0.0)

    def _weight(self, place: int) -> float:
        """Of the voter that comes after so many more."""
        return float(1 + 2.0 ** -(self._voters + place + 2))


def _covered(sheet: Answers) -> float:
    conditions = sheet.benchmark.preset.conditions
    asked = np.unique(sheet.questions.conditions)
    weight = sum(conditions[place - 1].weight for place in asked if place > 0)
    return float(weight / sum(condition.weight for condition in conditions))


def _choose(sheets: Sequence[Answers], most: int) -> list[int]:
    """The members' positions, in the order in which they were taken."""
    benchmark, questions = sheets[0].benchmark, sheets[0].questions
    weights, truth = answer_weights(benchmark, questions), benchmark.data.labels[questions.rows]
    labels = [sheet.labels for sheet in sheets]
    ballots = _Ballots(len(questions), 1 + int(max(truth.max(), *(own.max() for own in labels))))
    members: list[int] = []
    best = -1.0
    while True:
        found, right = _best_addition(ballots, labels, members, most, weights, truth)
        if right <= best + 1e-12:  # sums in another order are no gain
            return members
        best = right
        for member in found:
            ballots.add(labels[member])
        members += found


def _best_addition(
    ballots: _Ballots,
    labels: Sequence[Labels],
    members: Sequence[int],
    most: int,
    weights: Floats,
    truth: Labels,
) -> tuple[list[int], float]:
    """The one or two that help most, and the weight of right answers with them."""

    def right(added: Sequence[int]) -> float:
        won = ballots.winner([labels[i] for i in added]) == truth
        return float(weights[won].sum())

    left = [i for i in range(len(labels)) if i not in members]
    gains, now = ballots.gains(weights, truth), right([])
    first = np.arange(len(gains)) * gains.shape[1]
    alone = {i: now + float(gains.take(first + labels[i]).sum()) for i in left}
    found = [([i], alone[i]) for i in left if len(members) < most]
    if members and len(members) + 2 <= most:
        paired = sorted(sorted(left, key=lambda i: -round(alone[i], _DIGITS))[:PAIRED])
        found += [(list(pair), right(pair)) for pair in combinations(paired, 2)]
    best: tuple[list[int], float] = ([], -1.0)
    for added, worth in found:
        if worth > best[1] + 1e-12:
            best = (added, worth)
    return best


def _members(voters: Sequence[Answers]) -> tuple[list[Voter], Pair]:
    """Each with the vote of those up to it; and everyone's vote held against the first one."""
    ballots = _Ballots(len(voters[0].labels), 1 + int(max(one.labels.max() for one in voters)))
    votes = []
    for voter in voters:
        ballots.add(voter.labels)
        votes.append(replace(voters[0], name="vote", sha256="", labels=ballots.winner()))
    standings = compare([*voters, *votes]).standings
    members = [
        Voter(voter.name, voter.sha256, own.benchmark, vote.benchmark)
        for voter, own, vote in zip(voters, standings, standings[len(voters) :], strict=False)
    ]
    return members, compare([voters[0], votes[-1]]).pairs[0]


def _parts(sheets: Sequence[Answers], chosen: NDArray[np.bool_]) -> list[Answers]:
    """The sheets' answers to some of the questions, which all of them share."""
    asked, places = sheets[0].questions, np.flatnonzero(chosen)
    questions = Questions(asked.rows[places], asked.conditions[places])
    return [
        replace(sheet, questions=questions, labels=sheet.labels.take(places)) for sheet in sheets
    ]


def _shown_parts(vote: Vote) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(
        f"{vote.candidates} submissions, benchmark {vote.preset!r}: members chosen on "
        f"{vote.chosen_on:,} images, the vote measured on {vote.scored_on:,} others. Nothing was "
        f"run.{_uncovered(vote)}\n"
    )
    yield text_table(
        "Benchmark accuracy on the images that did not choose",
        ("member", "alone (95 % interval)", "vote with those above"),
        [[one.name, with_range(one.alone), with_range(one.vote)] for one in vote.members],
        left=("member",),
    )
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
        f" Only {percent(vote.covered)} of the benchmark (by weight) has answers of all of them, "
        "and the rest does not count here (local-eval on each of them adds it)."
    )

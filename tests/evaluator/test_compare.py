"""Comparing sheets: whose answers, which weights, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codabench_rehearsal.console.errors import EvaluationError
from corruptions.presets import Condition, Step
from evaluator.answers import Answers
from evaluator.comparison.compare import compare
from evaluator.comparison.standings import Comparison
from evaluator.metrics import score
from evaluator.plan import Questions
from tests.evaluator.sheets import CLASSES, careless, drawn, sheet

ASKED = drawn(200)
GOOD, BAD = careless("a", ASKED, 0.2, 1), careless("b", ASKED, 0.5, 2)


def test_the_accuracies_are_the_reports() -> None:
    """Else a comparison would quote other figures than the report of the same submission."""
    standing = compare([GOOD]).standings[0]
    scores = score(*ASKED, GOOD.labels, CLASSES)
    for ours, theirs in (
        (standing.clean, scores.validation.accuracy),
        (standing.benchmark, scores.benchmark.accuracy),
    ):
        assert (ours.value, ours.low, ours.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high), abs=1e-6
        )
    assert standing.gap.change.value == pytest.approx(-scores.gap.value)


def test_changes_weigh_conditions_as_the_preset_does() -> None:
    """Else the overall change would not be the one of the benchmark figures beside it."""
    asked = drawn(300)
    right = sheet("a", asked, np.zeros(len(asked[1]), bool))
    no_fog = sheet("b", asked, asked[1].conditions == 2)
    pair = compare([right, no_fog]).pairs[0]
    assert pair.benchmark.change.value == pytest.approx(-0.25)
    assert pair.clean.change.value == 0.0
    assert [(one.name, round(one.change.value, 6)) for one in pair.families] == [
        ("noise", 0.0),
        ("weather", -0.5),
    ]
    assert pair.families[1].verdict == "worse"
    assert pair.families[0].verdict == "not resolved"


def test_every_other_is_held_against_the_first() -> None:
    """Else the verdicts would answer another question than whether to replace the first one."""
    found = compare([BAD, GOOD, careless("c", ASKED, 0.5, 3)])
    assert [(pair.base, pair.name) for pair in found.pairs] == [
        ("b.zip", "a.zip"),
        ("b.zip", "c.zip"),
    ]
    assert [pair.benchmark.verdict for pair in found.pairs] == ["better", "not resolved"]


def test_the_order_turns_the_sign_and_nothing_else() -> None:
    """Else which zip is named first would change what is found."""
    one, two = compare([GOOD, BAD]).pairs[0], compare([BAD, GOOD]).pairs[0]
    assert one.benchmark.change.value == pytest.approx(-two.benchmark.change.value)
    assert one.benchmark.change.low == pytest.approx(-two.benchmark.change.high)
    assert one.benchmark.p == two.benchmark.p
    assert (one.benchmark.verdict, two.benchmark.verdict) == ("worse", "better")


def test_a_submission_against_itself_is_not_resolved() -> None:
    """Else the same zip twice would end in a verdict or a division by zero."""
    found = compare([GOOD, GOOD])
    pair = found.pairs[0]
    for one in (pair.benchmark, pair.clean, *pair.families):
        assert (one.change.value, one.p, one.verdict) == (0.0, 1.0, "not resolved")
        assert one.change.low < 0 < one.change.high
    assert pair.base == pair.name == "a.zip (aaaaaaaa)"


def test_the_order_of_the_questions_does_not_matter() -> None:
    """Else answers from the store would compare otherwise than those just given."""

    def turned(one: Answers) -> Answers:
        asked = Questions(one.questions.rows[::-1], one.questions.conditions[::-1])
        return replace(one, questions=asked, labels=one.labels[::-1])

    there, back = compare([GOOD, BAD]), compare([turned(GOOD), turned(BAD)])
    close = pytest.approx(there.pairs[0].benchmark.change.low)
    assert back.pairs[0].benchmark.change.low == close
    assert back.pairs[0].benchmark.p == there.pairs[0].benchmark.p


def test_images_that_were_not_asked_do_not_count() -> None:
    """Else a comparison from a half-filled store would claim more images than it has."""
    some = ASKED[1].rows < 60
    asked = Questions(ASKED[1].rows[some], ASKED[1].conditions[some])
    sheets = [replace(s, questions=asked, labels=s.labels[some]) for s in (GOOD, BAD)]
    found = compare(sheets)
    assert (found.images, found.answers) == (60, 180)
    assert found.pairs[0].benchmark.change.n == 60


def other_conditions() -> Answers:
    """A sheet under another benchmark."""
    fog = Condition("fog:4", "weather", (Step("fog", 4),), 1.0)
    return replace(BAD, benchmark=replace(ASKED[0], conditions=(*ASKED[0].conditions[:-1], fog)))


def only(clean: bool) -> list[Answers]:
    """Two sheets with one kind of answers."""
    some = (ASKED[1].conditions == 0) == clean
    asked = Questions(ASKED[1].rows[some], ASKED[1].conditions[some])
    return [replace(s, questions=asked, labels=s.labels[some]) for s in (GOOD, BAD)]


REFUSED = [
    ([], "at least one"),
    ([GOOD, careless("b", drawn(200, seed=1), 0.5)], "b.zip has not answered"),
    ([GOOD, careless("b", drawn(100), 0.5)], "b.zip has not answered"),
    ([GOOD, other_conditions()], "b.zip has not answered"),
    (only(clean=True), "no answers to corrupted"),
    (only(clean=False), "no answers to clean"),
]


@pytest.mark.parametrize(("sheets", "said"), REFUSED)
def test_what_cannot_be_compared_is_refused(sheets: list[Answers], said: str) -> None:
    """Else figures on different questions would be subtracted from each other."""
    with pytest.raises(EvaluationError, match=said):
        compare(sheets)


def test_the_same_answers_give_the_same_figures() -> None:
    """Else a verdict near the border would come and go."""
    assert figures(compare([GOOD, BAD])) == figures(compare([GOOD, BAD]))


def figures(found: Comparison) -> str:
    """All of them."""
    return found.to_json()

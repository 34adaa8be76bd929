"""Whether a wrong scale is recognised, and chance not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.rehearsal.questions import Labels
from codabench_rehearsal.rehearsal.scale import (
    compare,
    diagnosis,
    feeds,
    relabelled,
    try_readings,
)
from submission.model_page import MODES

READINGS = {reading.name: reading for reading in feeds(3)}
TRUTH = np.arange(200) % 8


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.integers(1, 9)
)
def test_the_gains_interval_holds_the_gain(pairs: list[tuple[bool, bool]], family: int) -> None:
    """Else a mismatch would be called by chance, or its size be wrong."""
    plain, other = (np.array(side) for side in zip(*pairs, strict=True))
    truth = np.arange(len(plain)) % 8
    found = compare(feeds(3)[0], plain, other, truth, family)
    assert -1 <= found.low <= found.changed - found.plain + 1e-5
    assert found.changed - found.plain - 1e-5 <= found.high <= 1
    wider = compare(feeds(3)[0], plain, other, truth, family + 1)
    assert wider.low <= found.low + 1e-5


def test_chance_is_not_called_a_mismatch() -> None:
    """Else one in a hundred right submissions would be refused: a dozen ways are tried on each."""
    draws = np.random.default_rng(5)
    blamed = 0
    for skill in np.repeat([0.9, 0.5, 0.125, 0.0], 50):
        plain = draws.random(200) < skill
        # Two equally good answers that differ on a fifth of the images.
        different = [
            np.where(draws.random(200) < 0.2, draws.random(200) < skill, plain) for _ in feeds(3)
        ]
        compared = [
            compare(reading, plain, right, TRUTH, 12)
            for reading, right in zip(feeds(3), different, strict=True)
        ]
        blamed += diagnosis(compared) is not None
    assert blamed <= 2


def test_no_renumbering_is_found_in_noise() -> None:
    """Else an assignment, fitted to the images it is judged by, would "mend" every guesser."""
    draws = np.random.default_rng(6)
    for _ in range(60):
        answers = draws.integers(0, 8, 200)
        plain = answers == TRUTH
        found = [compare(r, plain, right, TRUTH, 12) for r, right in relabelled(answers, TRUTH, 8)]
        assert diagnosis(found) is None


LABELS = [
    (TRUTH[::1], ""),
    ((TRUTH + 1) % 9, "read as counted from 1"),
    (TRUTH - 1, "read one higher"),
    (7 - TRUTH, "if the class numbers are renumbered 0->7, 1->6"),
    (np.array([0, 2, 1, 3, 4, 5, 6, 7])[TRUTH], "if the class numbers are renumbered 1->2, 2->1"),
]


@pytest.mark.parametrize(("answers", "name"), LABELS)
def test_other_numbers_of_the_classes_are_seen(answers: Labels, name: str) -> None:
    """Else "pack with --scale" is advised to somebody whose folders were read in another order."""
    draws = np.random.default_rng(2)
    noisy = np.where(draws.random(200) < 0.92, answers, draws.integers(0, 8, 200)).clip(0, 7)
    plain = noisy == TRUTH
    found = [compare(r, plain, right, TRUTH, 12) for r, right in relabelled(noisy, TRUTH, 8)]
    # A way of feeding at the level of chance is better than 0.000, and no diagnosis.
    found.append(compare(feeds(3)[0], plain, TRUTH == 3, TRUTH, 12))
    best = diagnosis(found)
    assert (best.reading.name if best else "").startswith(name)
    assert bool(best) == bool(name)


def test_a_mismatch_says_which_way_round() -> None:
    """Else the user would know that something is wrong, and not what to type."""
    plain, right = TRUTH == 0, np.arange(200) % 20 != 0
    half = np.arange(200) % 2 == 0
    worse = compare(READINGS["BGR"], plain, half, TRUTH, 12)
    better = compare(READINGS["X / 255"], plain, right, TRUTH, 12)
    best = diagnosis([worse, better])
    assert best is better
    assert "--scale 0..1" in best.reading.advice
    assert f"{best.changed:.3f} {best.reading}" == "0.950 when fed X / 255 instead"


PAIRS = [("X / 255", "X * 255"), ("X / 127.5 - 1", "(X + 1) * 127.5"), ("caffe", "caffe undone"), ("torch", "torch undone")]  # fmt: skip


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_every_variant_has_its_way_back(there: str, back: str) -> None:
    """Else a preprocessing too many would not be recognised as one too few is."""
    pictures = np.random.default_rng(1).integers(0, 256, (4, 5, 6, 3), np.uint8)
    forward = {
        "X / 255": lambda x: x / 255,
        "X / 127.5 - 1": lambda x: x / 127.5 - 1,
        "caffe": MODES["caffe"].apply,
        "torch": MODES["torch"].apply,
    }[there]
    turn, undo = READINGS[there].fed, READINGS[back].fed
    assert np.allclose(turn(pictures), forward(pictures.astype("float32")), atol=1e-4)
    assert np.allclose(forward(undo(pictures)), pictures, atol=1e-2)


def test_grey_images_have_no_colour_variants() -> None:
    """Else a grey challenge's dry run would end in a fault of ours."""
    grey = np.zeros((2, 8, 8, 1), np.uint8)
    assert all(r.fed(grey).shape == grey.shape for r in feeds(1))


def _read(answers: Labels, again: Labels) -> str:
    """The reading that explains answers given twice, none asked anew; "" if none does."""
    found = try_readings(answers, TRUTH, TRUTH[:0], lambda _: None, 3, 8, answers == again)
    best = diagnosis(list(found.values()))
    return best.reading.name if best else ""


def test_dice_do_not_count_from_one() -> None:
    """Else a model that forgot to seed its draws is told to subtract 1 from every label."""
    draws = np.random.default_rng(7)

    def thrown() -> Labels:
        return (TRUTH + draws.integers(1, 8, 200)) % 8  # never right: every other reading is better

    throws = [(thrown(), thrown()) for _ in range(1000)]
    assert any(_read(answers, answers) for answers, _ in throws)  # once is not enough to tell
    assert not any(_read(answers, again) for answers, again in throws)


def test_a_few_that_waver_hide_no_count_from_one() -> None:
    """Else one dropout layer left on hides that the labels count from 1."""
    draws = np.random.default_rng(8)
    answers = np.minimum(TRUTH + 1, 7)
    again = np.where(draws.random(200) < 0.1, draws.integers(0, 8, 200), answers)
    assert _read(answers, again) == "read as counted from 1"

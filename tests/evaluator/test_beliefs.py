"""Beliefs about the hidden set: how they are said, what is asked for them, what they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import Believed, load_challenge
from codabench_rehearsal.console.errors import EvaluationError, SubmissionError, UserError
from corruptions.presets import LIBRARY, resolve
from evaluator.beliefs import CONFIDENCE, as_beliefs, asked_library, read_beliefs
from evaluator.estimate.estimate import estimate
from evaluator.estimate.inputs import Belief, Figures, PastScore, Target
from evaluator.options import Options, believing
from evaluator.plan import CLEAN, described
from evaluator.report.expected import explained, headline, is_open

SAID = [
    ("an2dl-2024:0.6", (Believed("an2dl-2024", 0.6),)),
    ("heavy", (Believed("heavy", CONFIDENCE),)),
    (["heavy:0.3", "light:0.2"], (Believed("heavy", 0.3), Believed("light", 0.2))),
    ("fog:3", (Believed("fog:3", CONFIDENCE),)),
    ("fog:3:0.25", (Believed("fog:3", 0.25),)),
    ("mine.toml:.9", (Believed("mine.toml", 0.9),)),
    ("nothing", ()),
    ([], ()),
]


@pytest.mark.parametrize(("said", "found"), SAID)
def test_a_belief_is_read(said: object, found: tuple[Believed, ...]) -> None:
    """Else --believe means something else than its help says."""
    assert read_beliefs(said) == found
    assert Options(believe=said).believe == found  # type: ignore[arg-type]  # brought to one spelling


REFUSED = [
    ("heavy:1.5", "above 0 and below 1"),
    ("heavy:60", "above 0 and below 1, received 60"),
    ("mine.toml:1", "above 0 and below 1"),
    ("heavy:-0.5", "above 0 and below 1"),
    (["heavy:0.6", "light:0.6"], "together"),
    (["nothing", "heavy"], "leaves no room"),
    (3, "expected a preset"),
    ([3], "expected a preset"),
]


@pytest.mark.parametrize(("said", "why"), REFUSED)
def test_what_is_no_belief_is_refused(said: object, why: str) -> None:
    """Else a typing error becomes a probability."""
    with pytest.raises(EvaluationError, match=why):
        read_beliefs(said)


def test_an_unknown_preset_is_named() -> None:
    """Else the estimate would believe in nothing, silently."""
    with pytest.raises(UserError, match="Unknown preset 'havey'"):
        asked_library(read_beliefs("havey:0.4"))


def test_the_challenge_speaks_where_the_user_is_silent() -> None:
    """Else the shipped reading is not used, or cannot be withdrawn."""
    challenge = load_challenge()
    own = believing(Options(), challenge).believe
    assert own is not None
    assert [(one.preset, one.confidence) for one in own] == [("an2dl-2024", 0.6)]
    assert "80" in own[0].reason
    assert believing(Options(believe=read_beliefs("nothing")), challenge).believe == ()
    assert believing(Options(), replace(challenge, believed=None)).believe == ()
    assert Options().believe is None


def test_what_the_library_lacks_is_asked_too() -> None:
    """Else a belief in a preset of one's own has no answers to rest on."""
    library = resolve(LIBRARY).conditions
    assert asked_library(read_beliefs("an2dl-2024")).conditions == library
    more = asked_library(read_beliefs(["fog:2:0.3", "shot_noise:2+fog:2:0.3"])).conditions
    assert more[: len(library)] == library
    assert [one.name for one in more[len(library) :]] == ["fog:2", "shot_noise:2+fog:2"]
    assert len({one.name for one in more}) == len(more)


def test_weights_are_the_presets() -> None:
    """Else something else is believed than was said."""
    believed = read_beliefs(["an2dl-2024:0.5", "clean:0.1"])
    conditions = (CLEAN, *asked_library(believed).conditions)
    first, clean = as_beliefs(believed, conditions)
    assert sum(first.weights) == pytest.approx(1)
    named = {c.name: w for c, w in zip(conditions, first.weights, strict=True) if w}
    assert named == pytest.approx(
        {
            "corner_strip:3+rand_augment:3": 0.75,
            "corner_strip:3+rand_augment:4": 0.10,
            "corner_strip:3+aug_mix:3+rand_augment:3": 0.15,
        }
    )
    assert clean.weights[0] == 1


PROFILE = """schema = 1
name = "x"
[images]
shape = [8, 8, 3]
[labels]
names = ["a", "b"]
[hidden]
"""
BAD_PROFILES = [
    ('believed = "heavy"\n', "confidence"),
    ('believed = "heavy"\nconfidence = 2\n', "above 0 and below 1"),
    ('believed = "heavy"\nconfidence = true\n', "above 0 and below 1"),
    ("confidence = 0.5\n", "believed"),
    ('believed = "heavy"\nconfidence = 0.5\nsure = 1\n', "sure"),
]


@pytest.mark.parametrize(("text", "why"), BAD_PROFILES)
def test_a_wrong_belief_in_a_profile_is_named(tmp_path: Path, text: str, why: str) -> None:
    """Else an organiser's slip is believed."""
    path = tmp_path / "profile.toml"
    path.write_text(PROFILE + text, encoding="utf-8")
    with pytest.raises(SubmissionError, match=why):
        load_challenge(str(path))


LIBRARY_OF = (CLEAN, *resolve(LIBRARY).conditions)
KNOWN = described(LIBRARY_OF)
(BELIEF,) = as_beliefs(read_beliefs("an2dl-2024:0.6"), LIBRARY_OF)


def models(count: int) -> list[Figures]:
    """From weak to strong, each with damages of its own that hurt it more."""
    rng = np.random.default_rng(4)
    hard = np.array([0.2 * c.severity + 0.8 * c.composite for c in KNOWN])
    strength = np.linspace(0.5, 2.0, count)
    odds = 3.0 - hard / strength[:, None] + rng.normal(0, 0.3, (count, len(KNOWN)))
    return [Figures(f"m{i}", tuple(row)) for i, row in enumerate(1 / (1 + np.exp(-odds)))]


MODELS = models(9)


def scored(weights: tuple[float, ...]) -> list[PastScore]:
    """Their scores on a mixture."""
    return [PastScore(one, float(np.dot(one.accuracies, weights)), 4, 2000) for one in MODELS]


def test_without_scores_both_are_shown_and_none_averaged() -> None:
    """Else a belief passes for a measurement, or is hidden in a range of everything."""
    made = estimate(KNOWN, MODELS[4], (), Target(hidden=2000), (BELIEF,))
    believed, other = made.parts
    assert (believed.belief, other.belief) == ("an2dl-2024", "")
    assert (made.low, made.median, made.high) == (believed.low, believed.median, believed.high)
    assert believed.before == 0.6
    assert other.before == pytest.approx(0.4)
    assert other.high - other.low > 1.5 * (believed.high - believed.low)
    alone = estimate(KNOWN, MODELS[4], (), Target(hidden=2000))
    assert (alone.low, alone.high) == pytest.approx((other.low, other.high))
    assert is_open(alone)
    assert not is_open(made)
    assert "if the hidden set is as an2dl-2024 describes it" in headline(made)
    assert "If the hidden set is anything else" in explained(made)[0]
    assert any("--not-mine" in line for line in explained(made))


def test_scores_speak_for_a_right_belief() -> None:
    """Else what is known of the hidden set never counts more than what is not."""
    past = scored(BELIEF.weights)
    made = estimate(KNOWN, MODELS[4], [past[0], past[2], past[6]], Target(hidden=2000), (BELIEF,))
    assert made.parts[0].after > 0.75
    assert "speak for the belief an2dl-2024" in " ".join(explained(made))
    assert made.low <= past[4].value <= made.high


def test_a_wrong_belief_does_not_survive_three_scores() -> None:
    """Else a wrong reading bends every prediction to the end."""
    hidden = tuple(float(c.family == "noise") for c in KNOWN)
    past = scored(tuple(w / sum(hidden) for w in hidden))
    chosen = [past[0], past[2], past[6]]
    made = estimate(KNOWN, MODELS[4], chosen, Target(hidden=2000), (BELIEF,))
    without = estimate(KNOWN, MODELS[4], chosen, Target(hidden=2000))
    assert made.parts[0].after < 0.15
    assert "speak against the belief an2dl-2024" in " ".join(explained(made))
    assert made.median == pytest.approx(without.median, abs=0.01)


def test_beliefs_compete() -> None:
    """Else only the first of several readings counts."""
    believed = read_beliefs(["an2dl-2024:0.4", "light:0.4"])
    conditions = (CLEAN, *asked_library(believed).conditions)
    library = described(conditions)
    rng = np.random.default_rng(1)
    rows = 1 / (1 + np.exp(-2.5 + 0.25 * np.array([c.severity for c in library])))
    figures = [Figures(str(i), tuple(rows ** (1 + 0.2 * i + rng.random()))) for i in range(4)]
    beliefs = as_beliefs(believed, conditions)
    past = [PastScore(f, float(np.dot(f.accuracies, beliefs[1].weights)), 4) for f in figures[:3]]
    made = estimate(library, figures[3], past, Target(), beliefs)
    first, second, _ = made.parts
    assert second.after > first.after
    assert sum(one.after for one in made.parts) == pytest.approx(1)


@pytest.mark.parametrize(
    ("belief", "why"),
    [
        (Belief("x", (1.0,), 0.5), "weights of 0 or more"),
        (Belief("x", (0.0,) * len(KNOWN), 0.5), "not all of them 0"),
        (Belief("x", (1.0,) * len(KNOWN), 1.0), "above 0 and below 1"),
    ],
)
def test_a_belief_about_another_library_is_refused(belief: Belief, why: str) -> None:
    """Else its weights land on other conditions."""
    with pytest.raises(EvaluationError, match=why):
        estimate(KNOWN, MODELS[0], (), Target(), (belief,))

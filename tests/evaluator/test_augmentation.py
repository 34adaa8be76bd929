"""What to train on: chosen from the report, shown as code that is short, public and the reader's."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.images import synthetic
from corruptions.presets import Condition, Preset, Step, resolve
from evaluator.answers import Answers, family_losses
from evaluator.plan import draw_benchmark
from evaluator.report.augmentation import LEFT_CLEAN, MOST, chosen, in_words, pipelines, training
from evaluator.report.page import to_html, to_page
from evaluator.report.report import Report
from submission.checks.frameworks import Framework
from tests.evaluator import pages
from tests.evaluator.sheets import questions_of, sheet

DOC = (Path(__file__).parents[2] / "docs" / "training_with_damage.md").read_text(encoding="utf-8")
PIPELINES = ("keras", "tf.data", "torch", "sklearn")
PUBLIC = ("codabench_rehearsal", "numpy", "tensorflow", "torch")
MADE_WITH: tuple[tuple[tuple[Framework, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (("keras",), ("keras_batches", "corrupt_tf"), ("torch", "concatenate")),
    (("torch",), ("CorruptedDataset",), ("keras", "tensorflow", "concatenate")),
    (("keras", "torch"), ("keras_batches", "CorruptedDataset"), ("concatenate",)),
    (("sklearn",), ("corrupt_mixed",), ("keras", "tensorflow", "torch")),
    ((), ("corrupt_mixed",), ("keras", "tensorflow", "torch")),
)


def failing(preset: Preset, wrong: dict[str, float], images: int = 400) -> Answers:
    """Right on clean images; under each condition wrong as often as is said, 0 where not."""
    benchmark = draw_benchmark(synthetic(images, seed=3, size=16), preset, 0)
    questions = questions_of(benchmark)
    rates = np.array([wrong.get(one.name, 0.0) for one in benchmark.conditions])
    drawn = np.random.default_rng(0).random(len(questions))
    return sheet("a", (benchmark, questions), drawn < rates[questions.conditions])


@cache
def everywhere(preset: str = "heavy") -> Answers:
    """Half wrong under all of a preset."""
    found = resolve(preset)
    return failing(found, {one.name: 0.5 for one in found.conditions})


def programs(markup: str) -> list[str]:
    """The code blocks of a page or a notebook's output, as a browser gives them to a copy."""
    tree = ET.fromstring(markup.removeprefix("<!DOCTYPE html>"))
    return ["".join(one.itertext()) for one in tree.iter("pre") if one.get("class") == "program"]


def test_half_stays_clean_and_the_rest_follows_the_cost() -> None:
    """Else a family that costs little would be trained on as much as one that costs most."""
    preset = resolve("medium")
    wrong = {c.name: {"noise": 0.9, "blur": 0.3}.get(c.family, 0.0) for c in preset.conditions}
    answers = failing(preset, wrong)
    found = chosen(answers)
    assert found is not None
    assert [part.loss.family for part in found.parts] == ["noise", "blur"]
    noise, blur = found.parts
    assert noise.share + blur.share == pytest.approx(1 - LEFT_CLEAN)
    lost = {loss.family: loss.points.value for loss in family_losses(answers)}
    assert noise.share / blur.share == pytest.approx(lost["noise"] / lost["blur"])
    assert found.shares["clean"] == LEFT_CLEAN
    assert sum(found.shares.values()) == pytest.approx(1, abs=0.03)


def test_the_costliest_damages_of_a_family_are_taken_a_little_milder() -> None:
    """Else the code would train on what costs nothing, or on what the benchmark itself asks."""
    preset = resolve("medium")
    wrong = {"solarize:2": 0.9, "hue:3": 0.8, "color:3": 0.2, "rand_augment:3": 0.5}
    found = chosen(failing(preset, wrong))
    assert found is not None
    assert set(found.shares) == {"clean", "solarize:1", "hue:2", "rand_augment:2"}
    assert found.table == "cells-96"
    assert found.operators == ("solarize", "hue", "rand_augment")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((Step("fog", 1),), {"fog:1"}),
        ((Step("fog", 2.5), Step("snow", 4)), {"fog:1.5+snow:3"}),
        ((Step("mine:blob", 3),), set()),
    ],
)
def test_any_chain_can_be_trained_on(steps: tuple[Step, ...], expected: set[str]) -> None:
    """Else a preset of one's own would get code that does not run, or a function's name in it."""
    odd = Condition("odd", "mine", steps, 0.5)
    plain = Condition("brightness:3", "plain", (Step("brightness", 3),), 0.5)
    found = chosen(failing(Preset("p", (odd, plain), 2, ""), {"odd": 0.9}))
    assert (set() if found is None else set(found.shares) - {"clean"}) == expected
    assert found is None or "table" not in found.code("keras")


def test_nothing_to_train_against_is_said() -> None:
    """Else every report would send people to train anew."""
    report = replace(pages.small_report(), sheet=failing(resolve("medium"), {}))
    assert report.sheet is not None
    assert chosen(report.sheet) is None
    assert "nothing to train on" in str(training(report))
    assert list(in_words(report)) == []


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("preset", ["light", "medium", "heavy", "an2dl-2024", "estimate-v2"])
def test_the_code_is_short_public_and_true_to_the_mixture(name: str, preset: str) -> None:
    """Else a reader could not take it over at a glance, or it would lean on what may change."""
    found = chosen(everywhere(preset))
    assert found is not None
    code = found.code(name)
    assert len(code.splitlines()) < 15
    assert max(map(len, code.splitlines())) <= 100
    tree = ast.parse(code)
    imported = [node for node in tree.body if isinstance(node, ast.Import)]
    assert {alias.name for node in imported for alias in node.names} <= set(PUBLIC)
    ours = re.findall(r"rehearsal\.(\w+)", code)
    assert set(ours) <= set(rehearsal.__all__)
    (shares,) = (ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.Dict))
    assert shares == found.shares
    assert len(shares) <= MOST + 1
    rehearsal.mixture(shares, table=found.table)


@pytest.mark.parametrize(("made_with", "there", "absent"), MADE_WITH)
def test_everybody_gets_code_for_what_they_have(
    made_with: tuple[Framework, ...], there: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    """Else somebody without Keras would be told to use Keras."""
    report = made_by(made_with)
    shown = str(training(report))
    assert all(word in shown for word in there)
    assert not any(word in shown.casefold() for word in absent)
    terminal = " ".join(in_words(report))
    assert ("Keras" in terminal) == ("keras" in made_with)
    assert "50 % of the images clean" in terminal


@pytest.mark.parametrize("made_with", [("keras",), ("torch",), ()])
def test_page_and_notebook_hold_the_code_as_it_is(made_with: tuple[Framework, ...]) -> None:
    """Else what is copied from the page would be another program, or none."""
    report = made_by(made_with)
    assert report.sheet is not None
    found = chosen(report.sheet)
    assert found is not None
    expected = [found.code(name) for name in pipelines(made_with)]
    assert programs(to_page(report)) == programs(to_html(report)) == expected


@pytest.mark.parametrize("name", PIPELINES)
def test_the_docs_show_the_same_code(name: str) -> None:
    """Else the docs would teach another way than the page."""
    found = chosen(everywhere())
    assert found is not None
    blocks = re.findall(r"^```python\n(.*?)^```", DOC, re.M | re.S)
    assert without_shares(found.code(name)) in [without_shares(one) for one in blocks]


def without_shares(code: str) -> str:
    """The same, whatever is mixed."""
    return re.sub(r"\{\n.*?\n\}(, table=\S+)?\)", "{})", code, flags=re.S)


def made_by(made_with: tuple[Framework, ...]) -> Report:
    """A report of a zip that was made so."""
    report = pages.small_report()
    return replace(report, source=replace(report.source, frameworks=made_with))

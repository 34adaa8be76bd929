"""The training advice: every name in it exists, and only weak families get it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

import corruptions
from corruptions.chain import validate
from corruptions.presets import Condition, Step, resolve
from evaluator.answers import FamilyLoss
from evaluator.metrics import Score
from evaluator.report.training import ADVICE, AFTERWARDS, WEAK, advise


def specs() -> tuple[str, ...]:
    """Every chain or preset that the sentences pass to `corrupt_tf`."""
    return tuple(s for text in ADVICE.values() for s in re.findall(r'batches, "([^"]+)"\)', text))


def layers() -> tuple[str, ...]:
    """Every Keras layer that the sentences name."""
    found = (re.findall(r"`(?:keras\.layers\.)?([A-Z]\w+)`", text) for text in ADVICE.values())
    return tuple(dict.fromkeys(name for names in found for name in names))


def loss(family: str, low: float, value: float, high: float) -> FamilyLoss:
    """A family that costs so many points."""
    return FamilyLoss(family, Score(0.5, 0.4, 0.6, 10), Score(value, low, high, 10), 0.5)


@pytest.mark.parametrize("name", ["light", "medium", "heavy", "an2dl-2024", "estimate-v1"])
def test_every_family_of_our_presets_has_advice(name: str) -> None:
    """Else a weak family would be named without a word on what to do."""
    assert set(resolve(name).families) <= set(ADVICE)


@pytest.mark.parametrize("spec", sorted(set(specs())))
def test_every_chain_in_the_advice_runs(spec: str) -> None:
    """Else a user who pastes the call would get an error."""
    validate(resolve(spec))


@pytest.mark.parametrize("family", ADVICE)
def test_calls_are_python_and_ours(family: str) -> None:
    """Else the code in the advice could not be pasted."""
    codes = re.findall(r"`([^`]+)`", ADVICE[family])
    assert codes
    for code in codes:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id in ("corruptions", "keras")
                assert node.value.id == "keras" or hasattr(corruptions, node.attr)
    assert ADVICE[family].count("`") % 2 == 0


LAYERS = """
import json, os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
print(json.dumps([name for name in sys.argv[1:] if not hasattr(keras.layers, name)]))
"""


@pytest.mark.keras
def test_every_layer_in_the_advice_exists() -> None:
    """Else the advice would send users to a layer that Keras does not have."""
    assert len(layers()) > 12
    done = subprocess.run(
        [sys.executable, "-c", LAYERS, *layers()], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_layers_that_older_keras_lacks_are_marked() -> None:
    """Else advice that the challenge's Keras cannot follow would not say so."""
    old = {"GaussianNoise", "RandomBrightness", "RandomContrast", "RandomRotation"}
    old |= {"RandomTranslation"}  # those of keras 3.4.1, dir(keras.layers)
    for text in ADVICE.values():
        for name, star in re.findall(r"`(?:keras\.layers\.)?([A-Z]\w+)`(\*?)", text):
            assert (star == "*") == (name not in old), name
    assert "Keras 3.4.1" in AFTERWARDS


def test_advice_on_several_kinds_at_once_shows_several() -> None:
    """Else the example would not do what the sentence says."""
    (spec,) = re.findall(r'batches, "([^"]+)"', ADVICE["composite"])
    assert len(resolve(spec).conditions[0].steps) > 1


def test_only_losses_beyond_chance_count() -> None:
    """Else every family would be called weak, and the advice would mean nothing."""
    losses = [
        loss("noise", 0.01, 0.05, 0.09),
        loss("blur", -0.01, 0.05, 0.11),
        loss("weather", 0.001, WEAK / 2, 0.009),
    ]
    assert [one.family for one in advise(losses, ())] == ["noise"]


def test_a_family_of_ones_own_gets_its_own_chain() -> None:
    """Else a user's own preset would get no advice, or somebody else's."""
    condition = Condition("lens", "optics", (Step("fog", 2), Step("pixelate", 4)), 1.0)
    (one,) = advise([loss("optics", 0.02, 0.05, 0.08)], (condition,))
    assert "corrupt_tf(batches, 'fog:2+pixelate:4')" in one.sentence

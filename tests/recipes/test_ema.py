"""The moving average of the weights: what it is, and that it is judged and kept."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from codabench_rehearsal.images import synthetic
from codabench_rehearsal.recipes import fitting
from codabench_rehearsal.recipes.compiling import averaged, compiled
from codabench_rehearsal.recipes.models import network
from codabench_rehearsal.recipes.prepare import Prepared
from codabench_rehearsal.recipes.schedule import Reporter
from codabench_rehearsal.recipes.system import Phase, load_system

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SYSTEM = replace(load_system("baseline"), model_options={"widths": (4,)}, batch=8)
SHARE = 0.75


def learning(model: Any) -> list[Any]:
    """What learns of a model, copied."""
    return [np.array(one) for one in model.trainable_variables]


def average(steps: list[list[Any]]) -> list[Any]:
    """The moving average of weights, from the first step's on."""
    found = steps[0]
    for now in steps[1:]:
        found = [SHARE * a + (1 - SHARE) * b for a, b in zip(found, now, strict=True)]
    return found


def assert_close(found: list[Any], wanted: list[Any]) -> None:
    """Equal but for rounding."""
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "lion"])
def test_the_average_is_of_the_weights_after_each_step(optimizer: str) -> None:
    """Else short phases end near the values that they began with, or at nought."""
    model = network(SYSTEM, (32, 32, 3), 8)
    rated = compiled(model, SYSTEM, Phase("p", 1, 1e-2, optimizer, ema=SHARE), pretrained=False)
    images = synthetic(8, seed=1, size=32).images
    steps = []
    for _ in range(4):
        model.train_on_batch(images, np.eye(8, dtype=np.float32))
        steps.append(learning(model))
    with averaged(model, rated):
        assert_close(learning(model), average(steps))
    for found, own in zip(learning(model), steps[-1], strict=True):
        np.testing.assert_array_equal(found, own)
    assert any((a != b).any() for a, b in zip(average(steps), steps[-1], strict=True))


@pytest.mark.parametrize("validation", [True, False])
def test_what_is_judged_and_left_is_the_average(
    validation: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the figure on the screen is of other weights than those in the folder."""
    steps: list[list[Any]] = []
    judged: list[list[Any]] = []
    train, measure = keras.Model.train_on_batch, fitting.measured

    def trained(model: Any, *given: Any, **more: Any) -> Any:
        heard = train(model, *given, **more)
        steps.append(learning(model))
        return heard

    def measured(model: Any, *given: Any) -> dict[str, float]:
        judged.append(learning(model))
        return measure(model, *given)

    monkeypatch.setattr(keras.Model, "train_on_batch", trained)
    monkeypatch.setattr(fitting, "measured", measured)
    data, unused = synthetic(24, seed=1, size=32), SimpleNamespace()
    sides: Any = Prepared(data, data, None, unused, None, ())  # type: ignore[arg-type]  # asked for nothing
    phase = Phase("p", 1, 1e-2, ema=SHARE, validation=validation)
    reporter = Reporter(lambda _: None)
    task = fitting.Task(replace(SYSTEM, phases=(phase,)), sides, 8, 0, "none", reporter)
    checkpoint: Any = SimpleNamespace(load=lambda: None, save=lambda *_: None)
    model, _ = fitting.learn(task, checkpoint)
    assert len(steps) == 3
    assert_close(learning(model), average(steps))
    assert len(judged) == int(validation)
    for one in judged:
        assert_close(one, average(steps))

"""The Keras callback in real trainings, told by a child process (callback_stories.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.submission.server import KERAS, server_python

ROOT = Path(__file__).parents[2]
QUICK = ("stopping", "between", "outputs", "refused", "counts")
LONG = ("plateau", "weighted", "half_precision", "scaled", "recorded", "broken", "again")
UNTOUCHED = ("untouched",)
# The server's Keras, TensorFlow and NumPy first, then our other packages.
THERE = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module({!r}, run_name='__main__')"
MODULE = "tests.evaluator.callback_stories"


def told(*names: str, python: str = sys.executable) -> dict[str, Any]:
    """The stories of these names, in a child."""
    start = ["-m", MODULE]
    if python != sys.executable:
        start = ["-c", THERE.format(MODULE), sysconfig.get_path("purelib")]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, *start, *names],
        check=False,  # its last words are in the assertion
        capture_output=True,
        text=True,
        env={**os.environ, **quiet},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(name="quick", scope="module")
def _quick() -> dict[str, Any]:
    return told(*QUICK)


@pytest.fixture(name="long", scope="module")
def _long() -> dict[str, Any]:
    return told(*LONG, *UNTOUCHED)


def check_stopping(found: dict[str, Any]) -> None:
    """The training ends soon after the best benchmark, long before validation is satisfied."""
    bench, validation = found["bench_accuracy"], found["val_accuracy"]
    best = bench.index(max(bench))
    assert len(bench) < 60
    assert found["stopped"] == best + 4 == len(bench) - 1
    assert best > 0
    assert bench[-1] < bench[best] - 0.02
    assert validation[-1] > validation[best] + 0.02
    assert validation[-1] == max(validation)
    assert found["kept"] == pytest.approx(bench[best])


@pytest.mark.keras
def test_early_stopping_acts_on_it(quick: dict[str, Any]) -> None:
    """Else nobody is warned that a model gets worse on damaged images while validation still rises."""
    check_stopping(quick["stopping"])
    assert quick["real"]


@pytest.mark.keras
def test_epochs_between_carry_the_figure_on(quick: dict[str, Any]) -> None:
    """Else EarlyStopping warns in every epoch that is not measured, and History has holes."""
    found = quick["between"]
    first, second, third, fourth, last = found["logged"]
    assert first == second
    assert third == fourth
    assert len({first, third, last}) > 1
    assert found["asked"] == [20] * 4, "when fit begins, after epochs 1 and 3, and after the last"
    assert found["said"] == []


@pytest.mark.keras
def test_all_kinds_of_outputs_are_understood(quick: dict[str, Any]) -> None:
    """Else the same model scores otherwise for the shape of its last layer."""
    found = quick["outputs"]
    several = ("softmax", "labels", "label column", "float labels", "in a list", "in a dict")
    assert found["logits"] > 0.25, "else it proves nothing: guessing gives 0.125"
    assert {found[name] for name in several} == {found["logits"]}
    single = ("one logit", "a small logit", "sigmoid")
    assert {found[name] for name in single} == {found["two logits"]}


@pytest.mark.keras
@pytest.mark.parametrize(
    ("case", "error", "said"),
    [
        ("several outputs", "EvaluationError", "one output, received one with 2"),
        ("named outputs", "EvaluationError", "one output, received one with 2"),
        ("one column", "EvaluationError", "Expected 8 columns or whole labels"),
        ("maps", "EvaluationError", "received (32, 96, 96, 3)"),
        ("preprocess", "EvaluationError", "expected 32 images back, received 3"),
        ("0..1", "EvaluationError", "preprocess=lambda images: images / 255"),
        ("every", "EvaluationError", "every: expected a whole number, 1 or more, received 0"),
        ("count", "EvaluationError", "count: expected a whole number, 1 or more, received 1.5"),
        ("corrupt", "CorruptionError", "Did you mean 'heavy'?"),
        ("corruption", "CorruptionError", "Did you mean fog?"),
        ("labels", "DataError", "100 images and labels of shape (99,)"),
    ],
)
def test_mistakes_are_sentences(quick: dict[str, Any], case: str, error: str, said: str) -> None:
    """Else a mistake costs an epoch, or shows as a wrong figure."""
    name, message = quick["refused"][case]
    assert name == error
    assert said in message


@pytest.mark.keras
def test_the_default_follows_the_steps_of_training(quick: dict[str, Any]) -> None:
    """Else the callback takes more than its share of an epoch, or fewer images than it could."""
    found = quick["counts"]
    assert found["3 steps"] == 32
    assert found["8 steps"] == 64
    assert found["400 steps"] == 100, "each image once"
    assert found["heavy, told"] == 300
    assert found["fog:3, told"] == 100, "one condition: the same picture twice would tell nothing"
    assert found["before"] is None


@pytest.mark.keras
@pytest.mark.slow
def test_reduce_lr_on_plateau_acts_on_it(long: dict[str, Any]) -> None:
    """Else the learning rate never falls."""
    rates = long["plateau"]["learning_rate"]
    assert rates[-1] < rates[0]


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("preset", ["an2dl-2024", "heavy"])
def test_conditions_weigh_what_local_eval_gives_them(long: dict[str, Any], preset: str) -> None:
    """Else the figure in training is not the one of local-eval."""
    logged, scored, _ = long["weighted"][preset]
    assert logged == pytest.approx(scored, abs=1e-6)


@pytest.mark.keras
@pytest.mark.slow
def test_weights_make_a_difference(long: dict[str, Any]) -> None:
    """Else the test above could not fail."""
    assert any(abs(scored - plain) > 1e-4 for _, scored, plain in long["weighted"].values())


@pytest.mark.keras
@pytest.mark.slow
def test_half_precision_works(long: dict[str, Any]) -> None:
    """Else nobody with a GPU can use it: bfloat16 is no type of numpy's own."""
    assert all(0 <= value <= 1 for value in long["half_precision"].values())
    assert len(long["half_precision"]) == 2


@pytest.mark.keras
@pytest.mark.slow
def test_preprocess_gives_the_model_what_it_learnt_on(long: dict[str, Any]) -> None:
    """Else a model trained on 0..1 scores as if it had learnt nothing."""
    itself, fed, wrong = long["scaled"]["figures"]
    assert fed == itself
    assert wrong < itself - 0.05


@pytest.mark.keras
@pytest.mark.slow
def test_loggers_get_it(long: dict[str, Any]) -> None:
    """Else it is in no file afterwards."""
    head, *rows = long["recorded"]["csv"].splitlines()
    place = head.split(",").index("bench_accuracy")
    assert [0 <= float(row.split(",")[place]) <= 1 for row in rows] == [True, True]


@pytest.mark.keras
@pytest.mark.slow
def test_no_number_is_no_right_answer(long: dict[str, Any]) -> None:
    """Else a model that has diverged scores as if it answered class 0."""
    assert long["broken"]["figure"] == 0
    assert long["broken"]["labels"] == [1, -1, 0]


@pytest.mark.keras
@pytest.mark.slow
def test_a_seed_repeats_the_figure(long: dict[str, Any]) -> None:
    """Else two trainings cannot be compared, or a second `fit` begins with the first one's figure."""
    found = long["again"]
    first, same, other = found["figures"]
    assert first == same
    assert first != other
    assert found["first"][-1] != found["first"][0]
    assert found["second"] == found["first"]


@pytest.mark.keras
@pytest.mark.slow
def test_the_training_is_left_alone(long: dict[str, Any]) -> None:
    """Else watching a training changes it, and `evaluate` shows figures that it has not."""
    found = long["untouched"]
    assert found["with"] == found["without"]
    assert set(found["with"]["evaluate"]) == {"loss", "accuracy"}


@pytest.mark.keras
@pytest.mark.slow
def test_under_the_servers_keras() -> None:
    """Else it works under the newest Keras only."""
    python = server_python()
    version = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    theirs = subprocess.run(version, check=True, capture_output=True, text=True).stdout.split()
    if [int(number) for number in theirs] != [*sys.version_info[:2]]:
        pytest.skip("the server's Python is of another version: it cannot borrow our packages")
    found = told("stopping", "between", "outputs", "half_precision", "recorded", python=python)
    assert found["keras"] == KERAS
    check_stopping(found["stopping"])
    assert found["between"]["said"] == []
    assert found["outputs"]["softmax"] == found["outputs"]["logits"]
    assert found["outputs"]["sigmoid"] == found["outputs"]["two logits"]
    assert found["outputs"]["a small logit"] == found["outputs"]["two logits"]
    assert all(0 <= value <= 1 for value in found["half_precision"].values())
    if found["recorded"]["tags"] is not None:
        assert "epoch_bench_accuracy" in found["recorded"]["tags"]


def test_importing_the_room_is_free() -> None:
    """Else `import evaluator` starts TensorFlow in every command."""
    code = "import sys, evaluator; print('keras' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

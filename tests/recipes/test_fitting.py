"""Parts of the training loop that need no training: kept weights, their mean, progress, files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.images import split, synthetic
from codabench_rehearsal.recipes.checkpoint import State
from codabench_rehearsal.recipes.schedule import Reporter, TrainingProgress
from codabench_rehearsal.recipes.system import Phase, System, load_system
from submission.training_folder import read_training_folder

pytestmark = [
    pytest.mark.keras,
    # Keras's own conversion of a variable, with NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


class Weights:
    """Stands for a network: weights that are set and read."""

    def __init__(self) -> None:
        self.now: list[Any] = []

    def get_weights(self) -> list[Any]:
        """Copies, as Keras gives them."""
        return [one.copy() for one in self.now]

    def set_weights(self, weights: list[Any]) -> None:
        """Take these."""
        self.now = list(weights)


def after(accuracies: list[float | None], limit: int) -> tuple[Weights, State]:
    """A network whose weights are the number of the epoch, and what was kept of it."""
    model, state = Weights(), State()
    for epoch, accuracy in enumerate(accuracies, start=1):
        model.now = [np.array([epoch], np.float32), np.array(epoch, np.int64)]
        state.keep_best(epoch, accuracy, limit, model)
    return model, state


@pytest.mark.parametrize(
    ("accuracies", "limit", "average", "value"),
    [
        ([0.1, 0.9, 0.5], 1, False, 2),
        ([0.9, 0.9, 0.5], 1, False, 1),  # of equals the first
        ([0.1, 0.9, 0.5, 0.6], 2, True, 3),  # epochs 2 and 4
        ([0.1, 0.9, 0.5, 0.6], 3, True, 3),
        ([None, None, None], 2, True, 2.5),  # nothing measured: the last ones
        ([None, None], 0, False, 2),  # nothing kept: they stay
        ([0.5], 3, True, 1),
    ],
)
def test_a_phase_leaves_its_best_weights(
    accuracies: list[float | None], limit: int, average: bool, value: float
) -> None:
    """Else the packed network is of another epoch than the one reported."""
    model, state = after(accuracies, limit)
    assert len(state.kept) <= limit
    state.settle(model, average=average)
    assert float(model.now[0][0]) == pytest.approx(value)
    assert [one.dtype for one in model.now] == [np.float32, np.int64]


def test_a_mean_covers_all_weights() -> None:
    """Else batch norm's averages belong to another network than its weights."""
    from codabench_rehearsal.recipes.checkpoint import mean_weights

    rng = np.random.default_rng(0)
    sets: list[list[Any]] = [
        [rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=4)] for _ in range(3)
    ]
    for place, array in enumerate(mean_weights(sets)):
        assert array == pytest.approx(np.mean([one[place] for one in sets], axis=0))
        assert array.dtype == sets[0][place].dtype


def test_progress_is_told_a_few_times_a_second() -> None:
    """Else drawing a bar takes the training's time, or the time left is nonsense."""
    now = 0.0
    told: list[TrainingProgress] = []
    left = []
    reporter = Reporter(told.append, clock=lambda: now)
    reporter.stretch("head", 4, ahead=4)
    for epoch in (1, 2):
        for step in range(100):
            now += 0.01
            reporter.batch(epoch, (step + 1) / 100, {"loss": 1.0})
        reporter.epoch(epoch, {"loss": 1.0})
        left.append(told[-1].seconds_left)
    assert len(told) <= 2 * 5 + 2
    assert left == pytest.approx([3.0, 2.0])
    reporter.stretch("head", 4, ahead=1)  # the other one ended early
    reporter.epoch(3, {})
    assert told[-1] == TrainingProgress("head", 3, 4, 1.0, {}, 1, 1, 0.0)


ROW: dict[str, Any] = {
    "epoch": 1,
    "phase": "a",
    "loss": 0.123456789,
    "accuracy": 0.5,
    "val_loss": None,
    "val_accuracy": None,
    "learning_rate": 1e-4,
    "seconds": 2.0,
    "waited_share": 0.25,
}


def member(**options: Any) -> Any:
    """A member of an ensemble with this backbone or side, without its network."""
    from codabench_rehearsal.recipes.folder import TrainedMember

    system = replace(load_system("baseline"), **options)
    return TrainedMember(None, system, [ROW])


def on(backbone: str) -> dict[str, Any]:
    """A change to this backbone."""
    return {"model_options": {"backbone": backbone}}


@pytest.mark.parametrize(
    ("members", "preprocess", "resize"),
    [
        ([{}], None, None),
        ([{"side": 64}], None, 64),
        ([on("ResNet50")], "resnet50", None),
        ([on("ResNet50"), {}], ["resnet50", None], None),
        ([on("ConvNeXtTiny"), {"side": 128}], None, [None, 128]),
        ([on("MiniResNet"), on("MiniConvNeXt")], None, None),
    ],
)
def test_recipe_json_tells_each_network_apart(
    members: list[dict[str, Any]], preprocess: Any, resize: Any
) -> None:
    """Else the zip feeds one network what another was trained on."""
    from codabench_rehearsal.recipes.folder import recipe_json

    made = [member(**options) for options in members]
    told = recipe_json(made[0].system, made, (), {"classes": 8})
    assert (told["preprocess"], told["resize"]) == (preprocess, resize)
    assert (told["scale"], len(told["weights"])) == ("0..255", len(members))
    assert told["augmentation"] == ["flips"]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with a layer of ours, untrained."""
    from codabench_rehearsal.recipes.folder import TrainedMember, write_folder
    from codabench_rehearsal.recipes.models import network

    options = {"backbone": "MiniConvNeXt", "head": "inception", "mask": True}
    system: System = replace(load_system("baseline"), model="transfer", model_options=options)
    rows = [ROW, {**ROW, "epoch": 2, "phase": "b", "val_loss": 0.5, "val_accuracy": 1.0}]
    one = TrainedMember(network(system, (32, 32, 3), 8), system, rows)
    out = tmp_path_factory.mktemp("masked")
    sides = split(synthetic(40, seed=1), 0.2, 0)
    facts = {"shape": [32, 32, 3], "classes": 8, "seed": 0}
    assert write_folder(out, system, [one, one], sides, facts) == ()
    return out


def test_the_folder_is_all_that_packing_needs(masked: Path) -> None:
    """Else make-submission fails, or the server does not know our layer."""
    packing = read_training_folder(masked)
    assert [path.name for path in packing.weights] == ["weights_1.keras", "weights_2.keras"]
    assert [path.name for path in packing.include] == ["recipe_layers.py"]
    assert packing.splits == (masked / "split.json",)
    assert (masked / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not [path for path in masked.iterdir() if path.name.startswith(("part-", "."))]


def test_history_csv_holds_every_epoch(masked: Path) -> None:
    """Else a plot of the training shows something else than what happened."""
    with (masked / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["member"], row["epoch"]) for row in rows] == [
        *(("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"))
    ]
    assert set(rows[0]) == {"member", *ROW}
    assert (rows[0]["val_loss"], rows[1]["val_accuracy"]) == ("", "1")
    assert float(rows[0]["loss"]) == pytest.approx(0.123457)


def test_without_matplotlib_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a training of hours ends in an ImportError."""
    import sys

    from codabench_rehearsal.recipes.folder import NO_PLOT, _plot

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert _plot(tmp_path / "history.png", [[ROW]]) == (NO_PLOT,)


def test_validation_is_the_mean_over_images() -> None:
    """Else the last, smaller batch counts as much as a full one."""
    import keras

    from codabench_rehearsal.recipes.compiling import compiled
    from codabench_rehearsal.recipes.fitting import measured
    from codabench_rehearsal.recipes.models import network

    system = replace(load_system("baseline"), model_options={"widths": (4,)})
    phase = Phase("p", 1, 1e-3)
    model = network(system, (32, 32, 3), 8)
    compiled(model, system, phase, pretrained=False)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (37, 32, 32, 3), dtype=np.uint8)
    targets = np.eye(8, dtype=np.float32)[rng.integers(0, 8, 37)]
    answers = np.asarray(model(images.astype(np.float32)))
    found = measured(model, (images, targets), 16)
    assert found["accuracy"] == pytest.approx(np.mean(answers.argmax(1) == targets.argmax(1)))
    wanted = keras.losses.CategoricalCrossentropy()(targets, answers)
    assert found["loss"] == pytest.approx(float(wanted), rel=1e-4)


def test_the_share_of_waiting_is_of_the_seconds_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else seconds times share, which the summary adds up, counts validation as waiting."""
    import time
    from types import SimpleNamespace

    from codabench_rehearsal.recipes import fitting
    from codabench_rehearsal.recipes.schedule import Schedule

    feed: Any = SimpleNamespace(waited=0.0)

    def batches(*_: Any) -> dict[str, float]:
        time.sleep(0.05)
        feed.waited += 0.05
        return {"loss": 1.0, "accuracy": 0.5}

    def measured(*_: Any) -> dict[str, float]:
        time.sleep(0.1)
        return {"loss": 1.0, "accuracy": 0.5}

    monkeypatch.setattr(fitting.Learner, "batches", batches)
    monkeypatch.setattr(fitting, "measured", measured)
    task: Any = SimpleNamespace(system=SimpleNamespace(batch=1))
    nothing: Any = None
    learner = fitting.Learner(task, SimpleNamespace(get_weights=list), feed, nothing)
    row = learner.epoch(Schedule(Phase("p", 1, 1e-3), 1), SimpleNamespace(use_ema=False), 0)
    assert row["seconds"] * row["waited_share"] == pytest.approx(0.05)


def test_a_mixed_image_counts_by_both_its_classes() -> None:
    """Else class weights change nothing, or a mixed image counts as one of its classes alone."""
    from types import SimpleNamespace

    from codabench_rehearsal.recipes.fitting import Learner
    from codabench_rehearsal.recipes.schedule import Schedule

    heard: list[Any] = []

    def step(_images: Any, _targets: Any, *, sample_weight: Any, **_: Any) -> dict[str, float]:
        heard.append(sample_weight)
        return {"loss": 1.0, "accuracy": 0.5}

    targets = np.array([[1, 0, 0], [0, 0.25, 0.75]], np.float32)
    feed: Any = SimpleNamespace(steps=1, waited=0.0, epoch=lambda _: iter([(targets, targets)]))
    model = SimpleNamespace(reset_metrics=lambda: None, train_on_batch=step)
    nothing: Any = None
    for weights, wanted in ((np.array([3, 1, 2], np.float32), [3, 1.75]), (None, None)):
        sides = SimpleNamespace(weights=weights)
        task: Any = SimpleNamespace(sides=sides, reporter=Reporter(lambda _: None))
        learner = Learner(task, model, feed, nothing)
        learner.batches(Schedule(Phase("p", 1, 1e-3), 1), SimpleNamespace())
        assert heard.pop() == (wanted if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize("hurt", [False, True])
def test_validation_images_are_hurt_where_the_recipe_says_so(hurt: bool) -> None:
    """Else a network is chosen by clean images that should stand for the hidden, damaged ones."""
    from codabench_rehearsal.recipes.fitting import Task
    from codabench_rehearsal.recipes.prepare import Prepared

    system = replace(load_system("los_pollos_hermanos"), hurt_validation=hurt)
    data = synthetic(20, seed=1, size=32)
    unused: Any = None
    sides = Prepared(data, data, None, unused, None, ())
    images, targets = Task(system, sides, 8, 0, "none", unused).validation()
    assert targets.argmax(axis=1).tolist() == data.labels.tolist()
    changed = (images != data.images).any(axis=(1, 2, 3))
    assert changed.mean() > 0.8 if hurt else not changed.any()

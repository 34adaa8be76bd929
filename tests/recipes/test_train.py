"""Whole trainings, tiny: what they leave behind, and going on after a kill."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.images import Dataset, synthetic
from codabench_rehearsal.recipes.schedule import TrainingProgress
from codabench_rehearsal.recipes.system import Phase, RecipeError, System, load_system
from submission.training_folder import read_training_folder

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SYSTEM = replace(
    load_system("baseline"),
    model_options={"widths": (4, 8)},
    batch=16,
    test=0.1,
    class_weights=True,
    average=2,
    benchmark=(("flips",),),
    phases=(
        Phase("head", 2, 2e-3, folds=2, patience=1),
        Phase("fine", 3, 1e-3, "lion", decay="cosine", ema=0.5),
    ),
)
PAIR = replace(SYSTEM, phases=SYSTEM.phases[1:], members=({}, {"model_options.widths": (6,)}))


def cells() -> Dataset:
    """80 small cells."""
    return synthetic(80, seed=3, size=32)


@dataclass
class Heard:
    """A training, with all that it told and said; `stop` is asked after each progress."""

    out: Path
    told: list[TrainingProgress] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stop: Any = None

    def train(self, system: System, data: Dataset | None = None, **run: Any) -> Any:
        """Train on the small cells."""
        from codabench_rehearsal.recipes.train import TrainingRun, train

        return train(
            system,
            cells() if data is None else data,
            self.out,
            classes=8,
            run=TrainingRun(**run),
            tell=self.tell,
            say=self.said.append,
        )

    def tell(self, now: TrainingProgress) -> None:
        """Note it, and stop the training if it is time."""
        self.told.append(now)
        if self.stop is not None and self.stop(now):
            raise KeyboardInterrupt


def history(out: Path) -> list[dict[str, str]]:
    """The rows of history.csv, without what the clock says."""
    with (out / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"], row["waited_share"]
    return rows


def weights(out: Path, name: str = "weights.keras") -> list[Any]:
    """The weights that a folder ended in."""
    import keras

    return [np.asarray(one) for one in keras.models.load_model(out / name).get_weights()]


def same_weights(out: Path, other: Path) -> bool:
    """Whether two trainings ended in the same weights, bit for bit."""
    both = zip(weights(out), weights(other), strict=True)
    return all(one.tobytes() == two.tobytes() for one, two in both)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Heard, Any]:
    """A finished training of two networks."""
    heard = Heard(tmp_path_factory.mktemp("pair") / "out")
    return heard, heard.train(PAIR, epochs=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """A finished training with folds, never cut off."""
    heard = Heard(tmp_path_factory.mktemp("whole") / "out")
    heard.train(SYSTEM)
    return heard


def test_the_folder_holds_what_was_measured(pair: tuple[Heard, Any]) -> None:
    """Else the zip is of other networks than those whose accuracy is shown."""
    import keras

    from codabench_rehearsal.recipes.prepare import prepare

    heard, done = pair
    packing = read_training_folder(heard.out)
    sides = prepare(PAIR, cells(), 8, 0)
    answers = []
    for path, accuracy in zip(packing.weights, done.members, strict=True):
        model = keras.models.load_model(path)
        assert not model.compiled, "an optimizer's state would treble the zip"
        answers.append(np.asarray(model.predict_on_batch(sides.validation.images)))
        right = answers[-1].argmax(axis=1) == sides.validation.labels
        assert float(right.mean()) == pytest.approx(accuracy)
    right = np.mean(answers, axis=0).argmax(axis=1) == sides.validation.labels
    assert float(right.mean()) == pytest.approx(done.validation_accuracy)
    assert sides.test is not None
    counts = len(sides.train), len(sides.validation), len(sides.test)
    assert counts == (done.train_images, done.validation_images, done.test_images)
    assert set(done.benchmark) == {"flips"}
    assert 0 <= done.waited_share <= 1
    assert not (heard.out / "checkpoint").exists()


def test_the_history_has_a_row_an_epoch(pair: tuple[Heard, Any]) -> None:
    """Else nobody could see where a training went wrong."""
    heard, _ = pair
    rows = history(heard.out)
    assert [(row["member"], row["epoch"], row["phase"]) for row in rows] == [
        (member, epoch, "fine") for member in "12" for epoch in "12"
    ]
    assert [float(row["learning_rate"]) for row in rows[:2]] == pytest.approx([1e-3, 5e-4])
    assert all(float(row["loss"]) > 0 and float(row["val_loss"]) > 0 for row in rows)


def test_progress_leads_to_the_end(pair: tuple[Heard, Any]) -> None:
    """Else the bar jumps, or promises minutes when all is done."""
    told = pair[0].told
    places = [(one.member, one.epoch, one.share) for one in told]
    assert places == sorted(places)
    assert all(one.epoch <= one.epochs == 2 and one.members == 2 for one in told)
    assert (places[-1], told[-1].seconds_left) == ((2, 2, 1.0), 0.0)
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(told[-1].figures)


def test_a_finished_training_is_left_alone(pair: tuple[Heard, Any]) -> None:
    """Else --resume in a loop of a job script trains for ever."""
    heard, done = pair
    before = {path: path.read_bytes() for path in heard.out.iterdir()}
    again = Heard(heard.out)
    assert again.train(PAIR, epochs=2, resume=True) == done
    assert "is finished; nothing was done" in again.said[-1]
    with pytest.raises(RecipeError, match=r"seed \(0 there, 1 now\)"):
        again.train(PAIR, epochs=2, resume=True, seed=1)
    assert {path: path.read_bytes() for path in heard.out.iterdir()} == before


STOPS = {
    "in the second fold": lambda now: "fold 2" in now.phase,
    "after an epoch": lambda now: now.phase == "fine" and "val_loss" in now.figures,
    "at the last epoch's end": lambda now: (
        now.epoch == now.epochs and "fold" not in now.phase and "val_loss" in now.figures
    ),
}


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(one, marks=() if one == "after an epoch" else pytest.mark.slow)
        for one in sorted(STOPS)
    ],
)
def test_resumed_is_as_if_never_cut_off(tmp_path: Path, whole: Heard, where: str) -> None:
    """Else a kill changes the schedule, the order of images or the dice."""
    heard = Heard(tmp_path / "out", stop=STOPS[where])
    with pytest.raises(KeyboardInterrupt):
        heard.train(SYSTEM)
    assert not (heard.out / "weights.keras").exists()
    with pytest.raises(RecipeError, match=r"cut off: .* --resume, or choose another --out"):
        Heard(heard.out).train(SYSTEM)
    resumed = Heard(heard.out)
    resumed.train(SYSTEM, resume=True)
    assert [line for line in resumed.said if line.startswith("Going on after epoch")]
    assert history(heard.out) == history(whole.out)
    assert same_weights(heard.out, whole.out)
    if where == "in the second fold":
        assert not any("fold 1 of" in one.phase for one in resumed.told), "that one was done"
    lefts = [one.seconds_left for one in resumed.told]
    assert not lefts or lefts[-1] == 0


@pytest.mark.parametrize(
    ("changes", "run", "said"),
    [
        ({"batch": 8}, {}, "batch (16 there, 8 now)"),
        ({"name": "other"}, {}, "recipe (baseline there, other now)"),
        ({}, {"rate": 0.5}, "phase 1: learning_rate (0.001 there, 0.0005 now)"),
        ({}, {"seed": 5}, "seed (0 there, 5 now)"),
        ({}, {"weights": "imagenet"}, "weights (none there, imagenet now)"),
        ({}, {"data": 1}, "data ("),
    ],
)
def test_another_training_is_not_resumed(
    cut_off: Path, changes: dict[str, Any], run: dict[str, Any], said: str
) -> None:
    """Else weights go on under a recipe that they were not trained by."""
    data = synthetic(80, seed=4, size=32) if run.pop("data", 0) else None
    before = (cut_off / "checkpoint/1/state.json").read_bytes()
    with pytest.raises(RecipeError, match=rf"what differs: {re.escape(said)}[^)]*\)?\. Repeat"):
        Heard(cut_off).train(replace(PAIR, **changes), data, resume=True, **run)
    assert (cut_off / "checkpoint/1/state.json").read_bytes() == before


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training cut off after its first epoch."""
    heard = Heard(tmp_path_factory.mktemp("cut") / "out", stop=lambda now: now.epoch == 2)
    with pytest.raises(KeyboardInterrupt):
        heard.train(PAIR)
    return heard.out


def test_a_diverging_loss_stops_with_a_sentence(tmp_path: Path) -> None:
    """Else a night is spent on a network of NaNs."""
    system = replace(PAIR, members=(), phases=(Phase("hot", 9, 1e38),))
    with pytest.raises(
        RecipeError, match=r"in epoch \d \(hot\).*smaller learning rate than 1e\+38"
    ):
        Heard(tmp_path / "out").train(system)


def test_mixed_precision_leaves_a_float32_network(tmp_path: Path) -> None:
    """Else the server computes in bfloat16, or every later network of the session does."""
    import keras

    system = replace(PAIR, members=(), copies=((),))
    before = keras.config.dtype_policy().name
    Heard(tmp_path / "out").train(system, epochs=1, precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    model = keras.models.load_model(tmp_path / "out" / "weights.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


@pytest.mark.parametrize(
    ("changes", "run", "said"),
    [
        ({}, {"precision": "float8"}, "No precision 'float8'"),
        ({}, {"seed": 2**31}, "a seed from 0 to 2,147,483,647, received 2,147,483,648"),
        ({"phases": ()}, {}, "every phase needs an epoch"),
        ({"members": ({}, {"validation": 0.4})}, {}, "hold out different images"),
        ({"model": "nothing"}, {}, "no network 'nothing'"),
        ({"phases": (Phase("p", 1, 0.1, "sgd"),)}, {}, "No optimizer 'sgd'; known: adam, lion"),
    ],
)
def test_mistakes_are_sentences(
    tmp_path: Path, changes: dict[str, Any], run: dict[str, Any], said: str
) -> None:
    """Else a mistake in a recipe shows as a traceback of Keras."""
    with pytest.raises(RecipeError, match=re.escape(said)):
        Heard(tmp_path / "out").train(replace(PAIR, **changes), **run)

"""The search over hyper-parameters; its trials need Keras Tuner, the rest does not."""

from __future__ import annotations

import csv
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codabench_rehearsal.images import synthetic
from codabench_rehearsal.recipes.system import Phase, RecipeError, System, load_system, system_names

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Keras Tuner 1.4.8 calls threads by older names.
    pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning"),
]

needs_tuner = pytest.mark.skipif(
    importlib.util.find_spec("keras_tuner") is None, reason="Keras Tuner is not installed"
)
SYSTEM = replace(
    load_system("los_pollos_hermanos"),
    model_options={"widths": (4, 4, 8, 8), "blocks": 1, "dense": 16},
    batch=16,
    copies=((),),
    balance=(),
    phases=(Phase("train", 10, 2e-3),),
)


class Drawn:
    """Stands for Keras Tuner's HyperParameters: notes the range, gives its first end."""

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[Any, ...]] = {}

    def Float(self, name: str, low: float, high: float, **_: Any) -> float:  # noqa: N802 - its name
        """The lowest."""
        self.ranges[name] = (low, high)
        return low

    def Choice(self, name: str, values: list[int], **_: Any) -> int:  # noqa: N802 - its name
        """The first."""
        self.ranges[name] = tuple(values)
        return values[0]


@pytest.mark.parametrize("name", system_names())
def test_every_recipe_can_be_searched(name: str) -> None:
    """Else --search fails for a recipe, or changes what it does not name."""
    from codabench_rehearsal.recipes.search import tuned

    system = load_system(name)
    drawn = Drawn()
    found = tuned(system, drawn)
    assert len(drawn.ranges) >= len(system.phases)
    rates = [phase.learning_rate for phase in found.phases]
    assert rates == pytest.approx([phase.learning_rate / 5 for phase in system.phases])
    for option, value in found.model_options.items():
        if not option.startswith(("dense", "dropout")):
            assert value == system.model_options[option]
        elif option in system.model_options:
            assert type(value) is type(system.model_options[option])
    rest: dict[str, Any] = {"phases": system.phases, "model_options": system.model_options}
    assert replace(found, **rest) == system


def test_options_left_at_their_default_are_searched_too() -> None:
    """Else only recipes that repeat a default could have it searched."""
    from codabench_rehearsal.recipes.search import tuned

    drawn = Drawn()
    found = tuned(SYSTEM, drawn)
    assert list(drawn.ranges) == ["train: learning rate", "dense", "dropout"]
    assert found.model_options == {**SYSTEM.model_options, "dense": 8, "dropout": 0.0}


def test_a_trial_is_brief() -> None:
    """Else a search over ten trials takes ten trainings."""
    from codabench_rehearsal.recipes.search import briefly

    phases = (Phase("head", 40, 1e-3, folds=5, validation=False), Phase("fine", 4, 1e-4))
    system = replace(SYSTEM, phases=phases, members=({}, {}), average=3)
    tried = briefly(system, None)
    assert [phase.epochs for phase in tried.phases] == [4, 1]
    assert [phase.epochs for phase in briefly(system, 7).phases] == [7, 7]
    assert (tried.members, tried.average, tried.phases[0].folds) == ((), 0, 0)


def searched(out: Path, system: System = SYSTEM, **run: Any) -> System:
    """Search over two trials of an epoch, or so many."""
    from codabench_rehearsal.recipes.search import search
    from codabench_rehearsal.recipes.train import TrainingRun

    trials = run.pop("trials", 2)
    data = synthetic(60, seed=3, size=32)
    return search(system, data, out, classes=8, run=TrainingRun(epochs=1, **run), trials=trials)


def test_without_keras_tuner_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else --search ends in an ImportError."""
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(RecipeError, match="pip install keras-tuner"):
        searched(tmp_path)


def test_a_training_cut_off_is_not_searched_over(tmp_path: Path) -> None:
    """Else an hour of trials ends in the refusal to overwrite it."""
    (tmp_path / "checkpoint" / "1").mkdir(parents=True)
    (tmp_path / "checkpoint" / "1" / "state.json").write_text("{}")
    with pytest.raises(RecipeError, match="cut off"):
        searched(tmp_path)


@needs_tuner
def test_the_best_trial_is_what_is_trained(tmp_path: Path) -> None:
    """Else the search has no effect, or its table is of other values."""
    found = searched(tmp_path)
    assert searched(tmp_path, resume=True, trials=3) is not None
    with (tmp_path / "search.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["1", "2", "3"], "two were kept, one was added"
    best = max(rows[:2], key=lambda row: float(row["validation_accuracy"]))
    rate = float(best["train: learning rate"])  # six digits
    assert found.phases[0].learning_rate == pytest.approx(rate, rel=1e-5)
    assert found.model_options["dense"] == int(best["dense"])
    assert not (tmp_path / "search" / "trial").exists()


@needs_tuner
def test_a_search_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the default seed gives other trials each time: to Keras Tuner 0 is no seed."""
    from codabench_rehearsal.recipes import search as module

    done = SimpleNamespace(validation_accuracy=0.5)
    monkeypatch.setattr(module, "train", lambda *_, **__: done)
    for name in ("one", "two"):
        searched(tmp_path / name, trials=3)
    one, two = ((tmp_path / name / "search.csv").read_text() for name in ("one", "two"))
    assert one == two


@needs_tuner
def test_trials_of_another_search_are_not_gone_on_with(tmp_path: Path) -> None:
    """Else --resume takes the best of another recipe's trials, or fails on their names."""
    searched(tmp_path, trials=1)
    table = (tmp_path / "search.csv").read_text(encoding="utf-8")
    for system, run in (
        (SYSTEM, {"seed": 1}),
        (SYSTEM, {"rate": 0.5}),
        (replace(SYSTEM, batch=8), {}),
    ):
        with pytest.raises(RecipeError, match=r"what differs: .*nothing was changed"):
            searched(tmp_path, system, trials=1, resume=True, **run)
    assert (tmp_path / "search.csv").read_text(encoding="utf-8") == table


@needs_tuner
def test_a_mistake_ends_the_search(tmp_path: Path) -> None:
    """Else each trial fails for the same reason, one after the other."""
    with pytest.raises(RecipeError, match="No optimizer 'sgd'"):
        searched(tmp_path, replace(SYSTEM, phases=(Phase("p", 1, 0.1, "sgd"),)))


@needs_tuner
def test_a_diverging_trial_counts_as_nothing_right(tmp_path: Path) -> None:
    """Else one learning rate too high ends the search."""
    hot = replace(SYSTEM, phases=(Phase("p", 1, 1e30),))
    assert searched(tmp_path, hot, trials=1).phases[0].learning_rate == pytest.approx(1e30)
    assert (tmp_path / "search.csv").read_text(encoding="utf-8").strip().endswith(",0")

"""A folder before its training: what cannot be one, and what an earlier training left there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.recipes.folder import only_training
from codabench_rehearsal.recipes.system import RecipeError, chosen, load_system
from tests.recipes.test_train import PAIR, Heard, history

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
ONE = replace(PAIR, members=())


@pytest.mark.parametrize("out", ["file", "file/out"])
def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path, out: str) -> None:
    """Else a typo in --out is called a fault of ours."""
    (tmp_path / "file").touch()
    with pytest.raises(RecipeError, match="no folder can be made there"):
        Heard(tmp_path / out).train(PAIR)


def test_a_file_of_weights_is_for_one_backbone(tmp_path: Path) -> None:
    """Else the ensemble's second network fails when the first has been trained for hours."""
    system = chosen(load_system("hidden_players"), {"ensemble": "three"})
    with pytest.raises(RecipeError, match=r"several backbones \(EfficientNetB5, .*: say --weights"):
        Heard(tmp_path / "out").train(system, weights="resnet152.h5")
    assert not (tmp_path / "out").exists()


def test_a_kill_while_clearing_away_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an ensemble that was finished is trained again from its first network."""
    from codabench_rehearsal.recipes.checkpoint import Checkpoint

    real = Checkpoint.remove
    removed: list[None] = []

    def remove(self: Checkpoint) -> None:
        if removed:
            raise KeyboardInterrupt
        real(self)
        removed.append(None)

    monkeypatch.setattr(Checkpoint, "remove", remove)
    with pytest.raises(KeyboardInterrupt):
        Heard(tmp_path).train(PAIR, epochs=1)
    monkeypatch.setattr(Checkpoint, "remove", real)
    left = list((tmp_path / "checkpoint").glob("*/state.json"))
    assert len(left) == 1, "one network's was removed"
    before = history(tmp_path)
    again = Heard(tmp_path)
    again.train(PAIR, epochs=1, resume=True)
    assert not again.told
    assert history(tmp_path) == before
    assert not (tmp_path / "checkpoint").exists()


def test_a_training_anew_begins_anew(tmp_path: Path) -> None:
    """Else what a kill left of a finished training is gone on with unasked."""
    first = Heard(tmp_path)
    first.train(ONE, epochs=1)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    stopped = Heard(tmp_path, stop=lambda now: now.epoch == 2)
    with pytest.raises(KeyboardInterrupt):
        stopped.train(ONE, epochs=2)
    (tmp_path / "trained.json").write_bytes(kept["trained.json"])
    anew = Heard(tmp_path)
    anew.train(ONE, epochs=2)
    assert not any("Going on" in line for line in anew.said)
    assert len(history(tmp_path)) == 2


def test_a_foreign_file_in_the_checkpoint_harms_nothing(tmp_path: Path) -> None:
    """Else the training ends in "a fault of ours" when all is done."""
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / ".DS_Store").touch()
    Heard(tmp_path).train(ONE, epochs=1)
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == [".DS_Store"]


def test_a_second_training_into_a_folder_is_refused_while_the_first_goes_on(
    tmp_path: Path,
) -> None:
    """Else two trainings mix their checkpoints, and the weights of one lie beside the other's split."""
    out = tmp_path / "runs"
    with only_training(out):
        with (
            pytest.raises(RecipeError, match="another training writes there now"),
            only_training(out),
        ):
            pass
        with only_training(tmp_path / "others"):
            pass
    with only_training(out):
        assert out.is_dir()

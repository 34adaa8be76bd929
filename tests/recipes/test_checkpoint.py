"""What lies on disk between two epochs: whole, of the right training, and gone in the end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.console.files import replacing
from codabench_rehearsal.console.temporary import owner_mark
from codabench_rehearsal.recipes import checkpoint as module
from codabench_rehearsal.recipes.checkpoint import Checkpoint, State, identity, require_same
from codabench_rehearsal.recipes.system import Phase, RecipeError, load_system, system_names

BELONGS = {"recipe": "r", "seed": "0"}


def state(epochs: int) -> State:
    """A state after so many epochs of one phase."""
    kept: dict[int, tuple[float | None, module.Arrays]] = {
        number: (number / 10, [np.full(3, number, np.float32)])
        for number in range(max(1, epochs - 1), epochs + 1)
    }
    history = [{"epoch": number, "loss": 0.1 / number} for number in range(1, epochs + 1)]
    return State(0, epochs, {"epochs": epochs, "best": 0.1}, [4, 5], history, kept)


def arrays(epochs: int) -> list[np.ndarray]:
    """Values of three variables."""
    return [np.full((2, 2), epochs, np.float32), np.array([epochs], np.uint32), np.zeros(0)]


def told(saved: tuple[State, module.Arrays, module.Arrays] | None) -> tuple[Any, ...]:
    """What was saved as plain values, to compare."""
    assert saved is not None
    found, *parts = saved
    kept = {n: (a, [w.tolist() for w in ws]) for n, (a, ws) in found.kept.items()}
    plain = replace(found, kept={})
    return (plain, kept, *([one.tolist() for one in part] for part in parts))


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    """Else a resumed training begins with other weights."""
    Checkpoint(tmp_path / "c", BELONGS).save(state(3), arrays(3), arrays(9)[:2])
    saved = Checkpoint(tmp_path / "c", BELONGS).load()
    assert told(saved) == told((state(3), arrays(3), arrays(9)[:2]))
    assert saved is not None
    assert [one.dtype for one in saved[1]] == [one.dtype for one in arrays(3)]


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    """Else --resume of a training killed in its first epoch fails."""
    assert Checkpoint(tmp_path / "c", BELONGS).load() is None


class Killed(BaseException):
    """Stands for a kill: no `except Exception` sees it."""


@pytest.mark.parametrize("writes", range(5))
def test_a_kill_at_any_write_leaves_the_last_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Else a kill while saving loses the training, or mixes two epochs."""
    ours = Checkpoint(tmp_path / "c", BELONGS)
    ours.save(state(1), arrays(1))
    left = writes
    real = replacing

    def dying(path: Path) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            dead = re.sub(r"own-\d+-\d+", "own-1-1", owner_mark())  # of a process long gone
            path.with_name(f".{path.name}.{dead}.draft").mkdir()  # a draft that stays
            raise Killed
        return real(path)

    monkeypatch.setattr(module, "replacing", dying)
    for epochs in (2, 3):  # three files each: the epoch's, a kept one, the index
        try:
            ours.save(state(epochs), arrays(epochs))
        except Killed:
            break
    monkeypatch.setattr(module, "replacing", real)
    again = Checkpoint(tmp_path / "c", BELONGS)
    whole = 1 + writes // 3
    assert told(again.load()) == told((state(whole), arrays(whole), []))
    again.save(state(4), arrays(4))
    assert told(Checkpoint(tmp_path / "c", BELONGS).load()) == told((state(4), arrays(4), []))
    assert len(list((tmp_path / "c").iterdir())) == 4, "older states and drafts are deleted"


@pytest.mark.parametrize("part", BELONGS)
def test_another_training_is_refused_and_kept(tmp_path: Path, part: str) -> None:
    """Else weights of one recipe go on under another, or are overwritten."""
    Checkpoint(tmp_path / "c", BELONGS).save(state(2), arrays(2))
    with pytest.raises(
        RecipeError, match=rf"what differs: {part} \(.* there, other now\).*nothing was changed"
    ):
        Checkpoint(tmp_path / "c", {**BELONGS, part: "other"}).load()
    assert Checkpoint(tmp_path / "c", BELONGS).load() is not None


@pytest.mark.parametrize("content", [b"PK\x03\x04 damaged", b""])
@pytest.mark.parametrize("name", ["state.json", "epoch-0-2-2.npz", "kept-0-1.npz"])
def test_a_damaged_one_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    """Else a full disk or a careless edit shows as a traceback."""
    Checkpoint(tmp_path / "c", BELONGS).save(state(2), arrays(2))
    (tmp_path / "c" / name).write_bytes(content)
    with pytest.raises(RecipeError, match=r"cannot be read .* Delete it to begin anew"):
        Checkpoint(tmp_path / "c", BELONGS).load()


def test_removed_means_gone(tmp_path: Path) -> None:
    """Else gigabytes of optimizer state stay in the training folder."""
    ours = Checkpoint(tmp_path / "c", BELONGS)
    ours.save(state(2), arrays(2))
    assert (tmp_path / "c" / "state.json").exists()
    ours.remove()
    assert not (tmp_path / "c").exists()
    ours.remove()


def test_a_file_that_is_not_ours_stays(tmp_path: Path) -> None:
    """Else a file that Finder lays down ends a training of hours in "a fault of ours"."""
    ours = Checkpoint(tmp_path / "c", BELONGS)
    ours.save(state(2), arrays(2))
    (tmp_path / "c" / ".DS_Store").touch()
    ours.remove()
    assert [path.name for path in (tmp_path / "c").iterdir()] == [".DS_Store"]


def of(system: Any, **other: Any) -> dict[str, str]:
    """The identity of a training of this system."""
    rest: dict[str, Any] = {
        "classes": 8,
        "seed": 0,
        "weights": "none",
        "precision": "float32",
    } | other
    return identity(system, "f" * 32, **rest)


@pytest.mark.parametrize("name", system_names())
def test_the_identity_follows_what_trains(name: str) -> None:
    """Else a resumed training has other settings, or a corrected sentence forbids to resume."""
    system = load_system(name)
    assert of(system) == of(replace(system, summary="corrected", tta="d4", options={}))
    phase = replace(system.phases[0], learning_rate=0.123)
    for changed in (
        replace(system, phases=(phase, *system.phases[1:])),
        replace(system, model_options={**system.model_options, "more": (1, 2)}),
        replace(system, copies=(*system.copies, ("flips",))),
        replace(system, batch=system.batch + 1),
    ):
        assert of(changed) != of(system)


def test_many_differences_are_a_line() -> None:
    """Else two recipes that share nothing are told apart on a page."""
    recipes = [of(load_system(name)) for name in ("baseline", "overfitting_gods")]
    with pytest.raises(RecipeError) as caught:
        require_same(Path("out"), *recipes)
    said = str(caught.value)
    assert "what differs: recipe (baseline there, overfitting_gods now)" in said
    assert re.search(r" and \d+ more\. Repeat the command", said)
    assert len(said) < 500
    assert "\n" not in said


@pytest.mark.parametrize(
    "other", [{"classes": 9}, {"seed": 1}, {"weights": "imagenet"}, {"precision": "mixed_float16"}]
)
def test_the_run_is_part_of_the_identity(other: dict[str, Any]) -> None:
    """Else --resume with another seed goes on as if it were the same training."""
    system = replace(load_system("baseline"), phases=(Phase("p", 1, 1e-3),))
    (part,) = other
    with pytest.raises(RecipeError, match=f"what differs: {part} "):
        require_same(Path("out"), of(system), of(system, **other))

"""Runs that are killed leave at most what the next run of any command removes, and spoil no result."""

from __future__ import annotations

import json
import random
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.commands import recipe_train as train
from tests.console.stage import COMMANDS, Stage, stage
from tests.sandbox.children import wait_until

pytestmark = pytest.mark.usefixtures("hangups")
HOWS = (*(signal.SIGKILL,) * 3, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
SWEEPER = "local-eval import scores.csv --dry-run"  # a short command of another kind


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One stage for all kills of a module."""
    return stage(tmp_path_factory.mktemp("killed"))


def figures(place: Stage) -> Any:
    """What an evaluation found, without what differs from run to run."""
    document = json.loads((place.folder / "out" / "r.json").read_text(encoding="utf-8"))
    return document["validation"], document["benchmark"]


def test_what_three_killed_runs_left_the_next_removes(place: Stage) -> None:
    """Else every kill costs the disk a copy of the weights, for ever."""
    seen = 0
    for after in (0.0, 0.15, 0.3):
        with place.start(COMMANDS["pack"]) as child:
            before = set(place.left())
            assert wait_until(lambda before=before: set(place.left()) - before, seconds=30)
            time.sleep(after)
            child.kill()
            child.communicate()
        seen += len(place.left())
    assert seen, "no kill met anything"
    assert place.run(SWEEPER).returncode == 0
    assert place.left() == []  # drafts beside an output too


@pytest.mark.slow
def test_a_polite_end_leaves_nothing(place: Stage) -> None:
    """Else a batch system's SIGTERM is as bad as a kill."""
    place.run(COMMANDS["import"])
    done = place.kill(COMMANDS["pack"], 0.9, signal.SIGTERM)
    assert done.returncode in (0, 143)
    assert "Traceback" not in done.stderr
    assert [name for name in place.left() if name.startswith("tmp/")] == []


@pytest.mark.slow
@pytest.mark.parametrize("word", COMMANDS)
def test_fifty_random_kills(tmp_path: Path, word: str) -> None:
    """Else there is a moment at which a kill leaves what nothing removes, or spoils the next result."""
    own = stage(tmp_path / "stage")
    own.run(COMMANDS[word])  # compiles what has to be
    began = time.monotonic()
    undisturbed = own.run(COMMANDS[word])
    span = time.monotonic() - began
    (own.folder / "store" / "store.sqlite").unlink(missing_ok=True)
    draws = random.Random(word)
    for _ in range(50):
        how = draws.choice(HOWS)
        done = own.kill(COMMANDS[word], draws.uniform(0.05, 1.0) * span, how)
        assert done.returncode in (undisturbed.returncode, -how, 128 + how), done.stderr
        # While Python still loads the command, Ctrl-C is Python's own; nothing is made by then.
        loading = how == signal.SIGINT and ", in run_command" not in done.stderr
        assert loading or "Traceback" not in done.stderr, (how, done.stderr)
    again = own.run(COMMANDS[word])
    assert again.returncode == undisturbed.returncode, again.stderr
    assert own.left() == []
    if word == "evaluate":
        found = figures(own)
        (own.folder / "store" / "store.sqlite").unlink()
        own.run(COMMANDS[word])
        assert figures(own) == found


TYPED = [  # words typed, and the command that goes on
    ("baseline --data d.npz --out o", "train-recipe baseline --data d.npz --out o --resume"),
    (
        "baseline --data d.npz --out o --resume",
        "train-recipe baseline --data d.npz --out o --resume",
    ),
    (
        "--data=d.npz --out o --res -- baseline",
        "train-recipe --data=d.npz --out o --res -- baseline",
    ),
    ("--data d.npz --out o -- baseline", "train-recipe --data d.npz --out o --resume -- baseline"),
]


@pytest.mark.parametrize(("typed", "printed"), TYPED)
def test_the_command_that_goes_on_is_one(typed: str, printed: str) -> None:
    """Else whoever copies the printed command meets a usage error, or a training from the start."""
    read = train.parser().parse_intermixed_args
    words = typed.split()
    line = train.resuming_command(words, resume=read(words).resume)
    assert line == printed
    again = read(shlex.split(line)[1:])
    assert again.resume
    assert vars(again) == {**vars(read(words)), "resume": True}


def test_the_command_that_goes_on_may_be_copied() -> None:
    """Else a folder with a blank in its name cannot be typed."""
    words = ["baseline", "--data", "my set.npz", "--out", "a'b"]
    line = train.resuming_command(words, resume=False)
    assert shlex.split(line) == ["train-recipe", *words, "--resume"]


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_was_ended_goes_on_as_printed(place: Stage, how: signal.Signals) -> None:
    """Else hours of training are lost to a batch system's limit, for want of the right words."""
    out = place.folder / f"trained-{how}"
    with place.start(f"train-recipe baseline --epochs 2 --data set.npz --out {out}") as child:
        assert wait_until(lambda: any(out.glob("checkpoint/*/state.json")), seconds=200)
        child.send_signal(how)
        _, heard = child.communicate(timeout=60)
    command = f"train-recipe baseline --epochs 2 --data set.npz --out {out} --resume"
    if how != signal.SIGKILL:
        assert child.returncode == 128 + how
        assert heard.splitlines()[-2].endswith(f"to go on: {command}")
    done = place.run(command)
    assert done.returncode == 0, done.stderr
    assert not (out / "checkpoint").exists()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    (step,) = (line for line in done.stdout.splitlines() if line.startswith("next: "))
    assert (
        place.run(f"{step.removeprefix('next: ')} --no-run --out out/trained.zip").returncode == 0
    )
    assert [name for name in place.left() if not name.startswith("out/.")] == []

"""What tests of `record`, `history`, `forget` and `import` share: zips, a store, and typed commands."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main
from evaluator.store.store import Prediction, Run, Store
from submission.archive import sha256_of
from tests.evaluator.stores import Key, put

PLACE = Path(".local-eval") / "store.sqlite"
PROGRAM = str(Path(sys.executable).parent / "local-eval")
EXPECTED = Prediction("dev", 0.871, 0.842, 0.903, 0.9, 3, "test")


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the working one, with its own store."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LOCAL_EVAL_STORE", raising=False)


def zipped(name: str, content: str = "") -> str:
    """A zip here; its SHA-256."""
    with zipfile.ZipFile(name, "w") as file:
        file.writestr("model.py", content or name)
    return sha256_of(Path(name))


def rehearsed(name: str, expected: Prediction | None = EXPECTED) -> str:
    """A zip here that has answers in the store, and a prediction; its SHA-256."""
    sha256 = zipped(name)
    with Store.open(PLACE) as store:
        own = store.add_submission(sha256, name, Path(name).absolute())
        put(store, Key(Run(sha256, "keras 3.4.1", "f" * 32, 0), "clean"), [1, 2], [0, 0])
        if expected is not None:
            store.record_prediction(own, expected)
    return sha256


def run(*words: str, code: int = 0) -> None:
    """Run a command in this process, which must end with this code."""
    assert main(words) == code


def scores() -> list[tuple[str, str, str, str]]:
    """What the store holds: name, SHA-256, phase, score as shown."""
    with Store.open(PLACE) as store:
        return [(s.submission.name, s.submission.sha256, s.phase, str(s)) for s in store.scores()]


def started(words: Sequence[str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, in this folder, with this in its pipe."""
    return subprocess.run(
        [PROGRAM, *words], text=True, capture_output=True, input=typed, timeout=60, check=False
    )

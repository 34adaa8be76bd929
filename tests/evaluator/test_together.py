"""--workers: several submissions at a time give the figures of one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from codabench_rehearsal.commands.local_eval import main
from evaluator.evaluate import evaluate, local_eval
from evaluator.report.report import Report
from evaluator.store.store import Store
from submission.archive import sha256_of
from tests.evaluator.test_compare_commands import BROKEN, several, submission
from tests.sandbox.children import linux_only

pytestmark = linux_only
NAMES = ("a", "b", "c", "d", "e")
SLOW = """
import time
class Model:
    def predict(self, X):
        time.sleep(60)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, a split and five zips."""
    return several(tmp_path, monkeypatch, NAMES)


def _json(command: str, count: int, workers: int, store: str) -> dict[str, Any]:
    target = Path(f"found-{command}-{workers}.json")
    zips = [f"{name}.zip" for name in NAMES[:count]]
    given = ["--corrupt", "light", "--workers", str(workers), "--store", store]
    assert main([command, *zips, *given, "--json", str(target)]) == 0
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


WAYS = ((2, "two.sqlite"), (4, "none"))  # workers, and their store


@pytest.mark.parametrize(
    ("command", "count", "ways"),  # an estimate for each of the ranked costs seconds each time
    [
        ("rank", 3, WAYS[1:]),
        pytest.param("rank", 5, WAYS, marks=pytest.mark.slow),
        pytest.param("compare", 5, WAYS, marks=pytest.mark.slow),
    ],
)
def test_figures_are_those_of_one_after_the_other(
    command: str, count: int, ways: Sequence[tuple[int, str]]
) -> None:
    """A course's ranks must not hang on how many cores its server has."""
    one = _json(command, count, 1, "one.sqlite")
    for workers, store in ways:
        assert _json(command, count, workers, store) == one
    assert not list(Path().glob("**/store-*")), "the store for now is left behind"


def test_a_broken_one_is_left_out_and_not_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other zips are ranked all the same, and the broken one is told with its reason."""
    submission("broken.zip", BROKEN)
    (Path() / "no.zip").write_bytes(b"no zip at all")
    words = ["rank", "a.zip", "broken.zip", "b.zip", "--corrupt", "light", "--workers", "2"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "broken.zip is left out: S" in said.err
    assert "a.zip" in said.out


def test_compare_ends_with_the_broken_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison with a hole is none: it ends as without --workers."""
    submission("broken.zip", BROKEN)
    words = ["compare", "a.zip", "broken.zip", "--corrupt", "light", "--workers", "2"]
    assert main(words) == 2
    assert "broken.zip cannot be compared" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_of_them(how: int, here: Path) -> None:
    """No child may be left that still eats the machine, and what is answered is kept."""
    for name in NAMES[:3]:
        submission(f"slow-{name}.zip", SLOW + f"# {name}\n")
    words = ["compare", "slow-a.zip", "slow-b.zip", "slow-c.zip", "--corrupt", "light"]
    command = [sys.executable, "-m", "codabench_rehearsal.commands.local_eval", *words]
    with subprocess.Popen([*command, "--workers", "3"], cwd=here, stderr=subprocess.PIPE) as done:
        deadline, own = time.monotonic() + 60, psutil.Process(done.pid)
        while len(own.children(recursive=True)) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        children = own.children(recursive=True)
        os.kill(done.pid, how)
        assert done.wait(30) in (130, 143)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert len(children) >= 3
    assert not alive, (gone, alive)


def test_what_is_kept_of_each_does_not_grow_with_the_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else two hundred zips with a thousand past scores fill the memory of a course's server."""
    kept = list[Report]()

    def kept_evaluate(*words: Any) -> Report:
        kept.append(evaluate(*words))
        return kept[-1]

    monkeypatch.setattr("evaluator.evaluate.evaluate", kept_evaluate)
    with Store.open("kept.sqlite") as store:
        for number, name in enumerate(NAMES[1:]):
            path = Path(f"{name}.zip").absolute()
            known = store.add_submission(sha256_of(path), path.name, path)
            store.record_score(known, 0.5 + number / 10, 2)
    _json("rank", 1, 1, "kept.sqlite")
    (one,) = kept
    assert one.estimate
    assert one.estimate.past == len(NAMES) - 1
    assert one.estimate.left_out == ()
    assert one.sheet is None
    whole = local_eval("a.zip", corrupt="light", store="kept.sqlite")
    assert whole.estimate
    assert len(whole.estimate.left_out) == len(NAMES) - 1

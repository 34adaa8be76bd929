"""What goes wrong on a cluster: real Dask processes on loopback, with full disks, gone or cut off."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.sandbox.executor import Work
from evaluator.ask import Runner
from evaluator.cluster import connected
from evaluator.evaluate import local_eval
from evaluator.report.report import Report
from tests.console.disks import can_mount
from tests.evaluator.corner import DATA, submission
from tests.evaluator.machines import scheduler, worker, worker_processes
from tests.sandbox.children import linux_only

distributed = pytest.importorskip("distributed")
pytestmark = [
    linux_only,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of Dask's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
needs_mounts = pytest.mark.skipif(not can_mount(), reason="needs root, for a small disk")


@pytest.fixture
def empty() -> Iterator[str]:
    """The address of a scheduler without workers."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as made:
        yield made.scheduler_address


def asked(path: Path, cluster: str | None = None, **more: Any) -> Report:
    """A report on 60 images; `block`: as few as give many blocks."""
    given: dict[str, Any] = {
        "corrupt": "light",
        "order_seed": 1,
        "block": 20,
        "count": 60,
        "store": "none",
    }
    return local_eval(path, DATA, estimate=False, cluster=cluster, **given | more)


def after(monkeypatch: pytest.MonkeyPatch, answers: int, act: Callable[[], object]) -> None:
    """Do something while the block after so many is on its way."""
    kept, count = Runner._keep, 0

    def keep(self: Runner, work: Work, labels: Any) -> None:
        nonlocal count
        kept(self, work, labels)
        count += 1
        if count == answers:
            act()

    monkeypatch.setattr(Runner, "_keep", keep)


@needs_mounts
def test_a_full_disk_is_left(empty: str, tmp_path: Path) -> None:
    """One machine without room takes nobody's figures along; where all have none, it is named."""
    path = submission(tmp_path)
    with worker(empty, tmp_path, "full", disk_bytes=1 << 20):
        report = asked(path, empty)
        assert report.scores is None
        (found,) = (one for one in report.findings if one.severity == "error")
        assert found.code == "S600"
        assert "no answer in 3 attempts" in found.message
        assert "dask worker full" in found.detail
        assert "are needed: make room" in found.detail
        with worker(empty, tmp_path, "good"):
            assert asked(path, empty).scores == asked(path).scores


def test_other_versions_are_told_and_never_merged(empty: str, tmp_path: Path) -> None:
    """A figure of half one Keras and half another would be nobody's."""
    old = tmp_path / "old" / "scipy-0.0.1.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n")
    path, store = submission(tmp_path), tmp_path / "kept.sqlite"
    with worker(empty, tmp_path, "odd", {"PYTHONPATH": str(old.parent)}):
        far = asked(path, empty, store=str(store))
        near = asked(path, store=str(store))
        assert far.asked == near.asked > 0, "another environment's answers were taken"
        with sqlite3.connect(store) as db:
            kept = [text for (text,) in db.execute("SELECT environment FROM runs ORDER BY id")]
        assert ["scipy 0.0.1" in text for text in kept] == [True, False]
        with worker(empty, tmp_path, "a"), worker(empty, tmp_path, "b"):
            with connected(empty, "cpu") as cluster:
                (note,) = cluster.notes
                assert "1 of 3 workers have other versions" in note
                assert "dask worker odd) has scipy 0.0.1" in note
                assert len(cluster.workers) == 2
            assert asked(path, empty, store=str(store)).asked == 0, "its own are not known again"


@pytest.mark.slow
def test_a_lost_scheduler_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends in a line, and the next one goes on where it was."""
    monkeypatch.setattr("evaluator.cluster.PATIENCE_SECONDS", 20.0)
    path, store = submission(tmp_path), str(tmp_path / "kept.sqlite")
    with scheduler(tmp_path) as (process, address), worker(address, tmp_path, "only"):

        def lose() -> None:
            monkeypatch.setattr("evaluator.cluster.PATIENCE_SECONDS", 1.0)
            process.kill()

        after(monkeypatch, 3, lose)
        with pytest.raises(EvaluationError, match=r"is lost .* kept: the same command goes on"):
            asked(path, address, store=store)
    again, whole = asked(path, store=store), asked(path)
    assert 60 <= whole.asked - again.asked < whole.asked
    assert again.scores == whole.scores


def test_what_a_killed_worker_leaves_behind(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process of its submission goes on, and its files go with the next one on that machine."""
    path, disk = submission(tmp_path), tmp_path / "disk"
    disk.mkdir()
    given, children, left = {"TMPDIR": str(disk)}, list[psutil.Process](), set[Path]()
    with ExitStack() as stack:
        first = stack.enter_context(worker(empty, tmp_path, "first", given))

        def lose() -> None:
            children.extend(psutil.Process(first.pid).children(recursive=True))
            first.kill()
            left.update(disk.iterdir())
            stack.enter_context(worker(empty, tmp_path, "second", given))

        after(monkeypatch, 2, lose)
        assert asked(path, empty).scores == asked(path).scores
        assert children, "no submission ran there"
        assert not psutil.wait_procs(children, timeout=10)[1], "its child is left behind"
        assert left, "a killed process cleans up nothing"
        assert not left & set(disk.iterdir()), "its files are left for ever"


@pytest.mark.slow
def test_a_machine_that_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers nothing and ends nothing: the scheduler gives it up, and others go on."""
    path = submission(tmp_path)
    near = asked(path)
    with (
        scheduler(tmp_path, "20 s") as (_, address),
        worker(address, tmp_path, "one"),
        worker(address, tmp_path, "two") as cut,
    ):
        after(monkeypatch, 4, lambda: cut.send_signal(signal.SIGSTOP))
        assert asked(path, address).scores == near.scores


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_tenth_task_is_killed(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long night on machines that go and come back gives the figures of one process."""
    path, rng, kills = submission(tmp_path), random.Random(workers), list[int]()
    near = asked(path, block=6)
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler(tmp_path))
        made = [
            stack.enter_context(worker(address, tmp_path, f"w{number}", comes_back=True))
            for number in range(workers)
        ]

        def kill() -> None:
            there = [one for nanny in made for one in worker_processes(nanny.pid)]
            if there:
                kills.append(rng.choice(there).pid)
                os.kill(kills[-1], signal.SIGKILL)

        for number in range(5, near.blocks, 10):
            after(monkeypatch, number, lambda: threading.Timer(rng.random() / 5, kill).start())
        far = asked(path, address, block=6)
    assert len(kills) >= near.blocks // 10 >= 4
    assert far.findings == near.findings
    assert far.scores == near.scores
    assert far.sheet is not None
    assert near.sheet is not None
    assert (far.sheet.labels == near.sheet.labels).all()

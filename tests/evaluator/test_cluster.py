"""--cluster: real Dask workers on loopback give the figures of this machine, killed or not."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.executor import Work
from evaluator.cluster_executor import OnCluster
from evaluator.cluster_worker import Asked, Sent, answer, digest_of
from tests.evaluator.test_compare_commands import BROKEN, several, submission
from tests.sandbox.children import linux_only

distributed = pytest.importorskip("distributed")
pytestmark = [
    linux_only,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # sockets of Dask's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NAMES = ("a", "b", "c", "d")
MORTAL = """
import os
class Model:
    def predict(self, X):
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process of its own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, a split and four zips."""
    return several(tmp_path, monkeypatch, NAMES)


def _json(name: str, *words: str) -> dict[str, Any]:
    target = Path(f"{name}.json")
    given = ["--corrupt", "light", "--store", f"{name}.sqlite", "--json", str(target)]
    assert main([*words, *given]) == 0
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def test_figures_are_those_of_this_machine(cluster: Any) -> None:
    """A team's ranks must not hang on where its zips were asked."""
    zips = [f"{name}.zip" for name in NAMES[:2]]
    address = cluster.scheduler_address
    assert _json("far", "rank", *zips, "--cluster", address) == _json("near", "rank", *zips)
    far, near = (
        _json(f"one-{name}", "a.zip", "--no-estimate", "--order-seed", "1", *words)
        for name, words in (("far", ("--cluster", address)), ("near", ()))
    )
    for key in ("validation", "benchmark", "findings"):
        assert far[key] == near[key]
    assert far["versions"] == near["versions"]


def test_a_broken_one_is_told_as_here(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The submission is blamed with its own traceback, and not tried on every machine."""
    submission("broken.zip", BROKEN)
    words = ["broken.zip", "--corrupt", "light", "--store", "none", "--cluster"]
    assert main([*words, cluster.scheduler_address]) == 1
    out = capsys.readouterr().out
    assert "S605" in out
    assert "ValueError: no" in out


def test_what_kills_its_sandbox_is_blamed_once(
    cluster: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zip that ends its own process would be tried on every machine of a cluster."""
    submission("mortal.zip", MORTAL)
    given, asked = OnCluster._submit, list[Any]()
    monkeypatch.setattr(OnCluster, "_submit", lambda *one: asked.append(one) or given(*one))  # type: ignore[func-returns-value]  # None, on purpose
    words = ["mortal.zip", "--corrupt", "light", "--store", "none", "--cluster"]
    assert main([*words, cluster.scheduler_address]) == 1
    assert "S609" in capsys.readouterr().out
    assert len(asked) == 1


def test_a_killed_worker_is_replaced(cluster: Any) -> None:
    """A machine that goes down takes along a few answers, and no figure."""
    zips = [f"{name}.zip" for name in NAMES]
    near = _json("near", "compare", *zips)
    pids = [worker.pid for worker in cluster.workers.values()]

    children: list[psutil.Process] = []

    def kill() -> None:
        worker = psutil.Process(pids[0])
        deadline = time.monotonic() + 30
        while not worker.children(recursive=True) and time.monotonic() < deadline:
            time.sleep(0.05)
        children.extend(worker.children(recursive=True))
        os.kill(pids[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    far = _json("far", "compare", *zips, "--cluster", cluster.scheduler_address)
    thread.join()
    assert far == near
    assert children, "no submission ran there"
    assert not psutil.wait_procs(children, timeout=10)[1], "its child is left behind"


@pytest.mark.parametrize(
    ("address", "says"),
    [("tcp://127.0.0.1:9", "nobody answers"), ("nonsense://x", "nobody answers")],
)
def test_no_scheduler(
    address: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong address ends with one line, before anything is read or asked."""
    monkeypatch.setattr("evaluator.cluster.PATIENCE_SECONDS", 2.0)
    assert main(["a.zip", "--corrupt", "light", "--cluster", address]) == 2
    assert says in capsys.readouterr().err


def test_what_lies_here_alone_does_not_travel(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function of the user's own is on no other machine: said before anything is asked."""
    (here / "mine.py").write_text("def blob(images, severity, rng):\n    return images\n")
    words = ["a.zip", "--corrupt", "mine:blob", "--cluster", "tcp://127.0.0.1:9"]
    assert main(words) == 2
    assert "the function mine:blob: only this machine has that" in capsys.readouterr().err


def test_what_arrives_is_checked() -> None:
    """A zip or an image that changed on its way must not be answered about."""
    data = synthetic(8, seed=1)
    sent = Sent(digest_of(data.images, data.ids), data.images.copy(), np.asarray(data.ids))
    sent.images[0, 0, 0, 0] ^= 1
    with pytest.raises(ValueError, match="the images are not those"):
        sent.dataset()
    works = Work("0" * 64, "d", ("clean",), data.ids, np.zeros(8, np.int32), 0, (96, 96, 3))
    asked = Asked("0" * 64, {"device": "cpu", "classes": 8, "arguments": ()}, Bounds())
    with pytest.raises(ValueError, match="the zip is not the one"):
        answer(works.to_json(), b"another zip", sent, asked, "here")

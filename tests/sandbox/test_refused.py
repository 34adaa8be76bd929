"""What fails for a wall of this machine alone, and what fails everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.rehearsal.judge import judge_failure
from codabench_rehearsal.rehearsal.questions import Interview
from codabench_rehearsal.sandbox.ingest import Block, Outcome, Request, Session
from codabench_rehearsal.sandbox.job import Limits
from evaluator.remarks import failure
from tests.sandbox.children import at_level, linux_only

pytestmark = linux_only

QUEUE = """
import socket, threading
threading.Thread(target=lambda: socket.socket(socket.AF_UNIX)).start()
threading.Event().wait()
"""
# Level fences alone refuses them: (code of predict, what is named).
HERE_ALONE = {
    "manager": ("import multiprocessing as m\nm.Manager()", "local sockets"),
    "forkserver": (
        "import multiprocessing as m\nm.get_context('forkserver').Process(target=print).start()",
        "local sockets",
    ),
    "waits-for-its-thread": (QUEUE, "local sockets"),
    "loopback": ("import socket\nsocket.create_server(('127.0.0.1', 0))", "stay on the machine"),
    "tmp": ("open('/tmp/exB-refused', 'w')", "/tmp"),
    "tmp-folder": ("import tempfile\ntempfile.mkdtemp(dir='/var/tmp')", "/tmp"),
    "shared-memory": ("import os\nos.mkdir('/dev/shm/exB-refused')", "/dev/shm"),
    "platforms": ("open('/app/ingested_program/model.py')", "/app"),
}
EVERYWHERE = {
    "mistake": "import multiprocessing as m\ntry:\n    m.Manager()\nexcept EOFError:\n    pass\nmisspelt",
    "network": "import socket\nsocket.create_connection(('192.0.2.1', 80))",
    "own-folder": "import pathlib\n(pathlib.Path(__file__).parent / 'new').write_text('x')",
    "no-file": "open('/tmp/exB-not-there')",
    "says-so": "print('[Errno 97]')\nraise ValueError('wrong')",
}


def ends(place: Path, code: str) -> Outcome:
    """What comes of a predict of this code, by the rules of the newer worker."""
    body = "".join(f"        {line}\n" for line in code.strip().splitlines())
    text = f"class Model:\n    def predict(self, X):\n{body}        return [0] * len(X)\n"
    (place / "model.py").write_text(text, encoding="utf-8")

    def fill(_: int, out: NDArray[np.generic]) -> None:
        out[:] = 0

    with Session(Request(place, 8, limits=Limits(seconds=1.5), worker="2026-10")) as session:
        session.pose([Block((3, 4, 4, 3))], fill)
        return session.finish()


@pytest.mark.parametrize("name", HERE_ALONE)
def test_a_wall_of_this_machine_is_no_verdict(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zip that the platform scores is kept back in every container: a false alarm."""
    at_level("fences", monkeypatch, walled=True)
    code, what = HERE_ALONE[name]
    outcome, challenge = ends(tmp_path, code), load_challenge()
    interview = Interview(None, None)  # type: ignore[arg-type]  # it is not asked anything
    interview.failed = "first"
    dry = list(judge_failure(interview, outcome, challenge, {}))
    for finding in (*dry, *failure(outcome, challenge)):
        assert finding.is_unknown, outcome
        assert what in finding.message
    assert len(dry) == 1


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_mistake_stays_one_behind_fences(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what fails on the platform is waved through wherever namespaces are refused."""
    at_level("fences", monkeypatch, walled=True)
    outcome = ends(tmp_path, EVERYWHERE[name])
    assert [f.severity for f in failure(outcome, load_challenge())] == ["error"], outcome


def test_the_same_is_named_by_no_wall_in_namespaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a failure that is the platform's too is excused."""
    at_level("namespaces", monkeypatch)
    outcome = ends(tmp_path, "raise PermissionError(13, 'Permission denied', '/tmp/x')")
    assert outcome.problem is not None
    assert not outcome.problem.refused

"""A series of questions to one loaded model, and what is made of what it leaves behind."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.ingest import Block, PredictProgress, Request, Session
from codabench_rehearsal.sandbox.job import Limits

SMALL = (4, 4, 3)
TELLS_ITS_INPUT = """
import numpy as np
class Model:
    def predict(self, X):
        return np.full(len(X), {"uint8": 1, "float32": 2, "float64": 3}[str(X.dtype)] + (X.shape[1] > 4))
"""
# What a submission that wants to cheat can still find out.
ANSWERS = """
import os
from pathlib import Path
told = Path("/proc/self/environ").read_text().split("\\0")
output = next(word.split("=")[1] for word in told if word.startswith("INGESTION_ANSWERS="))
"""


@contextmanager
def session(folder: Path, source: str, **options: Any) -> Iterator[Session]:
    """A session with a submission made of one model.py."""
    (folder / "model.py").write_text(textwrap.dedent(source), encoding="utf-8")
    with Session(Request(folder, classes=8, **options)) as opened:
        yield opened


def zeros(_index: int, out: NDArray[Any]) -> None:
    """Fill a block with zeros."""
    out[:] = 0


def body(code: str) -> str:
    """A model whose predict is `code`."""
    return "import numpy as np\nclass Model:\n    def predict(self, X):\n        " + code


def test_one_model_answers_blocks_of_many_kinds(tmp_path: Path) -> None:
    """Else each question of a dry run would cost another start of TensorFlow."""
    with session(tmp_path, TELLS_ITS_INPUT) as asked:
        first = asked.pose([Block((3, *SMALL)), Block((1, *SMALL), "float32")], zeros)
        second = asked.pose([Block((2, 8, 8, 3), "float64")], zeros)
        outcome = asked.finish()
    assert first is not None
    assert second is not None
    assert [labels.tolist() for labels in (*first, *second)] == [[1, 1, 1], [2], [4, 4]]
    assert outcome.problem is None
    assert len(outcome.labels) == len(outcome.calls) == 3


def test_time_and_memory_are_noted_by_block(tmp_path: Path) -> None:
    """Else nothing could be said about the hidden set from a few images."""
    code = "import time; time.sleep(0.02 * len(X)); self.held = np.ones(len(X) * 10**6); return np.zeros(len(X), int)"
    with session(tmp_path, body(code)) as asked:
        asked.pose([Block((1, *SMALL)), Block((20, *SMALL))], zeros)
        outcome = asked.finish()
    short, long = outcome.calls
    assert 0.02 <= short.seconds < long.seconds
    assert long.seconds >= 0.4
    assert long.peak_bytes - short.peak_bytes > 100_000_000
    assert 0 < outcome.loaded_bytes <= short.peak_bytes


def test_answers_before_a_failure_are_kept(tmp_path: Path) -> None:
    """Else a failure in a late question would hide what the early ones showed."""
    code = "assert len(X) != 2; return np.zeros(len(X), int)"
    with session(tmp_path, body(code)) as asked:
        assert asked.pose([Block((3, *SMALL))], zeros) is not None
        assert asked.pose([Block((1, *SMALL)), Block((2, *SMALL))], zeros) is None
        outcome = asked.finish()
    assert outcome.problem is not None
    assert outcome.problem.kind == "AssertionError"
    assert outcome.problem.block == 2
    assert len(outcome.labels) == 2


def test_the_pause_between_questions_is_not_the_submissions_time(tmp_path: Path) -> None:
    """Else thinking about an answer would end the child at its time limit."""
    with session(tmp_path, TELLS_ITS_INPUT, limits=Limits(seconds=2.0)) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        time.sleep(2.2)
        assert asked.pose([Block((1, *SMALL))], zeros) is not None
        assert asked.finish().problem is None


SEEN: list[tuple[str, str, Any]] = [
    ("import threading, time; threading.Thread(target=time.sleep, args=(60,), name='stuck').start()", "threads", ("stuck",)),
    ("import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "threads", ()),
    ("from concurrent.futures import ThreadPoolExecutor; self.p = ThreadPoolExecutor(2); self.p.submit(int)", "threads", ()),
    ("import pathlib; (pathlib.Path(__file__).parent / 'new.txt').write_text('x')", "added", ("new.txt",)),
    ("import pathlib; (pathlib.Path(__file__)).write_text('x')", "changed", ("model.py",)),
    ("import pathlib; (pathlib.Path(__file__)).unlink()", "changed", ("model.py",)),
    ("import os; os.chdir('/')", "moved_to", "/"),
    ("import socket; s = socket.socket(); s.settimeout(.1); s.connect_ex(('192.0.2.1', 9))", "hosts", ("192.0.2.1",)),
    ("import socket; s = socket.socket(); s.settimeout(.1); s.connect_ex(('127.0.0.1', 9))", "hosts", ()),
]  # fmt: skip


@pytest.mark.parametrize(("code", "name", "wanted"), SEEN)
def test_what_a_submission_does_beside_answering_is_seen(
    tmp_path: Path, code: str, name: str, wanted: object
) -> None:
    """Else a thread that holds the platform's run open, or a lost file, would be found there only."""
    with session(tmp_path, body(f"{code}; return np.zeros(len(X), int)")) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        outcome = asked.finish()
    assert outcome.problem is None
    assert getattr(outcome.seen, name) == wanted


def test_a_child_process_that_stays_is_named(tmp_path: Path) -> None:
    """Else a server that a submission starts would outlive it unseen."""
    code = "import subprocess; subprocess.Popen(['sleep', '61']); return np.zeros(len(X), int)"
    with session(tmp_path, body(code)) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        outcome = asked.finish()
    assert outcome.seen.processes == ("sleep 61",)


LEFT = [
    "os.symlink('/dev/zero', status)",
    "os.symlink('/etc/passwd', status)",
    "os.mkfifo(status)",
    "os.mkdir(status)",
    "open(status, 'w').write('[' * 10**6)",
    "open(status, 'wb').write(b'{' + b' ' * 10**7)",
    """open(status, 'w').write('{"calls": [[1, "x"], 7], "threads": "no", "hosts": [{}], "load_seconds": 1e999}')""",
]


LEAVES_STALE = """
import os
import numpy as np
for word in open("/proc/self/environ").read().split("\\0"):
    if word.startswith("INGESTION_ANSWERS="):
        output = word.split("=")[1]
class Model:
    calls = 0
    def predict(self, X):
        Model.calls += 1
        for i in range(1, 4 if Model.calls == 1 else 0):
            np.save(os.path.join(output, f"answers-{i:04d}.npy"), np.full(len(X), 7))
        return np.zeros(len(X), int)
"""


@pytest.mark.slow
def test_what_lies_there_before_its_question_is_no_answer(tmp_path: Path) -> None:
    """Else what an earlier call left behind would be taken for what this one says."""
    with session(tmp_path, LEAVES_STALE) as asked:
        asked.pose([Block((2, *SMALL))], zeros)
        later = asked.pose([Block((2, *SMALL))], zeros)
    assert later is not None
    assert later[0].tolist() == [0, 0]


# In the same process, so it can say anything of itself.
LIES = """
import sys
import numpy as np
run = sys.modules["__main__"]
true = run.Status.at
def at(self, stage, **facts):
    lies = {"loaded_at": FIGURE, "load_seconds": FIGURE, "predict_seconds": FIGURE, "loaded_bytes": FIGURE}
    true(self, stage, **{**facts, **lies, "calls": [[FIGURE, FIGURE]] * 50})
run.Status.at = at
class Model:
    def predict(self, X):
        return np.zeros(len(X), int)
"""


FIGURES: list[Any] = [
    "99999998204134224",
    *(pytest.param(one, marks=pytest.mark.slow) for one in ("-5", "10**400", "1e300", "True")),
]


@pytest.mark.parametrize("figure", FIGURES)
def test_what_a_child_says_of_itself_is_bounded_by_our_clock(tmp_path: Path, figure: str) -> None:
    """Else a start of three thousand million years would be shown, and reckoned with."""
    began = time.monotonic()
    with session(tmp_path, LIES.replace("FIGURE", figure)) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        asked.pose([Block((1, *SMALL))], zeros)
        outcome = asked.finish()
    most = time.monotonic() - began
    assert outcome.problem is None
    assert len(outcome.calls) == 2
    spent = [outcome.start_seconds, outcome.load_seconds, outcome.predict_seconds]
    assert all(0 <= seconds <= most for seconds in spent)
    assert sum(call.seconds for call in outcome.calls) <= most
    held = [outcome.loaded_bytes, *(call.peak_bytes for call in outcome.calls)]
    assert all(0 <= size < 100_000_000_000 for size in held)


LOOKS_ON = """
import os, time
import numpy as np
told = open("/proc/self/environ").read().split("\\0")
given = next(word.split("=")[1] for word in told if word.startswith("INGESTION_INPUT="))
class Model:
    def predict(self, X):
        seen, end = set(), time.monotonic() + 10
        while len(X) == 2 and "block-0001.npy" not in seen and time.monotonic() < end:
            seen |= set(os.listdir(given))
        return np.full(len(X), len(seen - {"block-0000.npy", "block-0001.npy"}))
"""


def test_a_block_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    """Else a submission could watch it being filled, and learn which images share a damage."""
    looking = threading.Event()

    def fill(index: int, out: NDArray[Any]) -> None:
        out[:] = 0
        if index and looking.wait(20):
            time.sleep(0.2)

    def tell(progress: PredictProgress) -> None:
        if progress.stage == "predict":
            looking.set()

    with session(tmp_path, LOOKS_ON) as asked:
        answers = asked.pose([Block((2, *SMALL)), Block((4, *SMALL))], fill, tell)
    assert looking.is_set()
    assert answers is not None
    assert answers[0].tolist() == [0, 0]


SLOW = "import time; time.sleep(2.0 if len(X) > 2 else 0.6); return np.zeros(len(X), int)"
PACES: list[Any] = [
    # seconds of the limit, images of a pass, paced, images of each block -> whether it is ended
    (0.4, 4, False, [4], "time"),
    pytest.param(2.0, 4, False, [2] * 4, None, marks=pytest.mark.slow),  # slow, and does not hang
    pytest.param(1.0, 4, True, [2] * 4, "time", marks=pytest.mark.slow),  # 2.4 s where 2 are due
    pytest.param(1.5, 2, False, [4], None, marks=pytest.mark.slow),  # twice a pass, twice the time
    pytest.param(1.5, 4, False, [4], "time", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("limit", "usual", "paced", "counts", "ended"), PACES)
def test_time_is_counted_by_block(
    tmp_path: Path, limit: float, usual: int, paced: bool, counts: list[int], ended: str | None
) -> None:
    """Else what hangs is waited for as long as all blocks may take, or what is slow is killed."""
    how: dict[str, Any] = {"limits": Limits(seconds=limit), "images": usual, "paced": paced}
    with session(tmp_path, body(SLOW), **how) as asked:
        time.sleep(0.5)  # to load
        asked.pose([Block((count, *SMALL)) for count in counts], zeros)
        problem = asked.finish().problem
    assert (problem and problem.stage) == ended


@pytest.mark.parametrize("code", LEFT)
def test_what_is_left_in_the_place_of_notes_does_no_harm(tmp_path: Path, code: str) -> None:
    """Else a pipe or a link among the notes would hang us, or have us read the user's files."""
    left = f"status = os.path.join(output, 'status.json'); os.unlink(status); {code}; os._exit(0)"
    with session(tmp_path, ANSWERS + body(left)) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        outcome = asked.finish()
    assert outcome.problem is not None
    assert outcome.problem.stage == "exit"


def test_a_crash_at_the_very_end_is_no_failure(tmp_path: Path) -> None:
    """Else a library that dies while Python ends would be blamed, though the platform has its answers."""
    code = (
        "import atexit, os; atexit.register(os.kill, os.getpid(), 11); return np.zeros(len(X), int)"
    )
    with session(tmp_path, body(code)) as asked:
        asked.pose([Block((1, *SMALL))], zeros)
        outcome = asked.finish()
    assert outcome.problem is None
    assert len(outcome.labels) == 1


LISTS = body("return [1] * len(X)")


def test_answers_of_a_wrong_type_are_not_handed_on(tmp_path: Path) -> None:
    """Else answers that the platform refuses would be stored, and the next run would look right."""
    told: list[int] = []
    with session(tmp_path, LISTS, answers="strict") as asked:
        answers = asked.pose([Block((3, *SMALL))], zeros, answered=lambda at, _: told.append(at))
        outcome = asked.finish()
    assert answers is None
    assert told == []
    assert outcome.problem is not None


WRONG_ONCE = """
import numpy as np
class Model:
    calls = 0
    def predict(self, X):
        Model.calls += 1
        return np.full(len(X), 99 if Model.calls == 1 else 1)
"""


def test_the_first_fault_is_the_one_told(tmp_path: Path) -> None:
    """Else a fault that was seen would be gone by the end."""
    with session(tmp_path, WRONG_ONCE) as asked:
        assert asked.pose([Block((3, *SMALL))], zeros) is None
        outcome = asked.finish()
    assert outcome.problem is not None
    assert "99" in outcome.problem.message

"""Real submissions in real child processes: what comes back, and how each failure is told."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.ingest import Fill, Outcome, Request, Session
from codabench_rehearsal.sandbox.job import Limits
from tests.sandbox.children import ask as one_question

GOOD = """
import numpy as np
class Model:
    def predict(self, X):
        return X[:, 0, 0, 0].astype(int) % 8
"""


def images(count: int, start: int = 0) -> NDArray[np.uint8]:
    """Images whose first pixel is their number."""
    made = np.zeros((count, 8, 8, 3), np.uint8)
    made[:, 0, 0, 0] = np.arange(start, start + count)
    return made


def rehearse(folder: Path, source: str, sizes: tuple[int, ...] = (5,), **options: Any) -> Outcome:
    """Ask a submission made of one model.py."""
    (folder / "model.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return ask(Request(folder, classes=8, **options), sizes, numbered)


def numbered(index: int, out: NDArray[np.uint8]) -> None:
    """Fill a block with images whose numbers begin at the block's own."""
    out[:] = images(len(out), start=index)


def ask(request: Request, sizes: tuple[int, ...], fill: Fill) -> Outcome:
    """One session with one question."""
    with Session(request) as session:
        return one_question(session, (8, 8, 3), sizes, fill)


def body(code: str) -> str:
    """A model whose predict is `code`."""
    return "import numpy as np\nclass Model:\n    def predict(self, X):\n        " + code


def test_labels_come_back_by_block(tmp_path: Path) -> None:
    """Else accuracies would be computed on the wrong images."""
    outcome = rehearse(tmp_path, GOOD, (5, 3, 4, 2))
    assert outcome.problem is None
    assert [list(labels) for labels in outcome.labels] == [
        [0, 1, 2, 3, 4],
        [1, 2, 3],
        [2, 3, 4, 5],
        [3, 4],
    ]
    assert outcome.versions["numpy"] == np.__version__
    assert outcome.loaded_bytes > 1_000_000


FAILURES = [
    ("import not_there\n" + GOOD, "import", "ModuleNotFoundError", "not_there"),
    ("def broken(:\n", "import", "SyntaxError", "invalid syntax"),
    ("class Other: pass\n", "class", "AttributeError", "Model"),
    ("class Model:\n    def __init__(self, x): pass\n", "init", "TypeError", "x"),
    (
        "class Model:\n    def __init__(self): open('no.keras')\n",
        "init",
        "FileNotFoundError",
        "no.keras",
    ),
    ("class Model: pass\n", "method", "AttributeError", "predict"),
    (body("raise KeyError('weights')"), "predict", "KeyError", "weights"),
    (body("raise SystemExit(0)"), "predict", "SystemExit", "0"),
    (body("import os; os._exit(0)"), "exit", "predict", "exit code 0"),
    (
        body("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"),
        "exit",
        "predict",
        "code -11",
    ),
    (body("return np.eye(8)[X[:, 0, 0, 0]]"), "answer", "scores", "one-hot"),
    (body("return X[:, 0, 0, :2].astype(int)"), "answer", "shape", "(5, 2)"),
    (body("return X[:, 0, 0, 0] / 2"), "answer", "dtype", "0.5, which is no label"),
    (body("return X[:, 0, 0, 0] / 0"), "answer", "nan", "nan for image 0"),
    (body("return X[1:, 0, 0, 0].astype(int)"), "answer", "length", "4 labels"),
    (body("return X[:, 0, 0, 0].astype(int) + 8"), "answer", "range", "0..7"),
    (
        body("return np.array([{}] * len(X), dtype=object)"),
        "answer",
        "TypeError",
        "ndarray, which holds dict objects",
    ),
    (body("return None"), "answer", "TypeError", "received NoneType"),
]


@pytest.mark.parametrize(("source", "stage", "kind", "said"), FAILURES)
def test_every_failure_is_named(
    tmp_path: Path, source: str, stage: str, kind: str, said: str
) -> None:
    """Else the user learns as little as from the platform's "Child task failed"."""
    outcome = rehearse(tmp_path, source)
    assert outcome.problem is not None
    assert (outcome.problem.stage, outcome.problem.kind) == (stage, kind)
    assert said in outcome.problem.message


def test_the_traceback_is_the_submissions_own(tmp_path: Path) -> None:
    """Else the user searches for the fault in our files."""
    outcome = rehearse(tmp_path, body("return self.helper(X)"))
    assert outcome.problem is not None
    assert "model.py" in outcome.problem.trace
    assert "ingestion.py" not in outcome.problem.trace


@pytest.mark.parametrize(
    ("limits", "code", "stage"),
    [
        (Limits(seconds=1.0), "import time; time.sleep(60)", "time"),
        (
            Limits(memory_bytes=300_000_000),
            "a = np.ones(10**8); import time; time.sleep(60)",
            "memory",
        ),
    ],
)
def test_a_limit_ends_the_run(tmp_path: Path, limits: Limits, code: str, stage: str) -> None:
    """Else a hanging or greedy submission would take the machine with it."""
    started = time.monotonic()
    outcome = rehearse(tmp_path, body(code), limits=limits)
    assert outcome.problem is not None
    assert outcome.problem.stage == stage
    assert time.monotonic() - started < 20


def test_waiting_for_images_is_not_the_submissions_time(tmp_path: Path) -> None:
    """Else slow corruptions would look like a slow model."""

    def slow(index: int, out: NDArray[np.uint8]) -> None:
        time.sleep(1.2)
        numbered(index, out)

    (tmp_path / "model.py").write_text(GOOD, encoding="utf-8")
    outcome = ask(Request(tmp_path, 8, limits=Limits(seconds=2.0)), (2, 2), slow)
    assert outcome.problem is None


def test_an_error_in_making_images_is_raised_here(tmp_path: Path) -> None:
    """Else a fault of ours would be blamed on the submission, or hang."""

    def broken(index: int, out: NDArray[np.uint8]) -> None:
        out[:] = 0
        if index:
            raise RuntimeError("no more images")

    (tmp_path / "model.py").write_text(GOOD, encoding="utf-8")
    with pytest.raises(RuntimeError, match="no more images"):
        ask(Request(tmp_path, 8), (2, 2), broken)


@pytest.mark.parametrize("folder", ["submission", "program"])
def test_the_working_folder_is_the_platforms(tmp_path: Path, folder: str) -> None:
    """Else relative weight names would work here and fail there, or the reverse."""
    source = body("import os; return np.full(len(X), int(os.path.exists('model.py')))")
    outcome = rehearse(tmp_path, source, working_folder=folder)
    assert outcome.problem is None
    assert outcome.labels[0].max() == (folder == "submission")


def test_an_output_flood_is_cut(tmp_path: Path) -> None:
    """Else a chatty submission would fill the memory or block on its pipe."""
    outcome = rehearse(tmp_path, body("print('x' * 10**7); return X[:, 0, 0, 0].astype(int)"))
    assert outcome.problem is None
    assert len(outcome.result.log) < 1_000_000
    assert "bytes cut" in outcome.result.log


def test_an_endless_message_is_cut(tmp_path: Path) -> None:
    """Else an error would be lost because its text is too long to be read."""
    outcome = rehearse(tmp_path, body("raise ValueError('x' * 10**7)"))
    assert outcome.problem is not None
    assert outcome.problem.kind == "ValueError"


def test_stray_processes_end_with_the_run(tmp_path: Path) -> None:
    """Else every rehearsal would leave processes behind."""
    code = "import subprocess; p = subprocess.Popen(['sleep', '600']); return np.full(len(X), 1)"
    outcome = rehearse(tmp_path, body(code))
    assert outcome.problem is None
    time.sleep(0.2)
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "600"]
    ]


def test_folders_thousands_deep_are_no_failure_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else our own walk ends in a RecursionError: laid to the submission's door, or left behind."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    code = "import os, tempfile; here = os.getcwd()\n"
    code += "        for top in (here, os.path.dirname(__file__), tempfile.gettempdir()):\n"
    code += "            os.chdir(tempfile.mkdtemp(dir=top)); [(os.mkdir('d'), os.chdir('d')) for _ in range(1500)]\n"
    code += "        os.chdir(here); return X[:, 0, 0, 0].astype(int)\n"
    (tmp_path / "zip").mkdir()
    outcome = rehearse(tmp_path / "zip", body(code))
    assert outcome.problem is None
    assert list(place.iterdir()) == []

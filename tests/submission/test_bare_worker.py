"""The bare worker does what Codabench's own was seen, or read, to do (`../shared/facts/codabench.md`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.submission import bare_worker
from tests.submission.bare_worker import (  # fmt: skip
    GENERATIONS,
    HAS_METADATA,
    NOT_ZERO,
    Ending,
    Generation,
    Server,
    hidden_set,
)
from tests.submission.container import sees_app
from tests.submission.corpus.case import INIT, Case, Content, files, page
from tests.submission.corpus.pictures import CENTRES_NPY, labelled_images, npy

GOOD = files(page())
STALE = npy(np.zeros(96, dtype=np.int64))
FAILS = "raise RuntimeError('broken')\n"
RELATIVE = page(init='self.centres = np.load("weights.npy")')
WRITES = page(init=f'{INIT}\n(Path(__file__).parent / "cache.txt").write_text("x")')
FROM_OUTPUT = page(init='self.centres = np.load("/app/output/weights.npy")')
METADATA = page(init=f'{INIT}\nPath("/app/output/metadata").write_text("x")')
NOTHING_KEPT = page("import sys\nsys.exit(0)")
ARGUMENTS = page(top="import sys\nassert len(sys.argv) == 1")
SLOW = page(top="import time\ntime.sleep(60)")
COMMAND = "command: python3 answer.py\n"
ANSWERS = 'import pathlib\npathlib.Path("/app/output/started").write_text("x")\n'
NEEDS_IT = page(init=f'{INIT}\nimport time\nwhile not Path("/app/output/started").exists():\n    time.sleep(0.1)')  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A submission, and the score (or the message) under the older and the newer worker."""

    name: str
    files: dict[str, Content]
    older: float | str = 1.0
    newer: float | str = 1.0
    needs_app: bool = False
    options: dict[str, object] = field(default_factory=dict)
    spoil: Callable[[bytes], bytes] | None = None

    def __str__(self) -> str:
        return self.name


LIMIT = "Execution Time Limit exceeded. Limit was 3 seconds"
FAST = [
    Seen("no zip", GOOD, "Bad or empty zip file", "Bad or empty zip file", spoil=lambda _: b""),
    Seen("a plain one", GOOD),
    Seen("stale predictions overwrite", {**GOOD, "predictions.npy": STALE}, 1.0, 0.125),
]
SLOW_ROWS = [
    Seen("no entries", {}, NOT_ZERO, NOT_ZERO),
    Seen("nested", {f"us/{name}": x for name, x in GOOD.items()}, NOT_ZERO, NOT_ZERO),
    Seen("a folder called model", {"model/model.py": page(), "weights.npy": CENTRES_NPY}, NOT_ZERO, NOT_ZERO),
    Seen("Mac junk", {**GOOD, "__MACOSX/._model.py": "x", ".DS_Store": "x"}),
    Seen("a failing model, predictions in the zip", {"model.py": FAILS, "predictions.npy": STALE}, 0.125, 0.125),
    Seen("the same with metadata", {"model.py": FAILS, "predictions.npy": STALE, "metadata": "a: 1"}, NOT_ZERO, 0.125),
    Seen("stale predictions with metadata", {**GOOD, "predictions.npy": STALE, "metadata": "a: 1"}, 1.0, 0.125),
    Seen("relative weights", files(RELATIVE), NOT_ZERO, NOT_ZERO),
    Seen("relative weights, from its folder", files(RELATIVE), options={"working_folder": "submission"}),
    Seen("writes beside model.py", files(WRITES), 1.0, NOT_ZERO, needs_app=True),
    Seen("weights from the output", files(FROM_OUTPUT), 1.0, NOT_ZERO, needs_app=True),
    Seen("its own metadata in the output", files(METADATA), HAS_METADATA, HAS_METADATA, needs_app=True),
    Seen("a command is started beside it", {**files(NEEDS_IT), "answer.py": ANSWERS, "metadata.yaml": COMMAND}, 1.0, "Execution Time Limit exceeded. Limit was 10 seconds", needs_app=True, options={"seconds": 10.0}),
    Seen("exit code 0 without answers", files(NOTHING_KEPT), NOT_ZERO, NOT_ZERO),
    Seen("one argument", files(ARGUMENTS)),
    Seen("past the limit", files(SLOW), LIMIT, LIMIT, options={"seconds": 3.0}),
]  # fmt: skip
ROWS = [*FAST, *(pytest.param(row, marks=pytest.mark.slow) for row in SLOW_ROWS)]


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """96 hidden images, twelve of a class."""
    return hidden_set(tmp_path_factory.mktemp("hidden"), *labelled_images(seed=1))


def ended(row: Seen, generation: Generation, hidden: tuple[Path, Path], folder: Path) -> Ending:
    """How a row ends."""
    path = Case(row.name, row.files, spoil=row.spoil).build(folder)
    return Server(*hidden, generation, **row.options).run(path)  # type: ignore[arg-type]  # Server's fields


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_ends_as_on_the_platform(
    row: Seen, generation: Generation, hidden: tuple[Path, Path], tmp_path: Path
) -> None:
    """Else the corpus holds the checks against a platform that is not there."""
    if row.needs_app and not sees_app():
        pytest.skip("needs mount namespaces (root)")
    wanted = row.older if generation == "2026-03" else row.newer
    ending = ended(row, generation, hidden, tmp_path)
    assert (ending.message if isinstance(wanted, str) else ending.score) == wanted, ending
    assert ending.status == ("Failed" if isinstance(wanted, str) else "Finished")


def test_without_namespaces(
    hidden: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the corpus could be judged on machines with root only."""
    monkeypatch.setattr(bare_worker, "sees_app", lambda: False)
    assert ended(FAST[1], "2026-10", hidden, tmp_path).score == 1.0


@pytest.mark.slow
def test_what_is_left_behind_ends_with_it(hidden: tuple[Path, Path], tmp_path: Path) -> None:
    """Else a child of one submission would slow down, or answer for, the next ones."""
    if not sees_app():
        pytest.skip("needs process namespaces (root)")
    mark = f"{tmp_path}/alive"
    code = f"import time\nwhile True:\n    open({mark!r}, 'w').close()\n    time.sleep(0.05)"
    top = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {code!r}])\ntime.sleep(1)"
    row = Seen("leaves a child", files(page(top=top)))
    assert ended(row, "2026-10", hidden, tmp_path).score == 1.0
    path = Path(mark)
    before = path.stat().st_mtime_ns
    time.sleep(0.3)
    assert path.stat().st_mtime_ns == before

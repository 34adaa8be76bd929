"""Odd submissions to one small bundle: the status and message by the facts of each generation."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.files import BAD_ZIP
from codabench_rehearsal.challenge.worker.scores_file import NOT_FINITE
from codabench_rehearsal.challenge.worker.submission import (
    HAS_METADATA,
    NOT_ZERO,
    TOO_LONG,
    WRAPPED,
)
from tests.challenge.worker.bundles import (
    BOTH,
    FAILED,
    FINISHED,
    bundle,
    figures,
    log,
    program,
    ran,
    reason,
)
from tests.sandbox.children import linux_only
from tests.tables import thinned

pytestmark = linux_only
INGESTION = """
import sys
sys.path.insert(0, "/app/ingested_program")
from model import Model
rows = open("/app/input_data/x").read().split()
found = Model().predict([int(row) for row in rows])
open("/app/output/predictions", "w").write("\\n".join(str(one) for one in found))
"""
SCORING = """
import json
found = [float(line) for line in open("/app/input/res/predictions").read().split()]
truth = [float(line) for line in open("/app/input/ref/y").read().split()]
assert len(found) == len(truth), "expected 4 predictions, received " + str(len(found))
score = 1 - sum(abs(a - b) for a, b in zip(found, truth)) / len(truth)
json.dump({"accuracy": score}, open("/app/output/scores.json", "w"))
"""
SECONDS = 6  # of a program; the machine may be busy
GOOD = "class Model:\n    def predict(self, rows):\n        return [row % 2 for row in rows]\n"
STALE = "0\n0\n0\n0"  # half right
Files = Mapping[str, str | bytes]


def predicts(line: str, *, first: str = "") -> Files:
    """A model whose `predict` is one line."""
    return {"model.py": f"{first}class Model:\n    def predict(self, rows):\n        {line}\n"}


@dataclass(frozen=True)
class Odd:
    """files: of the zip, or a function that writes it. score: where it is Finished.

    message: the platform's sentence where it Failed. said: in which program's log, and what.
    older: what the older worker makes of it, where that differs.
    """

    files: Files | Callable[[Path], object]
    score: float | None = None
    message: str = ""
    said: tuple[str, str] = ("", "")
    older: Odd | None = None


def failed(files: Files | Callable[[Path], object], program: str, words: str) -> Odd:
    """Scoring ends with an error, because of what a program's log tells."""
    return Odd(files, None, NOT_ZERO, (program, words))


def symlink(path: Path) -> None:
    """The module is a link; unzipped, a text that names the other file."""
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("model.py")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        file.writestr(link, "real.py")
        file.writestr("real.py", GOOD)


def zip_in_zip(path: Path) -> None:
    """The submission zipped once more."""
    inner = path.with_name("inner.zip")
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("model.py", GOOD)
    with zipfile.ZipFile(path, "w") as file:
        file.write(inner, "submission.zip")


def empty(path: Path) -> None:
    """A zip without an entry."""
    zipfile.ZipFile(path, "w").close()


ODD: dict[str, Odd] = {
    "good": Odd({"model.py": GOOD}, 1.0),
    "no model.py": failed({"main.py": GOOD}, "ingestion", "No module named 'model'"),
    "a syntax error": failed({"model.py": "class Model\n"}, "ingestion", "SyntaxError"),
    "no such class": failed({"model.py": "class model: pass\n"}, "ingestion", "'Model' from"),
    "predict raises": failed(predicts("return 1 / 0"), "ingestion", "ZeroDivisionError"),
    "no predict": failed({"model.py": "class Model: pass\n"}, "ingestion", "'predict'"),
    "wrong length": failed(predicts("return rows[:3]"), "scoring", "received 3"),
    "NaN": Odd(predicts("return [float('nan')] * len(rows)"), None, NOT_FINITE),
    "strings": failed(predicts("return ['cat'] * len(rows)"), "scoring", "could not convert"),
    "nothing": failed(predicts("return None"), "ingestion", "not iterable"),
    "writes metadata": Odd(
        predicts("open('/app/output/metadata', 'w').write('x'); return rows"), None, HAS_METADATA
    ),
    "sleeps past the limit": Odd(
        predicts("import time; time.sleep(60)"), None, TOO_LONG.format(SECONDS)
    ),
    "forks": Odd(
        predicts("import os, time; os.fork() or time.sleep(60); return [r % 2 for r in rows]"), 1.0
    ),
    "exits at once": failed({"model.py": "raise SystemExit(0)\n"}, "scoring", "predictions"),
    "is killed": failed(
        predicts("import os; os.kill(os.getpid(), 9)"), "scoring", "No such file or directory"
    ),
    "prints a lot": Odd(predicts("print('x' * 10**6); return [r % 2 for r in rows]"), 1.0),
    "a folder around it": failed({"sub/model.py": GOOD}, "ingestion", "No module named 'model'"),
    "a folder of that name": failed({"model/main.py": GOOD}, "ingestion", "unknown location"),
    "extra files": Odd({"model.py": GOOD, "notes.txt": "", "data/a.bin": b"\0\1"}, 1.0),
    "of a Mac": Odd({"model.py": GOOD, "__MACOSX/._model.py": b"\0", ".DS_Store": b"\0"}, 1.0),
    "a big file": Odd({"model.py": GOOD, "weights.bin": bytes(40_000_000)}, 1.0),
    "a zip in a zip": failed(zip_in_zip, "ingestion", "No module named 'model'"),
    "another encoding": failed(
        {"model.py": f"NAME = 'caf\xe9'\n{GOOD}".encode("latin-1")}, "ingestion", "SyntaxError"
    ),
    "a link": failed(symlink, "ingestion", "name 'real' is not defined"),
    "an empty zip": failed(empty, "ingestion", "No module named 'model'"),
    "no zip": Odd(lambda path: path.write_bytes(b"PK nothing"), None, BAD_ZIP),
    "predictions and no model": Odd({"predictions": "1\n0\n1\n0"}, 1.0),
    "old predictions beside a model": Odd(
        {"model.py": GOOD, "predictions": STALE}, 0.5, older=Odd({}, 1.0)
    ),
    "writes beside its code": failed(
        predicts("open('/app/ingested_program/x', 'w'); return [r % 2 for r in rows]"),
        *("ingestion", "Read-only file system"),
    ),
    "a metadata file alone": Odd({"model.py": GOOD, "metadata": "description: mine\n"}, 1.0),
}
# The older worker's submission is its own to write to.
_WRITES = ODD["writes beside its code"]
ODD["writes beside its code"] = Odd(
    _WRITES.files, None, _WRITES.message, _WRITES.said, older=Odd({}, 1.0)
)


# Where the facts of the two generations differ, or what they do on the way.
DIFFER = (
    *("good", "no model.py", "an empty zip", "no zip", "predictions and no model", "exits at once"),
    *("old predictions beside a model", "writes beside its code", "a metadata file alone"),
    *("writes metadata", "sleeps past the limit", "a link"),
)


@pytest.mark.parametrize(
    ("name", "worker"),
    thinned((name, worker) for name in ODD for worker in (BOTH if name in DIFFER else BOTH[1:])),
)
def test_an_odd_submission_ends_as_on_the_platform(
    tmp_path: Path, name: str, worker: Worker
) -> None:
    """Else a participant is told that a zip works that will fail, or the other way round."""
    odd = ODD[name]
    expected = odd.older if odd.older and worker == "2026-03" else odd
    archive = tmp_path / "submission.zip"
    if callable(odd.files):
        odd.files(archive)
    else:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for inside, content in odd.files.items():
                file.writestr(inside, content)
    data, truth = {"x": "1 2 3 4"}, {"y": "1 0 1 0"}
    programs = (program(INGESTION), program(SCORING))
    made = bundle(tmp_path, *programs, data=data, reference=truth, seconds=SECONDS)
    result = ran(made, tmp_path, worker, archive)
    status = FAILED if expected.message else FINISHED
    logs = [step.log for job in result.tasks[0].jobs for step in job.steps]
    assert (result.status, reason(result)) == (status, expected.message), logs
    wrapped = WRAPPED.format(expected.message) if worker == "2026-10" else expected.message
    assert result.message == (wrapped if expected.message else "")
    assert figures(result) == ({} if expected.score is None else {"accuracy": expected.score})
    if expected.said[0]:
        job = "prediction" if expected.said[0] == "ingestion" else "scoring"
        assert expected.said[1] in log(result, job, expected.said[0])

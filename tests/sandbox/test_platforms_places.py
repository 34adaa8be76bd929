"""What a submission sees of the platform: its folders, its words, both generations of the worker."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.sandbox.ingest import PLACES, Block, Outcome, Request, Session
from codabench_rehearsal.sandbox.isolation import other_paths
from codabench_rehearsal.sandbox.job import Limits
from codabench_rehearsal.sandbox.places import interpreter_places
from tests.sandbox.children import ask, at_level, linux_only

pytestmark = linux_only
LOOKS = """
import json, os, sys
import numpy as np
def names(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else None
def may_write(folder):
    try:
        open(os.path.join(folder, "new"), "w").close()
    except OSError:
        return False
    return True
here = os.path.dirname(__file__)
seen = {{
    "argv": sys.argv, "file": __file__, "folder": os.getcwd(), "path": sys.path[0],
    "output": names("/app/output"), "program": names("/app/program"),
    "input": names("/app/input_data"), "own": names("/app/ingested_program"),
    "told": [name for name in os.environ if "INGEST" in name],
}}
seen["writes"] = {{folder: may_write(folder) for folder in (here, "/app/output", "/app/input_data")}}
print(json.dumps(seen))
class Model:
    def __init__(self, *given):
        print(json.dumps(given))
    def predict(self, X):
        {predict}
"""
ONES = "return np.ones(len(X), int)"


def submission(folder: Path, predict: str = ONES, **files: str) -> Path:
    """A zip's folder with a model.py that looks about, weights and further files."""
    place = folder / "unpacked"
    place.mkdir()
    (place / "model.py").write_text(LOOKS.format(predict=predict), encoding="utf-8")
    (place / "weights.npy").write_text("weights", encoding="utf-8")
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def asked(folder: Path, count: int = 3, **options: Any) -> Outcome:
    """One question to a submission."""

    def fill(_: int, out: NDArray[Any]) -> None:
        out[:] = np.arange(count).reshape(-1, 1, 1, 1)

    with Session(Request(folder, classes=8, **options)) as session:
        return ask(session, (4, 4, 3), [count], fill)


def seen(outcome: Outcome) -> dict[str, Any]:
    """What the module found when it was imported."""
    assert outcome.problem is None, outcome.problem
    found: dict[str, Any] = json.loads(outcome.result.log.splitlines()[0])
    return found


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where no mounts can be made."""
    at_level("namespaces", monkeypatch)


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize("folder", ["program", "submission"])
def test_the_platforms_folders_are_where_it_has_them(tmp_path: Path, folder: Any) -> None:
    """Else a zip that opens /app/ingested_program or /app/output fails here and is scored there."""
    outcome = asked(submission(tmp_path), working_folder=folder)
    found = seen(outcome)
    assert found["argv"] == ["/app/program/ingestion.py"]
    assert found["file"] == "/app/ingested_program/model.py"
    assert found["path"] == "/app/ingested_program"
    assert found["folder"] == f"/app/{'program' if folder == 'program' else 'ingested_program'}"
    assert found["own"] == found["output"] == ["model.py", "weights.npy"]
    assert "ingestion.py" in found["program"]
    assert found["input"] is not None
    assert found["told"] == []
    assert outcome.result.limits["paths"].startswith("the platform's: ")
    assert other_paths(outcome.result.limits) == ""


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("worker", "files", "output", "writes"),
    [
        ("2026-03", {}, ["model.py", "weights.npy"], True),
        ("2026-03", {"metadata": ""}, [], True),
        ("2026-03", {"metadata.yaml": "description: x"}, [], True),
        ("2026-10", {}, [], False),
        ("2026-10", {"metadata": ""}, [], False),
    ],
)
def test_each_worker_has_its_own_ways(
    tmp_path: Path, worker: Any, files: dict[str, str], output: list[str], writes: bool
) -> None:
    """Else what one generation of the worker fails would be called fine, or the reverse."""
    folder = submission(tmp_path, **files)
    found = seen(asked(folder, worker=worker))
    assert found["output"] == output
    assert found["writes"] == {
        "/app/ingested_program": writes,
        "/app/output": True,
        "/app/input_data": False,
    }
    assert not (folder / "new").exists()


@pytest.mark.parametrize("level", ["fences", "none"])
@pytest.mark.parametrize("worker", ["2026-03", "2026-10"])
def test_without_mounts_it_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, worker: Any
) -> None:
    """Else the verdict of a machine that refuses namespaces claims what it has not seen."""
    at_level(level, monkeypatch, walled=level == "fences")
    folder = submission(tmp_path)
    outcome = asked(folder, worker=worker)
    found = seen(outcome)
    assert len(found["argv"]) == 1
    assert found["told"] == []
    assert Path(found["file"]).name == "model.py"
    assert outcome.result.limits["paths"].startswith("not the platform's")
    assert "folders in /app" in other_paths(outcome.result.limits)
    if level == "fences" or worker == "2026-03":
        assert not (folder / "new").exists()
    if level == "fences":
        assert found["writes"][str(Path(found["file"]).parent)] == (worker == "2026-03")


@pytest.mark.usefixtures("mounted")
def test_a_python_that_lies_there_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing runs where the user's own Python lies in /app, as in many containers."""
    needed = tmp_path / "app" / "program"
    (needed / "lib").mkdir(parents=True)
    monkeypatch.setitem(PLACES, "program", str(needed))
    usual = interpreter_places
    monkeypatch.setattr(
        "codabench_rehearsal.sandbox.isolation.interpreter_places",
        lambda python: (*usual(python), str(needed / "lib")),
    )
    outcome = asked(submission(tmp_path))
    assert seen(outcome)["own"] is None
    assert (
        outcome.result.limits["paths"] == f"not the platform's: {needed / 'lib'} is needed as it is"
    )


@pytest.mark.parametrize("level", ["namespaces", "fences", "none"])
def test_tracebacks_name_the_files_of_the_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """Else the user is shown files in folders that are gone, or that exist on the platform alone."""
    at_level(level, monkeypatch, walled=level == "fences")
    outcome = asked(submission(tmp_path, "raise ValueError('mine')"))
    assert outcome.problem is not None
    assert 'File "model.py", line' in outcome.problem.trace
    assert "/app/" not in outcome.problem.trace
    assert str(tmp_path) not in outcome.problem.trace


def test_a_constructor_is_given_the_submissions_folder(tmp_path: Path) -> None:
    """Else the course's challenges of 2020-2023, `Model(path)`, cannot be rehearsed."""
    outcome = asked(submission(tmp_path), arguments=("path",))
    found = seen(outcome)
    assert json.loads(outcome.result.log.splitlines()[1]) == [str(Path(found["file"]).parent)]


ONE_BY_ONE = [
    ("assert X.shape == (4, 4, 3); return int(X[0, 0, 0])", None),
    ("return X[0, 0, 0].astype(int)", None),
    ("return np.full(X[0, 0, 0], 1)", "several shapes"),
    ("return {}['weights']", "weights"),
]


@pytest.mark.parametrize(("predict", "said"), ONE_BY_ONE)
def test_images_come_one_at_a_time(tmp_path: Path, predict: str, said: str | None) -> None:
    """Else a challenge that calls predict with single images cannot be rehearsed."""
    outcome = asked(submission(tmp_path, predict), 5, one_at_a_time=True)
    if said is None:
        assert outcome.problem is None
        assert outcome.labels[0].tolist() == [0, 1, 2, 3, 4]
        assert len(outcome.calls) == 1
    else:
        assert outcome.problem is not None
        assert said in outcome.problem.message


MIB = 1 << 20
PRINTS = "print('x' * 2**20); return np.ones(len(X), int)"
WRITES = 'open(f\'{{__import__("os").environ["HOME"]}}/{{__import__("time").time()}}\', \'wb\').write(bytes(2**20)); return np.ones(len(X), int)'
SLEEPS = "import time; time.sleep(0.25); return np.ones(len(X), int)"
MANY_CALLS = [
    ("log", PRINTS, Limits(log_bytes=6 * MIB), 1, 16),
    ("log", PRINTS, Limits(log_bytes=6 * MIB), 16, 1),
    ("disk", WRITES.replace("{{", "{").replace("}}", "}"), Limits(disk_bytes=8 * MIB), 1, 20),
    pytest.param("time", SLEEPS, Limits(seconds=2.0), 10, 1, marks=pytest.mark.slow),
]


def many(folder: Path, limits: Limits, questions: int, blocks: int, images: int = 1) -> Outcome:
    """Ask question after question, each of some blocks."""

    def fill(_: int, out: NDArray[Any]) -> None:
        out[:] = 0

    with Session(Request(folder, classes=8, limits=limits, images=2)) as session:
        for _ in range(questions):
            session.pose([Block((images, 4, 4, 3))] * blocks, fill)
        return session.finish()


@pytest.mark.parametrize(("_limit", "predict", "limits", "questions", "blocks"), MANY_CALLS)
def test_what_one_pass_may_do_is_not_summed_over_our_questions(
    tmp_path: Path, _limit: str, predict: str, limits: Limits, questions: int, blocks: int
) -> None:
    """Else a zip that the platform scores is refused because we ask it two dozen times."""
    outcome = many(submission(tmp_path, predict), limits, questions, blocks)
    assert outcome.problem is None, outcome.problem
    assert len(outcome.labels) == questions * blocks


FLOODS = [
    ("log", "print('x' * 2**23) if self.__dict__.setdefault('n', []) else self.n.append(1)", 1),
    ("disk", "import os, time; ([open(f'{os.environ[\"HOME\"]}/{i}', 'wb').write(bytes(2**22)) for i in range(8)], time.sleep(60)) if self.__dict__.setdefault('n', []) else self.n.append(1)", 1),
    pytest.param("time", "import time; time.sleep(60) if self.__dict__.setdefault('n', []) else self.n.append(1)", 1, marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "code", "answered"), FLOODS)
def test_a_flood_in_one_call_is_stopped(
    tmp_path: Path, limit: str, code: str, answered: int
) -> None:
    """Else the budget of every question opens the disk, the memory and the night to one call."""
    seconds = 3.0 if limit == "time" else 60.0
    limits = Limits(seconds=seconds, log_bytes=4 * MIB, disk_bytes=8 * MIB)
    outcome = many(submission(tmp_path, f"{code}; {ONES}"), limits, 3, 1)
    assert outcome.problem is not None
    assert outcome.problem.stage == limit
    assert len(outcome.labels) == answered


@pytest.mark.slow
def test_the_time_is_for_the_platforms_number_of_images(tmp_path: Path) -> None:
    """Else --time-limit 600 is held against four times the images that the platform asks about."""
    predict = textwrap.dedent("import time; time.sleep(0.05 * len(X)); return np.ones(len(X), int)")
    limits = Limits(seconds=2.0)
    assert many(submission(tmp_path, predict), limits, 1, 1, images=40).problem is None

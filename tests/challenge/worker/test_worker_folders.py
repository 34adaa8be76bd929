"""What a program sees of the platform: folders, words, environment, by generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.profile import Worker
from tests.challenge.worker.bundles import BOTH, Files, bundle, log, program, ran, written
from tests.sandbox.children import at_level, linux_only
from tests.tables import thinned

pytestmark = linux_only
LOOK = """
import json, os, sys
def names(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else None
def may_write(folder):  # nothing is written: the other program looks into the same folders
    return os.access(folder, os.W_OK)
LOOKED = ("program", "output", "data", "ingested_program", "input_data", "input/ref",
          "input/res", "shared", "ingestion_program")
seen = {one: names("/app/" + one) for one in LOOKED}
print(json.dumps({
    "names": {one: found for one, found in seen.items() if found is not None},
    "closed": [one for one in LOOKED if seen[one] is not None and not may_write("/app/" + one)],
    "cwd": os.getcwd(), "argv": sys.argv, "root": may_write("/app"),
    "environment": {key: os.environ.get(key) for key in (
        "PYTHONUNBUFFERED", "http_proxy", "https_proxy", "PYTHONPATH", "SECRET")},
}))
"""
OWN = ["main.py", "metadata.yaml"]
SENT = ["model.py", "weights"]
SUBMISSION: Files = {"model.py": "", "weights": "w"}
# worker, only during scoring, job, kind -> names by folder, and what cannot be written to
SEEN: list[tuple[Worker, bool, str, str, dict[str, Any], list[str]]] = [
    (
        *("2026-03", False, "prediction", "ingestion"),
        {"ingested_program": SENT, "output": SENT, "input_data": ["x"]},
        ["data"],
    ),
    (
        *("2026-03", False, "scoring", "scoring"),
        {"input/ref": ["y"], "input/res": ["metadata", *SENT], "output": [], "shared": []},
        ["data"],
    ),
    (
        *("2026-03", True, "scoring", "scoring"),
        {
            "input/ref": ["y"],
            "input/res": ["metadata", *SENT],
            "output": [],
            "shared": [],
            "input_data": ["x"],
        },
        ["data"],
    ),
    (
        *("2026-03", True, "scoring", "ingestion"),
        {
            "input/ref": ["y"],
            "input/res": ["metadata", *SENT],
            "output": [],
            "shared": [],
            "input_data": ["x"],
            "ingested_program": ["metadata", *SENT],
        },
        ["data"],
    ),
    (
        *("2026-10", False, "prediction", "ingestion"),
        {"ingested_program": SENT, "output": [], "input_data": ["x"]},
        ["data", "ingested_program"],
    ),
    (
        *("2026-10", False, "scoring", "scoring"),
        {
            "input/ref": ["y"],
            "input/res": ["metadata", *SENT],
            "output": [],
            "shared": [],
            "ingested_program": SENT,
        },
        ["data", "ingested_program"],
    ),
    (
        *("2026-10", True, "scoring", "scoring"),
        {
            "input/ref": ["y"],
            "input/res": ["metadata", *SENT],
            "output": [],
            "shared": [],
            "ingested_program": SENT,
        },
        ["data", "ingested_program"],
    ),
    (
        *("2026-10", True, "scoring", "ingestion"),
        {"ingested_program": SENT, "output": [], "input_data": ["x"]},
        ["data", "ingested_program"],
    ),
]


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where no mounts can be made."""
    at_level("namespaces", monkeypatch)


@pytest.mark.parametrize(("worker", "only", "job", "kind", "names", "closed"), SEEN)
def test_each_program_sees_its_folders(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    only: bool,
    job: str,
    kind: str,
    names: dict[str, Any],
    closed: list[str],
) -> None:
    """Else a program finds a file here that is not there on the platform, or the other way round."""
    monkeypatch.setenv("SECRET", "of the user")
    made = bundle(tmp_path, program(LOOK), program(LOOK), only_during_scoring=only)
    found = json.loads(log(ran(made, tmp_path, worker, SUBMISSION), job, kind))
    assert found["names"] == {"program": OWN, "data": [], **names}
    assert (found["closed"], found["root"], found["cwd"]) == (closed, True, "/app/program")
    assert found["environment"] == {
        "PYTHONUNBUFFERED": "1",
        "http_proxy": "",
        "https_proxy": "",
        "PYTHONPATH": None,
        "SECRET": None,
    }


NAIVE = "python main.py $HOME && echo * > x"
OLD = "python $program/main.py $input $output $hidden $shared $predictions $tmp $submission_program"
# command, job, kind -> sys.argv of the program, both workers alike
ARGUMENTS = [
    (NAIVE, "ingestion", ["main.py", "$HOME", "&&", "echo", "*", ">", "x"]),
    ("python3 main.py 'a b' --c=\"d e\"", "ingestion", ["main.py", "a b", "--c=d e"]),
    (">\n  python main.py\n  folded words", "ingestion", ["main.py", "folded", "words"]),
    ("|\n  python main.py\n  second line", "ingestion", ["main.py", "second", "line"]),
    ("/opt/conda/bin/python3.9 main.py", "ingestion", ["main.py"]),
    ("python main.py one # not a word", "ingestion", ["main.py", "one"]),
    ("python main.py '#' two", "ingestion", ["main.py", "#", "two"]),
    (
        *(OLD, "ingestion"),
        [
            *("/app/program/main.py", "/app/input_data", "/app/output", "/app/input/ref"),
            *("/app/shared", "/app/output", "/app/output", "/app/ingested_program"),
        ],
    ),
    (
        *(OLD, "scoring"),
        [
            *("/app/program/main.py", "/app/input", "/app/output", "/app/input/ref"),
            *("/app/shared", "/app/input/res", "/app/output", "/app/ingested_program"),
        ],
    ),
    ("python $ingestion_program/main.py $tmp_home $tmp_data $hidden_data $program_root $inputs", "scoring", [
        *("/app/program/main.py", "/app/output_home", "/app/output_data", "/app/input/ref_data"),
        *("/app/program_root", "/app/inputs"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize("worker", BOTH)
@pytest.mark.parametrize(("command", "kind", "argv"), thinned(ARGUMENTS))
def test_a_command_is_split_without_a_shell(
    tmp_path: Path, worker: Worker, command: str, kind: str, argv: list[str]
) -> None:
    """Else a command that needs a shell works here and fails there, or `$input` leads nowhere."""
    one, other = program(LOOK, command), program(LOOK)
    made = bundle(tmp_path, one, other) if kind == "ingestion" else bundle(tmp_path, None, one)
    job = "prediction" if kind == "ingestion" else "scoring"
    assert json.loads(log(ran(made, tmp_path, worker), job, kind))["argv"] == argv


def test_the_old_word_program_leads_nowhere_when_ingestion_is_part_of_scoring(
    tmp_path: Path,
) -> None:
    """Else a bundle that the worker cannot start passes here."""
    made = bundle(
        tmp_path, program(LOOK), program(LOOK, "python $program/main.py"), only_during_scoring=True
    )
    result = ran(made, tmp_path, "2026-03")
    assert "/app/ingestion_program/main.py" in log(result, "scoring", "scoring")
    assert result.status == "Failed"


def test_what_programs_write_into_the_users_folders_stays_away_from_them(tmp_path: Path) -> None:
    """Else a rehearsal changes the bundle, and the next one finds another challenge."""
    spoil = """
    import os
    for folder in ("/app/program", "/app/input_data", "/app/input/ref"):
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                open(os.path.join(folder, name), "w").write("spoilt")
            open(os.path.join(folder, "new"), "w").write("spoilt")
    """
    made = bundle(tmp_path, program(spoil), program(spoil))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = ran(made, tmp_path, "2026-03")
    assert [step.exit_code for job in result.tasks[0].jobs for step in job.steps] == [0, 0]
    (tmp_path / "submission.zip").unlink()
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_no_file_is_executable_after_its_way_through_a_zip(tmp_path: Path) -> None:
    """Else `command: ./run.sh` works here, and on the platform nothing may be started."""
    made = bundle(tmp_path, written_script(tmp_path), None)
    step = ran(made, tmp_path, "2026-03").tasks[0].jobs[0].steps[0]
    assert step.exit_code in (126, 127)
    assert "could not be started" in step.log


def written_script(place: Path) -> Files:
    """An ingestion program that is a script which may be started."""
    files = {"run.sh": "#!/bin/sh\necho started\n", "metadata.yaml": "command: ./run.sh"}
    written(place / "ingestion_program", files)
    (place / "ingestion_program" / "run.sh").chmod(0o755)
    return files

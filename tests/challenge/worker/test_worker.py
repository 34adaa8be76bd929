"""Several tasks, machines that show no `/app`, what is left behind."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from codabench_rehearsal.challenge.bundle import Column
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.job import WORKER_LIMITS, Machine, Now
from codabench_rehearsal.sandbox.job import SandboxError
from tests.challenge.worker.bundles import (
    BOTH,
    PREDICT,
    SCORE,
    UPPER,
    Files,
    bundle,
    figures,
    log,
    program,
    ran,
)
from tests.sandbox.children import at_level, linux_only
from tests.sandbox.stand_ins import put_on_path

pytestmark = linux_only
READY = {"predictions": "ABCD"}
WITHOUT_APP = """
import json
import sys
x, out, own = sys.argv[1:]
sys.path.insert(0, own)
from model import predict
open(out + "/predictions", "w").write(predict(open(x + "/x").read()))
"""
SCORE_WITHOUT = """
import json, sys
found, truth = open(sys.argv[1] + "/res/predictions").read(), open(sys.argv[1] + "/ref/y").read()
right = sum(a == b for a, b in zip(found, truth)) / len(truth)
json.dump({"accuracy": right}, open(sys.argv[2] + "/scores.json", "w"))
"""
INGESTS = "python $program/main.py $input $output $submission_program"
SCORES = "python $program/main.py $input $output"


@pytest.mark.parametrize("worker", BOTH)
def test_several_tasks_are_children_of_one_submission(tmp_path: Path, worker: Worker) -> None:
    """Else only the first task's score is shown, or a failed one hides the others."""
    first = "import os\nassert not os.path.exists('/app/input/ref/broken')\n"
    columns = (
        Column(0, "accuracy", "Accuracy"),
        Column(1, "all", "All", computation="avg", of=(0,), precision=3),
    )
    made = bundle(tmp_path, None, program(first + SCORE), copies=3, columns=columns)
    at = made.tasks
    good, broken = tmp_path / "good", tmp_path / "broken"
    for folder, name in ((good, "y"), (broken, "broken")):
        folder.mkdir()
        (folder / name).write_text("ABCD")
    others = (replace(at[1], reference_data=good), replace(at[2], reference_data=broken))
    made = replace(made, tasks=(at[0], *others))
    result = ran(made, tmp_path, worker, READY)
    assert [task.status for task in result.tasks] == ["Finished", "Finished", "Failed"]
    assert [[score.key for score in task.scores] for task in result.tasks] == [
        *(["accuracy"], ["accuracy"], []),
    ]
    assert figures(result) == {"accuracy": 0.75, "all": 0.75}
    assert result.status == "Finished"  # as the site says, once all have ended
    assert result.message == result.tasks[2].message != ""


@pytest.mark.parametrize("level", ["namespaces", "fences", "none"])
@pytest.mark.parametrize("worker", BOTH)
def test_the_old_words_lead_to_the_folders_at_every_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: Worker, level: str
) -> None:
    """Else nothing runs in a container or Colab, where no folder can be shown at /app."""
    at_level(level, monkeypatch)
    made = bundle(tmp_path, program(WITHOUT_APP, INGESTS), program(SCORE_WITHOUT, SCORES))
    result = ran(made, tmp_path, worker)
    assert (result.status, figures(result)) == ("Finished", {"accuracy": 0.5})


@pytest.mark.parametrize("worker", BOTH)
def test_folders_beside_the_program_are_found_without_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: Worker
) -> None:
    """Else `../input_data`, which is right on the platform, leads nowhere."""
    at_level("fences", monkeypatch)
    ingestion, scoring = PREDICT.replace("/app/", "../"), SCORE.replace("/app/", "../")
    result = ran(bundle(tmp_path, program(ingestion), program(scoring)), tmp_path, worker)
    assert (result.status, figures(result)) == ("Finished", {"accuracy": 0.5})


@pytest.mark.parametrize(
    ("ingestion", "scoring", "said"),
    [
        (program(PREDICT), program(SCORE_WITHOUT, SCORES), "main.py opens /app/ingested_program"),
        (program(WITHOUT_APP, INGESTS), program(SCORE), "scoring program cannot run here"),
        (
            program(WITHOUT_APP, "python main.py /app/input_data $output x"),
            *(program(SCORE_WITHOUT, SCORES), "its command names /app/input_data"),
        ),
    ],
)
def test_a_program_that_names_app_is_told_why_it_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ingestion: Files, scoring: Files, said: str
) -> None:
    """Else a bundle looks broken on a machine that only lacks mounts."""
    at_level("fences", monkeypatch)
    made = bundle(tmp_path, ingestion, scoring)
    with pytest.raises(SandboxError, match=said) as raised:
        ran(made, tmp_path, "2026-10")
    assert "--docker" in str(raised.value)
    assert "no mount namespace could be made" in str(raised.value)


def test_a_submission_that_names_app_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a good submission is said to fail on the platform."""
    at_level("fences", monkeypatch)
    made = bundle(tmp_path, program(WITHOUT_APP, INGESTS), program(SCORE_WITHOUT, SCORES))
    opens = "open('/app/input_data/x')\n" + UPPER
    task = ran(made, tmp_path, "2026-10", {"model.py": opens}).tasks[0]
    assert task.refused.startswith("it needs /app/input_data")
    assert task.status == "Failed"


def test_the_newer_workers_submission_is_read_only_behind_fences_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a submission that writes beside its code passes in containers."""
    at_level("fences", monkeypatch, walled=True)
    code = WITHOUT_APP + "open(own + '/new', 'w')\n"
    made = bundle(tmp_path, program(code, INGESTS), program(SCORE_WITHOUT, SCORES))
    for worker, exit_code in zip(BOTH, (0, 1), strict=True):
        step = ran(made, tmp_path, worker).tasks[0].jobs[0].steps[0]
        assert step.exit_code == exit_code, step.log


@pytest.mark.parametrize("level", ["namespaces", "fences"])
def test_an_interrupt_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """Else Ctrl-C leaves a training running, and gigabytes in /tmp."""
    at_level(level, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    spawns = "import subprocess, time\nsubprocess.Popen(['sleep', '77'])\ntime.sleep(77)\n"
    made = bundle(tmp_path, program(spawns), program("pass"))
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def interrupt(now: Now) -> None:
        assert (now.task, now.job, now.limit) == ("task 0", "prediction", 60)
        if now.seconds > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ran(made, tmp_path, "2026-10", told=interrupt)
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_programs_print_and_take_is_noted(tmp_path: Path) -> None:
    """Else the report has no log to show, and no time to forecast from."""
    code = "import sys, time\nprint('out')\nprint('err', file=sys.stderr)\ntime.sleep(0.3)\n"
    result = ran(bundle(tmp_path, program(code + "sys.exit(5)")), tmp_path, "2026-10", READY)
    first, second = result.tasks[0].jobs
    step = first.steps[0]
    assert log(result, "prediction", "ingestion") == "out\nerr\n"
    assert (step.exit_code, step.ended, step.command) == (5, "exit", "python main.py")
    assert 0.3 < (step.seconds or 0) < first.seconds < result.seconds
    assert second.step("scoring") is not None
    assert second.step("ingestion") is None


def test_a_limit_of_ours_is_told_from_the_platforms(tmp_path: Path) -> None:
    """Else a submission that fills the disk looks like one that exits with an error."""
    limits = replace(WORKER_LIMITS, log_bytes=10_000)
    floods = "while True: print('x' * 1000)"
    made = bundle(tmp_path, program(floods))
    machine = Machine(sys.executable, limits=limits)
    task = ran(made, tmp_path, "2026-10", READY, machine=machine).tasks[0]
    assert task.remarks == (
        "ingestion was ended by a limit of this machine's (log), which the platform has not",
    )
    step = task.jobs[0].steps[0]
    assert (step.ended, step.exit_code) == ("log", 137)


def test_a_script_starts_the_same_python(tmp_path: Path) -> None:
    """Else `bash run.sh` finds another Python than the one that was chosen, or none."""
    files = {
        "run.sh": "python -c 'import sys; print(sys.executable)'\npython3 -V\n",
        "metadata": "command: sh run.sh",
    }
    result = ran(bundle(tmp_path, files), tmp_path, "2026-10", READY)
    assert log(result, "prediction", "ingestion").splitlines()[0] == sys.executable


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Else a wrong path becomes an empty folder among the user's files, and the run goes on."""
    made = bundle(tmp_path, program("pass"))
    made = replace(made, tasks=(replace(made.tasks[0], input_data=tmp_path / "nowhere"),))
    with pytest.raises(SandboxError, match="nowhere"):
        ran(made, tmp_path, "2026-10")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("worker", BOTH)
@pytest.mark.parametrize("first", ["python", "env python3"])
def test_the_programs_run_in_the_challenges_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: Worker, first: str
) -> None:
    """Else `--docker` runs the user's Python, or shows the image no folder at /app."""
    calls = put_on_path("docker", tmp_path / "bin", monkeypatch, {})
    scores = f"{first} $program/main.py $hidden $predictions $output"
    scoring = SCORE_WITHOUT.replace('sys.argv[1] + "/res', 'sys.argv[2] + "').replace(
        'sys.argv[1] + "/ref', 'sys.argv[1] + "'
    )
    scoring = scoring.replace('sys.argv[2] + "/scores', 'sys.argv[3] + "/scores')
    made = bundle(
        tmp_path,
        program(WITHOUT_APP, INGESTS.replace("python", first, 1)),
        program(scoring, scores),
    )
    result = ran(made, tmp_path, worker, machine=Machine(image="an/image:1"))
    assert (result.status, figures(result)) == ("Finished", {"accuracy": 0.5}), result
    runs = [words for line in calls.read_text().splitlines() if (words := json.loads(line))]
    ingestion = next(words for words in runs if words[0] == "run")
    targets = [one.split("target=")[1] for one in ingestion if one.startswith("--mount=")]
    kept = [one for one in targets if one.startswith("/app/")]
    closed = ",readonly" if worker == "2026-10" else ""
    assert kept == [
        *("/app/program", "/app/output", "/app/data,readonly"),
        *(f"/app/ingested_program{closed}", "/app/input_data,readonly"),
    ]
    assert "--workdir=/app/program" in ingestion

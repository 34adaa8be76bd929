"""How a submission ends: statuses, the platform's sentences, scores, by generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.files import BAD_ZIP
from codabench_rehearsal.challenge.worker.metadata import read_program
from codabench_rehearsal.challenge.worker.scores_file import NO_SCORES, NOT_FINITE
from codabench_rehearsal.challenge.worker.submission import HAS_METADATA, NO_OUTPUT, NOT_ZERO
from codabench_rehearsal.console.errors import SubmissionError
from tests.challenge.worker.bundles import (
    BOTH,
    FAILED,
    FINISHED,
    PREDICT,
    SCORE,
    UPPER,
    Files,
    bundle,
    figures,
    program,
    ran,
    reason,
    written,
    zipped,
)
from tests.sandbox.children import at_level, linux_only
from tests.tables import thinned

pytestmark = linux_only
INGESTION = program(PREDICT)
ENDS = "import sys; sys.exit({})"
BREAKS = {"model.py": "raise ValueError('broken')\n"}
READY = {"predictions": "ABCD"}  # written before
WRONG = {"predictions": "...."}
OWN_COMMAND = {
    "metadata": "command: python own.py",
    "own.py": "import os\nopen('/app/output/predictions', 'w').write('ABcd')\n",
}
SLEEPS = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"
NOTES = "open('/app/output/metadata', 'w').write('mine')\n"
TOO_LONG = "Execution Time Limit exceeded. Limit was 1 seconds"
ONE = "import json; json.dump({'accuracy': 1}, open('/app/output/scores.json', 'w'))\n"
# what happens, submission, ingestion, scoring, options -> by worker: status, sentence, accuracy
ROW = tuple[Files, Files | None, Files | None, dict[str, Any]]
BOTH_FINE: dict[str, Any] = dict.fromkeys(BOTH, (FINISHED, "", 0.5))


def both(status: str, sentence: str, accuracy: float | None = None) -> dict[str, Any]:
    """Both workers alike."""
    return dict.fromkeys(BOTH, (status, sentence, accuracy))


ENDINGS: dict[str, tuple[ROW, dict[str, Any]]] = {
    "all is well": (({"model.py": UPPER}, INGESTION, None, {}), BOTH_FINE),
    "nested folder": (
        ({"sub/model.py": UPPER}, INGESTION, None, {}),
        both(FAILED, NOT_ZERO),
    ),
    "ingestion breaks, scoring finds nothing": (
        (BREAKS, INGESTION, None, {}),
        both(FAILED, NOT_ZERO),
    ),
    "ingestion breaks, predictions lay in the zip": (
        (BREAKS | READY, INGESTION, None, {}),
        both(FINISHED, "", 0.5),
    ),
    "ingestion breaks, predictions lay in a described zip": (
        (BREAKS | READY | {"metadata": "description: x"}, INGESTION, None, {}),
        {"2026-03": (FAILED, NOT_ZERO, None), "2026-10": (FINISHED, "", 0.5)},
    ),
    "old predictions lay in the zip": (
        ({"model.py": UPPER} | WRONG, INGESTION, None, {}),
        {"2026-03": (FINISHED, "", 0.5), "2026-10": (FINISHED, "", 0.0)},
    ),
    "code opens its weights in the output": (
        (
            {"model.py": "open('/app/output/weights')\n" + UPPER, "weights": ""},
            *(INGESTION, None, {}),
        ),
        {"2026-03": (FINISHED, "", 0.5), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "code writes beside itself": (
        (
            {"model.py": "open('/app/ingested_program/cache', 'w')\n" + UPPER},
            *(INGESTION, None, {}),
        ),
        {"2026-03": (FINISHED, "", 0.5), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "scoring reads the submission": (
        (
            {"model.py": UPPER},
            INGESTION,
            program("open('/app/ingested_program/model.py')\n" + SCORE),
            {},
        ),
        {"2026-03": (FAILED, NOT_ZERO, None), "2026-10": (FINISHED, "", 0.5)},
    ),
    "results alone": ((READY, None, None, {}), both(FINISHED, "", 0.5)),
    "results described": (
        (READY | {"metadata": "description: x"}, None, None, {}),
        {"2026-03": (FAILED, NO_OUTPUT, None), "2026-10": (FINISHED, "", 0.5)},
    ),
    "a command of its own": (
        (OWN_COMMAND, None, None, {}),
        {"2026-03": (FINISHED, "", 1.0), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "a command of its own beside ingestion": (
        (OWN_COMMAND | BREAKS, INGESTION, None, {}),
        {"2026-03": (FINISHED, "", 1.0), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "both metadata: the first counts": (
        (OWN_COMMAND | {"metadata.yaml": "command:"} | READY, None, None, {}),
        {"2026-03": (FAILED, NO_OUTPUT, None), "2026-10": (FINISHED, "", 0.5)},
    ),
    "scoring ends with 3": (
        (READY, None, program(SCORE + ENDS.format(3)), {}),
        both(FAILED, NOT_ZERO),
    ),
    "scoring kills itself": (
        (READY, None, program("import os; os.kill(os.getpid(), 9)"), {}),
        both(FAILED, NOT_ZERO),
    ),
    "scoring writes nothing": ((READY, None, program("pass"), {}), both(FAILED, NO_SCORES)),
    "scoring without metadata": (
        (READY, None, program(SCORE, ""), {}),
        {"2026-03": (FAILED, NO_SCORES, None), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "scoring without metadata, scores beside it": (
        (READY, None, {"scores.json": '{"accuracy": 1}'}, {}),
        {"2026-03": (FINISHED, "", 1.0), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "scoring without a command": (
        (READY, None, {"metadata": "description: x"}, {}),
        {"2026-03": (FAILED, NO_SCORES, None), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "scoring's metadata is no YAML": (
        (READY, None, program(SCORE, "python main.py: now"), {}),
        {"2026-03": (FAILED, NO_SCORES, None), "2026-10": (FAILED, NOT_ZERO, None)},
    ),
    "scoring's command is a list": (
        (READY, None, program(SCORE, "[python, main.py]"), {}),
        both(FAILED, NOT_ZERO),
    ),
    "scoring's command has an open quote": (
        (READY, None, program(SCORE, 'python "main.py'), {}),
        both(FAILED, NOT_ZERO),
    ),
    "scoring's program is not installed": (
        (READY, None, program(SCORE, "no-such-program main.py"), {}),
        both(FAILED, NOT_ZERO),
    ),
    "ingestion without metadata": (
        ({"model.py": UPPER}, program(PREDICT, ""), program(ONE), {}),
        both(FINISHED, "", 1.0),
    ),
    "NaN": (
        (READY, None, program(ONE.replace("1}", "float('nan')}")), {}),
        both(FAILED, NOT_FINITE),
    ),
    "ingestion writes metadata": (
        ({"model.py": UPPER}, program(PREDICT + NOTES), None, {}),
        both(FAILED, HAS_METADATA),
    ),
    "scoring writes metadata": (
        (READY, None, program(SCORE + NOTES), {}),
        both(FAILED, HAS_METADATA, 0.5),
    ),
    "ingestion takes too long": (
        ({"model.py": SLEEPS}, INGESTION, None, {"seconds": 1}),
        both(FAILED, TOO_LONG),
    ),
    "scoring takes too long": (
        (READY, None, program(SLEEPS), {"seconds": 1}),
        both(FAILED, TOO_LONG),
    ),
    "ingestion takes too long beside scoring": (
        (READY, program(SLEEPS), program(ONE), {"seconds": 1, "only_during_scoring": True}),
        both(FAILED, TOO_LONG),
    ),
    "ingestion fails beside scoring": (
        (READY, program(ENDS.format(1)), program(ONE), {"only_during_scoring": True}),
        both(FINISHED, "", 1.0),
    ),
    "a zip without entries": (({}, program("pass"), None, {}), both(FAILED, NOT_ZERO)),
}


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where no mounts can be made."""
    at_level("namespaces", monkeypatch)


@pytest.mark.parametrize("worker", BOTH)
@pytest.mark.parametrize("name", thinned(ENDINGS))
def test_it_ends_as_on_the_platform(tmp_path: Path, name: str, worker: Worker) -> None:
    """Else the user reads another status, sentence or score than the platform will show."""
    (submission, ingestion, scoring, options), ends = ENDINGS[name]
    result = ran(bundle(tmp_path, ingestion, scoring, **options), tmp_path, worker, submission)
    status, sentence, accuracy = ends[worker]
    assert (result.status, reason(result)) == (status, sentence), result.tasks[0].jobs
    assert figures(result) == ({} if accuracy is None else {"accuracy": accuracy})
    around = "Submission failed: {}. See logs for more details."
    newer = sentence and worker == "2026-10"
    assert result.message == (around.format(sentence) if newer else sentence)


@pytest.mark.parametrize("worker", BOTH)
@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06"])
def test_a_bad_zip_has_the_platforms_sentence(
    tmp_path: Path, worker: Worker, content: bytes
) -> None:
    """Else a broken upload shows a traceback of ours."""
    archive = tmp_path / "bad.zip"
    archive.write_bytes(content)
    result = ran(bundle(tmp_path, INGESTION), tmp_path, worker, archive)
    assert (result.status, reason(result)) == (FAILED, BAD_ZIP)


@pytest.mark.parametrize("worker", BOTH)
def test_scoring_reads_how_ingestion_ended(tmp_path: Path, worker: Worker) -> None:
    """Else a scoring program that asks `input/res/metadata` breaks here alone."""
    reads = """
    import json
    lines = dict(line.split(": ") for line in open("/app/input/res/metadata").read().splitlines())
    good = float(lines["ingestionElapsedTime"]) > 0 and lines["exitCode"] == "null"
    code = int(lines["ingestionExitCode"]) if good else -1
    json.dump({"accuracy": code}, open("/app/output/scores.json", "w"))
    """
    made = bundle(tmp_path, program(ENDS.format(7)), program(reads))
    assert figures(ran(made, tmp_path, worker)) == {"accuracy": 7.0}


@pytest.mark.parametrize("worker", BOTH)
@pytest.mark.parametrize(
    ("pages", "shown"),
    [
        ({"detailed_results.html": "this", "a.html": "that"}, b"this"),
        ({"b.html": "that", "c.html": "other"}, b"that"),
        ({"b.txt": "no page"}, None),
    ],
)
def test_the_page_of_detailed_results_is_kept(
    tmp_path: Path, worker: Worker, pages: Files, shown: bytes | None
) -> None:
    """Else what the organiser shows to participants is lost, or invented."""
    writes = f"for n, t in {dict(pages)!r}.items(): open('/app/output/' + n, 'w').write(t)\n"
    made = bundle(tmp_path, None, program(writes + SCORE), detailed_results=True)
    assert ran(made, tmp_path, worker, READY).tasks[0].detailed_results == shown
    made = bundle(tmp_path, None, program(writes + SCORE), detailed_results=False)
    assert ran(made, tmp_path, worker, READY).tasks[0].detailed_results is None


@pytest.mark.parametrize("worker", BOTH)
def test_programs_of_one_job_run_side_by_side(tmp_path: Path, worker: Worker) -> None:
    """Else an ingestion program that talks to scoring waits for ever."""
    waits = (
        "import os, time\nopen('/app/output/{0}', 'w').close()\n"
        "while not os.path.exists('/app/output/{1}'):\n    time.sleep(0.01)\n"
    )
    ingestion, scoring = waits.format("a", "b"), waits.format("b", "a") + ONE
    options: dict[str, Any] = {"only_during_scoring": True, "seconds": 20}
    made = bundle(tmp_path, program(ingestion), program(scoring), **options)
    assert figures(ran(made, tmp_path, worker, READY)) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("missing", "said"),
    [("input_data", "--input-data"), ("scoring_program", "take the whole bundle")],
)
def test_what_the_bundle_lacks_is_named_before_anything_runs(
    tmp_path: Path, missing: str, said: str
) -> None:
    """Else a run of an hour ends at a file that was never there."""
    made = bundle(tmp_path, INGESTION, missing={missing: "far/away"})
    with pytest.raises(SubmissionError, match=said) as raised:
        ran(made, tmp_path, "2026-10")
    assert "far/away" in str(raised.value)


def test_outputs_and_logs_can_be_kept(tmp_path: Path) -> None:
    """Else nobody can look at the predictions that led to a score."""
    place = tmp_path / "kept"
    ran(bundle(tmp_path, program("print('hello')\n" + PREDICT)), tmp_path, "2026-03", keep=place)
    found = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert found == {
        *("task-0/prediction/ingestion.log", "task-0/scoring/scoring.log"),
        *(f"task-0/prediction/output/{name}" for name in ("model.py", "predictions")),
        "task-0/scoring/output/scores.json",
    }
    assert (place / "task-0/prediction/ingestion.log").read_text() == "hello\n"
    scores = json.loads((place / "task-0/scoring/output/scores.json").read_text())
    assert scores == {"accuracy": 0.5}


def test_a_link_in_the_output_brings_nothing_of_the_users(tmp_path: Path) -> None:
    """Else a submission reads the user's files through what we copy for it."""
    secret = tmp_path / "secret"
    secret.write_text("ABcd")
    links = f"import os\nos.symlink({str(secret)!r}, '/app/output/predictions')\n"
    within = "open('/app/output/real', 'w').write('ABcd')\nos.symlink('real', '/app/output/{}')\n"
    code = links + within.format("inside")
    place = tmp_path / "kept"
    ran(bundle(tmp_path, program(code)), tmp_path, "2026-03", {"a": ""}, keep=place)
    names = {path.name for path in (place / "task-0" / "prediction" / "output").iterdir()}
    assert names >= {"real", "inside"}
    assert "predictions" not in names


def test_a_zip_that_is_not_there_is_a_users_mistake(tmp_path: Path) -> None:
    """Else a typo in a name shows a traceback."""
    archive = zipped(tmp_path, {})
    archive.unlink()
    with pytest.raises(SubmissionError, match="expected a zip file"):
        ran(bundle(tmp_path, INGESTION), tmp_path, "2026-10", archive)


def test_metadata_that_is_no_yaml_is_said(tmp_path: Path) -> None:
    """Else a colon in a command hides the command, and nothing tells why nothing ran."""
    made = bundle(tmp_path, program(PREDICT, "python main.py: now"), program(ONE))
    task = ran(made, tmp_path, "2026-03").tasks[0]
    assert task.remarks[0].startswith("ingestion: Error parsing YAML file: mapping values")
    step = task.jobs[0].step("ingestion")
    assert step is not None
    assert step.fault == "Program directory missing 'command' in metadata"
    assert step.exit_code is None


def test_a_phase_without_a_task_is_refused(tmp_path: Path) -> None:
    """Else nothing runs, and the user reads Finished."""
    made = bundle(tmp_path, INGESTION, copies=0)
    with pytest.raises(SubmissionError, match="expected a task of phase development"):
        ran(made, tmp_path, "2026-10")


# a folder's files -> command and the fault of each worker, for ingestion
DESCRIBED: list[tuple[Files, str, str, str]] = [
    ({"metadata.yaml": "command: a b"}, "a b", "", ""),
    ({"metadata": "command: a"}, "a", "", ""),
    ({"metadata.yaml": "command: a", "metadata": "command: b"}, "a", "", ""),
    ({"Metadata.yaml": "command: a"}, "", "missing 'metadata.yaml/metadata'", "missing 'metadata"),
    ({"metadata.yml": "command: a"}, "", "missing 'metadata.yaml/metadata'", "missing 'metadata"),
    ({"metadata": "Command: a"}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": "command:a"}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": "\tcommand: a"}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": "- command: a"}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": ""}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": "command: ''"}, "", "missing 'command'", "Missing 'command'"),
    ({"metadata": "command: !!python/name:os.system x"}, "", "missing", "Missing"),
    ({"metadata": "command: yes"}, "", "'bool' object has no", "'bool' object has no"),
    ({"metadata": "command: 3"}, "", "'int' object has no", "'int' object has no"),
    ({"metadata": "command: {a: b}"}, "", "'dict' object has no", "'dict' object has no"),
    ({"metadata": "command: it's"}, "", "No closing quotation", "No closing quotation"),
    ({"metadata/x": ""}, "", "IsADirectoryError", "IsADirectoryError"),
]


@pytest.mark.parametrize(("files", "command", "older", "newer"), DESCRIBED)
def test_metadata_is_read_with_yamls_traps(
    tmp_path: Path, files: Files, command: str, older: str, newer: str
) -> None:
    """Else a program that the worker never starts runs here."""
    folder = written(tmp_path / "program", files)
    for worker, fault in zip(BOTH, (older, newer), strict=True):
        found = read_program(folder, "ingestion", worker)
        assert found.command == command
        assert fault in found.fault
        assert bool(fault) == bool(found.fault)


def test_a_job_that_takes_too_long_is_kept_as_well(tmp_path: Path) -> None:
    """Else nobody sees what a program did before it was ended, nor the page it had written."""
    page = "open('/app/output/a.html', 'w').write('so far')\n"
    made = bundle(tmp_path, None, program(page + SLEEPS), seconds=1, detailed_results=True)
    task = ran(made, tmp_path, "2026-10", READY, keep=tmp_path / "kept").tasks[0]
    assert (tmp_path / "kept/task-0/scoring/scoring.log").read_text() == "begun\n"
    assert task.detailed_results == b"so far"

"""`make-submission --check-only ZIP --challenge BUNDLE`: the verdict is the platform's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.setting import Setting
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.rehearsal.bundle.check import BundleOptions, check_open_in_bundle
from codabench_rehearsal.rehearsal.bundle.verdict import BundleChecked
from submission.archive import Archive
from tests.challenge.bundles import Draft
from tests.challenge.worker.bundles import PREDICT, UPPER, bundle, of_letters, program, zipped
from tests.tables import thinned


def _checked(place: Path, files: dict[str, str], **more: object) -> BundleChecked:
    made = bundle(place, program(PREDICT), **more)  # type: ignore[arg-type]
    setting = Setting(made, made.phases[0], chosen="the only one")
    with Archive(zipped(place, files)) as archive:
        return check_open_in_bundle(archive, setting, BundleOptions())


@dataclass(frozen=True)
class Row:
    """files: of the submission. verdict: its beginning. codes: of what the runs found."""

    name: str
    files: dict[str, str]
    verdict: str
    codes: tuple[str, ...] = ()
    says: str = ""


ROWS = (
    Row("sound", {"model.py": UPPER}, "Finished, accuracy 0.5"),
    Row(
        "raises",
        {"model.py": "def predict(text):\n    return text.down()\n"},
        "Failed: ",
        ("S620",),
        "AttributeError: 'str' object has no attribute 'down' (model.py, line 2)",
    ),
    Row("no module", {"models.py": UPPER}, "Failed: ", ("S620",), "No module named 'model'"),
    Row(
        "what was read is told with what it ended in",
        {"models.py": UPPER},
        "Failed: ",
        ("S620",),
        "         there is no model.py in the zip",
    ),
    Row(
        "a name that is not there",
        {"model.py": "def forecast(text): pass\n"},
        "Failed: ",
        ("S620",),
        "         model.py defines no predict",
    ),
    Row(
        "ends by itself",
        {"model.py": "import os\ndef predict(text):\n    os._exit(0)\n"},
        "Failed: ",
        ("S620",),
        "Ingestion ended with exit code 0 and left no such file",
    ),
    Row(
        "native code crashes",
        {"model.py": "import os\ndef predict(text):\n    os.abort()\n"},
        "Failed: ",
        ("S620",),
        "exit code 134: native code crashed (it aborted)",
    ),
    Row(
        "looks for the references",
        {"model.py": "def predict(text):\n    return open('/app/input/ref/y').read()\n"},
        "Failed: ",
        ("S620",),
        "Nothing of /app/input is there while the submission runs",
    ),
    Row(
        "scored all the same",
        {"model.py": UPPER + "1/0\n", "predictions": "ABCD"},
        "Finished, accuracy 0.5",
        ("S622",),
        "ZeroDivisionError: division by zero (model.py, line 3)",
    ),
    Row(
        "writes beside the module",
        {"model.py": "open(__file__ + '.log', 'w')\n" + UPPER},
        "Failed: ",
        ("S620", "S621"),
        "Read-only file system",
    ),
    Row(
        "loads out of /app/output",
        {"model.py": "open('/app/output/model.py')\n" + UPPER},
        "Failed: ",
        ("S620", "S621"),
        "under the newer worker",
    ),
)


@pytest.mark.parametrize("row", thinned(ROWS), ids=lambda row: row.name)
def test_the_verdict_says_why(row: Row, tmp_path: Path) -> None:
    """Status, message and cause must be those that the platform's logs would show."""
    checked = _checked(tmp_path, row.files)
    assert checked.verdict.startswith(row.verdict)
    found = [one.code for one in checked.findings if one.severity != "note"]
    assert tuple(code for code in found if code.startswith("S62")) == row.codes
    told = "\n".join(checked.lines())
    assert row.says in told
    assert checked.is_fine == ("S620" not in row.codes)
    assert not {"S102", "S202"} & set(found)  # S620 has what they say
    assert json.loads(checked.to_json())["verdict"] == checked.verdict


OUR_OWN = {  # what only this machine refuses -> what is said
    "writes elsewhere": ("open('/usr/log', 'w')", "it writes to /usr/log, which can only be read"),
    "prints without an end": (
        "import sys\n    while True: sys.stdout.write('y' * 100000)",
        "was ended by a limit of this machine's (log)",
    ),
}


@pytest.mark.parametrize("name", OUR_OWN)
def test_what_this_machine_refuses_is_no_error_of_the_platform(name: str, tmp_path: Path) -> None:
    """Else a user mends what the platform would have let pass, and looks for memory it never took."""
    code, says = OUR_OWN[name]
    made = bundle(tmp_path, program(PREDICT))
    files = {"model.py": f"def predict(text):\n    {code}\n    return text\n"}
    with Archive(zipped(tmp_path, files)) as archive:
        setting = Setting(made, made.phases[0])
        checked = check_open_in_bundle(archive, setting, BundleOptions(workers=("2026-10",)))
    assert [one.code for one in checked.findings] == ["S623"]
    told = "\n".join(checked.lines())
    assert says in told
    assert "memory" not in told
    assert not checked.is_fine


NUMBERS = (  # what scoring writes, how it is told, and how heavily
    ('{"accuracy": 12345678901.5}', "too large: the site keeps ten digits", "warning"),
    ('{"accuracy": "50%"}', "50% is no number", "warning"),
    ('{"score": 1}', "scores that are no column of the leaderboard: score", "warning"),
    ('{"accuracy": 1, "score": 1}', "scores that are no column of the leaderboard: score", "note"),
    ('{"accuracy": ', "it contains an error. Expecting value. See logs", "error"),
)


@pytest.mark.parametrize(("written", "says", "severity"), NUMBERS)
def test_scores_that_the_site_does_not_take(
    written: str, says: str, severity: str, tmp_path: Path
) -> None:
    """Else an empty row on the leaderboard looks like a success, or a message like our insides."""
    score = f"open('/app/output/scores.json', 'w').write({written!r})"
    made = bundle(tmp_path, program(PREDICT), program(score), copies=2)
    with Archive(zipped(tmp_path, {"model.py": UPPER})) as archive:
        setting = Setting(made, made.phases[0])
        checked = check_open_in_bundle(archive, setting, BundleOptions(workers=("2026-10",)))
    told = [one for one in checked.findings if says in one.message]
    assert {one.severity for one in told} == {severity}
    assert len(told) == (1 if "no column" in says else 2)  # the same keys once


def test_several_tasks_are_told_apart(tmp_path: Path) -> None:
    """Of a multi-task phase the failing task is named, and the site still says Finished."""
    code = "import os\ndef predict(text):\n    return text.upper()\n"
    checked = _checked(tmp_path, {"model.py": code}, copies=2)
    assert checked.verdict.startswith("Finished, accuracy 0.5")
    runs = [line for line in checked.lines() if line.startswith("worker of")]
    assert len(runs) == 4
    again = [": the same (" in line for line in runs]
    assert again == [False, False, True, True], "eleven columns need no second look"


def test_one_generation_can_be_named(tmp_path: Path) -> None:
    """--worker 2026-03 must be that one's word alone, and the other is said to be unchecked."""
    made = bundle(tmp_path, program(PREDICT))
    files = {"model.py": "open(__file__ + '.log', 'w')\n" + UPPER}
    setting = Setting(made, made.phases[0], "2026-03")
    with Archive(zipped(tmp_path, files)) as archive:
        checked = check_open_in_bundle(archive, setting, BundleOptions(workers=("2026-03",)))
    assert checked.verdict == "Finished, accuracy 0.5"
    assert any("the worker of 2026-10" in line for line in checked.unchecked)


def _bundle_file(place: Path) -> Path:
    return of_letters().as_zip(place / "bundle.zip")


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed is what the docs say: exit 0 and the score, exit 1 and the reason."""
    monkeypatch.chdir(tmp_path)
    _bundle_file(tmp_path)
    zipped(tmp_path, {"model.py": UPPER}).rename("good.zip")
    zipped(tmp_path, {"model.py": "import json.nothing\n" + UPPER}).rename("bad.zip")
    words = ["--challenge", "bundle.zip", "--phase", "final", "--logs", "kept", "--json", "a.json"]
    assert main(["--check-only", "good.zip", *words]) == 0
    out = capsys.readouterr().out
    assert "phase 1 Final (as asked)" in out
    assert "good.zip: Finished, accuracy 1.0" in out
    assert json.loads(Path("a.json").read_text())["runs"][0]["scores"] == {"accuracy": 1.0}
    logs = {path.name for path in Path("kept").rglob("*") if path.is_file()}
    assert {"ingestion.log", "scoring.log", "predictions", "scores.json"} <= logs
    assert main(["--check-only", "bad.zip", "--challenge", "bundle.zip", "--phase", "0"]) == 1
    assert "because ingestion ended with ModuleNotFoundError" in capsys.readouterr().out
    assert main(["--check-only", "bad.zip", "--challenge", "bundle.zip", "--no-run"]) == 0
    assert "whether it runs (--no-run)" in capsys.readouterr().out


SCORE_TABLE = """\
import csv, json
truth = [row["label"] for row in csv.DictReader(open("/app/input/ref/truth.csv"))]
found = [row["label"] for row in csv.DictReader(open("/app/input/res/predictions.csv"))]
right = sum(a == b for a, b in zip(found, truth, strict=True)) / len(truth)
json.dump({"accuracy": right}, open("/app/output/scores.json", "w"))
"""


@pytest.mark.parametrize(
    ("table", "code", "says"),
    [
        ("id,label\n1,a\n2,b\n3,a\n4,b\n", 0, "Finished, accuracy 0.75"),
        ("id,label\n1,a\n2,b\n3,a\n", 1, "zip() argument 2 is longer"),
        ("id;label\n1;a\n2;b\n3;a\n4;b\n", 1, "separated by semicolons"),
        ("id,class\n1,a\n2,b\n3,a\n4,b\n", 1, "KeyError"),
        ("id,label\n1,a\n2,b\n3,z\n4,b\n", 0, "Finished, accuracy 0.5"),
        ("id,label\n1,A\n2,B\n3,A\n4,B\n", 0, "label: A, B; the reference has a, b"),
        ("id, label\n1,a\n2,b\n3,a\n4,b\n", 1, "(S806): Give them the sample's very names"),
    ],
)
def test_predictions_in_a_table(
    table: str, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CSV is packed as scoring reads it, checked beside the sample, and scored."""
    draft = Draft()
    for name in [n for n in draft.files if n.startswith(("ingestion", "input_data", "reference"))]:
        del draft.files[name]
    for task in draft.yaml["tasks"]:
        del task["ingestion_program"], task["input_data"]
    truth = "id,label\n1,a\n2,b\n3,a\n4,a\n"
    draft.add("scoring_program/scoring.py", SCORE_TABLE)
    draft.add("reference_data/dev/truth.csv", truth)
    draft.add("reference_data/final/truth.csv", truth)
    del draft.files["kit/model.py"]
    draft.add("kit/sample_submission.csv", truth.replace("b", "a"))
    mine = tmp_path / "mine.csv"
    mine.write_text(table)
    source = str(draft.as_zip(tmp_path / "bundle.zip"))
    assert main(["--check-only", str(mine), "--challenge", source, "--phase", "0"]) == code
    assert says in capsys.readouterr().out


def test_predictions_where_code_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CSV in the place of code is told so, not packed into a zip that can only fail."""
    (tmp_path / "mine.csv").write_text("a\n1\n")
    words = ["--check-only", str(tmp_path / "mine.csv"), "--challenge", str(_bundle_file(tmp_path))]
    assert main(words) == 2
    assert "expected a zip with code" in capsys.readouterr().err


def test_predictions_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else who gives a Parquet file is told to pack weights."""
    draft = Draft()
    for task in draft.yaml["tasks"]:
        del task["ingestion_program"], task["input_data"]
    (tmp_path / "mine.parquet").write_bytes(b"PAR1" + bytes(20))
    source = str(draft.as_zip(tmp_path / "bundle.zip"))
    assert main(["--check-only", str(tmp_path / "mine.parquet"), "--challenge", source]) == 2
    assert "received a Parquet file. Save them as scoring" in capsys.readouterr().err


def test_in_a_notebook(tmp_path: Path) -> None:
    """The same in a line of Python, for those who never leave the notebook."""
    import codabench_rehearsal as rehearsal

    source, upper = _bundle_file(tmp_path), zipped(tmp_path, {"model.py": UPPER})
    checked = rehearsal.check_in_bundle(upper, source, "final")
    assert checked.verdict == "Finished, accuracy 1.0"
    assert "Finished, accuracy 1.0" in checked._repr_html_()
    with pytest.raises(rehearsal.UserError, match="check_in_bundle"):
        rehearsal.check(upper, challenge=str(source))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--check-only", "good.zip", "--worker", "2026-03"], "--worker goes with --challenge"),
        (["--check-only", "good.zip", "--input-data", "x"], "--input-data goes with --challenge"),
        (["good.zip", "--challenge", "bundle.zip"], "expected --check-only ZIP"),
        (
            ["--check-only", "good.zip", "--challenge", "bundle.zip", "--phase", "7"],
            "0 (Development), 1 (Final)",
        ),
        (
            ["--check-only", "no.zip", "--challenge", "bundle.zip"],
            "no.zip",
        ),
        (["--check-only", "good.zip", "--challenge", "no.zip"], "no.zip: no such file"),
        (["--check-only", "good.zip", "--challenge", "bundel"], "take a bundle too"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_mistakes_of_usage_are_told(
    words: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong option ends with one sentence and exit code 2, before anything runs."""
    monkeypatch.chdir(tmp_path)
    _bundle_file(tmp_path)
    zipped(tmp_path, {"model.py": UPPER}).rename("good.zip")
    assert main(words) == 2
    assert says in capsys.readouterr().err

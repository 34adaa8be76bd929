"""The bench of public bundles: which submission it takes, what it says, and that it runs."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest
import yaml

from bench import bundles
from bench.bundles_known import EXPLAINED, LACKS
from bench.bundles_models import SUBMISSIONS
from bench.bundles_reference import REFERENCES, sentence
from bench.bundles_table import Tried, document
from tests.challenge.worker.bundles import PREDICT, SCORE, UPPER, program, written
from tests.sandbox.children import linux_only

COLUMNS = ("repo", "competition_yaml", "title", "ingestion")


def repository(place: Path) -> Path:
    """A repository with a bundle in it, and the list that names it and one that is not there."""
    folder = place / "some+body" / "bundle"
    for name, files in (
        ("ingestion", program(PREDICT)),
        ("scoring", program(SCORE)),
        ("data", {"x": "abCD"}),
        ("ref", {"y": "ABcd"}),
        ("solution", {"model.py": UPPER}),
        ("tools", {"model.py": "raise SystemExit"}),
    ):
        written(folder / name, files)
    task = {
        "index": 0,
        "ingestion_program": "ingestion",
        "scoring_program": "scoring",
        "input_data": "data",
        "reference_data": "ref",
    }
    manifest = {
        "version": 2,
        "tasks": [task],
        "phases": [{"name": "only", "tasks": [0]}],
        "leaderboards": [{"columns": [{"key": "accuracy", "index": 0}]}],
    }
    (folder / "competition.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    listed = place / "list.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerow(["some/body", "bundle/competition.yaml", "Letters", "True"])
        rows.writerow(["no/where", "competition.yaml", "Gone", "True"])
        rows.writerow(["of/results", "competition.yaml", "Results", "False"])
    return listed


@linux_only
def test_a_bundle_goes_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the table of docs/challenges_tried.md cannot be made again."""
    page = tmp_path / "page.md"
    page.write_text("<!-- written by bench.bundles -->\n<!-- to here -->\n\nOthers\n")
    monkeypatch.setattr(bundles, "PAGE", page)
    words = ("--bundles", tmp_path, "--out", tmp_path / "out", "--list", repository(tmp_path))
    assert bundles.main([*map(str, words), "--write"]) == 0
    assert "some/body/bundle: Finished" in capsys.readouterr().out
    kept = json.loads((tmp_path / "out" / "some+body+bundle.json").read_text())
    assert kept["scores"] == {"accuracy": 0.5}
    assert kept["submission"] == "solution"
    assert len(kept["overheads"]) == 2
    text = page.read_text(encoding="utf-8")
    assert "**1 of 1**" in text
    assert "[Letters](https://github.com/some/body) (bundle) | Finished | accuracy 0.5" in text
    assert "missing: the repository is not here" in text
    assert "Results" not in text
    assert text.endswith("\n\nOthers\n")  # what somebody wrote below it


def test_the_sample_is_found_by_its_names(tmp_path: Path) -> None:
    """Else a tool's file of the same name is sent in, or a zip that holds none."""
    archive = tmp_path / "sample_code_submission.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.py", UPPER)
    assert bundles._holds(archive, "model.py")
    assert not bundles._holds(archive, "submission.py")
    names = ["tools/x", "kit/baseline", "solution", "sample_code_submission", "a/b/solution"]
    assert sorted(names, key=bundles._rank) == [
        *("sample_code_submission", "solution", "a/b/solution", "kit/baseline", "tools/x"),
    ]


def test_a_failure_counts_where_it_is_explained() -> None:
    """Else what our worker gets wrong is counted as the platform's."""
    known = next(iter(EXPLAINED))
    rows = [
        Tried(known, "Known", "Failed", "words"),
        Tried("a/b", "Odd", "Failed", "the words", why="scoring: KeyError"),
        Tried("c/d", "Good", "Finished", scores={"x": 0.25}, overheads=[0.1, 0.3]),
        Tried("e/f", "Gone", lacks="R"),
    ]
    text = document(rows, 0.1, sentence([]))
    assert "**2 of 3**" in text
    assert "“the words”; scoring: KeyError" in text
    assert "2 jobs took 0.20 s (median) and 0.30 s (most)" in text


def test_nothing_is_said_of_a_bundle_twice() -> None:
    """Else one that cannot run is given a submission, or explained as if it had run."""
    assert not set(LACKS) & {*SUBMISSIONS, *EXPLAINED}


def test_a_score_that_differs_is_not_counted_as_the_same() -> None:
    """Else a worker that drifts from the platform's goes on being praised."""
    one, other = REFERENCES[:2]
    found = [(one, one.value), (other, other.value + 1e-9), (other, None)]
    assert sentence(found).startswith("1 of 3 scores")
    assert "not compared" in sentence([])

"""`local-eval board` as it is typed, on a store that real runs filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import save
from evaluator.store.store import Store, find_store
from tests.evaluator.corner import DATA, recorded, submission
from tests.sandbox.children import linux_only

pytestmark = linux_only
EVALUATE = ["--data", "cells.npz", "--corrupt", "light", "--no-estimate", "--images", "64"]


@pytest.fixture
def zips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two submissions that have been evaluated, one of them scored; their zips are gone by now."""
    monkeypatch.chdir(tmp_path)
    save(DATA, Path("cells.npz"))
    paths = [submission(tmp_path, side) for side in (24, 2)]
    for path in paths:
        assert main([path.name, *EVALUATE, "--held-out"]) == 0
    recorded(paths[0], 0.91)
    Path("cells.npz").unlink()
    paths[1].unlink()
    return [path.name for path in paths]


def test_out_of_the_store_alone(zips: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No zip and no image is needed: size, time, memory and right labels were kept."""
    capsys.readouterr()
    words = ["board", "--corrupt", "light"]
    assert main([*words, "--json", "b.json", "--html", "b.html"]) == 0
    out = capsys.readouterr().out
    assert "side24.zip is the best of them." in out
    found = json.loads(Path("b.json").read_text())
    good, bad = found["submissions"]
    assert [good["name"], bad["name"]] == zips
    assert (good["rank"], bad["rank"]) == ([1, 1], [2, 2])
    assert good["score"] == {"value": 0.91, "shown": "0.91", "date": good["score"]["date"]}
    assert good["split"] == "held-out"
    assert good["bytes"] > 100
    assert good["seconds_per_thousand"] > 0
    assert good["peak_memory_bytes"] > 1e6
    assert found["images"] == 64
    assert "side24.zip" in Path("b.html").read_text()
    assert main([*words, "side2.zip", "new.zip", "--json", "-"]) == 0
    told = capsys.readouterr()
    assert [one["name"] for one in json.loads(told.out)["submissions"]] == ["side2.zip"]
    assert "left out: new.zip: no such file" in told.err
    assert main([*words, "--html", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_a_later_run_keeps_what_it_did_not_measure(zips: list[str]) -> None:
    """Else the second, instant evaluation wipes out time and memory."""
    save(DATA, Path("cells.npz"))
    with Store.open(find_store()) as store:
        before = next(iter(store.measured().values()))
    assert main([zips[0], *EVALUATE]) == 0
    with Store.open(find_store()) as store:
        after = next(iter(store.measured().values()))
    assert after.thousand_seconds == before.thousand_seconds
    assert after.peak_bytes == before.peak_bytes
    assert after.split == "unknown", "without --held-out"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no store yet"),
        (["--store", "none"], "expected a store with answers, received --store none"),
        (["--submissions", "x"], "--submissions FOLDER goes with --challenge BUNDLE"),
        (["--budget", "3"], "--budget goes with --challenge BUNDLE"),
        (["--html", "-", "--json", "-"], "takes one of --html and --json"),
        (["--teams", "none.csv"], "none.csv: No such file"),
    ],
)
def test_wrong_words(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each in a line that says what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(tmp_path / "nowhere"))
    assert main(["board", *words]) == 2
    assert says in capsys.readouterr().err

"""`local-eval compare`, `ensemble` and `rank` as a user types them, without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.commands import compare, ensemble, rank
from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import Dataset, save, split, synthetic

# Brightness decides, by thresholds that differ: some submissions are better than others.
SOURCE = """
import numpy as np
class Model:
    def predict(self, X):
        level = np.asarray(X, "float32").mean((1, 2, 3))
        return ((level + {shift}) // {width}).astype("int64") % 8
"""
BROKEN = "class Model:\n    def predict(self, X): raise ValueError('no')\n"


@cache
def cells(count: int) -> Dataset:
    """So many drawn cells; drawing them takes longer than most of the tests here."""
    return synthetic(count, seed=1)


def submission(name: str, source: str) -> Path:
    """A zip of one model.py and a file that passes for weights, here."""
    path = Path(name)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", source)
        file.writestr("w.npy", "x")
    return path


def several(place: Path, monkeypatch: pytest.MonkeyPatch, names: Sequence[str]) -> Path:
    """Work in a folder with images, a split and so many zips, each another one."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("LOCAL_EVAL_STORE", raising=False)
    data = cells(64)
    save(data, place / "training_set.npz")
    split(data, 0.5, seed=0).save(place / "split.json")
    for number, name in enumerate(names):
        submission(f"{name}.zip", SOURCE.format(shift=9 * number, width=20))
    return place


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with training_set.npz, a split and three zips; the store is here too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCAL_EVAL_STORE", raising=False)
    data = cells(96)
    save(data, tmp_path / "training_set.npz")
    split(data, 0.5, seed=0).save(tmp_path / "split.json")
    for name, shift in (("a", 0), ("b", 9), ("c", 30)):
        submission(f"{name}.zip", SOURCE.format(shift=shift, width=20))
    return tmp_path


def test_compare_from_zips_to_plot(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the comparison would not work for a user at all."""
    words = ["compare", "a.zip", "b.zip", "c.zip", "--corrupt", "light", "--json", "found.json"]
    assert main([*words, "--plot", "forest.png", "--trained-on", "b.zip=fog"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "b.zip against a.zip" in shown
    assert "b.zip was trained with fog" in shown
    assert "No split is known" not in shown
    found = json.loads((here / "found.json").read_text(encoding="utf-8"))
    assert [pair["submission"] for pair in found["pairs"]] == ["b.zip", "c.zip"]
    assert (here / "forest.png").stat().st_size > 5000
    assert main([*words[:-1], "again.json"]) == 0  # from the store
    again = json.loads((here / "again.json").read_text(encoding="utf-8"))
    assert again["pairs"] == found["pairs"]


def test_an_unknown_split_is_said_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else flattering figures would be compared without a word."""
    (here / "split.json").unlink()
    assert main(["compare", "a.zip", "b.zip", "--corrupt", "fog:3"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"runs with {sys.executable} (Python 3.")
    assert shown[1].startswith("†")


def test_ensemble_runs_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would take minutes where the answers are there already."""
    words = ["a.zip", "b.zip", "c.zip", "--corrupt", "light"]
    assert main(["compare", *words, "--json", "found.json"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("codabench_rehearsal.sandbox.executor.Session", _no_session)
    assert main(["ensemble", *words, "--json", "vote.json"]) == 0
    assert "Nothing was run" in capsys.readouterr().out
    found, vote = (
        json.loads((here / name).read_text(encoding="utf-8"))
        for name in ("found.json", "vote.json")
    )
    assert vote["images"]["chosen_on"] + vote["images"]["scored_on"] == found["images"]
    assert vote["candidates"] == 3


def _no_session(*_: object) -> None:
    raise AssertionError("a submission was run")


def test_ensemble_without_answers_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the user would not know why nothing is found."""
    assert main(["ensemble", "a.zip", "b.zip", "--corrupt", "light"]) == 2
    heard = capsys.readouterr().err
    assert "local-eval" in heard
    assert "Traceback" not in heard


def test_rank_leaves_out_what_is_scored_and_what_fails(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else an upload would be suggested that tells nothing, or that fails."""
    assert main(["record", "a.zip", "--score", "0.12"]) == 0
    submission("broken.zip", BROKEN)
    Path("garbage.zip").write_bytes(b"no zip")
    zips = ["a.zip", "b.zip", "broken.zip", "garbage.zip"]
    words = ["rank", *zips, "--corrupt", "light", "--json", "rank.json"]
    assert main([*words, "--uploads-per-day", "3"]) == 1
    out, err = capsys.readouterr()
    assert "Submit this next: b.zip" in out
    assert "broken.zip is left out: S" in err
    assert "garbage.zip is left out: garbage.zip: not a readable zip" in err
    found = json.loads((here / "rank.json").read_text(encoding="utf-8"))
    assert [(one["name"], one["score"]) for one in found["submissions"]] == [
        ("b.zip", None),
        ("a.zip", "0.12"),
    ]
    assert found["uploads"] == {"allowed": 3, "used": 1, "left": 2}
    assert found["submissions"][0]["estimate"]["beats_best"] is not None


MISTAKES = [
    (["compare", "a.zip", "nothing.zip"], "nothing.zip: no such file"),
    (["compare", "a.zip", "b.zip", "--data", "nothing.npz"], "nothing.npz"),
    (["compare", "a.zip", "b.zip", "--corrupt", "hevy"], "heavy"),
    (["compare", "a.zip", "b.zip", "--plot", "forest.gif"], ".png"),
    (["compare", "a.zip", "--plot", "forest.png"], "at least two"),
    (["compare", "a.zip", "b.zip", "--trained-on", "fgo"], "fog"),
    (["compare", "a.zip", "b.zip", "--trained-on", "x.zip=fog"], "expected one of a.zip, b.zip"),
    (["ensemble", "a.zip"], "at least two zips"),
    (["ensemble", "a.zip", "b.zip", "--store", "none"], "--store none"),
    (["rank", "nothing.zip"], "no such file"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_a_users_mistake_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the user meets a traceback of ours."""
    assert main(words) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert "fault of ours" not in heard


def test_a_zip_that_fails_stops_the_comparison_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a broken submission would be compared by no answers."""
    submission("broken.zip", BROKEN)
    assert main(["compare", "a.zip", "broken.zip", "--corrupt", "fog:3"]) == 2
    assert "broken.zip cannot be compared" in capsys.readouterr().err


@pytest.mark.parametrize("command", [compare, ensemble, rank])
def test_help_shows_examples_and_loads_nothing(command: object) -> None:
    """Else asking for help would take seconds."""
    name = str(getattr(command, "__name__", "")).rpartition(".")[2]
    code = (
        "import sys\nfrom codabench_rehearsal.commands.local_eval import main\n"
        f"try: main([{name!r}, '--help'])\nexcept SystemExit: pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "examples:" in done.stdout
    heavy = {"numpy", "numba", "cv2", "matplotlib", "scipy", "keras", "rich"}
    assert not heavy & set(done.stderr.split())


def test_comparing_and_ranking_in_python(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Else a notebook has to start the commands and read their JSON."""
    submission("broken.zip", BROKEN)
    how: dict[str, Any] = {"corrupt": "light", "held_out": True}
    found = rehearsal.compare(["a.zip", here / "b.zip"], trained_on={"b.zip": ("fog",)}, **how)
    assert [pair.name for pair in found.pairs] == ["b.zip"]
    assert any("b.zip was trained with fog" in note for note in found.notes)
    with pytest.warns(UserWarning, match=r"broken\.zip is left out: S\d{3}: "):
        ranking = rehearsal.rank(["a.zip", "broken.zip", "b.zip"], uploads_per_day=2, **how)
    assert ranking.next is not None
    assert {entry.name for entry in ranking.entries} == {"a.zip", "b.zip"}
    assert ranking.uploads.left == 2
    assert capfd.readouterr().out == ""
    with pytest.raises(rehearsal.UserError, match="'corupt'; did you mean 'corrupt'"):
        rehearsal.compare(["a.zip"], corupt="light")
    assert [one.name for one in rehearsal.compare("a.zip", **how).standings] == ["a.zip"]
    with pytest.raises(rehearsal.UserError, match="at least two zips"):
        rehearsal.ensemble("a.zip", **how)


def test_an_ensemble_in_python(capfd: pytest.CaptureFixture[str]) -> None:
    """Else a notebook has to start the command; nothing is run, as with the command."""
    how: dict[str, Any] = {"corrupt": "light", "held_out": True}
    with pytest.raises(rehearsal.UserError, match="at least two zips"):
        rehearsal.ensemble(["a.zip"], **how)
    rehearsal.compare(["a.zip", "b.zip", "c.zip"], **how)
    capfd.readouterr()
    vote = rehearsal.ensemble(["a.zip", "b.zip", "c.zip"], members=1, **how)
    assert isinstance(vote, rehearsal.Vote)
    assert [len(vote.members), vote.candidates] == [1, 3]
    assert "3 submissions, benchmark 'light'" in repr(vote)
    assert json.loads(vote.to_json())["candidates"] == 3
    assert capfd.readouterr() == ("", "")


def test_an_ensemble_of_unknown_splits_is_told() -> None:
    """Else its figures would flatter, as the command says."""
    Path("split.json").unlink()
    rehearsal.compare(["a.zip", "b.zip"], corrupt="light")
    with pytest.warns(UserWarning, match="No split is known of a.zip, b.zip"):
        rehearsal.ensemble(["a.zip", "b.zip"], corrupt="light")

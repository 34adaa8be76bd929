"""The bundle's own sample submission: where organisers put it, and how it ends."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.samples import samples
from codabench_rehearsal.challenge.setting import opened_setting
from codabench_rehearsal.commands.codabench_challenge import main
from tests.challenge.bundles import Draft, zipped
from tests.challenge.worker.bundles import UPPER, of_letters


def _draft() -> Draft:
    draft = of_letters()
    del draft.files["kit/model.py"]
    return draft


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("kit/model.py", "kit"),
        ("kit/sample_code_submission/model.py", "kit/sample_code_submission"),
        ("sample_code_submission/model.py", "sample_code_submission"),
        ("solutions/baseline.zip", "solutions/baseline.zip"),
        ("kit/deep.zip", "kit/deep.zip/sub"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_it_is_found(place: str, name: str, kind: str, tmp_path: Path) -> None:
    """An organiser need not say where the sample lies: its module tells it."""
    draft = _draft()
    inner = "sub/model.py" if "deep" in place else "model.py"
    draft.add(place, zipped({inner: UPPER.encode()}) if place.endswith(".zip") else UPPER)
    source = (
        draft.as_folder(tmp_path / "b") if kind == "folder" else draft.as_zip(tmp_path / "b.zip")
    )
    with opened_setting(source, "0") as setting:
        found = samples(setting, tmp_path)
    assert [one.name for one in found] == [name]
    with zipfile.ZipFile(found[0].path) as file:
        assert file.read("model.py").decode() == UPPER


def test_programs_and_data_are_no_samples(tmp_path: Path) -> None:
    """A model.py beside the ingestion program is the organiser's, not a participant's."""
    draft = _draft()
    draft.add("ingestion_program/model.py", UPPER)
    draft.add("input_data/model.py", UPPER)
    with opened_setting(draft.as_zip(tmp_path / "b.zip"), "0") as setting:
        assert samples(setting, tmp_path) == ()


def test_the_likeliest_comes_first(tmp_path: Path) -> None:
    """Of several, the starting kit's counts: it is what participants are given."""
    draft = _draft()
    for place in ("old/model.py", "example_submission/model.py", "kit/model.py"):
        draft.add(place, UPPER)
    with opened_setting(draft.as_zip(tmp_path / "b.zip"), "0") as setting:
        names = [one.name for one in samples(setting, tmp_path)]
    assert names == ["kit", "example_submission", "old"]


def test_check_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An organiser learns before the opening that the own sample does not run."""
    draft = _draft()
    draft.add("kit/model.py", UPPER)
    source = str(draft.as_folder(tmp_path / "good"))
    assert main(["check", source, "--run", "--phase", "1"]) == 0
    assert "kit: Finished, accuracy 1.0" in capsys.readouterr().out
    draft.add("kit/model.py", "import nothing_like_it\n")
    source = str(draft.as_zip(tmp_path / "bad.zip"))
    assert main(["check", source, "--run", "--phase", "1", "--json", "-"]) == 1
    sample = json.loads(capsys.readouterr().out)["sample"]
    assert sample["runs"][0]["status"] == "Failed"
    assert "nothing_like_it" in sample["verdict"]


def test_a_bundle_without_one_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--run without a sample must not look like a pass."""
    source = str(_draft().as_zip(tmp_path / "b.zip"))
    assert main(["check", source, "--run"]) == 2
    assert "--submission ZIP" in capsys.readouterr().err

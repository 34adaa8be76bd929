"""A disk that takes Model.py and model.py for one file, as most Macs have; the platform's does not.

Its double is a folder that is found by its name in the other case, too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from codabench_rehearsal.commands import local_eval, make_submission
from codabench_rehearsal.console.files import FileError, folds_case
from codabench_rehearsal.console.guard import refuse_same
from codabench_rehearsal.console.roles import JSON, PAGE
from codabench_rehearsal.images import save, synthetic
from codabench_rehearsal.rehearsal.check import check
from tests.submission.zips import build_zip

MODEL = """
from pathlib import Path
import numpy as np

class Model:
    def __init__(self):
        name = "weights.npy"
        self.shift = int(np.load(Path(__file__).parent / name)[0])

    def predict(self, X):
        return (X[:, 0, 0, 0].astype(int) + self.shift) % 8
"""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where zips are unpacked: a folder that both cases of its name lead to."""
    (tmp_path / "Disk").mkdir()
    (tmp_path / "dISK").symlink_to("Disk")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "Disk"))
    return tmp_path / "Disk"


def weights(place: Path) -> bytes:
    """An array of one number."""
    import numpy as np

    np.save(place / "weights.npy", np.zeros(1))
    return (place / "weights.npy").read_bytes()


def test_a_disk_is_told_by_a_folders_name(disk: Path) -> None:
    """Else a Mac's disk is taken for the platform's, or Linux's for a Mac's."""
    assert folds_case(disk)
    assert folds_case(disk / "123")  # no letters: the folder above it tells
    (disk / "inside").mkdir()
    assert not folds_case(disk / "inside")
    assert not folds_case(disk.parent)
    assert not folds_case(Path("/"))


@pytest.mark.usefixtures("disk")
def test_two_names_for_one_file_are_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one of two modules is run here, and the other one there."""
    path = build_zip(
        tmp_path / "s.zip", {"model.py": MODEL, "Model.py": "", "weights.npy": weights(tmp_path)}
    )
    save(synthetic(16, seed=0), tmp_path / "cells.npz")
    for command, words in (
        (make_submission.main, ["--check-only", str(path)]),
        (local_eval.main, [str(path), "--data", str(tmp_path / "cells.npz")]),
    ):
        assert command(words) == 2
        said = capsys.readouterr().err
        assert "takes Model.py and model.py for one file" in said
        assert "Traceback" not in said
    assert {found.code for found in check(path, run=False).findings} >= {"S111"}


@pytest.mark.parametrize("case", ["of a Mac", "of Linux"])
def test_what_such_a_disk_cannot_show_is_said(
    case: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Else a name in the wrong case opens on a Mac, is called fine, and fails on the platform."""
    if case == "of a Mac":
        request.getfixturevalue("disk")
    files: dict[str, str | bytes] = {"model.py": MODEL, "weights.npy": weights(tmp_path)}
    done = check(build_zip(tmp_path / "s.zip", files))
    hidden = [one for one in done.unchecked if "upper and lower case" in one]
    assert bool(hidden) == (case == "of a Mac")
    assert not [one for one in done.findings if one.code in ("S301", "S327")]


def test_a_name_in_another_case_is_an_error(tmp_path: Path) -> None:
    """Else the commonest fault of a Mac's user is told as a file that is missing."""
    files: dict[str, str | bytes] = {"model.py": MODEL, "Weights.NPY": weights(tmp_path)}
    done = check(build_zip(tmp_path / "s.zip", files), run=False)
    told = {one.code: one.message for one in done.findings if one.severity == "error"}
    assert set(told) == {"S327"}
    assert "opens 'weights.npy', which the zip has as Weights.NPY" in told["S327"]


def test_two_outputs_are_not_one_file(disk: Path) -> None:
    """Else the page is written over the JSON: both are new, and the disk has one name for them."""
    pair = {"--json": JSON(str(disk / "Report")), "--html": PAGE(str(disk / "report"))}
    with pytest.raises(FileError, match="name one file"):
        refuse_same(pair, ())
    (disk / "on").mkdir()
    refuse_same(
        {"--json": JSON(str(disk / "on" / "A")), "--html": PAGE(str(disk / "on" / "a"))}, ()
    )

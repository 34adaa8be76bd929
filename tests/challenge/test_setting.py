"""Which phase of a bundle is rehearsed, and where its data comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.challenge.setting import is_bundle, opened_setting
from codabench_rehearsal.console.errors import SubmissionError
from tests.challenge.bundles import Draft, zipped


def test_a_phase_is_taken_by_number_or_name(tmp_path: Path) -> None:
    """Who names the final phase must not be scored on the first one's data."""
    source = Draft().as_zip(tmp_path / "bundle.zip")
    for name, index in (("1", 1), ("final", 1), ("Development", 0), (" 0 ", 0)):
        with opened_setting(source, name) as setting:
            assert setting.phase.index == index
            assert [task.index for task in setting.tasks] == [index]
            assert setting.chosen == "as asked"


def test_the_open_phase_is_the_default(tmp_path: Path) -> None:
    """Without --phase the rehearsal is of the phase that takes uploads today."""
    draft = Draft()
    with opened_setting(draft.as_folder(tmp_path / "a")) as setting:
        assert setting.phase.index == 1
        assert setting.chosen.startswith("open today")
    draft.yaml["phases"][0] |= {"start": "2125-01-01 00:00:00", "end": "2125-02-01 00:00:00"}
    draft.yaml["phases"][1] |= {"start": "2125-03-01 00:00:00"}
    with opened_setting(draft.as_folder(tmp_path / "b")) as setting:
        assert setting.phase.index == 0
        assert setting.chosen.startswith("the first")


def test_an_unknown_phase_is_told_with_those_there_are(tmp_path: Path) -> None:
    """A typo in --phase must show what could have been meant."""
    source = Draft().as_zip(tmp_path / "bundle.zip")
    with pytest.raises(SubmissionError, match=r"Finale.*0 \(Development\), 1 \(Final\)"):
        opened_setting(source, "Finale").__enter__()


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_data_kept_elsewhere_is_taken(tmp_path: Path, kind: str) -> None:
    """Repositories leave their data out: --input-data must stand in for it, zipped or not."""
    draft = Draft()
    for name in [name for name in draft.files if name.startswith("input_data/")]:
        del draft.files[name]
    source, data = draft.as_folder(tmp_path / "bundle"), tmp_path / "mine"
    if kind == "folder":
        data.mkdir()
        (data / "test.npy").write_bytes(b"x")
    else:
        data.write_bytes(zipped({"test.npy": b"x"}))
    with opened_setting(source, input_data=[str(data)]) as setting:
        assert not any(task.missing for task in setting.bundle.tasks)
        for task in setting.bundle.tasks:
            assert task.input_data
            assert (task.input_data / "test.npy").read_bytes() == b"x"
    with opened_setting(source, input_data=[f"1={data}"]) as setting:
        assert [bool(task.missing) for task in setting.bundle.tasks] == [True, False]
    with pytest.raises(SubmissionError, match=r"expected a task among \[0, 1\]"):
        opened_setting(source, input_data=[f"7={data}"]).__enter__()


def test_an_empty_folder_is_no_data(tmp_path: Path) -> None:
    """A wrong path must not end as a submission that failed."""
    source, data = Draft().as_zip(tmp_path / "bundle.zip"), tmp_path / "empty"
    data.mkdir()
    with pytest.raises(SubmissionError, match="there are no files in it"):
        opened_setting(source, reference_data=[str(data)]).__enter__()


def test_what_is_a_bundle(tmp_path: Path) -> None:
    """A profile's name must not be taken for a bundle, nor the other way round."""
    draft = Draft()
    assert is_bundle(draft.as_folder(tmp_path / "folder"))
    assert is_bundle(draft.as_zip(tmp_path / "bundle.zip"))
    assert not is_bundle(Path("an2dl-2024"))
    assert not is_bundle(tmp_path / "mine.toml")

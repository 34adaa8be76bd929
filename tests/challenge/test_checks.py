"""Checks of bundles: seeded defects are found, a sound bundle is left alone."""

from __future__ import annotations

import random
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codabench_rehearsal.challenge.checks.keys import LEVELS
from codabench_rehearsal.challenge.checks.subject import BundleFinding, check_bundle, checks
from codabench_rehearsal.console.errors import SubmissionError
from tests.challenge.bundles import Change, Draft, zipped
from tests.challenge.defects import DEFECTS

NAMES = [name for name, _, _ in DEFECTS]
# Defects of which the site refuses what is left too: further errors are no false alarm.
FURTHER = {
    *("no tasks", "no phases", "no leaderboards in the list", "a task without an index"),
    *("a phase without tasks", "an index twice", "tasks of a phase as a number"),
    *("an end before the start", "a date in words", "leaderboard for leaderboards"),
}


def found(draft: Draft, folder: Path) -> tuple[BundleFinding, ...]:
    """What is found in a bundle's zip."""
    return check_bundle(draft.as_zip(folder / "bundle.zip"))


@pytest.mark.parametrize("form", ["zip", "folder", "zip of zips"])
def test_a_sound_bundle_is_left_alone(tmp_path: Path, form: str) -> None:
    """Else an organiser mends what is right."""
    draft = Draft()
    if form == "zip of zips":
        for name in ("ingestion_program", "scoring_program", "input_data"):
            draft.zip_up(name)
            for task in draft.yaml["tasks"]:
                task[name] = f"{name}.zip"
    source = draft.as_folder(tmp_path) if form == "folder" else draft.as_zip(tmp_path / "b.zip")
    assert check_bundle(source) == ()


@pytest.mark.parametrize(("name", "code", "change"), DEFECTS, ids=NAMES)
def test_a_defect_is_found_and_nothing_else_is_an_error(
    tmp_path: Path, name: str, code: str, change: Change
) -> None:
    """Else the site refuses the bundle, or participants meet it first."""
    draft = Draft()
    change(draft)
    findings = found(draft, tmp_path)
    assert code in {one.code for one in findings}, findings
    errors = {one.code for one in findings if one.severity == "error"} - {code}
    assert not errors or name in FURTHER, findings


def test_every_check_has_a_defect_and_advice() -> None:
    """Else a check that finds nothing stays unnoticed, or a user does not know what to do."""
    seeded = {code for _, code, _ in DEFECTS} | {"B113", "B186"}
    known = {one.code for one in checks()}
    assert known - seeded == set()
    assert all(one.advice.endswith(".") for one in checks())
    assert len(DEFECTS) > 40


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_a_bundle_in_a_folder_of_its_own(tmp_path: Path, form: str) -> None:
    """Else a checked-out repository is refused for what a zip of it would be refused for."""
    draft = Draft()
    DEFECTS[0][2](draft)
    source = draft.as_folder(tmp_path) if form == "folder" else draft.as_zip(tmp_path / "b.zip")
    (finding,) = check_bundle(source)
    assert (finding.code, finding.severity) == ("B101", "error" if form == "zip" else "warning")


def test_many_of_a_kind_are_counted(tmp_path: Path) -> None:
    """Else one slip in a long bundle hides all others."""
    draft = Draft()
    draft.yaml["pages"] = [{"title": str(i), "file": f"{i}.md"} for i in range(30)]
    counts = Counter(one.code for one in found(draft, tmp_path))
    assert counts["B120"] == 9


def test_a_check_is_quick(tmp_path: Path) -> None:
    """Else nobody runs it before an upload."""
    draft = Draft()
    draft.files |= {f"input_data/{i}.png": bytes([i % 256]) * 999 for i in range(3000)}
    source = draft.as_zip(tmp_path / "bundle.zip")
    start = time.monotonic()
    assert check_bundle(source) == ()
    assert time.monotonic() - start < 2


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.dates(), st.lists(st.one_of(st.integers(), st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.none())), max_size=2),
    st.dictionaries(st.sampled_from(["key", "index", "tasks"]), st.text(max_size=3), max_size=2),
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(level=st.sampled_from(sorted(LEVELS)), data=st.data(), value=ODD)
def test_any_value_in_any_place_is_told_and_never_a_traceback(
    tmp_path: Path, level: str, data: st.DataObject, value: Any
) -> None:
    """Else an organiser's slip ends as a fault of ours."""
    draft = Draft()
    draft.yaml["solutions"] = [{"index": 0, "tasks": [0], "path": "kit"}]
    keys = st.sampled_from([*LEVELS[level]])
    columns = draft.yaml["leaderboards"][0]["columns"]
    places = {"": draft.yaml, "columns": columns[0]}
    table = places[level] if level in places else draft.yaml[level][0]
    table[data.draw(keys)] = value
    for one in check_bundle(draft.as_zip(tmp_path / "bundle.zip")):
        assert one.message
        assert one.advice


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 1500), signs=st.text("{}[]*&!|>-: \n\t'\"@%#x0", min_size=1, max_size=4))
def test_any_text_is_told_and_never_a_traceback(tmp_path: Path, at: int, signs: str) -> None:
    """Else a slip in YAML ends as a fault of ours."""
    every = Draft().every()
    text = every["competition.yaml"].decode()
    (tmp_path / "competition.yaml").write_text(text[:at] + signs + text[at:], encoding="utf-8")
    assert all(one.code for one in check_bundle(tmp_path))


def test_what_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    """Else a traceback is shown for a slip of the hand."""
    (tmp_path / "bundle.zip").write_bytes(b"no zip")
    for source in (tmp_path / "bundle.zip", tmp_path / "nothing.zip"):
        with pytest.raises(SubmissionError):
            check_bundle(source)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_data_in_a_zip_within_the_zip_are_listed_quickly(tmp_path: Path, method: int) -> None:
    """Else a check of a real challenge takes a minute: its data are not unpacked to be listed."""
    draft = Draft()
    noise = random.Random(0).randbytes(1 << 20)
    names = ["test.npy", "train.npy", *(f"{i}.npy" for i in range(60))]
    draft.files["in.zip"] = zipped(dict.fromkeys(names, noise), zipfile.ZIP_STORED)
    for task in draft.yaml["tasks"]:
        task["input_data"] = "in.zip"
    source = tmp_path / "bundle.zip"
    source.write_bytes(zipped(draft.every(), method))
    start = time.monotonic()
    assert check_bundle(source) == ()
    assert time.monotonic() - start < 2

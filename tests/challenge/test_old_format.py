"""CodaLab's old format: converted as the site does it, and refused for what the site looks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.bundle import read_bundle
from codabench_rehearsal.challenge.checks.subject import check_bundle
from tests.challenge.bundles import Draft

RESULTS = {"label": "Results", "rank": 1}
FILES = {
    "scoring_program": "scoring_program",
    "ingestion_program": "ingestion_program",
    "input_data": "input_data",
}


def old() -> dict[str, Any]:
    """The sound bundle's competition.yaml, as CodaLab had it."""
    first = {"phasenumber": 1, "label": "Development", "start_date": dt.date(2026, 1, 1)}
    last = {"phasenumber": 2, "label": "Final", "start_date": "2026-02-02 12:00"}
    return {
        "title": "A challenge",
        "image": "logo.png",
        "admin_names": "somebody",
        "has_registration": False,
        "competition_docker_image": "codalab/codalab-legacy:py312",
        "html": {"overview": "pages/overview.md", "terms": "pages/terms.md"},
        "phases": {
            2: {**last, **FILES, "reference_data": "reference_data/final", "max_submissions": 3},
            1: {**first, **FILES, "reference_data": "reference_data/dev", "starting_kit": "kit"},
        },
        "leaderboard": {
            "leaderboards": {"RESULTS": RESULTS},
            "columns": {
                "loss_of_it": {"label": "Loss", "leaderboard": RESULTS, "rank": 2, "sort": "asc"},
                "accuracy": {"leaderboard": RESULTS, "rank": 1, "numeric_format": 4},
            },
        },
    }


def draft(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Draft:
    """The bundle, with something of its competition.yaml changed."""
    made = Draft()
    made.yaml = old()
    change(made.yaml)
    return made


def test_it_is_the_same_challenge(tmp_path: Path) -> None:
    """Else a rehearsal of an older challenge runs other programs than the site, or none."""
    bundle = read_bundle(draft().as_zip(tmp_path / "old.zip"), tmp_path / "old")
    new = read_bundle(Draft().as_zip(tmp_path / "new.zip"), tmp_path / "new")
    assert [(c.key, c.title, c.sorting, c.precision) for c in bundle.columns] == [
        *(("accuracy", "accuracy", "desc", 4), ("loss_of_it", "Loss", "asc", 2))
    ]
    assert [(one.name, one.tasks, one.end) for one in bundle.phases] == [
        *(("Development", (0,), "2026-02-01 12:00:00"), ("Final", (1,), ""))
    ]
    assert [one.in_all for one in bundle.phases] == [100, 3]
    assert (bundle.title, bundle.image) == (new.title, new.image)
    assert bundle.phases[0].starting_kit
    for mine, theirs in zip(bundle.tasks, new.tasks, strict=True):
        assert mine.reference_data
        assert theirs.reference_data
        name = "labels.npy"
        assert (mine.reference_data / name).read_bytes() == (
            theirs.reference_data / name
        ).read_bytes()
        assert mine.missing == {}


def test_a_sound_one_is_fine(tmp_path: Path) -> None:
    """Else an organiser rewrites a bundle that the site takes as it is."""
    found = check_bundle(draft().as_zip(tmp_path / "old.zip"))
    assert [one.code for one in found if one.severity != "note"] == []
    assert "old format" in next(one.message for one in found if one.code == "B103")


def parallel(values: dict[str, Any]) -> None:
    """A parent phase, which the site leaves out."""
    for phase in values["phases"].values():
        phase |= {"phasenumber": phase["phasenumber"] + 1, "parent_phasenumber": 1}
    values["phases"][0] = {"phasenumber": 1, "label": "All", "is_parallel_parent": True}


def test_a_parent_phase_is_left_out(tmp_path: Path) -> None:
    """Else the first phase has no task, and a rehearsal cannot begin."""
    bundle = read_bundle(draft(parallel).as_zip(tmp_path / "old.zip"), tmp_path / "old")
    assert [one.name for one in bundle.phases] == ["Development", "Final"]


REFUSED: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
    ("B103", "html is missing", lambda y: y.pop("html")),
    ("B103", "html.terms is missing", lambda y: y["html"].pop("terms")),
    ("B103", "phases is missing", lambda y: y.pop("phases")),
    ("B103", "leaderboard.columns is missing", lambda y: y["leaderboard"].pop("columns")),
    ("B103", "phases.2.phasenumber", lambda y: y["phases"][2].pop("phasenumber")),
    (
        "B103",
        "columns.accuracy.leaderboard has no label",
        lambda y: y["leaderboard"]["columns"]["accuracy"].pop("leaderboard"),
    ),
    ("B104", "phases[0].start is missing", lambda y: y["phases"][1].pop("start_date")),
    ("B104", "tasks[1].scoring_program", lambda y: y["phases"][2].pop("scoring_program")),
    ("B123", "input_data", lambda y: y["phases"][1].update(input_data="there.zip")),
    (
        "B103",
        "there is no version",
        lambda y: [y.pop("html"), y.pop("leaderboard"), y.pop("phases")],
    ),
]


@pytest.mark.parametrize(("code", "said", "change"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_the_site_refuses(
    tmp_path: Path, code: str, said: str, change: Callable[[dict[str, Any]], object]
) -> None:
    """Else the site refuses the upload after the check called it sound."""
    found = check_bundle(draft(change).as_zip(tmp_path / "old.zip"))
    errors = [one for one in found if one.severity == "error"]
    told = [one for one in errors if one.code == code and said in one.message]
    assert told, errors
    assert ("version: 2" in told[0].advice) == (said == "there is no version"), "it has a version"

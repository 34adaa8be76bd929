"""`--challenge 1234` wherever a challenge is named: it works, or one line says what to do."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.site import wire as site_wire
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.console.command import Exit
from tests.challenge.bundles import Draft
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TODAY

INGESTION = """\
import sys
sys.path.append("/app/ingested_program")
import numpy as np
from model import Model
X = np.load("/app/input_data/test.npy")
np.savetxt("/app/output/predictions.txt", Model().predict(X))
"""
EVAL = "local-eval submission.zip"
CHECK = "make-submission --check-only submission.zip"
BOARD = "local-eval board submission.zip"
NO_PROGRAMS = "a site shows no programs, so nothing can be run: name the challenge's bundle"
NO_PROFILE = "A challenge on a site, with its bundle beside it (--bundle FILE), goes with"
A_PROFILE = "A bundle goes with make-submission --check-only ZIP, local-eval ZIP and local-eval"


@pytest.fixture
def project(here: Path) -> Path:
    """A project's folder: a zip, images, and a bundle that runs."""
    draft = Draft()
    draft.add("ingestion_program/ingestion.py", INGESTION)
    for name in ("test", "train"):
        np.save(here / "images.npy", np.zeros((4, 8, 8, 3), np.uint8))
        draft.files[f"input_data/{name}.npy"] = (here / "images.npy").read_bytes()
    np.save(here / "images.npy", np.zeros(4, np.int64))
    for name in ("dev", "final"):
        draft.files[f"reference_data/{name}/labels.npy"] = (here / "images.npy").read_bytes()
    draft.yaml.pop("docker_image")
    draft.as_zip(here / "bundle.zip")
    (here / "images.npy").unlink()
    images = np.zeros((8, 96, 96, 3), np.uint8)
    np.savez(here / "cells.npz", X_train=images, y_train=np.arange(8))
    return here


def ran(line: str) -> int:
    """Run a line as a shell would."""
    command, *words = line.split()
    name = command.replace("-", "_")
    return int(importlib.import_module(f"codabench_rehearsal.commands.{name}").main(words))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{EVAL} --challenge 1234", NO_PROGRAMS),
        (f"{EVAL} --challenge PAGE", NO_PROGRAMS),
        (f"{BOARD} --challenge 1234", NO_PROGRAMS),
        ("local-eval rank submission.zip --data cells.npz --challenge 1234", NO_PROFILE),
        ("local-eval rank submission.zip --challenge 1234", NO_PROFILE),
        ("local-eval compare submission.zip submission.zip --data cells.npz --challenge PAGE", NO_PROFILE),
        ("local-eval ensemble submission.zip submission.zip --challenge 1234", NO_PROFILE),
        ("local-eval inspect cells.npz --challenge 1234", NO_PROFILE),
        ("train-recipe baseline --data cells.npz --out r --challenge 1234", NO_PROFILE),
        ("local-eval rank submission.zip --data cells.npz --challenge bundle.zip", A_PROFILE),
        ("local-eval compare submission.zip --data cells.npz --challenge bundle.zip", A_PROFILE),
        ("local-eval inspect cells.npz --challenge bundle.zip", A_PROFILE),
        ("codabench-challenge check 1234", "What it tells: codabench-challenge show 1234."),
        ("local-eval board --challenge an2dl-2024", "leave --challenge out"),
        (f"{EVAL} --refresh", "--refresh goes with --challenge 1234"),
        (f"{EVAL} --challenge bundle.zip --bundle bundle.zip", "--bundle goes with --challenge 1234"),
        (f"{BOARD} --bundle bundle.zip", "--bundle goes with --challenge 1234"),
        (f"{EVAL} --challenge 12 --bundle bundle.zip", "does not have this (404"),
    ],
)  # fmt: skip
def test_one_line_says_what_to_do(
    project: Path, site: SiteStub, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    """Else a number is taken for a file that is not there, or a traceback is shown."""
    del project
    assert ran(line.replace("PAGE", site.page)) == Exit.USAGE
    said = capsys.readouterr()
    assert words in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""
    assert site.tokened == []


def test_a_bundle_beside_it_is_run(
    project: Path, site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a rehearsal cannot know the site's limits and the bundle's programs together."""
    site.challenge["docker_image"] = "the/sites:image"
    beside = "--bundle bundle.zip --phase 0 --worker 2026-10 --json"
    assert ran(f"{CHECK} --challenge 1234 {beside} checked.json") == Exit.FINE
    checked = json.loads((project / "checked.json").read_text())
    assert checked["challenge"]["image"] == "the/sites:image"  # the bundle names none
    assert checked["ready"]
    assert ran(f"{EVAL} --challenge {site.page} {beside} report.json") == Exit.FINE
    assert json.loads((project / "report.json").read_text())["schema"]
    assert ran(f"{BOARD} --challenge {site.page} {beside} board.json") == Exit.FINE
    assert site.count("GET /api/competitions") == 1  # once a day
    assert capsys.readouterr().err.count("(--refresh asks anew)") == 2
    assert site.tokened == []


def test_offline_a_rehearsal_says_how_old_its_limits_are(
    project: Path,
    site: SiteStub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else yesterday's limits are taken for today's, or a train ride ends the work."""
    del project
    line = f"{EVAL} --challenge 1234 --bundle bundle.zip --phase 0"
    assert challenge(["show", "1234"]) == Exit.FINE
    site.fail("GET", "close", 99)
    monkeypatch.setattr(site_wire.Clock, "now", lambda _: TODAY + dt.timedelta(days=3))
    capsys.readouterr()
    assert ran(line) == Exit.FINE
    assert (
        "Taken from the cache, as of 2026-03-10 12:00 UTC, 3 days ago." in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("settings", "line", "code", "words"),
    [
        ('challenge = "an2dl-2024"', "local-eval board", Exit.USAGE, "no store yet"),
        ("challenge = 1234", "local-eval board", Exit.USAGE, "expected everybody's zips"),
        ('challenge = "1234"', EVAL, Exit.USAGE, NO_PROGRAMS),
        ("challenge = 1234", "local-eval rank submission.zip", Exit.USAGE, NO_PROFILE),
        ("challenge = 1234", "local-eval compare submission.zip", Exit.USAGE, NO_PROFILE),
        ("challenge = 1234", "local-eval inspect cells.npz", Exit.USAGE, NO_PROFILE),
        ("challenge = 1234", "make-submission w.keras", Exit.USAGE, "expected --check-only ZIP"),
        ('challenge = "bundle.zip"', "local-eval rank submission.zip", Exit.USAGE, A_PROFILE),
        ('challenge = "bundle.zip"', "local-eval compare submission.zip", Exit.USAGE, A_PROFILE),
        ('challenge = "bundle.zip"', "local-eval inspect cells.npz", Exit.USAGE, A_PROFILE),
        ('challenge = 1234\nbundle = "bundle.zip"\nphase = "0"', EVAL, Exit.FINE, "--challenge, --bundle and"),
        ('challenge = 99\nbundle = "bundle.zip"', f"{EVAL} --challenge 1234", Exit.USAGE, NO_PROGRAMS),
    ],
)  # fmt: skip
def test_a_project_s_own_challenge(
    project: Path,
    site: SiteStub,
    capsys: pytest.CaptureFixture[str],
    settings: str,
    line: str,
    code: Exit,
    words: str,
) -> None:
    """Else a line in rehearsal.toml breaks commands that have no use for it."""
    del site
    (project / "rehearsal.toml").write_text(f"{settings}\n", encoding="utf-8")
    assert ran(line) == code
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) <= 2 + (code == Exit.FINE)

"""Here, under the server's versions, in an image: where it runs, and what that is called."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import WorkingFolder, load_challenge
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.rehearsal.check import Checked, check_open
from codabench_rehearsal.rehearsal.dry_run import DryRun, Setup, first_answer
from codabench_rehearsal.rehearsal.failures import HERE, Environment
from codabench_rehearsal.rehearsal.questions import (
    Question,
    drawn_images,
    given_images,
    secret_order,
    silent,
    small_groups,
)
from codabench_rehearsal.rehearsal.rehearse import (
    Rehearsal,
    RunOptions,
    rehearse,
    rehearse_in,
    server_name,
    server_pins,
)
from codabench_rehearsal.sandbox.job import SandboxError
from submission.archive import Archive
from submission.findings import Finding
from tests.submission.corpus.case import files, page
from tests.submission.corpus.keras_page import around
from tests.submission.corpus.weights import corpus_weights
from tests.submission.zips import build_zip

CHALLENGE = load_challenge()
SERVER = Environment("under the server's", sys.executable, is_server=True)
FAILS = Finding("S603", "error", "Model() failed")
UNKNOWN = Finding("S601", "warning", "scipy is not in the environment we built")
LABELS = np.arange(200) % 8


def run(
    where: Environment, *found: Finding, labels: Any = LABELS, truth: Any = None, **versions: str
) -> DryRun:
    """A dry run with these findings."""
    right = labels[: len(truth)] == truth if truth is not None and labels is not None else None
    return DryRun(where, found, None, labels, right, versions, seconds={"start": 1.0})


def merged(runs: Sequence[DryRun], monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """What they come to together."""
    left = list(runs)
    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.dry_run", lambda *_: left.pop(0))
    images = drawn_images(CHALLENGE, 0)
    setup = Setup(None, CHALLENGE, images)  # type: ignore[arg-type]  # dry_run is replaced
    return rehearse_in([made.environment for made in runs], setup)


MERGED = [
    ([run(HERE), run(SERVER)], []),
    ([run(HERE, FAILS), run(SERVER)], [("S603", "warning", "with this Python only")]),
    ([run(HERE), run(SERVER, FAILS)], [("S603", "error", "under the server's: Model() failed")]),
    ([run(HERE, FAILS), run(SERVER, FAILS)], [("S603", "error", "Model() failed")]),
    ([run(HERE), run(SERVER, labels=(LABELS + 1) % 8)], [("S714", "warning", "200 of 200")]),
    ([run(HERE, truth=LABELS), run(SERVER, labels=(LABELS + 1) % 8, truth=LABELS)], [("S714", "error", "200 of 200")]),
    ([run(HERE, labels=(LABELS + 1) % 8, truth=LABELS), run(SERVER, truth=LABELS)], [("S714", "warning", "200 of 200")]),
    ([run(HERE), run(SERVER, labels=np.where(np.arange(200) < 1, 7, LABELS))], [("S714", "note", "1 of 200")]),
    ([run(HERE, labels=None), run(SERVER, FAILS, labels=None)], [("S603", "error", "under")]),
    # Nothing was seen on the server: a package was missing in what we built.
    ([run(HERE, FAILS, labels=None), run(SERVER, UNKNOWN, labels=None)], [("S603", "error", "Model() failed"), ("S601", "warning", "under")]),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "wanted"), MERGED)
def test_what_several_places_come_to(
    runs: list[DryRun], wanted: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what fails on the server alone would be lost, or what fails here alone be an error."""
    found = merged(runs, monkeypatch).findings
    assert [(f.code, f.severity) for f in found] == [(code, how) for code, how, _ in wanted]
    assert all(f.message.startswith(start) for f, (_, _, start) in zip(found, wanted, strict=True))


RIGHT = {"tensorflow": "2.17.0", "keras": "3.4.1"}
READY = [
    ([run(HERE, **RIGHT)], False),
    ([run(HERE), run(SERVER, **RIGHT)], True),
    ([run(HERE), run(SERVER)], True),  # a submission without TensorFlow
    ([run(HERE), run(SERVER, keras="3.15.1")], False),  # an image with other versions
    ([run(HERE), run(SERVER, FAILS, **RIGHT)], False),
    ([run(HERE), run(SERVER, UNKNOWN, labels=None, **RIGHT)], False),
    ([], False),
]


@pytest.mark.parametrize(("runs", "ready"), READY)
def test_only_the_servers_own_versions_make_it_ready(
    runs: list[DryRun], ready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else "ready" would be said of what was never seen under the server's versions."""
    assert merged(runs, monkeypatch).is_ready is ready


def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: RunOptions) -> Checked:
    """A good submission, rehearsed as asked for; its children are not looked at."""
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    path = build_zip(tmp_path / "s.zip", files(page()))  # type: ignore[arg-type]  # text and bytes
    with Archive(path) as archive:
        return check_open(archive, CHALLENGE, options, shown=silent)


def test_the_server_is_used_once_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a user who built it would have to ask for it each time."""
    monkeypatch.setattr(
        "codabench_rehearsal.rehearsal.rehearse.find", lambda *_: Path(sys.executable)
    )
    found = checked(tmp_path, monkeypatch, RunOptions())
    assert [made["place"] for made in found.runs] == ["here", f"under {server_name(CHALLENGE)}"]
    assert found.verdict == "runs under TensorFlow 2.17.0 / Keras 3.4.1"
    assert found.ready
    assert "ready to upload" in str(found)
    assert not any("TensorFlow" in line for line in found.unchecked)
    without = checked(tmp_path, monkeypatch, RunOptions(server=False))
    assert without.verdict == "runs here"
    assert any(line.startswith("TensorFlow 2.17.0 / Keras 3.4.1") for line in without.unchecked)


def test_a_server_that_cannot_be_built_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else being offline would end in a traceback, or be passed over in silence."""

    def offline(*_: object) -> Path:
        raise SandboxError("there is no network: try again online")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.build", offline)
    build_zip(tmp_path / "s.zip", files(page()))  # type: ignore[arg-type]  # text and bytes
    assert main(["--check-only", "s.zip", "--server"]) == 2
    assert "make-submission: --server: there is no network" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A standard input that looks like a person's."""

    def isatty(self) -> bool:
        """As a terminal says."""
        return True

    def readline(self, *_: object) -> str:  # type: ignore[override]  # the base's own is odd
        """Nobody may read from it."""
        raise AssertionError("a question was asked")


def test_nothing_is_ever_asked_and_the_next_step_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else `!make-submission` waits for ever in a notebook, at a question that nobody can answer."""
    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.dry_run", lambda *_: run(HERE))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.chdir(tmp_path)
    checked(tmp_path, monkeypatch, RunOptions())
    assert main(["--check-only", "s.zip", "--time-limit", "60", "--seed", "1"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    line, _ = [line for line in shown.out.splitlines() if line.startswith("next: ")]
    assert line == "next: make-submission --check-only s.zip --time-limit 60 --seed 1 --server"
    assert main(["--check-only", "s.zip", "--no-server"]) == 0
    [line] = [x for x in capsys.readouterr().out.splitlines() if x.startswith("next: ")]
    assert line.startswith("next: local-eval s.zip")


def test_an_image_is_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else --docker would run with this machine's Python instead of the image's."""
    seen: list[Environment] = []

    def recorded(_setup: object, environment: Environment) -> DryRun:
        seen.append(environment)
        return run(environment)

    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.prepare", lambda *_: None)
    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.dry_run", recorded)
    found = checked(tmp_path, monkeypatch, RunOptions(docker="tensorflow:2.17.0"))
    image = "tensorflow:2.17.0"
    there = Environment(f"in the image {image}", "python3", image, is_server=True)
    assert seen == [HERE, there]
    assert seen[1].image == "tensorflow:2.17.0"
    assert found.verdict == "runs in the image tensorflow:2.17.0"


def test_the_pins_are_the_challenges() -> None:
    """Else it would be rehearsed under versions that the server does not have."""
    packages = server_pins(CHALLENGE).packages
    assert any(package.endswith("==2.17.0") for package in packages)
    assert "keras==3.4.1" in packages
    assert server_name(replace(CHALLENGE, tensorflow="", keras="")) == ""


@pytest.mark.slow
def test_a_newer_keras_file_fails_under_the_servers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the commonest loading error would show on the platform first."""
    from tests.submission.server import server_python

    python = server_python()
    monkeypatch.setattr("codabench_rehearsal.rehearsal.rehearse.find", lambda *_: Path(python))
    for name, ready in (("plain.keras", True), ("newer.keras", False)):
        weights = (corpus_weights(python) / name).read_bytes()
        contents = {**around("plain.keras"), "w.keras": weights}
        path = build_zip(tmp_path / "s.zip", contents)  # type: ignore[arg-type]  # text and bytes
        with Archive(path) as archive:
            found = check_open(archive, CHALLENGE, RunOptions(), shown=silent)
        assert found.ready is ready, str(found)
        failed = [f for f in found.findings if f.code == "S603"]
        assert bool(failed) is not ready
        assert all("under TensorFlow 2.17.0" in f.message for f in failed)


def test_the_folder_that_the_challenge_names_decides(tmp_path: Path) -> None:
    """Else relative names would be called an error where they work, or fine where they fail."""
    relative = files(page(init='self.centres = np.load("weights.npy")'))
    path = build_zip(tmp_path / "s.zip", relative)  # type: ignore[arg-type]  # text and bytes
    expected: dict[WorkingFolder, set[str]] = {
        "program": {"S603", "S705"},
        "submission": {"S705"},
    }
    for folder, wanted in expected.items():
        profile = replace(CHALLENGE, working_folder=folder)
        options = RunOptions(server=False)
        with Archive(path) as archive:
            found = rehearse(archive, profile, options, print, silent).findings
        assert {f.code for f in found} == wanted
        severity = "error" if folder == "program" else "warning"
        assert [f.severity for f in found if f.code == "S705"] == [severity]
        assert "platform's program folder" in next(f.message for f in found if f.code == "S705")


BY_PLACE = """
import numpy as np
LABELS = {labels}
class Model:
    def predict(self, X):
        return np.resize(LABELS, len(X))
"""


def test_the_dry_runs_order_tells_no_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zip that reads no pixel passes for a good one: the rows follow a seed and the classes."""
    chosen = given_images(synthetic(240, seed=2), (), seed=0)
    assert chosen.labels is not None
    path = tmp_path / "submission.zip"
    build_zip(path, {"model.py": BY_PLACE.format(labels=chosen.labels.tolist())})
    with Archive(path) as archive:
        answers = first_answer(Setup(archive, CHALLENGE, chosen), HERE)
    assert answers is not None
    assert (answers == chosen.labels).mean() < 0.3  # 0.125 by chance; 0.3 is 7 deviations above
    monkeypatch.undo()
    assert drawn_images(CHALLENGE, 0).secret != drawn_images(CHALLENGE, 0).secret


def test_no_question_of_the_dry_run_has_a_place_for_an_image() -> None:
    """Else a zip knows an image by its place in a small block or in a large one."""
    rows = np.arange(60)
    every = {
        "first": [rows],
        "large": [np.arange(200) % 60],
        "small": small_groups(rows[50:], rows),
    }
    for name, groups in every.items():
        question, sizes = Question(name, groups), [len(group) for group in groups]
        flat = np.concatenate(groups)
        orders = np.array([flat[secret_order(question, secret)] for secret in range(300)])
        assert (np.sort(orders) == np.sort(flat)).all()
        for place, size in enumerate(np.repeat(sizes, sizes)):
            alike = int(np.sum(np.repeat(sizes, sizes) == size))
            often = np.bincount(orders[:, place]).max() / 300
            assert often < (flat[:1] == flat).sum() * 1.5 / alike + 0.12, name
    first, again = Question("first", [rows]), Question("again", [rows])
    assert (secret_order(first, 5) == secret_order(again, 5)).all()

"""A phase of several tasks: the site makes a submission of each, and calls their parent Finished."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.uploads import all_uploads
from codabench_rehearsal.commands.codabench_challenge import main as challenge
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from evaluator.store.store import Store
from submission.archive import sha256_of
from tests.challenge.site.stub import SiteStub

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes", "--wait"]
TASKS = [{"id": 7, "name": "Cells"}, {"id": 9, "name": "More\x1b[2J cells"}]
BOTH = [("Finished", 0.8), ("Finished", 0.6)]


@pytest.fixture
def several(site: SiteStub) -> SiteStub:
    """The site, whose open phase has two tasks."""
    site.challenge["phases"][0]["tasks"] = TASKS
    site.ends_of_tasks = list(BOTH)
    return site


def of_all(site: SiteStub) -> None:
    """The column that ranks is computed, so that all tasks together have a score."""
    column = {"computation": "avg", "computation_indexes": "0", "index": 2, "key": "mean"}
    board = site.challenge["leaderboards"][0]
    board["columns"].append({**board["columns"][0], **column, "title": "Mean"})
    board["primary_index"] = 2


def recorded(here: Path) -> list[str]:
    """The scores that the store knows."""
    with Store.open(here / "store.sqlite") as store:
        return [str(score) for score in store.scores()]


def test_one_task_s_score_is_not_taken_for_all(
    several: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the last task's score is recorded as the submission's."""
    assert main(YES) == Exit.FINE
    said = capsys.readouterr().out
    assert "task 1 (Cells) Finished, accuracy 0.8000000000, f1 0.4000000000" in said
    assert "task 2 (More\\x1b[2J cells) Finished, accuracy 0.6000000000" in said
    assert "each of 2 tasks has a score of its own (0.8000000000, 0.6000000000)" in said
    assert recorded(here) == []
    assert len([one for one in several.submissions if not one.parent]) == 1
    assert all_uploads()[0].submission == 500


def test_a_computed_column_has_a_score_of_all(
    several: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a challenge of several tasks never gets a score into the history."""
    of_all(several)
    assert main(YES) == Exit.FINE
    assert "0.7000000000 recorded, phase dev" in capsys.readouterr().out
    with Store.open(here / "store.sqlite") as store:
        [score] = store.scores()
    assert (score.value, score.columns) == (0.7, ())


@pytest.mark.parametrize("ends", [("Failed", "Failed"), ("Finished", "Failed")])
def test_a_parent_that_finished_with_failed_tasks(
    several: SiteStub, here: Path, capsys: pytest.CaptureFixture[str], ends: tuple[str, str]
) -> None:
    """Else a submission whose every task failed is called fine, for the site calls it Finished."""
    of_all(several)
    several.ends_of_tasks = [(end, 0.5) for end in ends]
    failed = ends.index("Failed")
    log = f"/bucket/{501 + failed}/scoring_stderr"
    several.puts[log] = several.puts[log.replace("scoring", "prediction_ingestion")] = (
        b"MemoryError\n"
    )
    assert main(YES) == Exit.FINDINGS
    said = capsys.readouterr().out
    assert f"task 2 (More\\x1b[2J cells) {ends[1]}" in said
    assert "    | MemoryError" in said
    folder = here / "submission.submission-500"
    assert f"local-eval explain {folder / f'task-{failed + 1}'}" in said
    assert recorded(here) == []
    assert local_eval(["history", "--sync", "1234"]) == Exit.FINE
    assert recorded(here) == []


def test_each_task_has_its_logs(several: SiteStub, here: Path) -> None:
    """Else the logs of a challenge of several tasks are nowhere: the parent has none."""
    assert main(YES) == Exit.FINE
    folder = here / "submission.submission-500"
    assert {one.name for one in folder.iterdir()} == {"submission.json", "task-1", "task-2"}
    for at in (1, 2):
        told = json.loads((folder / f"task-{at}" / "submission.json").read_text())
        assert (told["number"], told["task"][:4]) == (500 + at, ("Cell", "More")[at - 1])
        assert (folder / f"task-{at}" / "scoring_stdout.txt").read_text().startswith("scoring")
    assert json.loads((folder / "submission.json").read_text())["children"] == [501, 502]
    assert several.leaked == []


def test_a_lost_answer_finds_the_parent(several: SiteStub) -> None:
    """Else three submissions of one name look as if somebody had uploaded three times."""
    several.fail("POST /api/submissions/", "lost")
    assert main(YES) == Exit.FINE
    assert all_uploads()[0].submission == 500
    assert len(several.submissions) == 3


def test_status_and_sync_know_them_too(
    several: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else only who waited gets the score of all tasks."""
    of_all(several)
    assert main(YES[:-1]) == Exit.FINE
    assert challenge(["status", "--wait"]) == Exit.FINE
    assert "task 1 (Cells) Finished" in capsys.readouterr().out
    assert recorded(here) == ["0.7000000000"]
    assert local_eval(["history", "--sync", "1234"]) == Exit.FINE
    assert (
        "Scores recorded: 0; known already: 1; to be decided by you: 0." in capsys.readouterr().out
    )


def test_what_an_organiser_ran_anew_is_no_upload(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one task that was run again doubles a name, and its score is asked about."""
    with Store.open(here / "store.sqlite") as store:
        store.add_submission(sha256_of(here / "submission.zip"), "submission.zip")
    rows = [
        {"id": 1, "owner": "alice.surname", "filename": "submission.zip", "status": "Finished", **more}
        for more in ({"scores": [{"column_key": "accuracy", "score": "0.5"}]}, {"is_specific_task_re_run": True})
    ]  # fmt: skip
    site.fail(r"GET /api/submissions/$", "json", times=2, value=rows)
    assert local_eval(["history", "--sync", "1234", "--phase", "dev"]) == Exit.FINE
    assert recorded(here) == ["0.5"]
    capsys.readouterr()

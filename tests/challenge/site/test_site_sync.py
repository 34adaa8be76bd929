"""`local-eval history --sync`: the site's scores into the store, and never into a wrong place."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.commands.make_submission import main as make
from codabench_rehearsal.console.command import Exit
from evaluator.store.scores import submissions
from evaluator.store.store import Store
from tests.challenge.conftest import write_zip
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TODAY

SYNC = ["history", "--sync", "1234"]


def seen(here: Path, name: str, day: dt.date, sha: str = "a") -> None:
    """A zip that the store knows since a day."""
    with Store.open(here / "store.sqlite") as store:
        own = store.add_submission(sha * 64, name)
        store._db.execute(
            "UPDATE submissions SET first_seen = ? WHERE id = ?", (day.isoformat(), own.id)
        )
        store._db.commit()
        assert submissions(store._db)[-1].first_seen == day.isoformat()


def scores(here: Path) -> list[tuple[str, str, str, str]]:
    """What the store holds: name, score, phase, date."""
    with Store.open(here / "store.sqlite") as store:
        return [(s.submission.name, str(s), s.phase, s.date) for s in store.scores()]


YESTERDAY = TODAY.date() - dt.timedelta(days=1)
MARCH = TODAY.date().isoformat()


def test_what_is_certain_is_recorded_once(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the scores of a season are typed by hand, or stand there twice."""
    seen(here, "night.zip", YESTERDAY)
    site.add("night.zip", score=0.75)
    site.add("night.zip", owner="mallory", score=0.99)
    site.add("broken.zip", end="Failed")
    assert main(SYNC) == Exit.FINE
    assert (
        "Scores recorded: 1; known already: 0; to be decided by you: 0." in capsys.readouterr().out
    )
    assert scores(here) == [("night.zip", "0.7500000000", "dev", MARCH)]
    assert main(SYNC) == Exit.FINE
    assert "Scores recorded: 0; known already: 1" in capsys.readouterr().out
    assert len(scores(here)) == 1


def test_what_we_uploaded_is_known_by_its_contents(site: SiteStub, here: Path) -> None:
    """Else submission.zip of Monday gets the score of Tuesday's."""
    for text in ("# one", "# two"):
        write_zip(
            here / "submission.zip",
            f"class Model:\n    def predict(self, X):\n        return [0] * len(X)\n{text}\n",
        )
        assert (
            make(["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"])
            == Exit.FINE
        )
    for one, score in zip(site.submissions, (0.5, 0.6), strict=True):
        one.at, one.score = 9, score
    assert main(SYNC) == Exit.FINE
    assert [score for _, score, _, _ in scores(here)] == ["0.6000000000", "0.5000000000"]
    with Store.open(here / "store.sqlite") as store:
        assert len({s.submission.sha256 for s in store.scores()}) == 2


@pytest.mark.parametrize(
    ("names", "uploads", "question"),
    [
        ([], ["other.zip"], "no zip of that name here: local-eval record other.zip --score 0.8731343284 --phase dev --date 2026-03-10 --name-only"),
        ([("a.zip", "a"), ("a.zip", "b")], ["a.zip"], "may be 2 zips here: local-eval record aaaaaaaa --score 0.8731343284 --phase dev --date 2026-03-10 or local-eval record bbbbbbbb"),
        ([("a.zip", "a")], ["a.zip", "a.zip"], "may be 1 zip here"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_asked(
    site: SiteStub,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    names: list[tuple[str, str]],
    uploads: list[str],
    question: str,
) -> None:
    """Else a guess is kept as a fact, and every estimate leans on it."""
    for name, sha in names:
        seen(here, name, YESTERDAY, sha)
    for name in uploads:
        site.add(name)
    assert main(SYNC) == Exit.FINE
    said = capsys.readouterr().out
    assert f"to be decided by you: {len(uploads)}." in said
    assert question in said
    assert scores(here) == []


def test_a_zip_that_was_made_later_is_not_meant(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else today's zip gets the score of an older one of its name."""
    seen(here, "night.zip", TODAY.date())
    site.add("night.zip", created=TODAY - dt.timedelta(days=4))
    assert main(SYNC) == Exit.FINE
    assert "no zip of that name here" in capsys.readouterr().out
    assert scores(here) == []


def test_a_rounded_score_is_not_doubled(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the estimate counts one upload twice."""
    seen(here, "night.zip", YESTERDAY)
    with Store.open(here / "store.sqlite") as store:
        store.record_score(store.submissions()[0], 0.87, 2, "dev")
    site.add("night.zip")
    assert main(SYNC) == Exit.FINE
    said = capsys.readouterr().out
    assert (
        "kept as 0.87; with all decimals: local-eval forget aaaaaaaa --score 0.87 --phase dev, then local-eval record aaaaaaaa"
        in said
    )
    assert [score for _, score, _, _ in scores(here)] == ["0.87"]


def test_every_phase_unless_one_is_named(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a final score counts as one of development."""
    seen(here, "one.zip", YESTERDAY, "a")
    seen(here, "two.zip", YESTERDAY, "b")
    site.add("one.zip", score=0.5)
    site.add("two.zip", score=0.6, phase=12)
    assert main([*SYNC, "--phase", "final"]) == Exit.FINE
    assert scores(here) == [("two.zip", "0.6000000000", "final", MARCH)]
    assert main(SYNC) == Exit.FINE
    assert len(scores(here)) == 2
    capsys.readouterr()


def test_what_history_cannot_hold_is_left_out(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one odd score stops all the others."""
    seen(here, "one.zip", YESTERDAY, "a")
    site.add("one.zip", score=0.5)
    site.add("two.zip", score=50.0)
    assert main(SYNC) == Exit.FINE
    assert "submission 101 (two.zip) is left out" in capsys.readouterr().err
    assert len(scores(here)) == 1


def test_json_on_standard_output_stays_json(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a script that reads it breaks on our sentences."""
    seen(here, "one.zip", YESTERDAY)
    site.add("one.zip")
    assert main([*SYNC, "--json", "-"]) == Exit.FINE
    said = capsys.readouterr()
    assert json.loads(said.out)["rows"]
    assert "Scores recorded: 1" in said.err


def test_without_a_token_nothing_is_asked(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else everybody's leaderboard scores are taken for one's own."""
    monkeypatch.delenv("CODABENCH_TOKEN")
    site.add("one.zip")
    assert main(SYNC) == Exit.USAGE
    assert "wants a token" in capsys.readouterr().err
    assert site.calls == []

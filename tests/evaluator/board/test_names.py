"""Tables of teams as people save them, and names that tell nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.console.errors import EvaluationError
from evaluator.board.names import Teams, letters, read_teams
from evaluator.store.rows import Submission

SAME = {"a.zip": "Red", "b": "Blue, the 2nd"}
TABLES = {
    "plain": 'zip,team\na.zip,Red\nb,"Blue, the 2nd"\n',
    "semicolons": "zip;team\na.zip;Red\nb;Blue, the 2nd\n",
    "tabs, other names and order": "Group\tSubmission\nRed\t.\\a.zip\nBlue, the 2nd\tb\n",
    "BOM, CRLF, an empty line": '\ufeffzip,team\r\na.zip,Red\r\n\r\n"b","Blue, the 2nd"\r\n',
    "more columns": 'no,zip,mail,team\n1,a.zip,x@y,Red\n2,b,,"Blue, the 2nd"\n3,c,,\n',
    "the same twice": 'zip,team\na.zip,Red\na.zip,Red\nb,"Blue, the 2nd"\n',
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_tables_as_people_save_them(tmp_path: Path, text: str) -> None:
    """Else a course's list has to be rewritten before the board takes it."""
    path = tmp_path / "teams.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_teams(path).by_zip == SAME


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected columns zip and team, received nothing"),
        (b"name\na.zip\n", "expected columns zip and team, received name"),
        (b"zip,team\na.zip,Red\na.zip,Blue\n", "row 3: expected one team for a.zip"),
        (b"zip,team\n" + b"a,b\n" * 20_001, "expected at most 20,000 rows"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """In a sentence that says what to give."""
    path = tmp_path / "teams.csv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=says):
        read_teams(path)
    with pytest.raises(EvaluationError, match="No such file"):
        read_teams(tmp_path / "none.csv")


def test_letters_tell_nothing_and_stay() -> None:
    """Else a name changes from week to week, or can be worked out without the store."""
    keys = [f"zip {number}" for number in range(1000)]
    found = letters(7, keys)
    assert len(set(found.values())) == 1000
    assert all(name.isalpha() and name.isupper() for name in found.values())
    assert letters(7, keys[:10]) == {key: found[key] for key in keys[:10]}
    assert letters(8, keys) != found
    assert list(found.values()) != sorted(found.values()), "nor do they keep an order"


def test_many_are_called_submission_zip() -> None:
    """Learning platforms give each student a folder, and every zip the same name."""
    teams = Teams(
        "t.csv", {"anna/submission.zip": "Red", "ben/submission.zip": "Blue", "c": "Green"}
    )
    zips = [
        Submission(0, "", "submission.zip", f"/course/{who}/submission.zip", "", "")
        for who in ("ben", "anna", "carl")
    ]
    assert [teams.of(one) for one in zips] == ["Blue", "Red", ""]
    assert teams.notes(zips) == [
        "t.csv names 1 zip not on the board: c.",
        "1 submission without a team: submission.zip.",
    ]
    elsewhere = Submission(0, "", "a.zip", "/moved/a.zip", "", "")
    assert Teams("t.csv", {"old/place/a.zip": "Red"}).of(elsewhere) == "Red"
    by_hash = Submission(0, "ab" * 32, "b.zip", "", "", "")
    assert Teams("t.csv", {"abababab": "Red"}).of(by_hash) == "Red"
    assert Teams("t.csv", {"ababab": "Red"}).of(by_hash) == "", "too short to be sure"

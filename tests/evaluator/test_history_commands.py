"""`local-eval history`, and what it shares with `record`, `forget` and `import`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.console.words import shown as plain
from tests.evaluator.history_typed import (
    EXPECTED,
    PLACE,
    PROGRAM,
    rehearsed,
    run,
    scores,
    started,
    work_in,
    zipped,
)

Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)


MISTAKES = [
    (("record", "a.zip"), "--score"),
    (("record", "a.zip", "--score", "1.5"), "such as 0.89 or 89 %"),
    (("record", "a.zip", "--score", "0.8", "--date", "soon"), "such as 2024-11-23"),
    (("record", "a.zip", "--score", "0.8", "--hidden-images", "many"), "hidden images"),
    (("record", ".", "--score", "0.8"), "received a folder"),
    (("record", "text.zip", "--score", "0.8"), "received another file"),
    (("history", "--csv", "-", "--json", "-"), "takes one of"),
    (("history", "--csv", "nowhere/x.csv"), "cannot be written"),
    (("history", "--phase", " "), "name of a phase"),
    (("forget", "b.zip", "--yes"), "it knows a.zip ("),
    (("forget", "a.zip", "--score", "0.5", "--yes"), "known: 0.8123 (dev)"),
    (("forget", "a.zip", "--answers", "--yes"), "no stored answers"),
    (("forget", "a.zip", "--score", "0.8123", "--answers"), "not allowed with"),
    (("forget", "a.zip", "--phase", "dev"), "--phase says of which"),
    (("forget", "a.zip", "--store", "nowhere.sqlite"), "no store yet"),
    (("import", "nothing.csv"), "nothing.csv: No such file"),
    (("import", "text.zip"), "expected a header"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_a_mistake_is_one_sentence_and_changes_nothing(words: Sequence[str], said: str) -> None:
    """Else the user would meet a traceback, or find the store half changed."""
    zipped("a.zip")
    Path("text.zip").write_text("no zip", encoding="utf-8")
    run("record", "a.zip", "--score", "0.8123")
    done = started(words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [row[2:] for row in scores()] == [("dev", "0.8123")]


def test_an_empty_store_says_how_to_begin(capsys: Heard) -> None:
    """Else a newcomer would meet an empty table, and a store in a folder that is not meant."""
    run("history")
    said = capsys.readouterr().out
    assert "local-eval record submission.zip --score 0.89" in said
    run("history", "--json", "-")
    assert json.loads(capsys.readouterr().out) == {"schema": 2, "rows": [], "summary": None}
    assert not PLACE.exists()


def test_the_history_holds_predictions_against_scores(capsys: Heard) -> None:
    """Else the tool could not be judged by what it said before."""
    for name, score, known in (("a.zip", "0.89", 3), ("b.zip", "0.83", 4), ("c.zip", "0.861", 0)):
        rehearsed(name, replace(EXPECTED, known=known))
        run("record", name, "--score", score, "--date", "2026-11-20")
    rehearsed("waiting.zip")
    capsys.readouterr()
    run("history")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [
        *("2026-11-20", "a.zip", "dev", "0.89", "0.871", "(0.842-0.903)", "3", "+1.9", "yes"),
    ]
    assert lines[2].split()[-2:] == ["-4.1", "no"]
    assert lines[4].split()[1:3] == ["waiting.zip", "dev"]
    assert (
        "Predicted from past scores: 2 scores, mean absolute error 3.0 points (standard error 1.1); "
        "1 of 2 ranges held the score, 1.8 should have."
    ) in lines
    assert "Predicted without past scores: 1 score, mean absolute error 1.0 points;" in "".join(
        lines
    )


def test_only_one_phase_is_shown_if_asked(capsys: Heard) -> None:
    """Else two targets would be mixed in one mean."""
    rehearsed("a.zip")
    rehearsed("b.zip", replace(EXPECTED, phase="final"))
    run("record", "a.zip", "--score", "0.8123")
    capsys.readouterr()
    run("history", "--phase", "Final")
    said = capsys.readouterr().out
    assert "b.zip" in said
    assert "a.zip" not in said
    run("history", "--phase", "third")
    assert "It knows: dev, final." in capsys.readouterr().out


def test_the_history_goes_into_files_and_pipes(capsys: Heard) -> None:
    """Else a team's sheet or script could not use it."""
    rehearsed("a.zip")
    run("record", "a.zip", "--score", "0.89")
    capsys.readouterr()
    run("history", "--csv", "h.csv", "--json", "h.json")
    assert "h.csv written" in capsys.readouterr().err
    run("history", "--csv", "-")
    assert capsys.readouterr().out == Path("h.csv").read_text(encoding="utf-8")
    (row,) = csv.DictReader(io.StringIO(Path("h.csv").read_text(encoding="utf-8")))
    assert (row["score"], row["predicted"]) == ("0.89", "0.871")
    document = json.loads(Path("h.json").read_text(encoding="utf-8"))
    assert document["rows"][0]["error_points"] == 1.9
    assert document["rows"][0]["prediction"]["high"] == 0.903
    assert document["summary"]["intervals_held"] == 1


def test_the_history_becomes_a_spreadsheet() -> None:
    """Else a team that lives in a spreadsheet would copy figures by hand."""
    openpyxl = pytest.importorskip("openpyxl")
    rehearsed("a.zip")
    run("history", "--xlsx", "h.xlsx")
    assert openpyxl.load_workbook("h.xlsx").active["A2"].value == "a.zip"


def test_in_a_pipe_rows_stay_whole_and_the_reader_may_leave() -> None:
    """Else grep would find half a row, or `| head` would end in an error."""
    name = "a very long name of a submission that no terminal would show in one line" + "x" * 90
    rehearsed(f"{name}.zip")
    done = started(["history"])
    assert done.returncode == 0
    assert any(name in line and "0.842-0.903" in line for line in done.stdout.splitlines())
    piped = f'"{PROGRAM}" history | true; exit ${{PIPESTATUS[0]}}'
    left = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (left.returncode, left.stderr) == (0, "")


def test_foreign_names_cannot_draw_on_the_terminal(capsys: Heard) -> None:
    """Else a name out of somebody's sheet could rewrite what the user reads."""
    Path("h.csv").write_text("name,score\n\x1b[31mred\x1b[0m,0.81\n", encoding="utf-8")
    run("import", "h.csv")
    run("history")
    run("forget", "\x1b[31mred\x1b[0m", "--yes")
    assert "\x1b[31m" not in capsys.readouterr().out
    assert plain("più\x07\n") == r"più\x07\n"


def test_a_damaged_store_is_said_on_standard_error(capsys: Heard) -> None:
    """Else a user would think that nothing had ever been recorded, or a pipe would break."""
    PLACE.parent.mkdir()
    PLACE.write_bytes(b"no database " * 400)
    run("history", "--json", "-")
    heard = capsys.readouterr()
    assert json.loads(heard.out)["rows"] == []
    assert str(PLACE.parent) in heard.err


COMMANDS = ("record", "history", "forget", "import")


@pytest.mark.parametrize("word", COMMANDS)
def test_help_shows_examples(word: str) -> None:
    """Else a student would have to guess the options."""
    done = started([word, "--help"])
    assert done.returncode == 0
    assert f"  local-eval {word} " in done.stdout.split("examples:")[1]


HEAVY = {"numba", "cv2", "scipy", "sklearn", "tensorflow", "keras"}


@pytest.mark.parametrize("words", [("record", "a.zip", "--score", "0.89"), ("history",)])
def test_nothing_slow_is_loaded(words: tuple[str, ...]) -> None:
    """Else writing down a figure would take seconds."""
    rehearsed("a.zip")
    code = "import sys; from codabench_rehearsal.commands.local_eval import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY & set(done.stdout.split())


def test_the_history_in_python(capsys: Heard) -> None:
    """Else a notebook has to start the command and read its table."""
    assert "To begin:" in repr(rehearsal.history())
    rehearsed("a.zip")
    run("record", "a.zip", "--score", "0.8123")
    capsys.readouterr()
    found = rehearsal.history()
    run("history", "--json", "-")
    assert json.loads(found.to_json()) == json.loads(capsys.readouterr().out)
    assert [str(row.score) for row in found.rows] == ["0.8123"]
    assert all(word in repr(found) for word in ("a.zip", "0.8123", "predicted"))
    assert "It knows: dev." in str(rehearsal.history("final"))
    assert capsys.readouterr().out == ""

"""What a leaderboard shows beside the score: other columns, recall by class."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.challenge.profile import load_challenge
from evaluator.report.spreadsheet import csv_text, export_xlsx
from evaluator.store.importing import import_csv
from evaluator.store.leaderboard import named_scores, read_class_scores
from evaluator.store.store import LeaderboardScore, Store, StoreError
from tests.evaluator.history_typed import PLACE, run, scores, work_in, zipped

Heard = pytest.CaptureFixture[str]
CHALLENGE = load_challenge("an2dl-2024")
NAMES = CHALLENGE.label_names
RECALLS = {name: f"0.{90 - number}0" for number, name in enumerate(NAMES)}
VALUES = tuple(float(text) for text in RECALLS.values())


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)


def kept() -> LeaderboardScore:
    """The one score in the store."""
    with Store.open(PLACE) as store:
        (score,) = store.scores()
    return score


SEVERAL = [
    (("accuracy=0.890", "macro-F1=0,86"), "0.890", (("macro-F1", "0.86"),)),
    (("0.89", "Macro F1=86 %", "seconds=112.5"), "0.89", (("Macro F1", "86 %"), ("seconds", "112.5"))),
    (("Acc = 89%",), "89%", ()),
    (("score=0.89", "loss=-1.5e-3"), "0.89", (("loss", "-1.5e-3"),)),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "score", "others"), SEVERAL)
def test_the_challenges_own_column_is_the_score(
    typed: tuple[str, ...], score: str, others: tuple[tuple[str, str], ...]
) -> None:
    """Else the estimate would aim at another metric than the one that ranks."""
    assert named_scores(typed, CHALLENGE) == (score, others)


def test_another_challenges_metric_is_its_score() -> None:
    """Else a challenge ranked by macro-F1 would be predicted by its accuracy."""
    other = replace(CHALLENGE, metric="macro-F1")
    typed = ("f1=0.86", "accuracy=0.89")
    assert named_scores(typed, other) == ("0.86", (("accuracy", "0.89"),))


MISNAMED = [
    (("macro-F1=0.86",), "ranks by (accuracy), received none (macro-F1): --score accuracy=0.89"),
    (("0.89", "accuracy=0.89"), "received 2 of it"),
    (("0.89", "f1=0.8", "f1=0.9"), "each column once, received f1 twice"),
    (("0.89", "f1=high"), "f1: expected a figure such as 0.89, received 'high'"),
    (("0.89", f"{'x' * 80}=1"), "shorten"),
    (("0.89", *(f"c{n}=1" for n in range(60))), "at most 50 columns, received 60"),
]


@pytest.mark.parametrize(("typed", "said"), MISNAMED)
def test_columns_that_make_no_sense_are_refused(typed: tuple[str, ...], said: str) -> None:
    """Else a slip would be kept as a score, or end in a traceback."""
    with pytest.raises(StoreError) as caught:
        named_scores(typed, CHALLENGE)
    assert said in str(caught.value)


def as_text(mark: str, head: str = "") -> str:
    """The recalls as a table, the last class first."""
    rows = [f"{name}{mark}{text}" for name, text in reversed(RECALLS.items())]
    return "\n".join(([head] if head else []) + rows)


FILES = [
    ("r.csv", as_text(",")),
    ("r.csv", as_text(",", "class,recall")),
    ("r.csv", "\ufeff" + as_text(";", "Klasse;Recall").replace("0.", "0,")),
    ("r.tsv", as_text("\t").upper() + "\n\n"),
    ("r.csv", as_text(";").replace(" ", "_")),
    ("r.json", json.dumps(RECALLS)),
    ("r.json", json.dumps({name: float(text) for name, text in RECALLS.items()})),
    ("r.csv", "\n".join(f"{name},{100 * float(text):.0f} %" for name, text in RECALLS.items())),
]


@pytest.mark.parametrize(("name", "text"), FILES)
def test_class_scores_come_in_any_order(name: str, text: str) -> None:
    """Else one class's recall would be taken for another's."""
    Path(name).write_text(text, encoding="utf-8")
    found = read_class_scores(name, CHALLENGE)
    assert found is not None
    assert found.names == NAMES
    assert found.values == pytest.approx(VALUES)
    assert found.decimals in (1, 2, 3)


WITHOUT_LAST = dict(list(RECALLS.items())[:-1])
BAD = [
    (json.dumps(WITHOUT_LAST), f"each of the 8 classes of an2dl-2024, received none for {NAMES[-1]}"),
    (json.dumps(RECALLS | {"monster": 1}), "received 'monster'"),
    (json.dumps(RECALLS | {NAMES[0]: 89}), f"class {NAMES[0]}: expected a recall from 0 to 1, or"),
    (json.dumps(RECALLS | {NAMES[0]: -0.1}), "received '-0.1'"),
    (json.dumps(RECALLS | {NAMES[0]: None}), "received 'None'"),
    (json.dumps(RECALLS | {NAMES[0].upper(): 0.5}), f"each class once, received {NAMES[0]} twice"),
    (as_text(",") + f"\n{NAMES[0]},0.5", "each class once"),
    (as_text(",", "class,recall").replace(",", ",9,"), "expected two columns"),
    ("[0.9, 0.8]", "received a list"),
    ("{", "expected JSON, received something else"),
    ("", "expected two columns"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD)
def test_class_scores_that_make_no_sense_are_one_sentence(text: str, said: str) -> None:
    """Else wrong recalls would bend the estimate, or the user would meet a traceback."""
    Path("r.txt").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        read_class_scores("r.txt", CHALLENGE)
    assert str(caught.value).startswith("r.txt: ")
    assert said in str(caught.value)


def test_they_are_kept_and_shown(capsys: Heard) -> None:
    """Else what the leaderboard showed beside the score would be lost."""
    zipped("a.zip")
    Path("r.json").write_text(json.dumps(RECALLS), encoding="utf-8")
    words = ("--score", "accuracy=0.89", "--score", "macro-F1=0.86")
    run("record", "a.zip", *words, "--class-scores", "r.json")
    beside = f"macro-F1 0.86; recall {NAMES[0]} 0.900, {NAMES[1]} 0.890"
    assert f"Also on the leaderboard: {beside}" in capsys.readouterr().out
    run("history")
    assert f"0.89 in phase dev: {beside}" in capsys.readouterr().out
    run("history", "--json", "-")
    shown = json.loads(capsys.readouterr().out)["rows"][0]["score"]
    assert (shown["value"], shown["columns"]) == (0.89, {"macro-F1": "0.86"})
    assert (shown["class_scores"][NAMES[1]], shown["class_decimals"]) == (0.89, 3)
    run("record", "a.zip", "--score", "0.89", "--class-scores", "no.csv", code=2)
    assert "no.csv" in capsys.readouterr().err
    assert len(scores()) == 1


def test_a_known_score_takes_them_up() -> None:
    """Else class scores that come a day later would need the score to be forgotten first."""
    zipped("a.zip")
    rehearsal.record("a.zip", "0.89")
    assert kept().class_scores is None
    done = rehearsal.record("a.zip", {"accuracy": "0.89", "f1": 0.8}, class_scores=RECALLS)
    assert not done.is_new
    rehearsal.record("a.zip", "0.89")  # says nothing of them
    rehearsal.record("a.zip", {"acc": "0.89", "f1": 0.81})
    found = kept()
    assert found.columns == (("f1", "0.81"),)
    assert found.class_scores is not None
    assert found.class_scores.of(tuple(reversed(NAMES))) == tuple(reversed(VALUES))
    assert found.class_scores.of(("cat", "dog")) is None


def test_they_go_with_their_score(capsys: Heard) -> None:
    """Else a forgotten score would leave recalls behind for the next one of its number."""
    zipped("a.zip")
    rehearsal.record("a.zip", {"accuracy": "0.89", "f1": 0.8}, class_scores=RECALLS)
    run("forget", "a.zip", "--score", "0.89", "--yes")
    with Store.open(PLACE) as store:
        counts = [
            store._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("scores", "score_columns", "class_scores")
        ]
    assert counts == [0, 0, 0]
    capsys.readouterr()


def test_they_move_with_a_spreadsheet(tmp_path: Path) -> None:
    """Else another machine would know the score without its classes."""
    zipped("a.zip")
    rehearsal.record("a.zip", {"accuracy": "0.89", "=f1": "86 %"}, class_scores=RECALLS, mine=False)
    with Store.open(PLACE) as store, Store.open(tmp_path / "other.sqlite") as other:
        rows = store.history()
        Path("h.csv").write_text(csv_text(rows), encoding="utf-8")
        assert import_csv(other, "h.csv").refused == ()
        (moved,) = other.scores()
    here = kept()
    assert (moved.columns, moved.class_scores) == (here.columns, here.class_scores)
    assert not moved.mine
    openpyxl = pytest.importorskip("openpyxl")
    export_xlsx(rows, "h.xlsx")
    sheet = openpyxl.load_workbook("h.xlsx").active
    held = dict(zip(*([cell.value for cell in row] for row in sheet), strict=True))
    assert (held["column: =f1"], held[f"recall: {NAMES[1]}"]) == ("86 %", 0.89)

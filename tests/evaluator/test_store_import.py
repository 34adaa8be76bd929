"""The history out of the store into a spreadsheet, and scores out of people's spreadsheets into it."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator.report.spreadsheet import COLUMNS, csv_text, export_xlsx
from evaluator.store.importing import Imported, import_csv
from evaluator.store.store import Prediction, Store, StoreError
from submission.archive import sha256_of
from tests.evaluator.stores import KEY, SHA, put, store_at

SHEETS = {
    "plain": "submission,score,phase,date\na.zip,0.89,dev,2024-11-23\n",
    "another order, other names": "Date,Notes,Leaderboard,Model\n2024-11-23,,0.89,a.zip\n",
    "Italian Excel": "Submission;Score;Phase;Date\r\na.zip;0,89;Development;23/11/2024\r\n",
    "percentages": "file\tphase\tscore\twhen\na.zip\tdev\t89 %\t2024-11-23 18:00\n",
    "percent in the header": 'name,"Score (%)",date\na.zip,"89",2024-11-23\n',
    "title above": "Our scores,,\n,,\nname,codabench,date\na.zip,0.89,2024-11-23\n,,\n",
    "quoted decimal comma": 'name,score,date\n"a.zip","0,89",2024-11-23\n',
    "several figures": "team,model,val_acc,codabench_acc,date\nus,a.zip,0.99,0.89,2024-11-23\n",
}
ENCODINGS = ("utf-8", "utf-8-sig", "cp1252")


def sheet(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """A CSV file."""
    path = folder / "history.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store; the working folder is empty too."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with Store.open(tmp_path / "s.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("name", SHEETS)
def test_a_spreadsheet_is_read_as_people_keep_it(store: Store, tmp_path: Path, name: str) -> None:
    """Else a team would have to retype its season."""
    done = import_csv(store, sheet(tmp_path, SHEETS[name]))
    assert done == Imported(1, 0, 0, ("a.zip",), ())
    (score,) = store.scores("dev")
    assert (score.submission.name, score.submission.sha256) == ("a.zip", "")
    assert (score.value, score.decimals, score.date) == (0.89, 2, "2024-11-23")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_accents_survive(store: Store, tmp_path: Path, encoding: str) -> None:
    """Else a sheet saved on Windows could not be read."""
    import_csv(store, sheet(tmp_path, "name;score;note\na;0,5;più robusto\n", encoding))
    assert store.scores()[0].note == "più robusto"


def test_importing_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    """Else every import would make the estimate surer than it is."""
    path = sheet(tmp_path, SHEETS["plain"])
    import_csv(store, path)
    before = store.history()
    assert import_csv(store, path) == Imported(0, 1, 0, ("a.zip",), ())
    assert store.history() == before


def test_what_cannot_be_read_is_said_and_the_rest_is_kept(store: Store, tmp_path: Path) -> None:
    """Else one odd condition would cost the sheet, or vanish unsaid."""
    text = "name,score,date\na,0.5,\nb,<0.5,\nc,,\nd,0.7,soon\n,0.9,\ne\nf,0.6,\n"
    done = import_csv(store, sheet(tmp_path, text))
    assert (done.added, done.unscored, done.by_name) == (2, 2, ("a", "f"))
    assert [line.split(": ")[0] for line in done.refused] == [
        f"history.csv, row {row}" for row in (3, 5, 6)
    ]
    assert "received '<0.5'" in done.refused[0]


def zip_of(path: Path, content: str) -> str:
    """Make a zip; its SHA-256."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", content)
    return sha256_of(path)


def test_a_zip_that_is_there_is_found(store: Store, tmp_path: Path) -> None:
    """Else scores could not be paired with answers."""
    first = zip_of(tmp_path / "a.zip", "1")
    second = zip_of(Path("b.zip"), "2")
    third = store.add_submission("d" * 64, "known.zip").sha256
    text = "name,score\na,0.5\nb.zip,0.6\nknown,0.7\nlost,0.8\n"
    assert import_csv(store, sheet(tmp_path, text)).by_name == ("lost",)
    assert [s.submission.sha256 for s in store.scores()] == [first, second, third, ""]
    assert store.scores()[0].submission.path == str(tmp_path / "a.zip")


def test_a_name_that_stands_for_several_zips_is_not_looked_up(store: Store, tmp_path: Path) -> None:
    """Else fifty scores called submission.zip would all be held against the last one."""
    zip_of(tmp_path / "submission.zip", "the last")
    text = "name,score,phase\nsubmission.zip,0.5,dev\nsubmission.zip,0.6,dev\n"
    assert import_csv(store, sheet(tmp_path, text)).by_name == ("submission.zip",)
    assert {score.submission.sha256 for score in store.scores()} == {""}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "received 'nothing'"),
        (b"a,b\n1,2\n", "received 'a, b'"),
        (b"name,day\na,1\n", "expected a header"),
        (b"PK\x03\x04rest", "save it as CSV"),
        (b"\x81\x8d\xff", "as text in UTF-8"),
        (b"name,score\n" + b'"' + b"x" * 200_000, "expected CSV"),
    ],
)
def test_what_is_no_sheet_is_said(store: Store, tmp_path: Path, content: bytes, said: str) -> None:
    """Else the user would meet a traceback."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=said):
        import_csv(store, path)
    with pytest.raises(StoreError, match=r"nothing\.csv: No such file"):
        import_csv(store, tmp_path / "nothing.csv")


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=12
).filter(lambda name: name == name.strip() and name)
SCORES = st.lists(
    st.tuples(
        NAMES,
        st.integers(0, 10**6),
        st.integers(0, 6),
        st.sampled_from(["dev", "final"]),
        st.sampled_from(["", "2024-11-23"]),
        st.one_of(st.none(), st.integers(1, 10**6)),
    ),
    max_size=6,
    unique_by=lambda row: row[0],
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=SCORES)
def test_an_exported_history_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int, str, str, int | None]]
) -> None:
    """Else moving to another machine would lose scores or their rounding."""
    folder = tmp_path_factory.mktemp("moved")
    kept: list[set[object]] = []
    with Store.open(folder / "1.sqlite") as one, Store.open(folder / "2.sqlite") as two:
        for number, (name, value, decimals, phase, date, images) in enumerate(rows):
            mine = one.add_submission(f"{number:064x}", name)
            shown = {"date": date, "hidden_images": images, "mine": number % 2 == 0}
            one.record_score(mine, value / 1e6, decimals, phase, **shown)  # type: ignore[arg-type] # a dict of two kinds
        (folder / "history.csv").write_text(csv_text(one.history()), "utf-8")
        done = import_csv(two, folder / "history.csv")
        assert (done.added, done.refused) == (len(rows), ())
        for store in (one, two):
            found = store.scores()
            kept.append(
                {(s.submission.sha256, s.submission.name, s.value, s.decimals) for s in found}
            )
            kept[-1] |= {(s.submission.sha256, s.phase, s.date, s.hidden_images) for s in found}
            kept[-1] |= {(s.submission.sha256, s.mine) for s in found}
    assert kept[0] == kept[1]


def filled(path: Path) -> Store:
    """A store with a predicted score, a name like a formula, and an unscored submission."""
    store = store_at(path)
    mine = store.add_submission(SHA, "=1+1.zip", "/x/a.zip")
    put(store, KEY, [1, 2], [0, 0])
    store.record_prediction(mine, Prediction("dev", 0.87, 0.84, 0.9, 0.9, 5, "v1"))
    store.record_score(mine, 0.9, 2, date="2024-11-23", hidden_images=2000, note="bell\a")
    store.add_submission("b" * 64, "b.zip")
    return store


def test_the_csv_tells_predicted_against_actual(tmp_path: Path) -> None:
    """Else the sheet would not show how well the tool does."""
    with filled(tmp_path / "s.sqlite") as store:
        rows = list(csv.DictReader(io.StringIO(csv_text(store.history()))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["submission"] for row in rows] == ["'=1+1.zip", "b.zip"]
    shown = {name: rows[0][name] for name in ("score", "predicted", "predicted_low", "answers")}
    assert shown == {"score": "0.90", "predicted": "0.87", "predicted_low": "0.84", "answers": "2"}
    assert rows[1]["score"] == ""


def test_a_spreadsheet_holds_figures_and_no_formulas(tmp_path: Path) -> None:
    """Else scores could not be plotted, or a zip's name would run as a formula."""
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "history.xlsx"
    with filled(tmp_path / "s.sqlite") as store:
        export_xlsx(store.history(), path)
    sheet = openpyxl.load_workbook(path).active
    conditions = dict(zip(COLUMNS, sheet[2], strict=True))
    assert (conditions["submission"].value, conditions["submission"].data_type) == (
        "'=1+1.zip",
        "s",
    )
    assert (conditions["score"].value, conditions["score"].number_format) == (0.9, "0.00")
    assert conditions["note"].value == "bell\\x07"
    assert (sheet.freeze_panes, sheet.max_row) == ("B2", 3)


def test_without_openpyxl_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the user would meet a traceback."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(StoreError, match="pip install openpyxl"):
        export_xlsx((), tmp_path / "history.xlsx")

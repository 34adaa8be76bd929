"""Predictions as a file: what is wrong with them, beside a sample and beside the reference."""

from __future__ import annotations

import csv
import io
import json
import random
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.bundle import Bundle
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.rehearsal.predictions.file import check_results, packed_results
from codabench_rehearsal.rehearsal.predictions.sample import Expected, expected_from, find_expected
from submission.findings import Finding
from tests.challenge.worker.bundles import bundle, figures, program, ran
from tests.sandbox.children import linux_only

Rows = list[list[str]]
HEAD = ["id", "label", "prob"]
BODY: Rows = [[str(100 + i), "cat" if i % 2 else "dog", f"0.{i + 1}"] for i in range(8)]


def text(body: Rows, head: list[str] | None = HEAD, by: str = ",", end: str = "\n") -> str:
    """A table as a file's text."""
    return "".join(by.join(row) + end for row in ([head] if head else []) + body)


def changed(row: int, column: int, value: str) -> str:
    """The sound table with another cell."""
    body = [list(one) for one in BODY]
    body[row][column] = value
    return text(body)


def columns(*order: int) -> str:
    """The sound table with these columns alone, in this order."""
    return text([[row[at] for at in order] for row in BODY], [HEAD[at] for at in order])


def bytes_of(content: str | bytes) -> bytes:
    """Text in UTF-8."""
    return content.encode() if isinstance(content, str) else content


GOOD = text(BODY)
ONE = "score\n0.5\n0.25\n0.75\n"
BARE = "0.5 1\n0.25 0\n0.75 1\n"
# What is wrong, and the codes of errors and warnings beside the sample `GOOD`.
FAULTS: tuple[tuple[str, str | bytes, str], ...] = (
    ("a row too few", text(BODY[:-1]), "S810"),
    ("a row too many", text([*BODY, ["999", "cat", "0.5"]]), "S811"),
    ("an id twice", text([*BODY, BODY[0]]), "S812"),
    ("an id for another", text([*BODY[:-1], BODY[0]]), "S810 S812"),
    ("ids from 0", text([[str(i), *row[1:]] for i, row in enumerate(BODY)]), "S810 S811"),
    ("no rows", text([]), "S809"),
    ("nothing", "", "S802"),
    ("a column missing", columns(0, 1), "S806"),
    ("no ids", columns(1, 2), "S806"),
    ("another case", GOOD.replace("id,label", "id,Label"), "S806"),
    ("another name", GOOD.replace("label", "target", 1), "S806 S807"),
    ("a column more", text([[*row, "1"] for row in BODY], [*HEAD, "more"]), "S807"),
    ("another order of columns", columns(0, 2, 1), "S808"),
    ("semicolons", GOOD.replace(",", ";"), "S804"),
    ("tabs", GOOD.replace(",", "\t"), "S804"),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD.encode(), "S803?"),
    ("UTF-16", GOOD.encode("utf-16"), "S803"),
    ("Latin-1", changed(3, 1, "Bär").encode("latin-1"), "S803"),
    ("no header", text(BODY, None), "S805"),
    ("a word for a number", changed(2, 2, "high"), "S814"),
    ("percent", changed(2, 2, "50%"), "S814"),
    ("numbers for labels", text([[i, str(len(x) % 2), p] for i, x, p in BODY]), "S814"),
    ("NaN", changed(2, 2, "nan"), "S816"),
    ("infinite", changed(2, 2, "-inf"), "S816"),
    ("too large for a float", changed(2, 2, "1e999"), "S816"),
    ("an empty cell", changed(2, 2, ""), "S816"),
    ("an empty label", changed(2, 1, ""), "S816"),
    ("more than one", changed(2, 2, "1.2"), "S817"),
    ("logits", text([[i, x, f"-{p}"] for i, x, p in BODY]), "S817"),
    ("a comma at the end", text([[*row, ""] for row in BODY]), "S818"),
    ("a comma at each end", text([[*row, ""] for row in BODY], [*HEAD, ""]), "S818"),
    ("a row cut short", GOOD.replace("103,cat,", "103,"), "S818"),
    ("a comma in a text", changed(2, 1, "cat, black"), "S818"),
    ("the index of pandas", text([[str(i), *r] for i, r in enumerate(BODY)], ["", *HEAD]), "S819?"),
    ("the same, read again", text([[str(i), *r] for i, r in enumerate(BODY)], ["Unnamed: 0", *HEAD]), "S819?"),
    ("decimal commas", text([[i, x, p.replace(".", ",")] for i, x, p in BODY]), "S820"),
    ("the same in quotes", text([[i, x, f'"{p.replace(".", ",")}"'] for i, x, p in BODY]), "S820"),
    ("a German Excel", text([[i, x, p.replace(".", ",")] for i, x, p in BODY], by=";"), "S804 S820"),
    ("blanks in the header", GOOD.replace("id,label", "id, label"), "S806"),
    ("JSON", '{"100": "cat"}', "S802"),
    ("an Excel file", b"PK\x03\x04" + bytes(100), "S802"),
    ("an array", b"\x93NUMPY" + bytes(100), "S802"),
    ("zero bytes", b"id,label" + bytes(100), "S802"),
)  # fmt: skip
SOUND: tuple[tuple[str, str | bytes], ...] = (
    ("the same", GOOD),
    ("other answers", text([[i, "cat", "0.123456"] for i, _, _ in BODY])),
    ("Windows' line ends", text(BODY, end="\r\n")),
    ("no line end", GOOD.rstrip("\n")),
    ("blank lines", GOOD + "\n\n"),
    ("quoted", text([[f'"{cell}"' for cell in row] for row in BODY], [f'"{c}"' for c in HEAD])),
    ("another order of rows", text(list(reversed(BODY)))),
    ("ids as floats", text([[f"{row[0]}.0", *row[1:]] for row in BODY])),
    ("whole numbers", text([[i, x, "1"] for i, x, _ in BODY])),
    ("ten to the minus", text([[i, x, "1e-05"] for i, x, _ in BODY])),
    ("blanks around", text([[i, f" {x}", f" {p}"] for i, x, p in BODY])),
    ("a comma in quotes", changed(2, 1, '"cat, black"')),
    ("two lines in quotes", changed(2, 1, '"cat\nblack"')),
    ("letters", changed(2, 1, "Bär")),
)


def told(found: list[Finding]) -> str:
    """The codes of what is no note."""
    codes = {
        f"{one.code}{'?' if one.is_unknown else ''}" for one in found if one.severity != "note"
    }
    return " ".join(sorted(codes))


def sample(place: Path, content: str | bytes = GOOD, name: str = "sample.csv") -> Expected:
    """A sample."""
    (place / name).write_bytes(bytes_of(content))
    return expected_from(place / name)


def reference(place: Path, content: str | bytes = GOOD) -> Expected:
    """A reference."""
    (place / "truth.csv").write_bytes(bytes_of(content))
    return expected_from(place / "truth.csv", "reference")


def checked(
    place: Path, content: str | bytes, expected: Expected, name: str = "mine.csv"
) -> list[Finding]:
    """What is found in a file."""
    path = place / name
    path.write_bytes(bytes_of(content))
    return check_results(path, expected)


@pytest.mark.parametrize(("content", "codes"), [r[1:] for r in FAULTS], ids=[r[0] for r in FAULTS])
def test_faults_beside_a_sample(tmp_path: Path, content: str | bytes, codes: str) -> None:
    """Else a day's upload is spent on a comma."""
    found = checked(tmp_path, content, sample(tmp_path))
    doubts = {"S807": "S807?", "S808": "S808?"}
    assert told(found) == " ".join(doubts.get(code, code) for code in codes.split()), found
    assert all(one.advice for one in found)


@pytest.mark.parametrize("content", [r[1] for r in SOUND], ids=[r[0] for r in SOUND])
def test_sound_files_beside_a_sample(tmp_path: Path, content: str | bytes) -> None:
    """Else somebody mends what is right."""
    found = checked(tmp_path, content, sample(tmp_path))
    assert told(found) == "", found


TRUTH = "id,label\n" + "".join(f"{i},{i % 3}\n" for i in range(12))
CHANCES = "id,sick\n" + "".join(f"{i},{i % 2}\n" for i in range(12))
BY_REFERENCE: tuple[tuple[str, str, str, str], ...] = (
    ("the truth itself", TRUTH, TRUTH, ""),
    ("labels as floats", TRUTH, TRUTH.replace(",1", ",1.0"), ""),
    ("another name of the column", TRUTH, TRUTH.replace("label", "prediction"), ""),
    ("a label that is nowhere", TRUTH, TRUTH.replace(",2", ",7"), "S815"),
    ("labels by name", TRUTH, TRUTH.replace(",2", ",two"), "S814"),
    ("chances", CHANCES, CHANCES.replace(",1", ",0.75").replace(",0\n", ",0.25\n"), ""),
    ("no chances", CHANCES, CHANCES.replace(",1", ",1.75").replace(",0\n", ",-0.25\n"), "S817"),
    ("rows missing", TRUTH, TRUTH[:40], "S810"),
    ("more than the public half", TRUTH[:40], TRUTH, "S811"),
    ("no header", TRUTH, TRUTH.partition("\n")[2], "S805"),
    ("without ids", "0\n1\n1\n0\n", "1\n1\n1\n", "S809"),
    ("regression", "y\n3.5\n2.25\n99.5\n", "y\n-1.5\n7e5\n0.0\n", ""),
    ("counts", "y\n3\n17\n99\n4\n", "y\n5\n18\n1\n0\n", ""),
)


@pytest.mark.parametrize(
    ("truth", "content", "codes"), [r[1:] for r in BY_REFERENCE], ids=[r[0] for r in BY_REFERENCE]
)
def test_beside_the_reference(tmp_path: Path, truth: str, content: str, codes: str) -> None:
    """Else predictions are judged by what the truth happens to look like, or not at all."""
    found = checked(tmp_path, content, reference(tmp_path, truth))
    assert told(found) == codes, found


OTHERS: tuple[tuple[str, str, str, str], ...] = (
    ("one column", ONE, ONE, ""),
    ("one column too short", ONE, ONE[:-5], "S809"),
    ("one column in another order", ONE, "score\n0.75\n0.5\n0.25\n", ""),
    ("blanks between", BARE, BARE.replace(" ", "   "), ""),
    ("commas for blanks", BARE, BARE.replace(" ", ","), "S804"),
    ("a header too many", BARE, f"a b\n{BARE}", "S805"),
    ("a column too few", BARE, "0.5\n0.25\n0.75\n", "S804 S806"),
    ("dummy labels", "id,y\n1,0\n2,0\n3,0\n", "id,y\n1,3\n2,9\n3,0\n", ""),
    ("a sample with gaps", "id,y\n1,\n2,\n3,\n", "id,y\n1,0.5\n2,\n3,cat\n", ""),
    ("names of files", "file,y\na.png,1\nb.png,0\n", "file,y\na.png,1\nb.png,0\n", ""),
    ("names without endings", "file,y\na.png,1\nb.png,0\n", "file,y\na,1\nb,0\n", "S810 S811"),
)


@pytest.mark.parametrize(
    ("like", "content", "codes"), [r[1:] for r in OTHERS], ids=[r[0] for r in OTHERS]
)
def test_other_forms(tmp_path: Path, like: str, content: str, codes: str) -> None:
    """Else a plain list of numbers is no file of predictions."""
    found = checked(tmp_path, content, sample(tmp_path, like))
    assert told(found) == codes, found


DOCUMENT = {"task": [0.5, 1.0], "names": {"a": "x"}}
DOCUMENTS: tuple[tuple[str, str, str], ...] = (
    ("alike", json.dumps({"task": [1, 2], "names": {"a": "y"}}), ""),
    ("a key missing", json.dumps({"task": [1, 2]}), "S821"),
    ("a key more", json.dumps({**DOCUMENT, "more": 1}), "S821"),
    ("a number missing", json.dumps({**DOCUMENT, "task": [1]}), "S821"),
    ("a text for a number", json.dumps({**DOCUMENT, "task": [1, "2"]}), "S821"),
    ("NaN", '{"task": [NaN, 1], "names": {"a": "x"}}', "S821"),
    ("a list for all of it", "[1, 2]", "S821"),
    ("single quotes", "{'task': [1, 2]}", "S802"),
    ("cut short", json.dumps(DOCUMENT)[:-4], "S802"),
)


@pytest.mark.parametrize(
    ("content", "codes"), [r[1:] for r in DOCUMENTS], ids=[r[0] for r in DOCUMENTS]
)
def test_documents(tmp_path: Path, content: str, codes: str) -> None:
    """Else JSON of another form ends the scoring program with a KeyError."""
    like = sample(tmp_path, json.dumps(DOCUMENT), "sample.json")
    found = checked(tmp_path, content, like, "mine.json")
    assert told(found).replace("?", "") == codes, found


def packed(place: Path, files: dict[str, str | bytes]) -> Path:
    """A zip."""
    path = place / "mine.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def test_zips_of_one_file_and_of_others(tmp_path: Path) -> None:
    """Else the zip that was uploaded cannot be checked, only what it was made of."""
    like = sample(tmp_path)
    junk = {"__MACOSX/._a.csv": "x", ".DS_Store": "x"}
    assert check_results(packed(tmp_path, {"a.csv": GOOD, **junk}), like) == []
    assert told(check_results(packed(tmp_path, {"a.csv": GOOD[:40]}), like)) == "S818"
    assert told(check_results(packed(tmp_path, {}), like)) == "S802"
    both = packed(tmp_path, {"a.csv": GOOD, "b.csv": "x"})
    assert [(one.code, one.severity) for one in check_results(both, like)] == [("S802", "note")]
    assert check_results(packed(tmp_path, {"iris_test.predict": GOOD}), like) == []
    assert check_results(both, like, "a.csv") == []
    (tmp_path / "mine.zip").write_bytes(b"no zip at all")
    assert told(check_results(tmp_path / "mine.zip", like)) == "S802"
    with pytest.raises(SubmissionError, match="mine"):
        check_results(tmp_path / "mine.csv", like)


def _of(found: Expected | None) -> str:
    return f"{found.kind}: {found.place}" if found else ""


def _bundle(place: Path, kit: dict[str, str], truth: dict[str, str]) -> Bundle:
    made = bundle(place, None, reference=truth)
    folder = place / "kit"
    for name, content in kit.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    [phase] = made.phases
    kits = {"starting_kit": folder if kit else None}
    return Bundle(**{**vars(made), "phases": (type(phase)(**{**vars(phase), **kits}),)})


@pytest.mark.parametrize(
    ("kit", "truth", "wanted"),
    [
        ({"sample_submission.csv": GOOD}, {"y.csv": GOOD}, "sample: sample_submission.csv of the starting kit"),
        ({"data/train.csv": GOOD}, {"y.csv": GOOD}, "reference: y.csv of the reference data"),
        ({"sample_result_submission/x.csv": GOOD}, {}, "sample: sample_result_submission/x.csv of the starting kit"),
        ({"submission.csv": ONE, "example_submission.csv": GOOD}, {}, "sample: example_submission.csv of the starting kit"),
        ({"sample_submission.json": "{}"}, {}, ""),
        ({}, {"a.csv": ONE, "b.csv": GOOD}, "reference: b.csv of the reference data"),
        ({}, {"a.csv": ONE}, ""),
        ({}, {}, ""),
    ],
)  # fmt: skip
def test_a_sample_is_found_before_the_reference(
    tmp_path: Path, kit: dict[str, str], truth: dict[str, str], wanted: str
) -> None:
    """Else predictions are compared with training data, or with nothing."""
    made = _bundle(tmp_path, kit, truth)
    path = tmp_path / "mine.csv"
    path.write_text(GOOD)
    assert _of(find_expected(made, made.phases[0], path)) == wanted


SCORE = """
import csv, json
rows = list(csv.DictReader(open("/app/input/res/answers.csv")))
truth = list(csv.DictReader(open("/app/input/ref/y.csv")))
right = sum(a["label"] == b["label"] for a, b in zip(rows, truth)) / len(truth)
json.dump({"accuracy": right}, open("/app/output/scores.json", "w"))
"""


@linux_only
def test_what_is_packed_is_scored(tmp_path: Path) -> None:
    """Else the zip has a name in it that the scoring program does not open."""
    made = bundle(tmp_path, None, program(SCORE), reference={"y.csv": GOOD})
    path = tmp_path / "mine.csv"
    path.write_text(GOOD.replace("cat", "dog"))
    out = packed_results(path, "answers.csv", tmp_path / "out.zip")
    again = packed_results(out, "answers.csv", tmp_path / "again.zip")
    assert out.read_bytes() == again.read_bytes()
    assert figures(ran(made, tmp_path, "2026-10", out)) == {"accuracy": 0.5}
    own = packed_results(path, "", tmp_path / "own.zip")
    with zipfile.ZipFile(own) as file:
        assert file.namelist() == ["mine.csv"]
        assert file.read("mine.csv") == path.read_bytes()


def test_a_hundred_thousand_rows_take_less_than_a_second(tmp_path: Path) -> None:
    """Else nobody waits for the check before an upload."""
    draw = random.Random(0)
    out = io.StringIO()
    out.write("id," + ",".join(f"p{at}" for at in range(9)) + "\n")
    for at in range(100_000):
        out.write(f"{at}," + ",".join(f"{draw.random():.6f}" for _ in range(9)) + "\n")
    like = sample(tmp_path, out.getvalue())
    path = tmp_path / "mine.csv"
    path.write_text(out.getvalue())
    begun = time.thread_time()
    with path.open(newline="") as file:
        assert sum(sum(map(float, row)) for row in list(csv.reader(file))[1:]) > 0
    read = time.thread_time() - begun
    begun = time.thread_time()
    assert check_results(path, like) == []
    # 0.93 s on an idle core, 2.6 times as long as reading it; in seconds a busy machine would fail.
    assert time.thread_time() - begun < 5 * read


def test_a_foreign_file_says_nothing_to_the_terminal(tmp_path: Path) -> None:
    """Else a name in somebody's file moves the user's cursor."""
    rows = text(
        [[f"\x1b[2J{i}", x, p] for i, x, p in BODY], ["id\x1b[31m", "label", "\x1b]0;x\x07"]
    )
    for one in checked(tmp_path, rows, sample(tmp_path)):
        assert "\x1b" not in one.message + one.advice


def test_no_bytes_at_all_break_it(tmp_path: Path) -> None:
    """Else somebody's broken file shows a traceback in the place of a finding."""
    draw, like = random.Random(1), sample(tmp_path)
    for _ in range(400):
        data = bytearray(GOOD.encode(draw.choice(["utf-8", "utf-16", "utf-32"])))
        for _ in range(draw.randrange(12)):
            at = draw.randrange(len(data))
            data[at : at + draw.randrange(3)] = bytes(draw.choices(b',;"\n\r\0\xff0.e\t ', k=2))
        checked(tmp_path, bytes(data), like)
        truth = Expected("reference", "truth", "truth.csv", bytes(data))
        with suppress(SubmissionError):  # a broken reference is named, and ends it
            checked(tmp_path, GOOD, truth)


def test_a_sample_that_is_none_is_told(tmp_path: Path) -> None:
    """Else a broken sample makes every row of the user's a fault."""
    broken = sample(tmp_path, "id,y\n1,2\n3\n")
    with pytest.raises(SubmissionError, match="different length"):
        checked(tmp_path, GOOD, broken)
    with pytest.raises(SubmissionError, match="no JSON"):
        checked(tmp_path, "{}", sample(tmp_path, "{", "sample.json"), "mine.json")


def test_arrays_where_arrays_are_meant(tmp_path: Path) -> None:
    """Else predictions of NumPy, which half of all challenges take, are called no text."""

    def array(values: list[float]) -> bytes:
        held = io.BytesIO()
        np.save(held, np.array(values))
        return held.getvalue()

    like = Expected("reference", "truth", "truth.npy", array([0, 1, 1]))
    assert checked(tmp_path, array([1, 0, 1]), like, "mine.npy") == []
    assert told(checked(tmp_path, array([1, 0]), like, "mine.npy")) == "S809"
    assert told(checked(tmp_path, array([1, 0, float("nan")]), like, "mine.npy")) == "S816"
    assert told(checked(tmp_path, array([1])[:70], like, "mine.npy")) == "S802"

"""Nasty names pushed through the commands that people type: nothing of them acts on what they read."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.commands import local_eval, make_submission
from evaluator.report.page import to_page
from submission.findings import Finding
from tests.evaluator import pages

FORGED = "make-submission: ready to upload"
NASTY = (
    "a\x1b[2J\x1b]0;title\x07b",
    f"a\n{FORGED}\n",
    f"a\r{FORGED}",
    f"a\x85\u2028{FORGED}\x0b",
    "a\u202egnp.\u2066\u200b\ufeff",
    "a\U000e0041\x9b31m\x7f",
    "[/red][bold]:smile:<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "b" * 3000,
)
MODEL = """
import numpy as np
class Model:
    def predict(self, X):
        {does}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(text: str) -> None:
    """Nothing but newlines moves the cursor, nothing is hidden, and no line is forged."""
    bad = {s for s in text if unicodedata.category(s) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert not bad, sorted(map(ascii, bad))
    assert not any(line.startswith(FORGED) for line in text.splitlines())
    text.encode("utf-8")


def checked_json(text: str) -> None:
    """As `check`, of each text within; lines are allowed in a program's hands."""

    def within(value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                within(key)
                within(item)
        elif isinstance(value, list):
            for item in value:
                within(item)
        elif isinstance(value, str):
            check(value.replace(FORGED, "").replace("\t", ""))

    assert text.isascii()
    within(json.loads(text, parse_constant=pytest.fail))


def said(main: object, words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command; what it printed, both streams, checked."""
    code = main(list(words))  # type: ignore[operator]
    out = capsys.readouterr()
    check(out.out)
    check(out.err)
    assert code in (0, 1, 2), out.err
    return code, out.out + out.err


def zipped(path: str, members: dict[str, str]) -> str:
    """A zip with these members, whatever their names."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return path


def test_members_of_a_zip(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a zip that is only looked at clears the terminal, or says of itself that it is ready."""
    model = MODEL.format(does="return np.zeros(len(X), int)")
    weights = {f"{name}.keras": "x" for name in NASTY} | {f"{n}/../../{n}.py": "(" for n in NASTY}
    path = zipped("x.zip", {"model.py": model, **dict.fromkeys(NASTY, "x" * 5000), **weights})
    words = ["--check-only", path, "--no-run", "--json", "found.json"]
    assert said(make_submission.main, words, capsys)[0] == 1
    checked_json(Path("found.json").read_text("ascii"))


@pytest.mark.parametrize("name", NASTY)
def test_the_usage_repeats_no_orders(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else `local-eval *.zip` in a folder of somebody's clears the terminal."""
    for main in (local_eval.main, make_submission.main):
        with suppress(SystemExit):  # with a space in it, argparse takes it for a file
            assert main(["a.zip", f"--{name}"]) == 2
        err = capsys.readouterr().err
        check(err)
        assert len(err.splitlines()[-1]) < 5000


@pytest.mark.parametrize("name", NASTY)
def test_errors_are_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else what is wrong with a file is told in lines that somebody else wrote."""
    with zipfile.ZipFile("keys.npz", "w") as file:
        for key in ("x", "y"):
            file.writestr(f"{key}{name}.npy", "")
    Path("p.toml").write_text(f"schema = 1\n{json.dumps(name)} = 1\n", encoding="utf-8")
    np.savez("names.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array(["a", name]))
    cases = (
        (local_eval.main, ["inspect", "keys.npz"]),
        (local_eval.main, ["inspect", "names.npz"]),
        (local_eval.main, ["inspect", f"{name[:200]}.npz"]),
        (local_eval.main, ["show", "--corrupt", "p.toml"]),
        (local_eval.main, ["forget", name[:200]]),
        (make_submission.main, ["--check-only", f"{name[:200]}.zip"]),
        (make_submission.main, ["--list-checks", "--challenge", "p.toml", "--ignore", name]),
    )
    for main, words in cases[:-1]:
        code, text = said(main, words, capsys)
        assert (code, text.count("\n")) == (2, 1), text
        assert len(text) < 5000


def test_notes_phases_and_imports(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a note that was typed in jest runs as a formula in the team's spreadsheet."""
    for name in NASTY:
        words = ["record", name[:200], "--score", "0.5", "--name-only", "--note", name]
        assert said(local_eval.main, [*words, "--phase", name], capsys)[0] == 0
    table = io.StringIO()
    csv.writer(table).writerows([("submission", "score", "note"), *((n, "0.25", n) for n in NASTY)])
    Path("in.csv").write_text(table.getvalue(), encoding="utf-8", newline="")
    said(local_eval.main, ["import", "in.csv"], capsys)
    outputs = ["--csv", "out.csv", "--json", "out.json"]
    said(local_eval.main, ["history", *outputs], capsys)
    exported = (here / "out.csv").read_text("utf-8")
    check(exported.replace(f"\n{FORGED}", ""))  # a note keeps its lines, in quotes
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+@") and cell.strip()]
    checked_json((here / "out.json").read_text("ascii"))
    before = (here / "out.json").read_text("ascii")
    said(local_eval.main, ["import", "out.csv"], capsys)
    said(local_eval.main, ["history", *outputs], capsys)
    assert (here / "out.json").read_text("ascii") == before, "our own export brought something new"
    openpyxl = pytest.importorskip("openpyxl")
    said(local_eval.main, ["history", "--xlsx", "out.xlsx"], capsys)
    for row in openpyxl.load_workbook("out.xlsx").active.iter_rows(values_only=True):
        for value in row:
            if isinstance(value, str):
                check(value.replace(FORGED, ""))
                assert value.lstrip()[:1] not in tuple("=+-@") or not value


def test_page_and_report() -> None:
    """Else the page that is passed on runs what a class is called."""
    small = pages.small_report()
    names = tuple(f"{i}{name[:60]}" for i, name in enumerate(NASTY))[
        : len(small.source.label_names)
    ]
    source = replace(small.source, label_names=names, notes=NASTY, path=NASTY[0], preset=NASTY[1])
    found = tuple(Finding("S601", "error", name, name, f"Traceback\n{name}") for name in NASTY)
    odd = replace(small, source=source, findings=found, versions={"keras": NASTY[1]})
    check(str(odd))
    checked_json(odd.to_json())
    page = to_page(odd)
    check(page.replace(f"\n{FORGED}", ""))
    assert "<script>alert(1)" not in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "does", ["raise ValueError({!r})", "print({!r}, flush=True); import os; os._exit(1)"]
)
@pytest.mark.parametrize("name", NASTY[:6])
def test_what_a_child_says(does: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a submission's exception clears the terminal, or tells its author that all is well."""
    path = zipped("x.zip", {"model.py": MODEL.format(does=does.format(f"{name}\n{name}"))})
    said(make_submission.main, ["--check-only", path, "--no-server", "--json", "a.json"], capsys)
    checked_json(Path("a.json").read_text("ascii"))
    np.savez(
        "d.npz",
        images=np.random.default_rng(0).integers(0, 255, (16, 96, 96, 3), np.uint8),
        labels=np.arange(16) % 8,
    )
    words = [path, "--data", "d.npz", "--no-estimate", "--images", "8", "--corrupt", "fog:3"]
    said(local_eval.main, [*words, "--json", "b.json", "--html", "b.html"], capsys)
    checked_json(Path("b.json").read_text("ascii"))
    check(Path("b.html").read_text("utf-8").replace(f"\n{FORGED}", ""))

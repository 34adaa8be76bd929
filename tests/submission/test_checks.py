"""The checks' common ground: codes and advice, ignoring them, and archives that cannot be trusted."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.zip_members import Window
from submission.archive import Archive
from submission.checks.imports import (
    GONE,
    KNOWN,
    OURS,
    OWN_FILES,
    SHIPPED,
    SHIPPED_BY_KERAS,
    SINCE,
    by_version,
)
from submission.checks.subject import Check, all_checks, examine
from submission.findings import Finding, known_codes, without
from tests.submission.corpus.keras_page import keras_page
from tests.submission.corpus.keras_zip import dense, entry, hdf5, keras_zip, layer
from tests.submission.zips import GOOD, Link, build_zip

CHALLENGE = load_challenge()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"a text file", b"Rar!\x1a\x07\x00"])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    """Else the user meets zipfile's words instead of ours."""
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(SubmissionError, match="not a readable zip"):
        Archive(tmp_path / "s.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["big.bin", "big.npy"])
def test_a_damaged_file_is_named(tmp_path: Path, method: int, name: str) -> None:
    """Else a broken copy is found out by the platform's "Bad or empty zip file"."""
    path = tmp_path / "s.zip"
    content = bytes(i * i % 251 for i in range(8000))
    with zipfile.ZipFile(path, "w", method) as file:
        for member, data in {**GOOD, name: content}.items():
            file.writestr(member, data)
        place = file.getinfo(name).header_offset + 100
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    with Archive(path) as archive:
        findings = [f for f in examine(archive, CHALLENGE) if f.severity == "error"]
    assert [(f.code, name in f.message) for f in findings if f.code == "S107"] == [("S107", True)]


def test_a_file_is_looked_into_where_it_lies(tmp_path: Path) -> None:
    """Else 200 MB of stored weights are copied for every look at their last bytes."""
    content = bytes(range(256)) * 1000
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w", method) as file:
            file.writestr("first", b"1")
            file.writestr("a.bin", content)
        with Archive(path) as archive:
            held = archive.look_into("a.bin")
            assert held.seek(-10, 2) == len(content) - 10
            assert held.read() == content[-10:]
            assert held.seek(5) == 5
            assert held.read(300) == content[5:305]
            assert archive.look_into("a.bin").read() == content


@pytest.mark.parametrize("check", all_checks(), ids=lambda c: c.code)
def test_advice_is_a_sentence(check: Check) -> None:
    """Else the user is told what is wrong but not what to do."""
    assert check.advice[0].isupper()
    assert check.advice.endswith((".", "()."))
    assert "\n" not in check.advice
    assert check.code[:2] in ("S1", "S2", "S3", "S4")


UNPACKED = [
    ("../../evil.py", "evil.py", b"x"),
    ("/etc/evil", "etc/evil", b"x"),
    ("./model.py", "model.py", b"x"),
    ("a//b/./c", "a/b/c", b"x"),
    ("link", "link", b"/etc/passwd"),
]


@pytest.mark.parametrize(("written", "name", "held"), UNPACKED)
def test_a_zip_is_unpacked_as_the_platform_does_it(
    tmp_path: Path, written: str, name: str, held: bytes
) -> None:
    """Else a zip could write anywhere on the user's disk, or one that is scored be refused."""
    content = Link("/etc/passwd") if written == "link" else "x"
    path = build_zip(tmp_path / "s.zip", {**GOOD, written: content})
    with zipfile.ZipFile(path) as plain:
        plain.extractall(tmp_path / "deep" / "down" / "theirs")
    with Archive(path) as archive:
        archive.extract(tmp_path / "deep" / "down" / "ours")
        assert name in archive.names
        assert archive.read(name) == held
    ours, theirs = (
        {str(p.relative_to(tmp_path / "deep" / "down" / who)): p.read_bytes() for p in (tmp_path / "deep" / "down" / who).rglob("*") if p.is_file()}
        for who in ("ours", "theirs")
    )  # fmt: skip
    assert ours == theirs
    assert ours[name] == held
    assert {p.name for p in tmp_path.iterdir()} == {"s.zip", "deep"}


def test_an_ignored_code_is_left_out(tmp_path: Path) -> None:
    """Else a user who knows better would read the same line for ever, or lose other findings."""
    path = build_zip(tmp_path / "s.zip", {**GOOD, ".DS_Store": "x", "a.csv": "1"})
    with Archive(path) as archive:
        assert {f.code for f in examine(archive, CHALLENGE)} == {"S110", "S116"}
        assert {f.code for f in examine(archive, CHALLENGE, ignored=["s110"])} == {"S116"}
        assert examine(archive, CHALLENGE, ignored={"S110", "S116", "S501"}) == []


@pytest.mark.parametrize(("code", "hint"), [("S2O3", "did you mean .*S203"), ("S199", "did you mean"), ("S1-XYZW", "list-checks")])  # fmt: skip
def test_an_unknown_code_is_refused(tmp_path: Path, code: str, hint: str) -> None:
    """Else a typo in --ignore would pass in silence."""
    said = pytest.raises(SubmissionError, match=f"No check '{code}'.*{hint}")
    with Archive(build_zip(tmp_path / "s.zip", GOOD)) as archive, said:
        examine(archive, CHALLENGE, ignored=[code])


def test_ignored_findings_are_counted() -> None:
    """Else nobody could see how much was left out."""
    found = [Finding(code, "note", "x") for code in ("S110", "S203", "S203")]
    kept, left_out = without(found, known_codes([" s203 ", ""], ["S110", "S203"]))
    assert [f.code for f in kept] == ["S110"]
    assert left_out == {"S203": 2}


def test_what_servers_have_is_said_once() -> None:
    """Else a name stands in the table of servers' packages twice, or where nobody reads it."""
    assert set(KNOWN) == {"packages", "python", "network"}
    assert set(KNOWN["packages"]) == {"tensorflow", "keras", "ours", "own_files"}
    assert set(KNOWN["network"]) == {"calls", "commands", "tools"}
    kinds = [{*changes} for changes in KNOWN["python"].values()]
    assert set().union(*kinds) == {"modules", "gone", "names", "keywords"}
    lists = [
        *KNOWN["network"].values(),
        *(v for v in KNOWN["packages"].values() if type(v) is list),
    ]
    lists += [names for changes in KNOWN["python"].values() for names in changes.values()]
    assert all(len(names) == len({str(name) for name in names}) for names in lists)
    assert not OWN_FILES & (SHIPPED | OURS)
    assert SHIPPED_BY_KERAS <= SHIPPED
    assert (SINCE["tomllib"], GONE["imp"], GONE["cgi"]) == ((3, 11), (3, 12), (3, 13))
    assert by_version("keywords")["zip strict"] == (3, 10)


def test_deep_nesting_is_no_crash(tmp_path: Path) -> None:
    """Else a generated expression of a thousand brackets ends in our traceback."""
    deep = "x = " + "-" * 5000 + "1\n" + "y = " + "+".join(["1"] * 5000) + "\n"
    path = build_zip(tmp_path / "s.zip", {**GOOD, "model.py": deep + str(GOOD["model.py"])})
    with Archive(path) as archive:
        assert {f.severity for f in examine(archive, CHALLENGE)} <= {"note", "error"}


def test_back_porting_is_told(tmp_path: Path) -> None:
    """Else the user learns that a file is too new, but not whether anything can be done."""
    mended = keras_zip(entry(), dense(quantization_config=None), version="3.15.1")
    refused = keras_zip(entry(), layer("RMSNormalization"), dense(), version="3.15.1")
    for weights, told in ((mended, "quantization_config dropped"), (refused, "RMSNormalization")):
        path = build_zip(tmp_path / "s.zip", {"model.py": keras_page(), "w.keras": weights})
        with Archive(path) as archive:
            [finding] = [f for f in examine(archive, CHALLENGE) if f.code == "S303"]
        assert told in finding.message
        assert ("Back-porting would fix it" in finding.message) == (weights is mended)


def test_stored_weights_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a zip of some hundred MB is read several times over before the first word is said."""
    read: list[int] = []
    fill = Window.readinto

    def counted(self: Window, target: object) -> int:
        read.append(fill(self, target))
        return read[-1]

    monkeypatch.setattr(Window, "readinto", counted)
    path = tmp_path / "s.zip"
    weights = hdf5(content=np.random.default_rng(0).bytes(8 << 20))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", keras_page())
        file.writestr("w.keras", keras_zip(weights=weights))
    with Archive(path) as archive:
        assert examine(archive, CHALLENGE) == []
    assert 0 < sum(read) < len(weights) / 8  # some windows of 64 KiB, however large it is


def test_a_long_module_is_read_in_time(tmp_path: Path) -> None:
    """Else a module of some thousand lines holds the command up for minutes."""
    many = 400
    method = (
        "    def m{0}(self, X):\n        np.load('w{0}.npy')\n        return self.m{1}(X).mean()\n"
    )
    body = "".join(method.format(i, i + 1) for i in range(many)).replace(f"m{many}(", "m0(")
    model = str(GOOD["model.py"]).replace("return np.zeros", "self.m0(X)\n        return np.zeros")
    path = build_zip(tmp_path / "s.zip", {**GOOD, "model.py": model + body})
    started = time.process_time()
    with Archive(path) as archive:
        found = [f for f in examine(archive, CHALLENGE) if f.code == "S301"]
    assert len(found) == many
    assert time.process_time() - started < 15  # it takes half a second

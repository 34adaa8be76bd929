"""Every check on a zip that has its fault, and no check on zips that have none."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from submission.archive import Archive
from submission.challenge import SizeLimits, load_challenge
from submission.checks.registry import all_checks, examine
from submission.checks.size import QUOTA_BYTES
from submission.errors import SubmissionError
from tests.submission.zips import GOOD, GOOD_MODEL, Link, build_zip, keras_file

CHALLENGE = load_challenge()


def model(body: str) -> dict[str, str | bytes]:
    """A submission whose model.py is this text."""
    return {**GOOD, "model.py": body}


PREDICT = "    def predict(self, X): return X"
TABLE: list[tuple[str, Mapping[str, str | bytes], set[str]]] = [
    ("good", GOOD, set()),
    ("empty", {}, {"S101"}),
    ("only folders", {"a/": ""}, {"S101"}),
    ("nested", {f"mine/{k}": v for k, v in GOOD.items()}, {"S102"}),
    ("no module", {"weights.npy": b"1"}, {"S102"}),
    ("wrong case", {"Model.py": GOOD_MODEL, "weights.npy": b"1"}, {"S102"}),
    ("folder called model", {"model/model.py": GOOD_MODEL, "weights.npy": b"1"}, {"S102", "S103"}),
    ("traversal", {**GOOD, "../evil.py": "x"}, {"S104"}),
    ("absolute", {**GOOD, "/etc/evil": "x"}, {"S104"}),
    ("backslashes", {**GOOD, "..\\evil.py": "x"}, {"S104"}),
    ("drive", {**GOOD, "C:evil.py": "x"}, {"S104"}),
    ("link", {**GOOD, "link": Link("/etc/passwd")}, {"S104"}),
    ("bomb", {**GOOD, "zeros.bin": b"\0" * (101 << 20)}, {"S105"}),
    ("mac junk", {**GOOD, "__MACOSX/._model.py": "x", ".DS_Store": "x"}, {"S110"}),
    ("syntax error", model("class Model(:\n"), {"S201"}),
    ("magic", model("%matplotlib inline\n" + GOOD_MODEL), {"S201"}),
    ("not text", model("\udcff"), {"S201"}),
    ("no class", model("class Net: pass\n"), {"S202"}),
    ("class imported", model("from net import Model\n"), set()),
    ("class by star import", model("from net import *\n"), set()),
    ("class assigned", model("Model = make()\n"), set()),
    ("init needs a path", model(f"class Model:\n    def __init__(self, path): pass\n{PREDICT}\n"), {"S203"}),
    ("init needs a keyword", model(f"class Model:\n    def __init__(self, *, p): pass\n{PREDICT}\n"), {"S203"}),
    ("init with defaults", model(f"class Model:\n    def __init__(self, p=1, **k): pass\n{PREDICT}\n"), set()),
    ("no predict", model("class Model:\n    pass\n"), {"S204"}),
    ("predict inherited", model("class Model(Base):\n    pass\n"), set()),
    ("predict assigned", model("class Model:\n    predict = other\n"), set()),
    ("predict without X", model("class Model:\n    def predict(self): pass\n"), {"S204"}),
    ("predict with two", model("class Model:\n    def predict(self, X, y): pass\n"), {"S204"}),
    ("predict without self", model("class Model:\n    def predict(X): pass\n"), {"S204"}),
    ("predict with options", model("class Model:\n    def predict(self, X, batch=8): pass\n"), set()),
    ("predict with star", model("class Model:\n    def predict(self, *a): pass\n"), set()),
    ("static predict", model("class Model:\n    @staticmethod\n    def predict(X): pass\n"), set()),
    ("another name", {"model.py": GOOD_MODEL, "best.npy": b"1"}, {"S301"}),
    ("no weights", {"model.py": f"class Model:\n{PREDICT}\n"}, {"S302"}),
    ("old keras", {**GOOD, "w.keras": keras_file("3.4.1", {})}, set()),
    ("newer keras, same keys", {**GOOD, "w.keras": keras_file("3.6.0", {})}, set()),
    ("newer keras, new key", {**GOOD, "w.keras": keras_file("3.15.1", {"quantization_config": None})}, {"S303"}),
    ("optimizer state", {**GOOD, "w.keras": keras_file("3.4.1", {}, optimizer=1000)}, {"S304"}),
    ("broken keras", {**GOOD, "w.keras": b"not a zip"}, {"S303"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "codes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_findings(tmp_path: Path, files: Mapping[str, str | bytes], codes: set[str]) -> None:
    """Else a mistake reaches the platform, or a good zip is refused."""
    held = {
        k: v.encode("utf-8", "surrogateescape") if type(v) is str else v for k, v in files.items()
    }
    with Archive(build_zip(tmp_path / "s.zip", held)) as archive:
        assert {finding.code for finding in examine(archive, CHALLENGE)} == codes


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"a text file", b"Rar!\x1a\x07\x00"])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    """Else the user meets zipfile's words instead of ours."""
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(SubmissionError, match="not a readable zip"):
        Archive(tmp_path / "s.zip")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """Else a broken copy is found out by the platform's "Bad or empty zip file"."""
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, content in {**GOOD, "big.bin": b"abcdefgh" * 1000}.items():
            file.writestr(name, content)
    data = bytearray(path.read_bytes())
    data[data.index(b"abcdefgh") + 100] ^= 0xFF
    path.write_bytes(data)
    with Archive(path) as archive:
        findings = examine(archive, CHALLENGE)
    assert [(f.code, "big.bin" in f.message) for f in findings] == [("S107", True)]


def test_duplicate_names(tmp_path: Path) -> None:
    """Else the platform unpacks another model.py than the one meant."""
    path = build_zip(tmp_path / "s.zip", GOOD)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("model.py", GOOD_MODEL)
    with Archive(path) as archive:
        assert {f.code for f in examine(archive, CHALLENGE)} == {"S108"}


def test_a_long_zip_name(tmp_path: Path) -> None:
    """Else the upload form refuses it."""
    with Archive(build_zip(tmp_path / f"{'s' * 61}.zip", GOOD)) as archive:
        assert {f.code for f in examine(archive, CHALLENGE)} == {"S109"}


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        (SizeLimits(zip_bytes=100), "S401"),
        (SizeLimits(unpacked_bytes=100), "S402"),
        (SizeLimits(file_bytes=100), "S403"),
    ],
)
def test_given_limits(tmp_path: Path, sizes: SizeLimits, code: str) -> None:
    """Else a limit that the user knows would not be checked."""
    with Archive(build_zip(tmp_path / "s.zip", GOOD)) as archive:
        findings = examine(archive, replace(CHALLENGE, sizes=sizes))
    assert {f.code for f in findings} == {code}


class Huge(Archive):
    """An archive that says it is larger than it is."""

    pretended = 0

    @property
    def size(self) -> int:
        """Pretend."""
        return self.pretended

    @property
    def unpacked_bytes(self) -> int:
        """Pretend."""
        return self.pretended


@pytest.mark.parametrize(
    ("size", "codes"),
    [
        (400 * 10**6, set()),
        (501 * 10**6, {"S405"}),
        (2 * 10**9, {"S405", "S406"}),
        (QUOTA_BYTES + 1, {"S404", "S406"}),
    ],
)
def test_sizes_without_limits(tmp_path: Path, size: int, codes: set[str]) -> None:
    """Else nothing would be said of sizes where the limit is unknown."""
    archive = Huge(build_zip(tmp_path / "s.zip", GOOD))
    archive.pretended = size
    with archive:
        assert {f.code for f in examine(archive, CHALLENGE)} == codes


def test_encrypted(tmp_path: Path) -> None:
    """Else the platform would stand before a password."""
    path = build_zip(tmp_path / "s.zip", GOOD)
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(sign)
        data[place + offset] |= 1
    path.write_bytes(data)
    with Archive(path) as archive:
        assert "S106" in {f.code for f in examine(archive, CHALLENGE)}


def test_every_check_has_a_row_that_it_finds() -> None:
    """Else a check could be dead without anybody noticing."""
    text = Path(__file__).read_text(encoding="utf-8")
    named = {n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)}
    assert {check.code for check in all_checks()} <= named


@pytest.mark.parametrize("check", all_checks(), ids=lambda c: c.code)
def test_advice_is_a_sentence(check: object) -> None:
    """Else the user is told what is wrong but not what to do."""
    advice = getattr(check, "advice", "")
    assert advice[0].isupper()
    assert advice.endswith(".")
    assert "\n" not in advice


@pytest.mark.parametrize("name", ["../evil.py", "/evil", "link"])
def test_extract_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    """Else a zip could write anywhere on the user's disk."""
    content = Link("/etc/passwd") if name == "link" else "x"
    path = build_zip(tmp_path / "s.zip", {**GOOD, name: content})
    with Archive(path) as archive, pytest.raises(SubmissionError, match="outside its folder"):
        archive.extract(tmp_path / "out")
    assert not (tmp_path / "evil.py").exists()

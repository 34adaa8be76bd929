"""The command `make-submission` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from submission.cli import main
from tests.submission.zips import GOOD, build_zip, keras_file


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a weights file of today's Keras."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.keras").write_bytes(keras_file("3.15.1", {"quantization_config": None}))
    return tmp_path


def test_weights_become_a_zip(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the first command of the README would not work."""
    assert main(["weights.keras", "--scale", "0..1"]) == 0
    said = capsys.readouterr().out
    assert (here / "submission.zip").is_file()
    assert "rewritten for Keras 3.4.1" in said
    assert "Not checked" in said
    assert "next: local-eval submission.zip" in said


def test_the_built_zip_passes_its_own_check() -> None:
    """Else what we build we would refuse."""
    assert main(["weights.keras", "--scale", "0..255"]) == 0
    assert main(["--check-only", "submission.zip"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give the weights"),
        (["nothing.keras"], 2, "nothing.keras: no such file"),
        (["--check-only", "nothing.zip"], 2, "nothing.zip: no such file"),
        (["weights.keras", "--check-only", "s.zip"], 2, "takes no weights"),
        (["weights.keras", "--challenge", "mine"], 2, "No challenge 'mine'"),
        (["weights.keras", "--model", "none.py"], 2, "none.py cannot be read"),
        ([".", "--out", "s.zip"], 2, "no recipe.json"),
        (["weights.keras", "--zip-limit", "1kB"], 1, "S401"),
        (["weights.keras"], 0, "S501"),
        (["weights.keras", "--strict"], 1, "S501"),
        (["--list-checks"], 0, "S102 error"),
    ],
)
def test_codes_and_words(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else scripts could not tell success from failure, or people not what to do."""
    assert main(arguments) == code
    heard = capsys.readouterr()
    assert said in heard.out + heard.err
    assert "Traceback" not in heard.err


@pytest.mark.parametrize("size", ["", "0", "ten", "-5MB", "5 apples"])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a typo would be no limit at all."""
    with pytest.raises(SystemExit) as caught:
        main(["weights.keras", f"--zip-limit={size}"])
    assert caught.value.code == 2
    assert "such as 500MB" in capsys.readouterr().err


def test_json_for_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script would have to read prose."""
    assert main(["weights.keras", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["zip"] == "submission.zip"
    assert document["bytes"] == (here / "submission.zip").stat().st_size
    assert document["findings"][0]["code"] == "S501"
    build_zip(here / "bad.zip", {"a/model.py": "", **dict(list(GOOD.items())[1:])})
    assert main(["--check-only", "bad.zip", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "S102"

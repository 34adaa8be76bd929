"""`local-eval board --challenge BUNDLE --submissions FOLDER`, as an organiser types it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.commands.local_eval import main
from tests.evaluator.bundles.made import MODEL, bundle_zip
from tests.sandbox.children import linux_only

pytestmark = linux_only
CONSTANT = """
import numpy as np
class Model:
    def fit(self, X, y):
        pass
    def predict(self, X):
        return np.zeros(len(X), int)
"""
# What the centroids say of every image, the other way round.
UPSIDE_DOWN = MODEL.replace(".argmin(1)", ".argmax(1)")


def npy(values: NDArray[np.float64]) -> bytes:
    """The bytes of an array file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


# The newer worker lays a predictions file in the zip over what ingestion left.
OWN_FILE: dict[str, str | bytes] = {
    "model.py": CONSTANT,
    "predictions.npy": npy(np.r_[np.ones(50), np.zeros(10)]),
}
HANDED_IN: dict[str, str | dict[str, str | bytes]] = {
    "anna/good.zip": MODEL,
    "ben/constant.zip": CONSTANT,
    "carl/wrong.zip": UPSIDE_DOWN,
    "dora/broken.zip": "1/0\n",
    "eve/own_file.zip": OWN_FILE,
}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle, and a folder with everybody's zip, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, text in HANDED_IN.items():
        path = tmp_path / "handed_in" / name
        path.parent.mkdir(parents=True)
        with zipfile.ZipFile(path, "w") as archive:
            members = {"model.py": text} if isinstance(text, str) else text
            for member, content in members.items():
                archive.writestr(member, content)
    Path("teams.csv").write_text(
        "zip,team\n" + "".join(f"{Path(n).name},{n[:3]}\n" for n in HANDED_IN)
    )
    return bundle_zip(tmp_path)


WORDS = [
    *("board", "--submissions", "handed_in", "--phase", "0", "--corrupt", "fog:5"),
    *("--budget", "30", "--teams", "teams.csv"),
]


def entrants(document: str) -> dict[str, Any]:
    """What a board's JSON says of everybody, by name."""
    found = {one["name"].removesuffix(".zip"): one for one in json.loads(document)["entrants"]}
    return dict(found)


def test_everybody(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else an organiser cannot say whose rank is sure, and a broken zip ends the whole board."""
    for name in ("ben/constant.zip", "eve/own_file.zip"):
        Path("handed_in", name).unlink()  # each is 2 s of children: see below
    words = [*WORDS, "--challenge", bundle]
    assert main([*words, "--json", "b.json", "--html", "b.html"]) == 1
    assert "good.zip is the best of them, clean." in capsys.readouterr().out
    text = Path("b.json").read_text()
    assert [one["name"] for one in json.loads(text)["conditions"]] == ["clean", "fog:5"]
    found = entrants(text)
    assert list(found) == ["good", "wrong", "broken"]
    assert found["good"]["places"]["clean"]["rank"] == [1, 1]
    assert found["wrong"]["places"]["clean"]["rank"] == [2, 2]
    assert found["good"]["team"] == "ann"
    nothing = {"value": None, "interval": None, "rank": None, "at": None}
    assert found["broken"]["places"]["clean"] == nothing
    assert "ZeroDivisionError" in found["broken"]["message"]
    page = Path("b.html").read_text()
    assert "How corruption moves the ranks" in page
    assert "good.zip" in page
    # Everything is known by now, the failure too: nothing is run again.
    assert main([*words, "--anonymous", "--json", "-"]) == 1
    hidden = capsys.readouterr()
    assert hidden.err.count("1 of them kept from earlier") == 2
    for name in ("good", "wrong", "broken", "ann", "dor"):
        assert name not in hidden.out, name
    again = entrants(hidden.out)
    assert [one["places"] for one in again.values()] == [one["places"] for one in found.values()]


@pytest.mark.slow
def test_ranks_of_other_kinds(bundle: str) -> None:
    """A file in the zip is no answer of its model; damage moves nothing that looks at no image."""
    assert main([*WORDS, "--challenge", bundle, "--json", "b.json"]) == 1
    found = entrants(Path("b.json").read_text())
    assert next(iter(found)) == "good"
    assert list(found)[-1] == "broken"
    assert found["own_file"]["places"]["clean"]["rank"] is None, "it is not of what ingestion left"
    assert found["own_file"]["places"]["clean"]["at"] > 1
    assert found["wrong"]["places"]["clean"]["rank"] == [3, 3]
    constant = found["constant"]["places"]
    assert constant["fog:5"]["value"] == constant["clean"]["value"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "expected everybody's zips"),
        (["--submissions", "nowhere"], "expected a folder with everybody's zips"),
        (["--submissions", "handed_in", "--store", "none"], "expected a store"),
        (["--submissions", "handed_in", "--reports", "x"], "--reports does not go with"),
    ],
)
def test_wrong_words(
    words: list[str], says: str, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is told in a line, before anything runs."""
    assert main(["board", "--challenge", bundle, *words]) == 2
    assert says in capsys.readouterr().err

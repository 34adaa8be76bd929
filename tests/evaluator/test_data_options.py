"""`--part` and `--held-out`, as a user types them: which images a command takes, and what it says."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codabench_rehearsal.commands.compare
import codabench_rehearsal.commands.ensemble
import codabench_rehearsal.commands.evaluate
import codabench_rehearsal.commands.inspect
import codabench_rehearsal.commands.make_submission
import codabench_rehearsal.commands.rank
import codabench_rehearsal.commands.recipe_train
import codabench_rehearsal.commands.show
import codabench_rehearsal.commands.train_recipe
from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.console.command import Parser
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import DataError, Dataset, split, synthetic
from codabench_rehearsal.images.splitting import Split
from evaluator import EvaluationError, local_eval
from submission import check

DATA = synthetic(96, seed=1)
SIDES = {"train": slice(0, 48), "val": slice(48, 80), "test": slice(80, 96)}
MODEL = """
import numpy as np
class Model:
    def predict(self, X):
        return (np.asarray(X, "float32").mean((1, 2, 3)) // {width}).astype("int64") % 8
"""
QUICK = ["--corrupt", "fog:3", "--no-estimate"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with cells.npz, which has three parts, and two zips; the store is here too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCAL_EVAL_STORE", raising=False)
    arrays: dict[str, Any] = {f"x_{part}": DATA.images[rows] for part, rows in SIDES.items()}
    arrays |= {f"y_{part}": DATA.labels[rows, None] for part, rows in SIDES.items()}
    np.savez(tmp_path / "cells.npz", **arrays)
    for name, width in (("a", 20), ("b", 30)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as file:
            file.writestr("model.py", MODEL.format(width=width))
            file.writestr("w.npy", "x")
    return tmp_path


PARSERS: dict[str, tuple[Callable[[], Parser], bool]] = {
    "local-eval": (codabench_rehearsal.commands.evaluate.parser, True),
    "compare": (codabench_rehearsal.commands.compare.parser, True),
    "ensemble": (codabench_rehearsal.commands.ensemble.parser, True),
    "rank": (codabench_rehearsal.commands.rank.parser, True),
    "make-submission": (codabench_rehearsal.commands.make_submission.new_parser, True),
    "inspect": (codabench_rehearsal.commands.inspect.parser, False),
    "show": (codabench_rehearsal.commands.show.parser, False),
    "train-recipe": (codabench_rehearsal.commands.recipe_train.parser, False),
    "picture": (codabench_rehearsal.commands.train_recipe.COMMANDS["picture"].parser, False),
}


@pytest.mark.parametrize(("parser", "rehearses"), PARSERS.values(), ids=PARSERS)
def test_every_command_that_takes_data_takes_a_part(
    parser: Callable[[], Parser], *, rehearses: bool
) -> None:
    """A file in parts can be used with some commands only."""
    text = " ".join(parser().format_all().split())
    assert "--part {train,val,test}" in text
    assert ("--held-out" in text) is rehearses
    assert text.isascii()  # printed where the terminal knows nothing else


@pytest.mark.parametrize(
    ("words", "count", "said"),
    [
        ([], 32, "Only x_val of cells.npz, 32 images; --part train|test for others."),
        (["--part", "test"], 16, "Only x_test of cells.npz, 16 images."),
        (["--part", "train"], 48, "Only x_train of cells.npz, 48 images."),
    ],
)
def test_a_rehearsal_takes_what_was_not_for_training(
    words: list[str], count: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else figures on training images would pass for a rehearsal, or nobody know which they are."""
    assert main(["a.zip", "--data", "cells.npz", *QUICK, *words, "--json", "out.json"]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert found["validation"]["n"] == count
    assert found["split"] == "unknown"


def test_held_out_takes_the_dagger_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Else honest figures could never lose the mark of doubtful ones."""
    words = ["a.zip", "--data", "cells.npz", *QUICK]
    assert main(words) == 0
    _, first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("†")
    assert "--held-out" in " ".join((first, *rest[:3]))
    assert main([*words, "--held-out", "--json", "out.json", "--html", "out.html"]) == 0
    shown = capsys.readouterr().out
    assert "held out, as you say (--held-out)" in shown
    page = Path("out.html").read_text(encoding="utf-8")
    assert "†" not in shown + page
    assert json.loads(Path("out.json").read_text(encoding="utf-8"))["split"] == "held-out"


def test_a_split_beside_the_zip_is_believed_before_held_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else one option too many would turn learnt images into honest figures."""
    val = DATA.subset(range(48, 80))
    split(val, 0.5, seed=0).save(here / "a.split.json")
    assert main(["a.zip", "--data", "cells.npz", *QUICK, "--held-out"]) == 0
    assert "on the training side of a.split.json" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("word", ["compare", "ensemble"])
def test_several_zips_on_held_out_images(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As above, where several are compared: neither part nor mark would be said."""
    words = ["a.zip", "b.zip", "--data", "cells.npz", "--corrupt", "fog:3"]
    assert main(["compare", *words]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("†")
    assert "--held-out" in " ".join(out.split())
    assert "Only x_val of cells.npz, 32 images; --part train|test for others." in err
    assert main([word, *words, "--held-out"]) == 0
    assert "†" not in capsys.readouterr().out


def test_copies_on_both_sides_are_said_of_several_zips(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a split with one copy too many would refuse the comparison, or lose images in silence."""
    val = DATA.subset(range(48, 80))
    Split(val.subset(range(12)), val.subset(range(10, 32)), 0, 0.5).save(here / "split.json")
    assert main(["compare", "a.zip", "b.zip", "--data", "cells.npz", "--corrupt", "fog:3"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 images are on both sides of split.json: trained on, so left out." in shown
    assert "20 images" in shown


def test_a_notebook_takes_both() -> None:
    """Else a file in parts would need the terminal."""
    options: dict[str, Any] = {"corrupt": "fog:3", "estimate": False, "store": "none"}
    report = local_eval("a.zip", "cells.npz", part="test", held_out=True, **options)
    assert report.scores is not None
    assert (report.source.split, report.scores.validation.accuracy.n) == ("held-out", 16)
    with pytest.raises(EvaluationError, match="part='val' is for a file"):
        local_eval("a.zip", DATA.images, DATA.labels, part="val", **options)
    with pytest.raises(DataError, match="part must be one of"):
        local_eval("a.zip", "cells.npz", part="dev", **options)


def test_a_check_says_which_images_it_took() -> None:
    """Else make-submission would judge by other images than the rehearsal, without a word."""
    found = check("a.zip", "cells.npz", server=False)
    assert "Only x_val of cells.npz, 32 images; --part train|test for others" in found.images
    assert "--held-out if it has not" in found.images
    told = check("a.zip", "cells.npz", server=False, part="test", held_out=True)
    assert "held out, as you say (Only x_test of cells.npz, 16 images)" in told.images
    with pytest.raises(SubmissionError, match="give it too"):
        check("a.zip", held_out=True, server=False)
    with pytest.raises(SubmissionError, match="part is for a file"):
        check("a.zip", Dataset(DATA.images, DATA.labels, DATA.ids), part="val", server=False)


def test_inspect_takes_the_training_part(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the images to train on would be inspected by the wrong file's part."""
    assert main(["inspect", "cells.npz"]) == 0
    shown = capsys.readouterr().out
    assert "Only x_train of cells.npz, 48 images; --part val|test for others." in shown
    assert main(["inspect", "cells.npz", "--part", "test"]) == 0
    assert "16 images: 16 kept" in capsys.readouterr().out

"""What the arguments of packing make of weights and training folders together."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.commands.packing_arguments import add_packing, packing
from codabench_rehearsal.console.errors import SubmissionError
from submission.training_folder import Packing


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a few weights, layers and training folders."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.keras", "b.keras", "c.h5", "layers.py", "mine.py"):
        Path(name).touch()
    train("one", scale="0..1", tta="flips", include=["layers.py"])
    train("two", preprocess="resnet50", resize=64, output="logits")
    train("many", weights=["x.keras", "y.keras"], member_weights=[2, 1], ensemble="vote")
    return tmp_path


def train(name: str, weights: list[str] | None = None, **recipe: Any) -> None:
    """A training folder with these settings, its files empty."""
    folder = Path(name)
    folder.mkdir()
    files = weights or ["weights.keras"]
    for file in (*files, *recipe.get("include", [])):
        (folder / file).touch()
    document = {"schema": 1, "weights": files, **recipe}
    (folder / "recipe.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "split.json").touch()


def read(*words: str) -> Packing:
    """Parse as the command does."""
    parser = argparse.ArgumentParser()
    add_packing(parser)
    return packing(parser.parse_args(words))


def test_plain_weights() -> None:
    """Else the shortest command asks for more than weights."""
    found = read("a.keras")
    assert found == Packing(weights=(Path("a.keras"),), scale_given=False)


def test_every_option_arrives() -> None:
    """Else an option is read and lost."""
    found = read(
        "a.keras", "b.keras", "--preprocess", "DenseNet121", "--resize", "64", "--ensemble", "vote",
        "--tta", "d4", "--output", "logits", "--batch-size", "8", "--include", "layers.py",
        "--member-weights", "2", "0.5", "--shrink", "--float16",
    )  # fmt: skip
    assert found == Packing(
        weights=(Path("a.keras"), Path("b.keras")),
        preprocess="torch",
        resize=64,
        ensemble="vote",
        tta="d4",
        output="logits",
        batch_size=8,
        include=(Path("layers.py"),),
        member_weights=(2, 0.5),
        shrink=True,
        float16=True,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("a.keras", "b.keras", "--member-weights", "2", "1"),
        ("a.keras", "b.keras", "--weights", "2", "1"),
        ("a.keras", "b.keras", "--member-weights", "2,1"),
        ("--member-weights=2,1", "a.keras", "b.keras"),
    ],
)
def test_spellings_of_member_weights(words: tuple[str, ...]) -> None:
    """Else the spelling of the help's example works and the next one does not."""
    assert read(*words).member_weights == (2, 1)


def test_folders_keep_their_own_settings() -> None:
    """Else one member of an ensemble would be fed as another was trained."""
    found = read("one", "two", "c.h5")
    assert found.weights == (Path("one/weights.keras"), Path("two/weights.keras"), Path("c.h5"))
    assert found.scale == ("0..1", "0..255", "0..255")
    assert found.preprocess == (None, "caffe", None)
    assert found.resize == (None, 64, None)
    assert found.tta == ("flips", "none", "none")
    assert found.output == ("auto", "logits", "auto")
    assert found.include == (Path("one/layers.py"),)
    assert (found.ensemble, found.scale_given) == ("mean", False)
    assert found.splits == (Path("one/split.json"), Path("two/split.json"))
    assert found.no_split == (Path("c.h5"),)


def test_an_option_counts_for_all_members() -> None:
    """Else an option on the command line would be overruled by a recipe."""
    found = read("one", "two", "--scale", "-1..1", "--tta", "none", "--resize", "32")
    assert (found.scale, found.preprocess, found.scale_given) == ("-1..1", None, True)
    assert (found.tta, found.resize) == ("none", 32)
    found = read("one", "two", "--preprocess", "efficientnetb0")
    assert (found.scale, found.preprocess, found.scale_given) == ("0..255", None, True)


def test_a_folder_with_an_ensemble_of_its_own() -> None:
    """Else its weights and votes would be forgotten."""
    found = read("many")
    assert (found.ensemble, found.member_weights) == ("vote", (2, 1))
    assert read("many", "one", "--member-weights", "1", "1", "3").ensemble == "vote"


def test_an_own_model_needs_no_weights() -> None:
    """Else a model without saved weights could not be packed."""
    assert read("--model", "mine.py") == Packing(
        weights=(), model=Path("mine.py"), scale_given=False
    )


MISTAKES: list[tuple[tuple[str, ...], str]] = [
    ((), "give the weights or a training folder"),
    (("nothing.keras",), "nothing.keras: no such file"),
    (("a.keras", "--scale", "0..1", "--preprocess", "vgg16"), "exclude each other"),
    (("a.keras", "--model", "mine.py", "--tta", "d4"), "decides itself about --tta"),
    (
        ("a.keras", "--model", "mine.py", "--batch-size", "8", "--scale", "0..1"),
        "--scale, --batch-size",
    ),
    (("a.keras", "b.keras", "--member-weights", "1"), "1 numbers for 2 networks"),
    (("one", "two", "--member-weights", "1", "1", "1"), "3 numbers for 2 networks"),
    (("many", "one"), "give 3 numbers with --member-weights"),
    (("a.keras", "./a.keras"), "is given twice"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_what_cannot_be_is_said_in_one_sentence(words: tuple[str, ...], said: str) -> None:
    """Else a contradiction is settled silently, one way or the other."""
    with pytest.raises(SubmissionError) as caught:
        read(*words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_that_disagree_about_the_ensemble() -> None:
    """Else the order of the folders would decide."""
    train("means", weights=["x.keras", "y.keras"])
    words = ("many", "means", "--member-weights", "1", "1", "1", "1")
    with pytest.raises(SubmissionError, match="different ensembles"):
        read(*words)
    assert read(*words, "--ensemble", "mean").ensemble == "mean"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.keras", "--preprocess", "resnet5"), "did you mean resnet50"),
        (("a.keras", "--resize", "0"), "above 0"),
        (("a.keras", "--member-weights", "-1"), "above 0"),
        (("--member-weights", "1", "a.keras"), "the files go before them"),
        (("a.keras", "--tta", "d5"), "invalid choice"),
    ],
)
def test_values_that_are_none(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a typo would be some other value."""
    with pytest.raises(SystemExit):
        read(*words)
    assert said in capsys.readouterr().err

"""Packing: the same bytes every time, nothing written when something is wrong."""

from __future__ import annotations

import ast
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from codabench_rehearsal.challenge.profile import SizeLimits, load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.packager import pack
from submission.training_folder import Packing
from tests.submission.corpus.keras_zip import dense, entry, keras_zip
from tests.submission.zips import keras_file

CHALLENGE = load_challenge()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A `.keras` file of today's Keras."""
    path = tmp_path / "weights.keras"
    path.write_bytes(keras_file("3.15.1", {"quantization_config": None}))
    return path


def settings(zip_path: Path) -> dict[str, object]:
    """The settings of the shipped model.py."""
    with zipfile.ZipFile(zip_path) as file:
        tree = ast.parse(file.read("model.py"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_the_zip_holds_model_and_weights_at_its_root(tmp_path: Path, weights: Path) -> None:
    """Else the platform finds no module named model."""
    packed = pack(Packing((weights,)), CHALLENGE, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        assert file.namelist() == ["model.py", "weights.keras"]
    assert packed.zip_path == tmp_path / "s.zip"
    assert packed.backports["weights.keras"].saved_with == "3.15.1"
    assert packed.findings == ()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, weights: Path) -> None:
    """Else the same submission would count as two."""
    pack(Packing((weights,)), CHALLENGE, tmp_path / "a.zip")
    weights.touch()
    pack(Packing((weights,)), CHALLENGE, tmp_path / "deep" / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "deep" / "b.zip").read_bytes()


def test_the_settings_are_those_given(tmp_path: Path, weights: Path) -> None:
    """Else the server would feed the model other values than training did."""
    other = tmp_path / "it's \\n.keras"
    other.write_bytes(weights.read_bytes())
    packing = Packing((weights, other), "0..1", 64, "flips", "vote")
    pack(packing, CHALLENGE, tmp_path / "s.zip")
    found = settings(tmp_path / "s.zip")
    assert found["WEIGHTS"] == ["weights.keras", "it's \\n.keras"]
    assert (found["SCALE"], found["RESIZE"], found["NUM_CLASSES"]) == ("0..1", 64, 8)
    assert (found["TTA"], found["ENSEMBLE"]) == ("flips", "vote")


def test_files_of_one_name_are_numbered(tmp_path: Path, weights: Path) -> None:
    """Else one member of an ensemble would overwrite another."""
    (tmp_path / "b").mkdir()
    second = tmp_path / "b" / "weights.keras"
    second.write_bytes(weights.read_bytes())
    pack(Packing((weights, second)), CHALLENGE, tmp_path / "s.zip")
    assert settings(tmp_path / "s.zip")["WEIGHTS"] == ["01-weights.keras", "02-weights.keras"]


def test_other_names_of_class_and_method(tmp_path: Path, weights: Path) -> None:
    """Else a challenge with other names could not be served."""
    challenge = replace(CHALLENGE, module="net", class_name="Net", method="classify")
    pack(Packing((weights,)), challenge, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        text = file.read("net.py").decode()
    assert "class Net:" in text
    assert "def classify(self, X):" in text


def test_included_python_files_are_imported_first(tmp_path: Path, weights: Path) -> None:
    """Else custom layers would be in the zip but not registered when the weights are loaded."""
    layers = tmp_path / "layers.py"
    layers.write_text("x = 1\n", encoding="utf-8")
    pack(Packing((weights,), include=(layers,)), CHALLENGE, tmp_path / "s.zip")
    assert settings(tmp_path / "s.zip")["MODULES"] == ["layers"]


def test_a_server_without_a_table_is_a_warning(tmp_path: Path, weights: Path) -> None:
    """Else a challenge with another Keras could not be packed, or a failure there came unsaid."""
    challenge = replace(CHALLENGE, keras="3.9.9")
    packed = pack(Packing((weights,)), challenge, tmp_path / "s.zip")
    assert [(f.code, f.severity) for f in packed.findings] == [("S502", "warning")]
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        assert file.read("weights.keras") == weights.read_bytes()


def test_an_own_model_is_shipped_as_it_is(tmp_path: Path, weights: Path) -> None:
    """Else a user's own preprocessing would be lost."""
    own = tmp_path / "mine.py"
    own.write_text("class Model:\n    def predict(self, X): return X\n", encoding="utf-8")
    pack(Packing((weights,), model=own, include=(own,)), CHALLENGE, tmp_path / "s.zip")
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        assert file.read("model.py") == own.read_bytes()
        assert "mine.py" in file.namelist()


def test_an_error_leaves_the_old_zip(tmp_path: Path, weights: Path) -> None:
    """Else a good zip would be lost to a failed build."""
    out = tmp_path / "s.zip"
    pack(Packing((weights,)), CHALLENGE, out)
    before = out.read_bytes()
    tight = replace(CHALLENGE, sizes=SizeLimits(zip_bytes=100))
    packed = pack(Packing((weights,), "0..1"), tight, out)
    assert packed.zip_path is None
    assert [finding.code for finding in packed.findings] == ["S401"]
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zip", "weights.keras"]


def test_the_augmentation_goes_beside_the_zip(tmp_path: Path, weights: Path) -> None:
    """Else a benchmark of what the training used would flatter without a word."""
    out = tmp_path / "s.zip"
    pack(Packing((weights,), augmentation=("fog",)), CHALLENGE, out)
    beside = tmp_path / "s.recipe.json"
    assert json.loads(beside.read_text(encoding="utf-8"))["augmentation"] == ["fog"]
    pack(Packing((weights,)), CHALLENGE, out)
    assert not beside.exists(), "another zip's augmentation must not stay"


def test_the_split_goes_beside_the_zip_never_into_it(tmp_path: Path, weights: Path) -> None:
    """Else local-eval could not tell validation images from training images."""
    split = tmp_path / "split.json"
    split.write_text("{}", encoding="utf-8")
    packed = pack(Packing((weights,), splits=(split,)), CHALLENGE, tmp_path / "out" / "s.zip")
    assert packed.split == tmp_path / "out" / "s.split.json"
    assert packed.split.read_text(encoding="utf-8") == "{}"
    with zipfile.ZipFile(tmp_path / "out" / "s.zip") as file:
        assert file.namelist() == ["model.py", "weights.keras"]
    pack(Packing((weights,)), CHALLENGE, tmp_path / "out" / "s.zip")
    assert not packed.split.exists(), "another zip's split must not stay"


def test_an_assumed_scale_is_a_warning(tmp_path: Path, weights: Path) -> None:
    """Else the commonest silent mistake would stay silent."""
    packed = pack(Packing((weights,), scale_given=False), CHALLENGE, tmp_path / "s.zip")
    assert [(f.code, f.severity) for f in packed.findings] == [("S501", "warning")]


UNFIT = [
    ((entry(128), dense()), {}, "S311", "128 x 128 x 3"),
    ((entry(128), dense()), {"resize": 128}, "", ""),
    ((entry(), dense(9)), {}, "S312", "9 classes"),
    ((entry(), {**entry(), "config": {**entry()["config"], "name": "b"}}, dense()), {}, "S311", "2 inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "wishes", "code", "said"), UNFIT)
def test_what_our_model_py_would_refuse_is_an_error(
    tmp_path: Path, layers: tuple[Any, ...], wishes: dict[str, Any], code: str, said: str
) -> None:
    """Else --no-run says "looks right" of a network that cannot take the challenge's images."""
    path = tmp_path / "w.keras"
    path.write_bytes(keras_zip(*layers))
    packed = pack(Packing((path,), **wishes), CHALLENGE, tmp_path / "s.zip")
    errors = [f for f in packed.findings if f.severity == "error"]
    assert [f.code for f in errors] == [code] * bool(code)
    assert all(said in f.message for f in errors)


def test_arrays_without_their_network_are_refused(tmp_path: Path) -> None:
    """Else Keras 2's save_weights("w.h5") is packed, and fails on the platform."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["dense"]
        file.create_group("dense")
    with pytest.raises(SubmissionError, match="weights without the layers they belong to"):
        pack(Packing((path,)), CHALLENGE, tmp_path / "s.zip")


@pytest.mark.parametrize(
    ("config", "said"),
    [({"made_up": 3}, "made_up"), ({"activation": "celu"}, "celu")],
)
def test_what_the_server_cannot_load_is_refused_by_name(
    tmp_path: Path, config: dict[str, object], said: str
) -> None:
    """Else the zip would fail there in __init__."""
    path = tmp_path / "w.keras"
    path.write_bytes(keras_file("3.15.1", config))
    with pytest.raises(SubmissionError) as caught:
        pack(Packing((path,)), CHALLENGE, tmp_path / "s.zip")
    assert said in str(caught.value)
    assert "dense" in str(caught.value)
    assert not (tmp_path / "s.zip").exists()


def test_two_files_of_one_name_are_refused(tmp_path: Path, weights: Path) -> None:
    """Else an included file would replace the weights."""
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "weights.keras"
    other.write_bytes(b"x")
    with pytest.raises(SubmissionError, match=r"two files would be called weights\.keras"):
        pack(Packing((weights,), include=(other,)), CHALLENGE, tmp_path / "s.zip")

"""Packing several networks: their settings, splits and further files; what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.commands.make_submission import packed_text
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import sha256_of
from submission.packager import Packed, pack
from submission.training_folder import Packing, put_beside, split_place
from tests.submission.test_packager import CHALLENGE, settings
from tests.submission.zips import keras_file

NEW = {"quantization_config": None}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two `.keras` files, one with optimizer state."""
    paths = (tmp_path / "a.keras", tmp_path / "b.keras")
    paths[0].write_bytes(keras_file("3.15.1", NEW))
    paths[1].write_bytes(keras_file("3.15.1", NEW, optimizer=50_000))
    return paths


def zipped(packing: Packing, folder: Path, challenge: Challenge = CHALLENGE) -> Packed:
    """Pack into a folder; no error may be found."""
    packed = pack(packing, challenge, folder / "s.zip")
    assert packed.zip_path is not None, packed.findings
    return packed


def test_values_of_each_network_reach_the_page(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else one member would be fed as another was trained."""
    packing = Packing(
        two, ("0..1", "0..255"), (None, 64), ("d4", "none"), preprocess=(None, "caffe"),
        output=("auto", "logits"), member_weights=(2, 0.5), batch_size=16,
    )  # fmt: skip
    zipped(packing, tmp_path)
    found = settings(tmp_path / "s.zip")
    assert (found["SCALE"], found["PREPROCESS"]) == (["0..1", "0..255"], [None, "caffe"])
    assert (found["RESIZE"], found["TTA"]) == ([None, 64], ["d4", "none"])
    assert (found["OUTPUT"], found["MEMBER_WEIGHTS"]) == (["auto", "logits"], [2, 0.5])
    assert found["BATCH_SIZE"] == 16


@pytest.mark.parametrize(
    ("resize", "batch"), [(None, 64), (96, 64), (224, 64), (448, 16), ((None, 300), 35), (4000, 1)]
)
def test_large_images_come_in_smaller_batches(
    tmp_path: Path, two: tuple[Path, Path], resize: Any, batch: int
) -> None:
    """Else resizing makes the server run out of memory."""
    zipped(Packing(two, resize=resize), tmp_path)
    assert settings(tmp_path / "s.zip")["BATCH_SIZE"] == batch


def test_shrinking_is_told_and_pays(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else the user does not see what was saved where."""
    zipped(Packing(two), tmp_path)
    plain = (tmp_path / "s.zip").stat().st_size
    packed = zipped(Packing(two, shrink=True), tmp_path)
    assert (tmp_path / "s.zip").stat().st_size < plain - 190_000
    assert packed.shrunk["b.keras"].state == 200_000
    assert packed.shrunk["a.keras"].state == 0
    assert packed.files["b.keras"] == packed.shrunk["b.keras"].after
    assert packed.shrunk["b.keras"].zipped < packed.shrunk["b.keras"].after
    said = "\n".join(packed_text(packed))
    assert "200.0 kB of optimizer state left out" in said
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        assert file.testzip() is None
        assert file.getinfo("model.py").compress_type == zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(file.open("b.keras")) as inner:
            assert {i.compress_type for i in inner.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("wishes", [{"shrink": True}, {"float16": True, "shrink": True}])
def test_shrunk_zips_are_reproducible(
    tmp_path: Path, two: tuple[Path, Path], wishes: dict[str, Any]
) -> None:
    """Else the same submission would count as two."""
    zipped(Packing(two, **wishes), tmp_path)
    first = sha256_of(tmp_path / "s.zip")
    for path in two:
        path.touch()
    zipped(Packing(two, **wishes), tmp_path)
    assert sha256_of(tmp_path / "s.zip") == first


def test_float16_that_does_not_fit_names_file_and_layer(tmp_path: Path) -> None:
    """Else the user has to look for the weight among millions."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file["model_weights/dense/kernel"] = np.array([1e6], "float32")
    path = tmp_path / "w.h5"
    path.write_bytes(held.getvalue())
    with pytest.raises(SubmissionError, match=r"w\.h5: the layer 'dense' has a weight of 1e\+06"):
        pack(Packing((path,), float16=True), CHALLENGE, tmp_path / "s.zip")


def test_a_file_that_folders_share_goes_in_once(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else two training folders with the same layers.py could not be joined."""
    (tmp_path / "x").mkdir()
    paths = (tmp_path / "layers.py", tmp_path / "x" / "layers.py")
    for path in paths:
        path.write_text("x = 1\n", encoding="utf-8")
    packed = zipped(Packing(two, include=paths), tmp_path)
    assert sorted(packed.files) == ["a.keras", "b.keras", "layers.py", "model.py"]
    paths[1].write_text("x = 2\n", encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"two different files would be called layers\.py"):
        pack(Packing(two, include=paths), CHALLENGE, tmp_path / "s.zip")


REGISTERED = '''
import keras
@keras.saving.register_keras_serializable({words})
class Gate(keras.layers.Layer):
    """{text}"""
'''


@pytest.mark.parametrize(
    ("words", "text", "clash"),
    [
        (("package='a'", "package='a'"), ("one", "two"), True),
        (("", "'Custom'"), ("one", "two"), True),
        (("'a', 'Gate'", "name='Gate', package='a'"), ("one", "two"), True),
        (("'a'", "'b'"), ("one", "two"), False),
        (("'a'", "'a', 'Other'"), ("one", "two"), False),
    ],
)
def test_layers_registered_under_one_name(
    tmp_path: Path,
    two: tuple[Path, Path],
    words: tuple[str, str],
    text: tuple[str, str],
    clash: bool,
) -> None:
    """Else one network's layer silently stands in for the other's."""
    paths = (tmp_path / "one.py", tmp_path / "two.py")
    for path, word, doc in zip(paths, words, text, strict=True):
        path.write_text(REGISTERED.format(words=word, text=doc), encoding="utf-8")
    packing = Packing(two, include=paths)
    if clash:
        with pytest.raises(SubmissionError, match=r"one\.py and two\.py both register"):
            pack(packing, CHALLENGE, tmp_path / "s.zip")
    else:
        zipped(packing, tmp_path)


def test_the_registering_decorator_by_another_name(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else `from keras.saving import ... as kept` hides that one layer stands in for another."""
    paths = (tmp_path / "one.py", tmp_path / "two.py")
    head = "from keras.saving import register_keras_serializable as kept"
    for path in paths:
        path.write_text(f"{head}\n@kept('a')\nclass Gate:\n    at = {path.stem!r}\n")
    with pytest.raises(SubmissionError, match=r"one\.py and two\.py both register"):
        pack(Packing(two, include=paths), CHALLENGE, tmp_path / "a.zip")


def write_split(path: Path, train: str, validation: str) -> Path:
    """A split whose images are letters."""
    content = {"schema": 1, "train": list(train), "validation": list(validation)}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_splits_of_several_networks_are_merged(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else an image that one member was trained on would count as held out."""
    splits = (
        write_split(tmp_path / "1.json", "abc", "de"),
        write_split(tmp_path / "2.json", "acd", "bef"),
    )
    packed = zipped(Packing(two, splits=splits), tmp_path)
    assert packed.split is not None
    found = json.loads(packed.split.read_text(encoding="utf-8"))
    assert found == {"schema": 1, "train": list("abcd"), "validation": list("ef")}


def test_a_broken_split_leaves_the_old_zip(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else a zip would be left with another one's split."""
    good = write_split(tmp_path / "1.json", "abc", "de")
    zipped(Packing(two, splits=(good,)), tmp_path)
    before = (tmp_path / "s.zip").read_bytes()
    (tmp_path / "2.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SubmissionError, match=r"2\.json: expected a split"):
        pack(
            Packing(two, "0..1", splits=(good, tmp_path / "2.json")), CHALLENGE, tmp_path / "s.zip"
        )
    assert (tmp_path / "s.zip").read_bytes() == before


def test_weights_without_a_split_beside_others(tmp_path: Path, two: tuple[Path, Path]) -> None:
    """Else held-out figures would be trusted though a member may know the images."""
    packed = zipped(Packing(two, no_split=(two[1],)), tmp_path)
    found = {finding.code: finding for finding in packed.findings}
    assert found["S503"].severity == "note"
    assert "b.keras" in found["S503"].message


def test_a_draft_that_nobody_publishes_leaves_nothing(
    tmp_path: Path, two: tuple[Path, Path]
) -> None:
    """Else a zip that fails when run takes the place of a good one."""
    zipped(Packing(two), tmp_path)
    before = (tmp_path / "s.zip").read_bytes()
    with Packed(Packing(two, "0..1"), CHALLENGE, tmp_path / "s.zip") as packed:
        assert "model.py" in packed.archive.names
    assert packed.zip_path is None
    assert (tmp_path / "s.zip").read_bytes() == before
    assert not list(tmp_path.glob(".*.draft"))


GREY = replace(CHALLENGE, shape=(28, 28, 1))
WIDE = replace(CHALLENGE, shape=(48, 96, 3))
IMPOSSIBLE: list[tuple[tuple[str, ...], dict[str, Any], Challenge, str]] = [
    ((), {}, CHALLENGE, "there are no weights"),
    (("w.weights.h5",), {}, CHALLENGE, "weights without the layers they belong to"),
    (("w.pt",), {}, CHALLENGE, "our model.py loads .keras, .h5, .hdf5 files"),
    (("a.keras",), {"preprocess": "caffe"}, GREY, "for images of three colours"),
    (("a.keras",), {"tta": "rot90"}, WIDE, "take --tta flips, or --resize N"),
    (("a.keras",), {"scale": "0..1", "preprocess": "tf"}, CHALLENGE, "scale has to be 0..255"),
    (("a.keras",), {"member_weights": (1, 2)}, CHALLENGE, "2 values for 1 networks"),
    (("w.npy",), {"float16": True, "model": Path("m.py")}, CHALLENGE, "there is none"),
]


@pytest.mark.parametrize(("files", "wishes", "challenge", "said"), IMPOSSIBLE)
def test_what_could_not_work_is_refused(
    tmp_path: Path, files: tuple[str, ...], wishes: dict[str, Any], challenge: Challenge, said: str
) -> None:
    """Else it would fail on the server only, or score garbage there."""
    weights = tuple(tmp_path / name for name in files)
    for path in weights:
        path.write_bytes(keras_file("3.15.1", NEW))
    with pytest.raises(SubmissionError) as caught:
        pack(Packing(weights, **wishes), challenge, tmp_path / "s.zip")
    assert said in str(caught.value)
    assert not (tmp_path / "s.zip").exists()


@pytest.mark.parametrize(
    ("wishes", "challenge"),
    [
        ({"preprocess": "tf"}, GREY),
        ({"tta": "flips"}, WIDE),
        ({"tta": "rot90", "resize": 64}, WIDE),
    ],
)
def test_what_works_is_not_refused(
    tmp_path: Path, two: tuple[Path, Path], wishes: dict[str, Any], challenge: Challenge
) -> None:
    """Else a rule would be wider than its reason."""
    zipped(Packing(two, **wishes), tmp_path, challenge)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.npz", "w.pkl"])
def test_an_own_model_takes_any_weights(tmp_path: Path, name: str) -> None:
    """Else somebody's own loader could not be packed."""
    (tmp_path / name).write_bytes(b"anything")
    own = tmp_path / "mine.py"
    own.write_text("class Model:\n    def predict(self, X): return X\n", encoding="utf-8")
    packed = pack(
        Packing((tmp_path / name,), model=own, scale_given=False), CHALLENGE, tmp_path / "s.zip"
    )
    assert name in packed.files
    assert "S501" not in {finding.code for finding in packed.findings}


def test_what_is_put_aside_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    """Else a split that somebody wrote by hand is gone at the second packing."""
    for number in "123":
        (tmp_path / "s.split.json").write_text(number, encoding="utf-8")
        assert put_beside(None, split_place(tmp_path / "s.zip")) is None
    kept = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    names = ("s.split.json.old", "s.split.json.old.2", "s.split.json.old.3")
    assert kept == dict(zip(names, "123", strict=True))

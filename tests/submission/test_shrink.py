"""Shrinking saved weights: what goes, what stays to the last bit, what is refused."""

from __future__ import annotations

import builtins
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import Archive
from submission.checks.subject import examine
from submission.shrink import shrink
from tests.submission.corpus.keras_zip import hdf5
from tests.submission.corpus.keras_zip import keras_zip as corpus_keras

DRAWS = np.random.default_rng(5)
KERNEL = DRAWS.normal(size=(64, 32)).astype("float32")
COMPILED = {"optimizer": {"class_name": "Adam"}, "loss": {"registered_name": "mine>focal"}}
# As Keras 3 has it: a model in a model, both compiled, a layer that is called optimizer, a seed.
WEIGHTS: dict[str, Any] = {
    "layers/dense/vars/0": KERNEL,
    "layers/functional/layers/conv/vars/0": KERNEL.reshape(8, 8, 32),
    "layers/functional/optimizer/vars/0": np.int64(3),
    "layers/functional/optimizer/vars/1": KERNEL,
    "layers/mine/optimizer/vars/0": KERNEL[0],
    "layers/dropout/seed_generator/vars/0": np.array([1, 2], "uint32"),
    "optimizer/vars/0": np.int64(3),
    "optimizer/vars/1": KERNEL,
    "optimizer/vars/2": KERNEL,
}
STATE = {name for name in WEIGHTS if "optimizer" in name and "mine" not in name}
LEGACY: dict[str, Any] = {
    "model_weights/dense/dense/kernel": KERNEL,
    "optimizer_weights/adam/iteration": np.int64(3),
    "optimizer_weights/adam/kernel_momentum": KERNEL,
}


def halved_copy(data: bytes) -> bytes:
    """The file with its weights in half precision and all else as it was."""
    return shrink(data, state=False, float16=True)[0]


def h5(arrays: Mapping[str, Any], **attributes: Any) -> bytes:
    """An HDF5 file of these arrays, with groups named as Keras names them."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        for name, array in arrays.items():
            file[name] = array
            if name.endswith("vars/0"):
                file[name].parent.attrs["name"] = name.split("/")[-3]
        for key, value in attributes.items():
            file.attrs[key] = value
    return held.getvalue()


def keras_zip(weights: bytes, *, compiled: bool = True) -> bytes:
    """A `.keras` file around weights."""
    inner = {"class_name": "Functional", "config": {}, "compile_config": COMPILED}
    config = {
        "class_name": "Functional",
        "config": {"layers": [inner] if compiled else []},
        "compile_config": COMPILED if compiled else None,
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("metadata.json", '{"keras_version": "3.4.1"}')
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", weights)
        file.writestr("assets/words.txt", "a\nb\n")
    return held.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """The files in a `.keras` file."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in an HDF5 file."""
    found: dict[str, NDArray[Any]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(visit)
    return found


def same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether they hold the same bits under the same names."""
    return set(found) == set(wanted) and all(
        np.asarray(found[n]).dtype == np.asarray(wanted[n]).dtype
        and np.array_equal(found[n], wanted[n])
        for n in wanted
    )


KEPT = {name: array for name, array in WEIGHTS.items() if name not in STATE}


def test_a_keras_file_loses_its_state_and_nothing_else() -> None:
    """Else the weights change, or the upload stays three times as large."""
    before = keras_zip(h5(WEIGHTS))
    after, done = shrink(before)
    found = members(after)
    assert list(found) == ["metadata.json", "config.json", "model.weights.h5", "assets/words.txt"]
    assert same(arrays(found["model.weights.h5"]), KEPT)
    assert b"compile_config" not in found["config.json"].replace(b'"compile_config": null', b"")
    assert found["assets/words.txt"] == b"a\nb\n"
    assert (done.before, done.after) == (len(before), len(after))
    assert done.state == 3 * KERNEL.nbytes + 2 * 8
    assert done.compiled
    assert done.rounding == 0
    assert len(after) < 0.6 * len(before)


def test_a_weights_file_of_keras_3() -> None:
    """Else `.weights.h5` for one's own model.py keeps its state."""
    after, done = shrink(h5(WEIGHTS))
    assert same(arrays(after), KEPT)
    assert done.state == 3 * KERNEL.nbytes + 2 * 8


def test_a_whole_model_in_the_older_format() -> None:
    """Else an `.h5` keeps its state, or loses the attributes that it is loaded by."""
    config, names = '{"class_name": "Sequential"}', np.array([b"dense"])
    data = h5(
        LEGACY, model_config=config, training_config="{}", keras_version="3.4.1", layer_names=names
    )
    after, done = shrink(data)
    assert set(arrays(after)) == {"model_weights/dense/dense/kernel"}
    assert (done.state, done.compiled) == (KERNEL.nbytes + 8, True)
    with h5py.File(io.BytesIO(after)) as file:
        assert set(file.attrs) == {"model_config", "keras_version", "layer_names"}
        assert file.attrs["model_config"] == config
        assert file.attrs["layer_names"].tolist() == [b"dense"]


@pytest.mark.parametrize("make", [h5, lambda arrays: keras_zip(h5(arrays), compiled=False)])
def test_nothing_to_leave_out_is_the_same_file(make: Any) -> None:
    """Else packing changes files for nothing."""
    data = make(KEPT)
    after, done = shrink(data)
    assert after == data
    assert (done.before, done.after, done.state, done.compiled) == (len(data), len(data), 0, False)


@pytest.mark.parametrize("float16", [False, True])
@pytest.mark.parametrize("data", [keras_zip(h5(WEIGHTS)), h5(WEIGHTS), h5(LEGACY)])
def test_the_same_bytes_every_time(data: bytes, float16: bool) -> None:
    """Else one submission would count as two; a second shrinking would find more to do."""
    first, _ = shrink(data, float16=float16)
    assert shrink(data, float16=float16)[0] == first
    assert shrink(first, float16=float16)[0] == first


def test_half_precision_is_the_nearest_of_each_weight() -> None:
    """Else accuracy is lost for nothing; counters, seeds, optimizer state must not be touched."""
    halved = arrays(members(halved_copy(keras_zip(h5(WEIGHTS))))["model.weights.h5"])
    assert set(halved) == set(WEIGHTS)
    for name, array in WEIGHTS.items():
        if np.asarray(array).dtype == np.float32 and name not in STATE:
            assert halved[name].dtype == np.float16
            assert np.array_equal(halved[name], array.astype("float16"))
        else:
            assert halved[name].dtype == np.asarray(array).dtype
            assert np.array_equal(halved[name], array)


def test_the_rounding_is_told_with_its_layer() -> None:
    """Else nobody knows which layer suffers from half precision."""
    fine, lost = np.ones((8, 8), "float32"), np.full(4, 1e-9, "float32")
    _, done = shrink(h5({"layers/a/vars/0": fine, "layers/tiny/vars/0": lost}), float16=True)
    assert (done.rounding, done.rounded) == (1.0, "tiny")
    _, done = shrink(h5({"layers/dense/vars/0": KERNEL}), float16=True)
    assert 0 < done.rounding <= 2**-11
    assert done.rounded == "dense"


@pytest.mark.parametrize("value", [65505.0, -1e6, np.inf, np.nan])
def test_what_half_precision_cannot_hold_is_refused(value: float) -> None:
    """Else one weight becomes infinite, and every answer with it."""
    data = h5({"layers/dense/vars/0": np.array([1.0, value], "float32")})
    with pytest.raises(SubmissionError, match=r"'dense' .*65504.*leave out --float16"):
        halved_copy(data)
    shrink(data)  # without float16 it is nobody's matter
    halved = halved_copy(h5({"optimizer/vars/0": np.int64(1), "optimizer/vars/1": [value]}))
    assert halved == halved_copy(halved), "an optimizer's state is not halved, so never refused"


def test_float16_ends_where_it_says() -> None:
    """Else the largest number that fits is refused."""
    halved = arrays(halved_copy(h5({"layers/d/vars/0": np.array([65504.0], "float32")})))
    assert halved["layers/d/vars/0"].tolist() == [65504.0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "can be shrunk"),
        (b"\x93NUMPY", "can be shrunk"),
        (b"PK\x03\x04nothing", "not a readable .keras file"),
        (h5(WEIGHTS)[:3000], "no readable HDF5"),
        (keras_zip(h5(WEIGHTS)[:3000]), "no readable HDF5"),
        (keras_zip(b"nothing"), "no readable HDF5"),
    ],
)
def test_what_cannot_be_read(data: bytes, said: str) -> None:
    """Else the user meets an error of h5py or zipfile."""
    with pytest.raises(SubmissionError) as caught:
        shrink(data)
    assert said in str(caught.value)


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a machine without h5py shows a traceback."""
    real = builtins.__import__

    def no_h5py(name: str, *rest: Any, **words: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *rest, **words)

    monkeypatch.setattr(builtins, "__import__", no_h5py)
    with pytest.raises(SubmissionError, match="h5py is not installed"):
        shrink(b"\x89HDF\r\n")


def test_the_promised_saving_is_the_one_that_shrinking_brings(tmp_path: Path) -> None:
    """Else a note would promise to save more than the zip has."""
    weights = hdf5(optimizer=500_000, content=DRAWS.bytes(300_000))  # 2 MB of zeros as state
    path = tmp_path / "submission.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", "class Model:\n    def predict(self, X): ...\n")
        file.writestr("weights.keras", held := corpus_keras(weights=weights))
    with Archive(path) as archive:
        found = {f.code: f.message for f in examine(archive, load_challenge())}
    promised = found["S408"].rpartition("about ")[2]
    small = len(shrink(held)[0])
    assert abs(float(promised.removesuffix(" MB")) * 1e6 - (len(held) - small)) < 0.1 * len(held)

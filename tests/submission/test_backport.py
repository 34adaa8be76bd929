"""Configs of newer Keras versions, and what an older one is given of them."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.console.errors import SubmissionError
from submission.backport import (
    BackportError,
    backport_config,
    backport_keras_file,
    inspect_keras_file,
)
from submission.backport_config import Rewriter, snake_case
from submission.keras_tables import load_table, targets
from submission.model_page import model_page
from tests.submission.server import server_python

TARGET, NEWER = "3.4.1", "3.15.1"
HERE = Path(__file__).parent
TABLE = load_table(TARGET)
PLAIN = {"name": "it", "trainable": True}
FLOAT = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    """The config of one layer of Keras's own."""
    config = {**PLAIN, **config}
    return {"module": "keras.layers", "class_name": class_name, "config": config}


def initializer(class_name: str, **config: Any) -> dict[str, Any]:
    """The config of one initializer."""
    return {"module": "keras.initializers", "class_name": class_name, "config": config}


def operation(class_name: str, module: str = "numpy", **config: Any) -> dict[str, Any]:
    """The config of one of keras.ops in a functional model."""
    return {"module": f"keras.src.ops.{module}", "class_name": class_name, "config": config}


def call(*inputs: str, **kwargs: Any) -> dict[str, Any]:
    """One call of a layer in a functional model."""
    args = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [i, 0, 0]}} for i in inputs
    ]
    return {"args": args, "kwargs": kwargs}


def graph(*layers: dict[str, Any], end: str) -> dict[str, Any]:
    """A functional model; every layer but the first is called on the one before."""
    for before, node in zip((None, *layers), layers, strict=False):
        node["name"] = node["config"].get("name", "op")
        node["inbound_nodes"] = [call(before["name"])] if before else []
    config = {"layers": list(layers), "input_layers": [layers[0]["name"], 0, 0]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": "model", "trainable": True, **config, "output_layers": [end, 0, 0]},
        "registered_name": "Functional",
    }


def custom(registered: str, **config: Any) -> dict[str, Any]:
    """The config of a layer of somebody else's."""
    return {"module": None, "class_name": "Mine", "config": config, "registered_name": registered}


# name, config, keys that go or change, keys that are refused
CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("known keys stay", layer("Dense", units=4, activation="relu"), [], []),
    ("a default goes", layer("Dense", units=4, quantization_config=None), ["quantization_config"], []),
    ("a value is refused", layer("Dense", units=4, quantization_config={"mode": "int8"}), [],
     ["quantization_config"]),
    ("False is not 0", layer("BatchNormalization", renorm=0), [], ["renorm"]),
    ("any known default", layer("ZeroPadding1D", data_format="channels_last"), ["data_format"], []),
    ("batch norm", layer("BatchNormalization", renorm=False, renorm_clipping=None,
                         renorm_momentum=0.99),
     ["renorm", "renorm_clipping", "renorm_momentum"], []),
    ("renorm", layer("BatchNormalization", renorm=True, renorm_clipping={}), [],
     ["renorm", "renorm_clipping"]),
    ("inside a layer",
     layer("Conv2D", kernel_initializer=initializer("HeNormal", seed=None, input_axes=None)),
     ["input_axes"], []),
    ("inside a wrapper",
     layer("TimeDistributed", layer=layer("Dense", units=1, quantization_config=None)),
     ["quantization_config"], []),
    ("inside a list",
     {"module": "keras", "class_name": "Sequential", "config": {
         "name": "model", "layers": [layer("InputLayer", ragged=False), layer("Flatten")]}},
     ["ragged"], []),
    ("ragged input", layer("InputLayer", ragged=True), [], ["ragged"]),
    ("a key nobody knows", layer("Dense", units=4, mystery=None), [], ["mystery"]),
    ("a class nobody knows", layer("Mystery"), [], ["class_name"]),
    ("a newer class", layer("RMSNormalization"), [], ["class_name"]),
    ("a class that behaves otherwise", layer("RandomCrop", height=8, width=8), [], ["class_name"]),
    ("a newer activation", layer("Dense", units=4, activation="celu"), [], ["activation"]),
    ("an activation by function", layer("Activation", activation={
        "module": "builtins", "class_name": "function", "config": "sparsemax"}), [], ["function"]),
    ("a function of keras", layer("Activation", activation={
        "module": "keras.ops", "class_name": "function", "config": "rot90"}), [], ["function"]),
    ("a function of one's own", layer("Activation", activation={
        "module": "builtins", "class_name": "function", "config": "smish"}), [], []),
    ("a lambda", layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "x"}}),
     [], ["function"]),
    ("a dtype", layer("Dense", units=4, dtype=FLOAT), [], []),
    ("a quantized dtype", layer("Dense", units=4, dtype={
        "module": "keras.dtype_policies", "class_name": "Int4DTypePolicy", "config": {}}),
     [], ["class_name"]),
    ("an operation's name", operation("Mean", axis=[1], name="mean_3"), ["name"], []),
    ("an operation's value", operation("Triu", k=0, name="triu"), ["name"], []),
    ("a newer operation", operation("Rot90"), [], ["class_name"]),
    ("one's own layer", custom("mine>Mine", anything=3), [], []),
    ("unregistered", custom("Mine", anything=3), [], []),
    ("inside one's own", custom("mine>Mine", inner=initializer("Zeros", input_axes=None)), [],
     ["input_axes"]),
    ("registered over keras", {**layer("Dense", mystery=1), "registered_name": "mine>Dense"}, [], []),
    ("an augmentation", layer("RandAugment", value_range=[0, 255]), ["class_name"], []),
    ("its values", layer("RandomContrast", factor=0.1, value_range=[0, 1]), ["value_range"], []),
    ("several", layer("Pipeline", layers=[layer("RandomFlip"), layer("RandomHue")]), ["class_name"], []),
    ("not all of them idle", layer("Pipeline", layers=[layer("RandomHue"), layer("Rescaling")]), [],
     ["class_name"]),
    ("compile config", {**layer("Dense", units=1), "compile_config": {"loss": "mystery"}},
     ["compile_config"], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "gone", "refused"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rewriting(config: dict[str, Any], gone: list[str], refused: list[str]) -> None:
    """Else a model would not load there, or would load as another one."""
    before = copy.deepcopy(config)
    backport = backport_config(config, TARGET, NEWER)
    assert [change.key for change in backport.changes] == gone
    assert [refusal.key for refusal in backport.refusals] == refused
    assert config == before
    if not refused:
        assert backport.config is not None
        assert not backport_config(backport.config, TARGET, NEWER).changes


def test_every_default_goes_and_every_other_value_is_refused() -> None:
    """Else a value that means something is lost without a word."""
    for name, keys in TABLE.defaults.items():
        module, _, class_name = name.rpartition(".")
        for key, values in keys.items():
            for value in [*values, "other"]:
                node = {"module": module, "class_name": class_name, "config": {key: value}}
                rewriter = Rewriter(TABLE)
                rewriter.rewrite(node)
                known = value != "other" or (key == "name" and name in TABLE.operations)
                refused = not known and name not in TABLE.idle and not name.endswith("RandomCrop")
                assert bool(rewriter.refusals) >= refused, (name, key, value)
                assert known <= bool(rewriter.changes), (name, key, value)


def test_a_refusal_says_what_and_what_to_do() -> None:
    """Else people do not know which layer to change."""
    config = graph(
        layer("InputLayer", name="in"), layer("Resizing", name="small", antialias=True), end="small"
    )
    (refusal,) = backport_config(config, TARGET, NEWER).refusals
    assert (refusal.layer, refusal.key, refusal.value) == ("small", "antialias", True)
    assert refusal.path == "config.layers[1]"
    for part in ("small", "Resizing", "'antialias'", "True", "Keras 3.4.1", "antialias=False"):
        assert part in str(refusal)


def test_an_augmentation_becomes_an_identity() -> None:
    """Else people who augment inside the model could not submit."""
    node = layer("RandomHue", name="hue", factor=0.1)
    config = graph(layer("InputLayer", name="in"), node, end="hue")
    node["inbound_nodes"] = [call("in", training=True)]
    ported = backport_config(config, TARGET, NEWER).config
    assert ported is not None
    rewritten = ported["config"]["layers"][1]
    assert (rewritten["class_name"], rewritten["name"]) == ("Rescaling", "hue")
    assert rewritten["config"] == {"name": "hue", "trainable": True, "scale": 1.0, "offset": 0.0}
    assert rewritten["inbound_nodes"] == [call("in")]


def test_an_augmentation_of_images_with_labels_is_refused() -> None:
    """Else the identity would be given a dictionary."""
    node = layer("RandomHue", name="hue", factor=0.1)
    config = graph(layer("InputLayer", name="in"), node, end="hue")
    node["inbound_nodes"] = [{"args": [{"images": call("in")["args"][0]}], "kwargs": {}}]
    assert [r.key for r in backport_config(config, TARGET, NEWER).refusals] == ["class_name"]


def test_names_stay_unique() -> None:
    """Else the target, which names operations itself, says that a name is used twice."""
    config = graph(
        layer("InputLayer", name="in"),
        layer("Reshape", name="reshape", target_shape=[4]),
        operation("Reshape", newshape=[2, 2], name="reshape_1"),
        layer("Flatten", name="flatten"),
        end="reshape",
    )
    ported = backport_config(config, TARGET, NEWER).config
    assert ported is not None
    inner = ported["config"]
    assert [node["name"] for node in inner["layers"]] == [
        "in",
        "reshape_layer",
        "reshape_1",
        "flatten",
    ]
    assert inner["layers"][1]["config"]["name"] == "reshape_layer"
    assert inner["layers"][2]["inbound_nodes"] == [call("reshape_layer")]
    assert inner["output_layers"] == ["reshape_layer", 0, 0]
    assert inner["input_layers"] == ["in", 0, 0]


@pytest.mark.parametrize(
    ("name", "snake"), [("ReLU", "re_lu"), ("Conv2D", "conv2d"), ("GetItem", "get_item")]
)
def test_snake_case(name: str, snake: str) -> None:
    """Else names that clash are not seen."""
    assert snake_case(name) == snake


def test_compile_config_stays_on_request() -> None:
    """Else training could not go on from a rewritten file."""
    inner = {**layer("Dense", units=1), "compile_config": {"loss": "mse"}}
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "m", "layers": [inner]},
    }
    dropped = backport_config(config, TARGET, NEWER).config
    assert dropped is not None
    assert "compile_config" not in dropped["config"]["layers"][0]
    assert backport_config(config, TARGET, NEWER, keep_compile=True).config == config


@pytest.mark.parametrize("version", ["3.4.1", "3.4.0", "3.3.3"])
def test_older_files_stay_as_they_are(version: str) -> None:
    """Else files that load there already are changed for nothing."""
    data = keras_file(layer("Dense", mystery=1), version)
    assert backport_keras_file(data, TARGET)[0] == data


def keras_file(
    config: Any, version: str = NEWER, more: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """A `.keras` file as Keras lays it out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "then"}))
        for name, content in more.items():
            file.writestr(name, content)
    return buffer.getvalue()


def weights_file(*paths: str) -> bytes:
    """An HDF5 file with one number under each path."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path in paths:
            file[path] = np.zeros(1)
        if "layers/block/vars" in file:
            file["layers/block/vars"].attrs["name"] = "my_block"
    return buffer.getvalue()


def test_a_file_is_rewritten() -> None:
    """Else the zip holds something that Keras does not open."""
    weights = weights_file("layers/dense/vars/0")
    data = keras_file(
        layer("Dense", units=1, quantization_config=None),
        more={"assets/z.txt": b"z", "assets/a.txt": b"a", "model.weights.h5": weights},
    )
    written, backport = backport_keras_file(data, TARGET)
    assert (backport.saved_with, backport.target) == (NEWER, TARGET)
    with zipfile.ZipFile(io.BytesIO(written)) as file:
        infos = file.infolist()
        assert [i.filename for i in infos] == [
            "metadata.json", "config.json", "model.weights.h5", "assets/a.txt", "assets/z.txt",
        ]  # fmt: skip
        assert {
            (i.date_time, i.compress_type, i.external_attr, i.create_system) for i in infos
        } == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 0o644 << 16, 3)}
        assert json.loads(file.read("config.json")) == layer("Dense", units=1)
        assert json.loads(file.read("metadata.json")) == {
            "keras_version": TARGET,
            "date_saved": "then",
        }
        assert file.read("model.weights.h5") == weights
    assert backport_keras_file(data, TARGET)[0] == written
    assert backport_keras_file(written, TARGET)[0] == written


def test_a_refused_file() -> None:
    """Else a zip that fails on the server is built without a word."""
    data = keras_file(layer("RMSNormalization"))
    assert len(inspect_keras_file(data, TARGET).refusals) == 1
    with pytest.raises(
        BackportError, match=r"saved with Keras 3\.15\.1.* it: it: Keras 3\.4\.1 has no"
    ):
        backport_keras_file(data, TARGET)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("layers/block/steps/dense/vars/0", []),
        ("layers/block/steps/container/dense/vars/0", [("my_block", "steps")]),
        ("layers/block/container/dense/vars/0", []),  # a flat list that is called `container`
    ],
)
def test_lists_of_lists_of_layers(path: str, refused: list[tuple[str, str]]) -> None:
    """Else the target leaves these weights at random values, silently."""
    weights = weights_file("layers/block/vars/0", path)
    data = keras_file(custom("mine>Mine"), more={"model.weights.h5": weights})
    refusals = inspect_keras_file(data, TARGET).refusals
    assert [(refusal.layer, refusal.key) for refusal in refusals] == refused


BOMB = keras_file(layer("Dense"), more={"model.weights.h5": bytes(10_000_000)})
BAD_FILES = {
    "HDF5": (b"\x89HDF\r\n\x1a\n...", r"only \.keras files"),
    "text": (b"hello", r"only \.keras files"),
    "empty": (b"", r"only \.keras files"),
    "cut off": (keras_file(layer("Dense"))[:-30], r"only \.keras files"),
    "bomb": (BOMB, "unpacks to far more"),
    "list": (keras_file([1]), "holds no object"),
    "strange": (keras_file({"module": "keras", "class_name": "Model", "config": {
        "input_layers": [], "layers": [1]}}), "not laid out"),
    "weights": (keras_file(layer("Dense"), more={"model.weights.h5": b"no"}), "no readable HDF5"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_what_is_no_keras_file(data: bytes, message: str) -> None:
    """Else a traceback tells people nothing."""
    with pytest.raises(SubmissionError, match=message):
        inspect_keras_file(data, TARGET)


def test_a_zip_without_a_config() -> None:
    """Else a zip of something else counts as a model."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("metadata.json", "{}")
    with pytest.raises(SubmissionError, match=r"no config\.json"):
        inspect_keras_file(buffer.getvalue(), TARGET)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["class_name", "config", "module", "layers", "name", "inbound_nodes", "x"]),
        inner, max_size=4),
))  # fmt: skip
def test_any_json_ends_in_a_record_or_an_error_for_people(config: Any) -> None:
    """Else a broken file crashes the check."""
    node = {"class_name": "Functional", "module": "keras", "config": config}
    with contextlib.suppress(SubmissionError):
        backport_config(node, TARGET, NEWER)


def test_an_unknown_target() -> None:
    """Else a typing error in a profile ends in a traceback."""
    assert TARGET in targets()
    with pytest.raises(SubmissionError, match=r"there are tables for 3\.4\.1"):
        inspect_keras_file(keras_file(layer("Dense")), "2.0")


def test_a_config_of_today() -> None:
    """Else what Keras really writes is not what the table was made for."""
    config = json.loads((HERE / "data" / "keras-3.15.1-residual.json").read_text(encoding="utf-8"))
    backport = backport_config(config, TARGET, NEWER)
    assert not backport.refusals
    assert {change.key for change in backport.changes} == {
        "input_axes", "output_axes", "name", "quantization_config", "ragged", "renorm", "renorm_clipping",
        "renorm_momentum",
    }  # fmt: skip


ZOO = ("plain", "residual", "separable", "augmented", "nested", "attention", "custom", "half", "binary",
       "transfer", "MobileNetV3Small", "EfficientNetV2B0", "ResNet50", "ConvNeXtTiny")  # fmt: skip
LARGEST_DIFFERENCE = {"half": 2e-3}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models saved by today's Keras, rewritten, and what the server's Keras answers for each."""
    python, root = server_python(), tmp_path_factory.mktemp("zoo")
    programs = HERE / "programs"
    subprocess.run([sys.executable, str(programs / "keras_zoo.py"), str(root), *ZOO], check=True)
    for name in ZOO:
        here = root / name
        data, _ = backport_keras_file((here / "saved.keras").read_bytes(), TARGET)
        (here / "weights.keras").write_bytes(data)
        code = (here / "code.py").read_text(encoding="utf-8") if (here / "code.py").exists() else ""
        (here / "model.py").write_text(model_page({"BATCH_SIZE": 3}) + code, encoding="utf-8")
    subprocess.run([python, str(programs / "run_model.py"), str(root)], check=True)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_the_server_answers_as_todays_keras_does(zoo: Path, name: str) -> None:
    """Else a submission fails on the server, or scores otherwise than at home."""
    here = zoo / name
    assert not (here / "error.txt").exists(), (here / "error.txt").read_text()
    wanted, found = np.load(here / "scores.npy"), np.load(here / "found.npy")
    assert np.abs(wanted - found).max() <= LARGEST_DIFFERENCE.get(name, 1e-5) * np.abs(wanted).max()
    labels = np.load(here / "labels.npy")
    assert labels.dtype == np.int64
    assert (
        labels.tolist()
        == (wanted.argmax(axis=1) if wanted.shape[1] > 1 else wanted[:, 0] > 0.5).tolist()
    )

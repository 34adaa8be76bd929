"""Weights of Keras 2 and of today, as the server's Keras 3.4.1 reads them; truths by running TensorFlow 2.15.1 and 2.17.0."""

from __future__ import annotations

from typing import Any

from tests.submission.corpus.case import INIT, Case, Content, files, page
from tests.submission.corpus.keras_page import INIT as LOAD
from tests.submission.corpus.keras_page import keras_page
from tests.submission.corpus.keras_zip import dense, entry, keras_zip, layer, older_hdf5

OLD, TODAY = "2.15.0", "3.15.1"
H5 = LOAD.replace("w.keras", "w.h5")
FINALIZED = f"{H5}\nself.net.get_layer('normalization').finalize_state()"
STATISTICS = {"mean": [0.5, 0.4, 0.3], "variance": [0.1, 0.1, 0.2], "count": 0}
IDLE_STATISTICS = {"mean": [0.0, 0.0, 0.0], "variance": [1.0, 1.0, 1.0], "count": 0}
NORMALIZATION = layer("Normalization", axis=[-1], mean=None, variance=None)
DEPTHWISE = layer("DepthwiseConv2D", kernel_size=[3, 3], groups=1)
MIXED = dense(dtype={"module": "keras.mixed_precision", "class_name": "Policy", "config": {"name": "mixed_float16"}, "registered_name": None})  # fmt: skip
DIVIDED = layer("TFOpLambda", function="math.truediv", name="tf.math.truediv")
SLICED = layer("SlicingOpLambda", function="__operators__.getitem", name="tf.__operators__.getitem")
BYTES = layer("Lambda", function=["4wEAAA==", None, None], function_type="lambda", arguments={})
INT8 = dense(
    quantization_config={
        "module": "keras.quantizers",
        "class_name": "Int8QuantizationConfig",
        "config": {},
    }
)
GUEST = layer("RandAugment", "keras_cv.layers", "keras_cv>RandAugment", value_range=[0, 255])
OLD_ENTRY = layer("InputLayer", batch_input_shape=[None, 96, 96, 3], dtype="float32", sparse=False, ragged=False)  # fmt: skip
ADDED = {"class_name": "Add", "config": {"name": "add"}, "name": "add", "inbound_nodes": []}
TORCH = {"keras": "", "tensorflow": ""}
BY_PLATFORM_PATH = INIT.replace(
    'Path(__file__).parent / "weights.npy"', 'Path("/app/output/weights.npy")'
)


def graph(name: str) -> dict[str, Any]:
    """A functional model inside another one, its ends in lists as Keras 3.4.1 writes them."""
    node = layer("Functional", "keras.src.models.functional", "Functional", name=name)
    first = {**entry(), "name": "inputlayer", "inbound_nodes": []}
    ends = {end: [["inputlayer", 0, 0]] for end in ("input_layers", "output_layers")}
    return {**node, "config": {"name": name, "trainable": True, "layers": [first], **ends}}


def _h5(name: str, layers: list[Any], *codes: str, version: str = OLD, init: str = H5, **fields: Any) -> Case:  # fmt: skip
    weights = older_hdf5(layers, version, arrays=fields.pop("arrays", {}))
    contents: dict[str, Content] = {"model.py": keras_page(init=init), "w.h5": weights}
    return Case(name, contents, codes, **fields)


def _keras(name: str, *layers: Any, codes: tuple[str, ...] = (), version: str = "3.4.1", **fields: Any) -> Case:  # fmt: skip
    contents: dict[str, Content] = {
        "model.py": keras_page(),
        "w.keras": keras_zip(*layers, version=version),
    }
    return Case(name, contents, codes, **fields)


CASES: list[Case] = [
    _h5("HDF5 of Keras 2", [OLD_ENTRY, DEPTHWISE, dense()], "S313"),
    _h5("HDF5 of Keras 2, in mixed precision", [OLD_ENTRY, MIXED], "S313"),
    _h5("HDF5 of Keras 2, a name with a slash", [OLD_ENTRY, dense(name="head/out")], "S313"),
    _h5("HDF5 of Keras 2, recurrent", [OLD_ENTRY, layer("LSTM", units=3, time_major=False), dense()], "S313"),
    _h5("HDF5 of Keras 2, TensorFlow in the graph", [OLD_ENTRY, DIVIDED, dense()], "S313"),
    _h5("HDF5 of Keras 2, a slice in the graph", [OLD_ENTRY, SLICED, dense()], "S313"),
    _h5("HDF5 of Keras 2, a Lambda", [OLD_ENTRY, BYTES, dense()], "S313"),
    _h5("HDF5 of Keras 2, a layer that is gone", [OLD_ENTRY, layer("LocallyConnected2D", filters=2), dense()], "S313"),
    _h5("HDF5 of Keras 2, a class of nowhere", [OLD_ENTRY, layer("Gain", "layers", "Gain"), dense()], "S308"),
    _h5("HDF5 of Keras 2, another hard_sigmoid", [OLD_ENTRY, dense(activation="hard_sigmoid")], "S321", severity="warning"),
    _h5("HDF5 with an operation", [{**entry(), "inbound_nodes": []}, ADDED, dense()], "S313", version="3.4.1"),
    _keras("a .keras file of Keras 2", OLD_ENTRY, DEPTHWISE, dense(), version=OLD, codes=("S303",)),
    _keras("quantised to int8", entry(), INT8, version=TODAY, codes=("S303",)),
    _keras("a graph's output in a list", entry(), graph("backbone"), layer("Flatten"), dense(), codes=("S303",)),
    _h5("Normalization in HDF5", [entry(), NORMALIZATION, dense()], "S323", version="3.4.1", arrays=STATISTICS, severity="warning"),
    _h5("Normalization in HDF5, the server not known", [entry(), NORMALIZATION, dense()], "S323", version="3.4.1", arrays=STATISTICS, challenge={"keras": ""}, severity="warning"),
    _keras("KerasCV's augmentation inside", entry(), GUEST, dense(), codes=("S325",), severity="warning"),
]  # fmt: skip

GOOD: list[Case] = [
    _h5("HDF5 of Keras 2 as it is", [OLD_ENTRY, layer("Dropout", rate=0.5), dense()], severity="good"),
    _h5("HDF5 of Keras 2 on a server with Keras 2", [OLD_ENTRY, DEPTHWISE, dense()], severity="good", challenge={"keras": OLD, "tensorflow": "2.15.1"}),
    _h5("Normalization in HDF5, finalized", [entry(), NORMALIZATION, dense()], version="3.4.1", arrays=STATISTICS, init=FINALIZED, severity="good"),
    _h5("Normalization in HDF5, without effect", [entry(), NORMALIZATION, dense()], version="3.4.1", arrays=IDLE_STATISTICS, severity="good"),
    _keras("Normalization in a .keras file", entry(), NORMALIZATION, dense(), severity="good"),
    _keras("a graph at the end of a row", entry(), graph("head"), layer("Softmax"), severity="good"),
    Case("PyTorch weights on a server of no Keras", {**files(page()), "w.pt": b"PK"}, severity="good", challenge=TORCH),
    Case("weights by the platform's own path", files(page(init=BY_PLATFORM_PATH)), severity="good", allowed=frozenset(("S326",))),
]  # fmt: skip

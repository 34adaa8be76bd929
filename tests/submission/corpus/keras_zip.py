"""`.keras` and `.h5` files written by hand, for checks that never load them: no TensorFlow needed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

Node = dict[str, Any]
SERVER = "3.4.1"


def layer(class_name: str, module: str = "keras.layers", registered: str | None = None, **config: Any) -> Node:  # fmt: skip
    """One layer's node as Keras writes it."""
    name = config.pop("name", class_name.lower())
    return {
        "module": module,
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": registered,
    }


def entry(side: int = 96, channels: int = 3) -> Node:
    """The input layer."""
    shape = [None, side, side, channels]
    return layer("InputLayer", batch_shape=shape, dtype="float32", sparse=False)


def dense(units: int = 8, **config: Any) -> Node:
    """The last layer."""
    return layer("Dense", **{"units": units, "activation": "softmax", **config})


def model_config(*layers: Node, **more: Any) -> Node:
    """A Sequential model of these; without any: input and dense."""
    inner = {"name": "net", "trainable": True, "layers": list(layers or (entry(), dense()))}
    node = {"module": "keras", "class_name": "Sequential", "config": inner}
    return {**node, "registered_name": "Sequential", **more}


def keras_zip(
    *layers: Node, version: str = SERVER, optimizer: int = 0, weights: bytes | None = None, **more: Any
) -> bytes:  # fmt: skip
    """A `.keras` file with so many optimizer values; weights: other bytes for its HDF5 file."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
        file.writestr("config.json", json.dumps(model_config(*layers, **more)))
        file.writestr("model.weights.h5", hdf5(optimizer) if weights is None else weights)
    return held.getvalue()


def hdf5(optimizer: int = 0, values: int = 24, content: bytes = b"") -> bytes:
    """A `.weights.h5` file; content: bytes of a further array."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_dataset("layers/dense/vars/0", (values,), np.float32)  # takes no place
        if content:
            file["layers/more/vars/0"] = np.frombuffer(content, np.uint8)
        if optimizer:
            file["optimizer/vars/0"] = np.zeros(optimizer, np.float32)
    return held.getvalue()


def older_hdf5(
    layers: Sequence[Node] = (),
    version: str = SERVER,
    optimizer: int = 0,
    arrays: Mapping[str, Any] = MappingProxyType({}),
    **more: Any,
) -> bytes:
    """A whole model as `.h5`; arrays: those of a layer called normalization."""
    config = model_config(*layers, **more)
    # HDF5 files do not say where classes are from.
    keys = ("class_name", "config", "name", "inbound_nodes")
    bare = [{key: n[key] for key in keys if key in n} for n in config["config"]["layers"]]
    config = {"class_name": config["class_name"], "config": {**config["config"], "layers": bare}}
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(config)
        file["model_weights/dense/kernel"] = np.zeros((3, 8), np.float32)
        for name, values in arrays.items():
            file[f"model_weights/normalization/{name}"] = np.asarray(values)
        if optimizer:
            file["optimizer_weights/adam/m"] = np.zeros(optimizer, np.float32)
    return held.getvalue()


LAMBDA = layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEAAA==", "defaults": None, "closure": None}}, arguments={})  # fmt: skip

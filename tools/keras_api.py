"""Print what the Keras of this Python can read and write in a `.keras` config, as JSON.

Run in each environment by `make_backport_table.py`; needs only Keras. For every class a config
can name: the keys its `from_config` takes, their defaults, and which values a default instance
writes. Defaults are both those of the signature and those written, since `data_format=None` is
written as "channels_last".
"""

import importlib
import inspect
import json
import os
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras.src import api_export
from keras.src.layers.layer import Layer
from keras.src.ops.operation import Operation
from keras.src.saving import serialization_lib

REQUIRED = "<required>"
OPAQUE = "<not JSON>"
# Read from the config by Model.from_config, whatever the signature of __init__ says.
MODEL_KEYS = {
    "Functional": ["name", "trainable", "layers", "input_layers", "output_layers"],
    "Sequential": ["name", "trainable", "dtype", "layers", "build_input_shape"],
    "Model": ["name", "trainable", "dtype", "layers", "input_layers", "output_layers"],
}
# A value for every argument that some layer requires, so that an instance can be made.
SAMPLES: dict[str, Any] = {
    "units": 2,
    "filters": 2,
    "kernel_size": 1,
    "pool_size": 1,
    "rate": 0.1,
    "factor": 0.1,
    "num_heads": 2,
    "key_dim": 2,
    "head_dim": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 2,
    "input_dim": 2,
    "output_dim": 2,
    "output_size": 2,
    "equation": "ab,bc->ac",
    "output_shape": 2,
    "dims": (1,),
    "target_shape": (4,),
    "n": 1,
    "axes": 1,
    "height": 6,
    "width": 6,
    "height_factor": 0.1,
    "width_factor": 0.1,
    "scale": 1.0,
    "num_bins": 2,
    "num_tokens": 2,
    "stddev": 0.1,
    "batch_shape": (None, 4),
    "output_mode": "int",
    "max_boxes": 1,
    "name": "x",
    "value_range": (0, 255),
    "min_value": 0.0,
    "max_value": 1.0,
    "num_classes": 2,
    "mask_value": 0,
    "initial_learning_rate": 0.1,
    "decay_steps": 1,
    "decay_rate": 0.5,
    "boundaries": [1],
    "values": [0.1, 0.2],
    "lower": 0.0,
    "upper": 1.0,
    "mode": "int8",
    "source_name": "float32",
    "bin_boundaries": [0.5],
    "bounding_box_format": "xyxy",
    "activation": "relu",
    "layers": [],
    "threshold_factor": 0.5,
}
# Optional by their signature only, or needed to see the layer at work.
NEEDED = {"batch_shape", "bin_boundaries", "num_tokens", "threshold_factor", "height", "width"}


def main() -> int:
    """Write the dump to standard output."""
    warnings.simplefilter("ignore")
    import_everything()
    classes = dict(sorted(named_classes()))
    dump = {
        "keras": keras.__version__,
        "activations": activations(),
        "aliases": dict(sorted(aliases())),
        "classes": {name: describe(cls) for name, cls in classes.items()},
        "functions": sorted(functions()),
        "idle": [name for name, cls in classes.items() if is_idle(name, cls)],
        "operations": [name for name, cls in classes.items() if is_operation(cls)],
    }
    json.dump(dump, sys.stdout, indent=1, sort_keys=True)
    return 0


def import_everything() -> None:
    """Import the modules with operations: some are reached lazily only."""
    for module in pkgutil.iter_modules(importlib.import_module("keras.src.ops").__path__):
        if not module.name.endswith("_test"):
            importlib.import_module(f"keras.src.ops.{module.name}")


def named_classes() -> Iterator[tuple[str, type]]:
    """Every class that a config can name, under the name a config gives it."""
    for cls, name in api_export.REGISTERED_OBJS_TO_NAMES.items():
        if inspect.isclass(cls) and hasattr(cls, "from_config"):
            yield name, cls
    for cls in subclasses(Operation):
        if cls not in api_export.REGISTERED_OBJS_TO_NAMES and cls.__module__.startswith("keras."):
            yield f"{cls.__module__}.{cls.__name__}", cls


def subclasses(cls: type) -> set[type]:
    """All classes below `cls`."""
    below: set[type] = set(cls.__subclasses__())
    return below.union(*(subclasses(child) for child in below))


def is_operation(cls: type) -> bool:
    """Whether it is one of the `keras.ops`: its name is its own business, nothing refers to it."""
    return issubclass(cls, Operation) and not issubclass(cls, Layer)


def activations() -> list[str]:
    """The strings that `activation=` takes."""
    from keras.src.activations import ALL_OBJECTS_DICT

    return sorted(ALL_OBJECTS_DICT)


def functions() -> Iterator[str]:
    """The functions that a config can name."""
    for symbol, name in api_export.REGISTERED_OBJS_TO_NAMES.items():
        if inspect.isfunction(symbol):
            yield name


def aliases() -> Iterator[tuple[str, str]]:
    """Public names of a class besides the one that is written."""
    for module in (
        "layers",
        "models",
        "initializers",
        "regularizers",
        "constraints",
        "losses",
        "metrics",
        "optimizers",
        "optimizers.schedules",
        "dtype_policies",
        "random",
    ):
        for name, value in vars(importlib.import_module(f"keras.{module}")).items():
            written = api_export.REGISTERED_OBJS_TO_NAMES.get(value) if callable(value) else None
            if written and written != f"keras.{module}.{name}":
                yield f"keras.{module}.{name}", written


def describe(cls: type) -> dict[str, Any]:
    """Return the keys `cls.from_config` takes, their defaults and what an instance writes."""
    if cls.__name__ in MODEL_KEYS:
        return {"accepts": MODEL_KEYS[cls.__name__], "defaults": {}}
    signature = accepted(cls)
    written = written_by_default(cls)
    defaults = {key: [value] for key, value in signature.items() if value != REQUIRED}
    for key, value in (written or {}).items():
        known = defaults.setdefault(key, [])
        if value not in known and key not in SAMPLES:
            known.append(value)
    accepts = set(signature)
    if written is not None:
        accepts = really_accepted(cls, accepts | set(written), written, defaults)
    return {"accepts": sorted(accepts), "defaults": defaults}


def accepted(cls: type) -> dict[str, Any]:
    """Names and defaults of the arguments, following `**kwargs` to the base classes."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        if init is None or base is object:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, plain(parameter.default))
        if base is Layer or not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def plain(value: Any) -> Any:
    """Return the value as JSON would give it back."""
    if value is inspect.Parameter.empty:
        return REQUIRED
    try:
        return json.loads(json.dumps(serialization_lib.serialize_keras_object(value)))
    except (TypeError, ValueError):
        return OPAQUE


def instance(cls: type) -> Any:
    """Return an instance with as few arguments as can be; None where that takes more."""
    wanted = {name for name, value in accepted(cls).items() if value == REQUIRED or name in NEEDED}
    own = set(inspect.signature(cls.__init__).parameters)  # type: ignore[misc]
    for names in (wanted & own, wanted):
        try:
            return cls(**{name: sample(cls, name) for name in names})
        except Exception:  # noqa: BLE001, S112  (any class of Keras may raise anything here)
            continue
    return None


def sample(cls: type, name: str) -> Any:
    """Return a value for a required argument."""
    if name == "layer":
        recurrent = cls.__name__ == "Bidirectional"
        return keras.layers.SimpleRNN(2) if recurrent else keras.layers.Dense(2)
    if name in ("cell", "cells"):
        cell = keras.layers.SimpleRNNCell(2)
        return cell if name == "cell" else [cell]
    if cls.__name__ == "RandomPosterization" and name == "factor":
        return 4
    return SAMPLES[name]


def written_by_default(cls: type) -> dict[str, Any] | None:
    """Return what a default instance writes; None where there is no such instance."""
    try:
        config = instance(cls).get_config()
    except Exception:  # noqa: BLE001  (as above)
        return None
    return {key: plain(value) for key, value in config.items()}


def really_accepted(
    cls: type, keys: set[str], written: dict[str, Any], defaults: dict[str, list[Any]]
) -> set[str]:
    """Try each key: `**kwargs` does not always reach a base class that takes it."""

    def loads(key: str) -> bool:
        value = written.get(key, (defaults.get(key) or [None])[-1])
        try:
            cls.from_config({**written, key: value})  # type: ignore[attr-defined]
        except TypeError as error:
            return key not in str(error).split("Exception encountered:")[-1]
        except Exception:  # noqa: BLE001  (the key was taken; its value was not to its liking)
            return True
        return True

    return {key for key in keys if key in written or loads(key)}


def is_idle(name: str, cls: type) -> bool:
    """Whether it is an augmentation, which leaves images alone outside training."""
    if ".preprocessing." not in cls.__module__ or not name.startswith("keras.layers."):
        return False
    if "training" not in inspect.signature(cls.call).parameters:  # type: ignore[attr-defined]
        return False
    import numpy as np

    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 12, 3)).astype("float32")
    try:
        shown = np.asarray(instance(cls)(images, training=False))
    except Exception:  # noqa: BLE001  (not a layer for images, or not for training)
        return False
    return shown.shape == images.shape and bool(np.array_equal(shown, images))


if __name__ == "__main__":
    sys.exit(main())

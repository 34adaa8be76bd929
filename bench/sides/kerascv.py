"""KerasCV 0.9.0, one thread: its policies in tf.data, and each of its operations alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.contender import Contender
from bench.sides import pipelines

# Names of ours for KerasCV's layers (RandAugment) and methods (AugMix).
LAYERS = {
    "AutoContrast": "autocontrast",
    "Equalization": "equalize",
    "Solarization": "solarize",
    "RandomColorDegeneration": "color",
    "RandomContrast": "contrast",
    "RandomBrightness": "brightness",
    "RandomShear": "shear",
    "RandomTranslation": "translate",
}
METHODS = {
    "_auto_contrast": "autocontrast",
    "_equalize": "equalize",
    "_posterize": "posterize",
    "_rotate": "rotate",
    "_solarize": "solarize",
    "_shear_x": "shear_x",
    "_shear_y": "shear_y",
    "_translate_x": "translate_x",
}


def _axis(layer: Any, name: str) -> str:
    """Both directions of a shear (or translation) are one class; the idle factor is 0."""
    if name == "shear":
        return "shear_y" if getattr(layer.x_factor, "value", None) == 0 else "shear_x"
    if name == "translate":
        return "translate_x" if layer.width_factor > 0 else "translate_y"
    return name


def _rand_augment_layers(keras_cv: Any) -> dict[str, Any]:
    policy = keras_cv.layers.RandAugment(value_range=(0, 255))
    return {
        _axis(layer, LAYERS.get(type(layer).__name__, type(layer).__name__)): layer
        for layer in policy.layers
    }


def contenders() -> list[Contender]:
    """`rand_augment`, `aug_mix`, and `ra NAME`, `am NAME` for their operations."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras
    import keras_cv  # type: ignore[import-not-found, unused-ignore]

    keras.utils.set_random_seed(0)  # its own `seed=` is ignored
    mix = keras_cv.layers.AugMix([0, 255])
    changes: dict[str, Callable[[Any], Any]] = {
        "rand_augment": keras_cv.layers.RandAugment(value_range=(0, 255)),
        "aug_mix": mix,
    }
    changes |= {f"ra {name}": layer for name, layer in _rand_augment_layers(keras_cv).items()}
    changes |= {f"am {name}": getattr(mix, method) for method, name in METHODS.items()}
    return [
        Contender(
            task,
            "KerasCV, tf.data",
            pipelines.run,
            prepare=pipelines.start(tf, change, "float32"),
            finish=pipelines.whole_levels,
            draws=True,
            note="its defaults",
        )
        for task, change in changes.items()
    ]

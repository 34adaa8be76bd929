"""Makes the corpus's weights with real Keras: `python keras_weights.py FOLDER`, for any Python that has it.

Nothing is trained: a dense layer is given the weights of a nearest-centre rule on the brightness of
the image's middle, so that the networks score 1.0 on `pictures.labelled_images`.
"""

import importlib.util
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

HERE = Path(__file__).parent
CENTRES = np.array([60, 85, 110, 132, 152, 172, 192, 212], dtype="float64")
SOFT = 500.0  # keeps the softmax from saturating
CAFFE_MEAN = float(np.mean([103.939, 116.779, 123.68]))


def texts() -> Any:
    """The classes as text: `keras_layers.py`, which needs no Keras itself."""
    spec = importlib.util.spec_from_file_location("keras_layers", HERE / "keras_layers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_module(folder: Path, name: str, text: str) -> Any:
    """Import that text as a module of this name, as a participant's own file."""
    path = folder / f"{name}.py"
    path.write_text("import keras\n\n\n" + text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        path.unlink()


def rule(per_unit: float = 1.0, offset: float = 0.0) -> Any:
    """Kernel and bias for features f with brightness = f * per_unit + offset."""
    kernel = np.repeat(2 * CENTRES[None] * per_unit / 3, 3, axis=0)
    bias = 2 * CENTRES * offset - CENTRES**2
    return [kernel / SOFT, bias / SOFT]


def net(
    *extra: Any,
    weights: Any = None,
    activation: Any = "softmax",
    side: int = 96,
    classes: int = 8,
    first: Any = (),
) -> Any:
    """Crop, average, optional layers, a dense layer with the rule's weights."""
    inputs = keras.Input((side, side, 3))
    x = inputs
    for layer in first:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(side // 3)(x))
    for layer in extra:
        x = layer(x)
    dense = keras.layers.Dense(classes, activation=activation)
    model = keras.Model(inputs, dense(x))
    dense.set_weights(weights or rule())
    return model


def fitted(model: Any, loss: Any = "categorical_crossentropy") -> Any:
    """Take one step with a learning rate of zero: leaves optimizer state, changes no weight."""
    model.compile(keras.optimizers.Adam(0.0), loss)
    model.fit(np.zeros((2, 96, 96, 3), "float32"), np.eye(8)[:2], verbose=0)
    return model


def newer(source: Path, target: Path) -> None:
    """The same file as a newer Keras would have written it: with a key that 3.4.1 does not know."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "keras_version": "3.15.1"}).encode()
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][-1]["config"]["quantization_config"] = None
                data = json.dumps(config).encode()
            new.writestr(name, data)


def with_dense_key(path: Path, *, wanted: bool) -> None:
    """Rewrite an HDF5 file's config as Keras 3.4.1 had it, or with a key that it does not know."""
    import h5py

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            layer["config"].pop("quantization_config", None)
            for key in ("optional", "ragged"):
                layer["config"].pop(key, None)
            for key in ("kernel_initializer", "bias_initializer"):
                inner = layer["config"].get(key, {}).get("config", {})
                inner.pop("input_axes", None)
                inner.pop("output_axes", None)
        if wanted:
            config["config"]["layers"][-1]["config"]["quantization_config"] = None
        file.attrs["model_config"] = json.dumps(config)


def custom(folder: Path) -> None:
    """The files with custom classes: registered, packaged, plain, and two that do not load."""
    text = texts()
    gains = {
        "plain_class": ("layers", text.GAIN, "Gain"),
        "registered": ("layers_registered", text.REGISTERED, "Gain"),
        "packaged": ("layers_packaged", text.PACKAGED, "Gain"),
        "in_main": ("__main__", text.GAIN, "Gain"),
        "forgets": ("layers_forgets", text.FORGETS, "Forgets"),
        "strict": ("layers_strict", text.STRICT, "Strict"),
    }
    for name, (module_name, body, class_name) in gains.items():
        module = as_module(folder, module_name.strip("_") + "_corpus", body)
        made = getattr(module, class_name)
        made.__module__ = module_name
        layer = made() if class_name == "Strict" else made(factor=1.0)
        net(layer).save(folder / f"{name}.keras")
    module = as_module(folder, "net_corpus", text.NET)
    module.Net.__module__ = "net"
    model = module.Net()
    model(np.zeros((1, 96, 96, 3), "float32"))
    model.dense.set_weights(rule())
    model.save(folder / "subclassed.keras")
    module = as_module(folder, "loss_corpus", text.LOSS)
    module.focal.__module__ = "train"
    fitted(net(), module.focal).save(folder / "custom_loss.keras")


def plain(folder: Path) -> None:
    """The files without custom classes."""
    layers = keras.layers
    net().save(folder / "plain.keras")
    for name in ("plain.h5", "newer.h5"):
        net().save(folder / name)
        with_dense_key(folder / name, wanted=name == "newer.h5")
    net().save_weights(folder / "plain.weights.h5")
    net(layers.Dense(3, name="more")).save_weights(folder / "other.weights.h5")
    net(weights=rule(per_unit=255.0)).save(folder / "unit.keras")
    net(weights=rule(127.5, 127.5)).save(folder / "signed.keras")
    net(weights=rule(1.0, CAFFE_MEAN)).save(folder / "caffe.keras")
    net(activation=None).save(folder / "logits.keras")
    net(first=[layers.RandomFlip(), layers.RandomTranslation(0.1, 0.1)]).save(
        folder / "augmented.keras"
    )
    net(first=[layers.Rescaling(1 / 255)], weights=rule(255.0)).save(folder / "rescaling.keras")
    net(weights=[np.zeros((3, 8)), np.eye(8)[6]]).save(folder / "constant.keras")
    net(layers.BatchNormalization(), weights=rule(40.0, 130.0)).save(folder / "batchnorm.keras")
    net(layers.Dropout(0.5)).save(folder / "dropout.keras")
    net(layers.Lambda(lambda x: x * 1.0)).save(folder / "lambda.keras")
    net(side=48).save(folder / "side48.keras")
    ten = [np.zeros((3, 10)), np.eye(10)[9]]
    net(weights=ten, classes=10).save(folder / "ten.keras")
    fitted(net()).save(folder / "fitted.keras")
    model = net()
    keras.Model(model.input, [model.output, model.output]).save(folder / "two.keras")
    newer(folder / "plain.keras", folder / "newer.keras")
    whole = (folder / "plain.keras").read_bytes()
    (folder / "truncated.keras").write_bytes(whole[: len(whole) // 2])


def main() -> None:
    """Fill the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    plain(folder)
    custom(folder)
    print(f"{keras.__version__}: {len(list(folder.iterdir()))} files")


if __name__ == "__main__":
    main()

"""Build networks with Keras 2, save each as .h5 and .keras, and write down what it answers; or ask them under Keras 3.

python keras2_zoo.py save FOLDER     under TensorFlow 2.15.1
python keras2_zoo.py ask FOLDER      under Keras 3: compares, and prints JSON: file -> largest share of error
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIDE = 32
IMAGES = np.random.default_rng(0).uniform(0, 255, (6, SIDE, SIDE, 3)).astype("float32")


def networks(keras: Any) -> dict[str, Any]:  # noqa: C901  (a list, each with its own few lines)
    """The networks, each made when it is called."""
    layers, apps = keras.layers, keras.applications

    def given() -> Any:
        return keras.Input((SIDE, SIDE, 3))

    def head(x: Any) -> Any:
        return layers.Dense(8, activation="softmax")(layers.GlobalAveragePooling2D()(x))

    def chain(*several: Any) -> Any:
        first = x = given()
        for layer in (layers.Rescaling(1 / 255), *several):
            x = layer(x)
        return keras.Model(first, head(x))

    def row(*several: Any) -> Any:
        return keras.Sequential([layers.InputLayer((SIDE, SIDE, 3)), layers.Rescaling(1 / 255), *several, layers.Dense(8)])  # fmt: skip

    def backbone(name: str, frozen: bool = False) -> Any:
        made = getattr(apps, name)(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
        made.trainable = not frozen
        rng = np.random.default_rng(1)
        for weight in made.weights:
            if "variance" in weight.name:
                weight.assign(rng.uniform(0.5, 2, weight.shape))
            elif "mean" in weight.name:
                weight.assign(rng.normal(0, 0.3, weight.shape))
        return made

    def nested(name: str, frozen: bool = False) -> Any:
        first = given()
        return keras.Model(first, head(backbone(name, frozen)(first)))

    def mixed() -> Any:
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            return nested("MobileNetV2")
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def adapted(inside: bool) -> Any:
        layer = layers.Normalization()
        layer.adapt(IMAGES)
        if not inside:
            return chain(layer, layers.Conv2D(4, 3))
        first = given()
        return chain(keras.Model(first, layers.Conv2D(4, 3)(layer(first)), name="inner"))

    def attention() -> Any:
        first = given()
        x = layers.LayerNormalization()(
            layers.Reshape((SIDE, 3 * SIDE))(layers.Rescaling(1 / 255)(first))
        )
        x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)])
        return keras.Model(first, layers.Dense(8)(layers.GlobalAveragePooling1D()(x)))

    def merged() -> Any:
        first = given()
        x = layers.Rescaling(1 / 255)(first)
        a, b = (layers.Conv2D(4, 3, padding="same")(x) for _ in range(2))
        sums = [layers.Add()([a, b]), layers.Multiply()([a, b]), layers.Concatenate(axis=1)([a, b])]
        pooled = [layers.GlobalAveragePooling2D()(y) for y in sums]
        return keras.Model(first, {"cls": layers.Dense(8)(layers.Concatenate()(pooled))})

    def shared() -> Any:
        first, layer = given(), layers.Conv2D(3, 3, padding="same")
        return keras.Model(first, head(layer(layer(layers.Rescaling(1 / 255)(first)))))

    return {
        "row": lambda: row(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()),
        "slashes": lambda: chain(layers.Conv2D(4, 3, name="a/conv"), layers.BatchNormalization(name="a/bn")),
        "mobilenet": lambda: nested("MobileNetV2"),
        "frozen": lambda: nested("MobileNetV2", frozen=True),
        "efficientnet": lambda: nested("EfficientNetB0"),
        "densenet": lambda: nested("DenseNet121"),
        "backbone_in_row": lambda: row(layers.RandomFlip(), backbone("MobileNet"), layers.GlobalAveragePooling2D()),
        "mixed": mixed,
        "augmented": lambda: chain(keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2)]), layers.RandomHeight(0.1), layers.Conv2D(4, 3)),
        "recurrent": lambda: row(layers.Reshape((SIDE, 3 * SIDE)), layers.Bidirectional(layers.LSTM(5, return_sequences=True)), layers.GRU(4)),
        "separable": lambda: chain(layers.SeparableConv2D(5, 3), layers.DepthwiseConv2D(3), layers.Conv2DTranspose(4, 3)),
        "activations": lambda: chain(layers.Conv2D(4, 3), layers.LeakyReLU(0.2), layers.PReLU(), layers.ThresholdedReLU(0.1), layers.SpatialDropout2D(0.1)),
        "adapted": lambda: adapted(inside=False),
        "adapted_inside": lambda: adapted(inside=True),
        "attention": attention,
        "merged": merged,
        "shared": shared,
    }  # fmt: skip


def save(folder: Path) -> None:
    """Save all, with their answers."""
    from tensorflow import keras

    answers = {}
    for name, make in networks(keras).items():
        model = make()
        answers[name] = answer(model)
        model.save(folder / f"{name}.h5")
        model.save(folder / f"{name}.keras")
        keras.backend.clear_session()
    np.savez(folder / "answers.npz", **answers)


def answer(model: Any) -> Any:
    """One array of what the model says."""
    found = model.predict_on_batch(IMAGES)
    return np.asarray(found["cls"] if isinstance(found, dict) else found, "float32")


def ask(folder: Path) -> None:
    """Compare what each file answers with what was written down."""
    import keras

    found: dict[str, Any] = {}
    with np.load(folder / "answers.npz") as answers:
        for path in sorted([*folder.glob("*.h5"), *folder.glob("*.keras")]):
            try:
                model = keras.models.load_model(path, compile=False)
                for layer in model._flatten_layers():
                    if isinstance(layer, keras.layers.Normalization):
                        layer.finalize_state()
                truth = answers[path.stem]
                found[path.name] = float(abs(answer(model) - truth).max() / abs(truth).max())
            except Exception as error:  # noqa: BLE001  (whatever Keras says is the test's finding)
                found[path.name] = str(error)[:500]
            keras.backend.clear_session()
    print(json.dumps(found))


if __name__ == "__main__":
    {"save": save, "ask": ask}[sys.argv[1]](Path(sys.argv[2]))

"""Submissions with real Keras weights that fail or score garbage."""

from __future__ import annotations

from tests.submission.corpus import keras_layers as text
from tests.submission.corpus.case import Case, Content, Weights
from tests.submission.corpus.keras_page import INIT, PREDICT, around, keras_page

LOADED = "keras.models.load_model(HERE / {name!r})"
OTHER = """
inputs = keras.Input((96, 96, 3))
x = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(32)(inputs))
x = keras.layers.Dense(64)(x)
self.net = keras.Model(inputs, keras.layers.Dense(8)(x))
self.net.load_weights(HERE / "w.weights.h5")
"""
NO_NET = 'self.net = keras.models.load_model(HERE / "w.weights.h5")'
SAVED_MODEL = 'self.net = keras.models.load_model(HERE / "saved_model")'
BOTH = """
self.net = keras.models.load_model(HERE / "w.keras")
self.second = keras.models.load_model(HERE / "w.keras")
self.second.load_weights(HERE / "model.weights.h5")
"""
IMAGENET = """
self.net = keras.applications.MobileNetV2(include_top=False, pooling="avg")
"""
WITH_TF = "import tensorflow as tf"
OLD_API = "resize = keras.layers.experimental.preprocessing.Resizing(96, 96)"
CAFFE = """
X = keras.applications.resnet50.preprocess_input(np.array(X, dtype="float32"))
return np.argmax(self.net.predict(X, verbose=0), axis=1)
"""
TRAINING = "return np.argmax(np.asarray(self.net(np.asarray(X, 'float32'), training=True)), axis=1)"
ONE_BY_ONE = "return np.array([self.net.predict(x[None], verbose=0).argmax() for x in X])"


def _case(name: str, weights: str, *expected: str, model: str = "", **fields: object) -> Case:
    more: dict[str, Content] = fields.pop("more", {})  # type: ignore[assignment]  # only files
    known = {"run": True, "keras": True, **fields}
    return Case(f"Keras, {name}", {**around(weights, model), **more}, expected, **known)  # type: ignore[arg-type]  # as Case has them


def _predicts(name: str, predict: str, *expected: str, top: str = "", weights: str = "plain.keras", **fields: object) -> Case:  # fmt: skip
    return _case(name, weights, *expected, model=keras_page(predict, top=top), **fields)


def _starts(name: str, init: str, more: dict[str, Content], *expected: str, **fields: object) -> Case:  # fmt: skip
    contents: dict[str, Content] = {"model.py": keras_page(init=init), **more}
    known = {"run": True, "keras": True, **fields}
    return Case(f"Keras, {name}", contents, expected, **known)  # type: ignore[arg-type]  # as Case has them


CASES: list[Case] = [
    # silent: the answers are there, and wrong
    _case("trained on 0..1, fed 0..255", "unit.keras", "S708|S709", data=True),
    _predicts("trained on 0..255, fed 0..1", PREDICT.replace("dtype='float32')", "dtype='float32') / 255"), "S708|S709", data=True),
    _case("trained on -1..1, fed 0..255", "signed.keras", "S708|S709", data=True),
    _case("trained with caffe's means, fed 0..255", "caffe.keras", "S708", data=True),
    _predicts("preprocessed for another backbone", CAFFE, "S708", data=True),
    _predicts("rescaled twice", PREDICT.replace("dtype='float32')", "dtype='float32') / 255"), "S708|S709", weights="rescaling.keras", data=True),
    _case("one class", "constant.keras", "S709", severity="warning"),
    _predicts("dropout left on", TRAINING, "S701|S702", "S219", weights="dropout.keras", severity="warning"),
    _predicts("normalised by the batch", TRAINING, "S702", "S219", weights="batchnorm.keras", severity="warning"),
    # the answers are no labels
    _predicts("a tensor", "return tf.argmax(self.net(tf.cast(X, tf.float32)), axis=1)", "S224", top=WITH_TF, severity="warning"),
    _predicts("one-hot", f"{PREDICT.replace('return', 'found =')}\nreturn keras.utils.to_categorical(found, 8)", "S606", "S222"),
    _predicts("probabilities", "return self.net.predict(np.asarray(X, 'float32'), verbose=0)", "S606", "S222"),
    _predicts("logits for labels", "return self.net.predict(np.asarray(X, 'float32'), verbose=0)", "S606", "S222", weights="logits.keras"),
    _predicts("over the wrong axis", "return np.argmax(self.net.predict(X, verbose=0), axis=0)", "S606", "S223"),
    _case("two outputs", "two.keras", "S605|S606"),
    _case("two classes too many", "ten.keras", "S606", "S312"),
    # it cannot be loaded
    _case("class of a module that is not there", "plain_class.keras", "S603", "S308"),
    _case("class of the notebook", "in_main.keras", "S603", "S308"),
    _case("registered where nobody imports it", "registered.keras", "S603", "S308", more={"gain.py": text.HEAD + text.REGISTERED}),
    _case("registered under another package", "packaged.keras", "S603", "S308", model=keras_page(top=text.REGISTERED)),
    _case("get_config drops an argument", "forgets.keras", "S603", "S310", more={"layers_forgets.py": text.HEAD + text.FORGETS}, allowed=frozenset({"S309"})),
    _case("takes no **kwargs", "strict.keras", "S603", "S310", more={"layers_strict.py": text.HEAD + text.STRICT}, allowed=frozenset({"S309"})),
    _case("a lambda", "lambda.keras", "S603", "S307", allowed=frozenset({"S303"})),
    _case("compiled with a loss of its own", "custom_loss.keras", "S603", "S308"),
    _case("saved by a newer Keras", "newer.keras", "S303", server=True),
    _starts("an HDF5 file of a newer Keras", INIT.replace("w.keras", "w.h5"), {"w.h5": Weights("newer.h5")}, "S313", server=True),
    _case("cut short", "truncated.keras", "S603", "S315"),
    _case("another image size", "side48.keras", "S605", "S311"),
    _starts("weights of another network", OTHER, {"w.weights.h5": Weights("other.weights.h5")}, "S603"),
    _starts("weights without their network", NO_NET, {"w.weights.h5": Weights("plain.weights.h5")}, "S603", "S319"),
    _starts("a SavedModel folder", SAVED_MODEL, {"saved_model/saved_model.pb": b"\x08\x01"}, "S603", "S320"),
    _starts("weights that load_model deletes", BOTH, {"w.keras": Weights("plain.keras"), "model.weights.h5": Weights("plain.weights.h5")}, "S314", "S603|S713", server=True),
    _starts("weights from the internet", IMAGENET, {}, "S603|S711", "S216", allowed=frozenset({"S302"})),
    _case("an API of Keras 2", "plain.keras", "S601", model=keras_page(top=OLD_API)),
    _predicts("one image at a time", ONE_BY_ONE, "S220", severity="warning"),
    _starts("name with a typo", INIT.replace("w.keras", "wieghts.keras"), {"w.keras": Weights("plain.keras")}, "S603", "S301"),
]  # fmt: skip

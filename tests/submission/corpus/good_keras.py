"""Right submissions with real Keras weights, in the forms that Keras allows."""

from __future__ import annotations

from dataclasses import replace

from tests.submission.corpus import keras_layers as text
from tests.submission.corpus.case import Case, Content, Weights
from tests.submission.corpus.keras_page import INIT, PREDICT, around, keras_page

WITH = 'self.net = keras.models.load_model(HERE / "w.keras", custom_objects={names})'
SCOPE = """
with keras.saving.custom_object_scope({"Gain": Gain}):
    self.net = keras.models.load_model(HERE / "w.keras", compile=False)
"""
OLD_SCOPE = """
with keras.utils.CustomObjectScope({"Gain": Gain}):
    self.net = keras.models.load_model(HERE / "w.keras", compile=False)
"""
UPDATE = 'keras.saving.get_custom_objects().update({"Gain": Gain})'
ITEM = 'keras.utils.get_custom_objects()["Gain"] = Gain'
CALLED = 'keras.saving.register_keras_serializable(package="team", name="Boost")(Gain)'
LISTED = "OBJECTS = {c.__name__: c for c in [Gain]}"
TF = "import tensorflow as tf"
TF_KERAS = "import tensorflow as tf\nfrom tensorflow import keras as tfk\nfrom tensorflow.keras import layers as tfkl"
BUILT = """
inputs = keras.Input((96, 96, 3))
x = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(32)(inputs))
self.net = keras.Model(inputs, keras.layers.Dense(8, activation="softmax")(x))
self.net.load_weights(str(HERE / "w.weights.h5"))
"""
ENSEMBLE = 'self.nets = [keras.models.load_model(HERE / f"{name}.keras", compile=False) for name in ("a", "b")]'
MEAN = """
total = sum(np.asarray(net.predict(np.asarray(X, "float32"), verbose=0)) for net in self.nets)
return total.argmax(axis=-1)
"""
TTA = """
total = np.zeros((len(X), 8))
for start in range(0, len(X), 32):
    batch = np.asarray(X[start:start + 32], dtype="float32")
    for view in (batch, batch[:, ::-1], batch[:, :, ::-1], np.rot90(batch, axes=(1, 2))):
        total[start:start + 32] += self.net.predict_on_batch(np.ascontiguousarray(view))
return np.argmax(total, axis=1)
"""
TENSORS = """
scores = tf.concat([self.net(tf.cast(X[i:i + 64], tf.float32), training=False) for i in range(0, len(X), 64)], axis=0)
return tf.argmax(scores, axis=1).numpy()
"""
FUNCTION = """
@tf.function
def scores(net, batch):
    return net(tf.cast(batch, tf.float32), training=False)
"""
STREAM = """
stream = tf.data.Dataset.from_tensor_slices(np.asarray(X)).batch(32).map(lambda x: tf.cast(x, tf.float32))
predictions = self.net.predict(stream, verbose=0)
if len(predictions.shape) == 2:
    predictions = tf.argmax(predictions, axis=1).numpy()
return predictions
"""
SCALED = (
    "X = np.asarray(X, dtype='float32') / 255.0\nreturn self.net.predict(X, verbose=0).argmax(-1)"
)


def _good(name: str, weights: str, model: str = "", *allowed: str, **more: Content) -> Case:
    contents = around(weights, model, **more)
    return _of(name, contents, *allowed)


def _of(name: str, contents: dict[str, Content], *allowed: str) -> Case:
    return Case(name, contents, severity="good", run=True, keras=True, allowed=frozenset(allowed))


def _gain(name: str, init: str = INIT, top: str = "", weights: str = "plain_class.keras") -> Case:
    return _good(name, weights, keras_page(init=init, top=top))


CASES: list[Case] = [
    _good("Keras, plain", "plain.keras"),
    _good("Keras, trained on 0..1", "unit.keras", keras_page(SCALED)),
    _good("Keras, rescales itself", "rescaling.keras"),
    _good("Keras, logits", "logits.keras"),
    _good("Keras, augmentation inside", "augmented.keras"),
    _good("Keras, dropout and optimizer state", "fitted.keras"),
    _gain("Keras, registered in the module", top=text.REGISTERED, weights="registered.keras"),
    _gain("Keras, registered under a package", top=text.PACKAGED, weights="packaged.keras"),
    _gain("Keras, registered by a call", top=f"{text.GAIN}\n{CALLED}", weights="packaged.keras"),
    _gain("Keras, custom_objects", WITH.format(names='{"Gain": Gain}'), text.GAIN),
    _gain("Keras, custom_objects by dict()", WITH.format(names="dict(Gain=Gain)"), text.GAIN),
    _gain("Keras, custom_objects by a typed name", WITH.format(names="GAINS"), f"{text.GAIN}\nGAINS: dict[str, type] = {{\"Gain\": Gain}}"),
    _gain("Keras, custom_objects computed", WITH.format(names="OBJECTS"), f"{text.GAIN}\n{LISTED}"),
    _gain("Keras, custom_object_scope", SCOPE, text.GAIN),
    _gain("Keras, CustomObjectScope", OLD_SCOPE, text.GAIN),
    _gain("Keras, get_custom_objects().update", top=f"{text.GAIN}\n{UPDATE}"),
    _gain("Keras, get_custom_objects()[]", top=f"{text.GAIN}\n{ITEM}"),
    # Keras 3.4.1 finds it; 3.15 does not look there any more, so that it cannot be run here.
    replace(_good("Keras, class found by its module", "plain_class.keras", "", "S309", layers_py=text.LAYERS_PY), run=False),
    _good("Keras, registered in a module that is imported", "registered.keras", keras_page(top="import gain"), gain_py=text.HEAD + text.REGISTERED),
    _good("Keras, subclassed", "subclassed.keras", keras_page(top="from net import Net"), net_py=text.HEAD + text.NET),
    _good("Keras, own loss not compiled", "custom_loss.keras", keras_page(init=INIT.replace('"w.keras")', '"w.keras", compile=False)'))),
    _of("Keras, weights into a built network", {"model.py": keras_page(init=BUILT), "w.weights.h5": Weights("plain.weights.h5")}),
    _of("Keras, the older HDF5", {"model.py": keras_page(init=INIT.replace("w.keras", "w.h5")), "w.h5": Weights("plain.h5")}),
    _of("Keras, ensemble", {"model.py": keras_page(MEAN, ENSEMBLE), "a.keras": Weights("plain.keras"), "b.keras": Weights("augmented.keras")}),
    _good("Keras, test-time augmentation", "plain.keras", keras_page(TTA)),
    _good("Keras, tensors inside", "plain.keras", keras_page(TENSORS, top=TF)),
    _good("Keras, tf.function", "plain.keras", keras_page("return np.argmax(scores(self.net, X).numpy(), axis=1)", top=TF + FUNCTION)),
    _good("Keras, tf.data", "plain.keras", keras_page(STREAM, top=TF)),
    _good("Keras, by TensorFlow's name", "plain.keras", keras_page(PREDICT, 'self.net = tfk.models.load_model(str(HERE) + "/w.keras")', TF_KERAS)),
]  # fmt: skip

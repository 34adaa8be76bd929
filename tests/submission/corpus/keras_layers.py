"""The custom classes of the corpus, as text: shipped as layers.py, and imported to save weights."""

from __future__ import annotations

BODY = '''
    """Multiplies its input by a constant factor."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
'''
GAIN = f"class Gain(keras.layers.Layer):{BODY}"
REGISTERED = f"@keras.saving.register_keras_serializable()\n{GAIN}"
PACKAGED = f'@keras.utils.register_keras_serializable(package="team", name="Boost")\n{GAIN}'
FORGETS = (
    GAIN.replace("class Gain", "class Forgets")
    .replace("factor=1.0, **kwargs", "factor, **kwargs")
    .replace('{**super().get_config(), "factor": self.factor}', "super().get_config()")
)
STRICT = (
    GAIN.replace("class Gain", "class Strict")
    .replace("factor=1.0, **kwargs", "factor=1.0")
    .replace("super().__init__(**kwargs)", "super().__init__()")
)
SWISHY = """
@keras.saving.register_keras_serializable()
def swishy(x):
    return x * 1.0
"""
NET = '''
@keras.saving.register_keras_serializable()
class Net(keras.Model):
    """A subclassed model: crops, averages, and tells the class."""

    def __init__(self, classes=8, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.crop = keras.layers.Cropping2D(32)
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.dense = keras.layers.Dense(classes, activation="softmax")

    def call(self, inputs):
        return self.dense(self.pool(self.crop(inputs)))

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
'''
LOSS = """
def focal(truth, guess):
    return keras.ops.mean(keras.losses.categorical_crossentropy(truth, guess))
"""
HEAD = "import keras\n\n\n"
LAYERS_PY = HEAD + GAIN

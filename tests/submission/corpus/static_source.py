"""model.py files that are wrong as text: nothing has to run to see it."""

from __future__ import annotations

from tests.submission.corpus.case import INIT, PREDICT, Case, files, page
from tests.submission.corpus.keras_zip import keras_zip

BODY = "    def predict(self, X): return X"
CELL = """
%matplotlib inline
!pip install keras_cv
import numpy as np
"""
F_STRING = 'class Model:\n    def predict(self, X):\n        print(f"{", ".join(["a"])}")\n        return X[:, 0, 0, 0]\n'
MATCH = "match 1:\n    case 1: pass"
GROUPS = "try:\n    pass\nexcept* ValueError:\n    pass"
TYPE = "def load(path: str | None = None): return path"
STRICT_ZIP = "return np.array([a for a, _ in zip(labels(self.centres, X), X, strict=True)])"
UNDEFINED = "X = tf.cast(X, 'float32')"
NESTED = "def inner():\n    return np.array(X) * SCALE\nreturn labels(self.centres, inner())"
ARITY = "def prepare(images, mean, std): return (images - mean) / std"
KEYWORD = "def prepare(images, size=96): return images"
CLASS = "class Helper:\n    def __init__(self, side): self.side = side"
DATA = "from dataclasses import dataclass\n@dataclass\nclass Box:\n    low: int\n    high: int = 64"
GUARD = "X = np.asarray(X, dtype='float32')\nif X.max() > 1.0:\n    X = X / 255.0\nreturn labels(self.centres, X * 255)"
NORMAL = "X = (X - X.mean()) / X.std()\nreturn labels(self.centres, X)"
SCALER = "from sklearn.preprocessing import StandardScaler\nX = StandardScaler().fit_transform(X.reshape(len(X), -1)).reshape(X.shape)\nreturn labels(self.centres, X)"
NOISE = "X = X + np.random.normal(0, 1, X.shape)\nreturn labels(self.centres, X)"
AUGMENT = "X = [random.choice([x, x[::-1]]) for x in X]\nreturn labels(self.centres, np.stack(X))"
RANDAUGMENT = "import keras_cv\nviews = np.stack([X, keras_cv.layers.RandAugment(value_range=(0, 255))(X).numpy()], axis=1)\nreturn np.array([self.net.predict(views[i]).mean(0).argmax() for i in range(X.shape[0])])"
TF_NOISE = "X = tf.image.random_flip_left_right(X)\nreturn self.net.predict(X).argmax(1)"
LOOP = "found = []\nfor x in X:\n    found.append(self.net.predict(np.expand_dims(x, 0)).argmax())\nreturn np.array(found)"
LOOP_BY_NUMBER = "return np.array([np.argmax(self.net.predict(X[i:i + 1])) for i in range(len(X))])"
LOOP_CALL = "out = np.zeros(len(X), int)\nfor i, x in enumerate(X):\n    out[i] = np.argmax(self.net(x[None]))\nreturn out"
COPIES = "views = np.concatenate([X, X[:, ::-1], X[:, :, ::-1], np.rot90(X, axes=(1, 2))])\nreturn self.net.predict(views).reshape(4, len(X), 8).mean(0).argmax(1)"
TILED = (
    "X = np.tile(X, (9, 1, 1, 1))\nreturn self.net.predict(X).reshape(9, -1, 8).mean(0).argmax(-1)"
)
TF_COPIES = "X = tf.concat([X, tf.image.flip_left_right(X)], axis=0)\nreturn np.argmax(self.net.predict(X).reshape(2, -1, 8).sum(0), 1)"
NET = "import keras\nimport tensorflow as tf\nimport random"
LOAD = f'{INIT}\nself.net = keras.models.load_model(Path(__file__).parent / "w.keras")'
PIP = "import os\nos.system('pip install -q scikit-image')"
GDOWN = "import gdown\ngdown.download('https://drive.google.com/uc?id=1', 'w.npy')"
REQUESTS = (
    "import requests\nopen('w.txt', 'wb').write(requests.get('https://example.org/w.npy').content)"
)
GET_FILE = "self.path = keras.utils.get_file('w.h5', 'https://example.org/w.h5')"
BACKBONE = "self.net = keras.applications.EfficientNetV2S(input_shape=(96, 96, 3))"
TF_BACKBONE = "self.net = tf.keras.applications.resnet50.ResNet50(weights='imagenet')"
HUB = "import tensorflow_hub as hub\nself.net = hub.load('https://tfhub.dev/x')"
LOCAL_NAME = "if len(X) > 5:\n    pass\nlabels = labels(self.centres, X)\nreturn labels"
MUTED = "self.net.predict(X).argmax(axis=1)"


def _text(name: str, model: str, *codes: str, **fields: object) -> Case:
    return Case(name, files(model), codes, **fields)  # type: ignore[arg-type]  # as Case has them


def _top(name: str, top: str, *codes: str, **fields: object) -> Case:
    return _text(name, page(top=top), *codes, **fields)


def _body(name: str, predict: str, *codes: str, top: str = "", **fields: object) -> Case:
    return _text(name, page(predict, top=top), *codes, **fields)


def _net(name: str, predict: str, *codes: str, **fields: object) -> Case:
    contents = {**files(page(predict, LOAD, NET)), "w.keras": keras_zip()}
    return Case(name, contents, codes, **fields)  # type: ignore[arg-type]  # as Case has them


def _warn(name: str, predict: str, *codes: str) -> Case:
    return _net(name, predict, *codes, severity="warning")


CASES: list[Case] = [
    # is it Python, and has it what is asked for
    _text("syntax error", "class Model(:\n", "S201"),
    _text("tabs and spaces", "class Model:\n\tdef predict(self, X):\n        return X\n", "S201"),
    _text("not text", "\udcff", "S201"),
    _text("UTF-16", page().encode("utf-16").decode("latin-1"), "S201"),
    _text("a null byte", page(top="\0"), "S201"),
    _text("an HTML page", "<!DOCTYPE html>\n<html></html>\n", "S201"),
    _text("the notebook itself", '{"cells": [{"cell_type": "code"}], "nbformat": 4}', "S202"),
    Case("a helper that does not parse", files(page(top="import helper"), helper_py="def f(:\n"), ("S201",)),
    _text("no class", "class Net: pass\n", "S202"),
    _text("no class, and a method called eval", "class Net: pass\nnet = Net()\nnet.eval()\n", "S202"),
    _text("class in small letters", page().replace("class Model:", "class model:"), "S202"),
    _text("class inside a function", f"def make():\n    class Model:\n    {BODY}\n    return Model\n", "S202"),
    _text("init needs a path", f"class Model:\n    def __init__(self, path): pass\n{BODY}\n", "S203"),
    _text("init needs a keyword", f"class Model:\n    def __init__(self, *, p): pass\n{BODY}\n", "S203"),
    _text("init without self", f"class Model:\n    def __init__(): pass\n{BODY}\n", "S203"),
    _text("init of anything and a keyword", f"class Model:\n    def __init__(*all, p): pass\n{BODY}\n", "S203"),
    _text("no predict", "class Model:\n    def __init__(self): pass\n", "S204"),
    _text("predict of another name", page().replace("def predict", "def predictions"), "S204"),
    _text("predict without X", "class Model:\n    def predict(self): return 1\n", "S204"),
    _text("predict with two", "class Model:\n    def predict(self, X, y): return y\n", "S204", "S228"),
    _text("predict with a keyword", "class Model:\n    def predict(self, *X, y): return y\n", "S204"),
    _text("predict without self", "class Model:\n    def predict(X): return X\n", "S204"),
    _text("predict as coroutine", page().replace("def predict", "async def predict"), "S204"),
    _body("predict yields", "for x in X:\n    yield 0", "S204"),
    _text("predict outside the class", "class Model:\n    pass\n\ndef predict(self, X):\n    return X\n", "S204"),
    _text("notebook magics", CELL + page(), "S205"),
    _text("a shell line in the class", page("!ls\nreturn X"), "S205"),
    _text("a cell magic", "%%writefile model.py\n" + page(), "S205"),
    _text("a question", page(top="np.load?"), "S205"),
    # the server's Python
    _text("a module that went, Python known", page(top="import cgi"), "S211", severity="warning", challenge={"python": "3.13"}),
    _text("newer syntax, Python known", page(top=MATCH), "S206", challenge={"python": "3.9"}),
    _top("match", MATCH, "S207", severity="warning"),
    _top("except*", GROUPS, "S207", severity="warning"),
    _top("X | None", TYPE, "S207", severity="warning"),
    _body("zip(strict=True)", STRICT_ZIP, "S207", severity="warning"),
    _text("quotes in an f-string", F_STRING, "S207|S201", severity="warning"),
    # names and calls
    _body("name of the notebook", f"{UNDEFINED}\n{PREDICT}", "S208"),
    _body("name of the notebook in a function", NESTED, "S208"),
    _top("undefined at the top", "print(BATCH_SIZE)", "S208"),
    _top("used before it is defined", "FACTOR = OTHER * 2\nOTHER = 1", "S208"),
    _text("undefined base class", page().replace("class Model:", "class Model(BaseModel):"), "S208"),
    _top("undefined decorator", "@register\ndef f(): pass", "S208"),
    _top("undefined annotation", "def f(x: Tensor): pass", "S208"),
    _body("get_ipython", f"get_ipython().system('ls')\n{PREDICT}", "S208"),
    Case("undefined in a helper", files(page("return f(X)", top="from helper import f"), helper_py="def f(X):\n    return tf.argmax(X)\n"), ("S208",)),
    _body("a local name before its value", LOCAL_NAME, "S209|S208", severity="warning"),
    _text("undefined in the main block", page(end='if __name__ == "__main__":\n    print(Model().predict(X_val))'), "S209", severity="warning"),
    _body("too few arguments", "return labels(X)", "S210"),
    _body("too many arguments", "return labels(self.centres, X, 8)", "S210"),
    _body("an unknown keyword", f"X = prepare(X, shape=96)\n{PREDICT}", "S210", top=KEYWORD),
    _body("mean and std forgotten", f"X = prepare(X)\n{PREDICT}", "S210", top=ARITY),
    _body("an argument given twice", f"X = prepare(X, images=X)\n{PREDICT}", "S210", top=KEYWORD),
    _body("a class without its argument", f"helper = Helper()\n{PREDICT}", "S210", top=CLASS),
    _body("a dataclass without its field", f"box = Box()\n{PREDICT}", "S210", top=DATA),
    _body("a dataclass with another field", f"box = Box(low=1, hihg=2)\n{PREDICT}", "S210", top=DATA),
    _text("a method without its argument", page(f"self.views(X)\n{PREDICT}", end="    def views(self, X, count):\n        return [X] * count\n"), "S210"),
    _text("a method without self", page("return self.find(X)", end="").replace("    def predict", "    def find(X):\n        return labels(X, X)\n\n    def predict"), "S210"),
    Case("a helper of another file", files(page("return f(X, 1)", top="from helper import f"), helper_py="def f(X):\n    return X\n"), ("S210",)),
    Case("a helper by its module", files(page("return helper.f()", top="import helper"), helper_py="def f(X):\n    return X\n"), ("S210",)),
    # what it imports
    _top("cv2", "import cv2", "S211", severity="warning"),
    _top("scipy", "from scipy import ndimage", "S211", severity="warning"),
    _top("keras_cv", "import keras_cv", "S211", severity="warning"),
    _top("tomllib of 3.11", "import tomllib", "S211", severity="warning"),
    _top("a module in other letters", "import Helper", "S211", severity="warning"),
    _top("TensorFlow where only Keras is known", "import tensorflow", "S211", severity="warning", challenge={"tensorflow": ""}),
    _top("Keras where no version is known", "import keras", "S211", severity="warning", challenge={"tensorflow": "", "keras": ""}),
    _top("what Keras 3 brings under Keras 2", "import optree", "S211", severity="warning", challenge={"tensorflow": "", "keras": "2.15.0"}),
    _top("tried only", "try:\n    import albumentations\nexcept ImportError:\n    albumentations = None", "S212", severity="note"),
    _top("a file left at home", "from utils import normalise", "S227"),
    Case("a folder left at home", files("import sys\nfrom config.paths import FOLDER\n" + page()), ("S227",)),
    _top("our own rooms", "from corruptions.registry import corrupt", "S213"),
    _top("relative import", "from .layers import Gain", "S214"),
    Case("a name that the helper lacks", files(page(top="from helper import g"), helper_py="def f(X):\n    return X\n"), ("S215",)),
    _top("a module gone from Python", "import imp", "S211", severity="warning"),
    # network
    _top("urllib", "import urllib.request\nurllib.request.urlretrieve('https://example.org/w.npy', 'w.npy')", "S216", severity="warning"),
    _top("requests", REQUESTS, "S216", severity="warning"),
    _top("gdown", GDOWN, "S216", "S211", severity="warning"),
    _top("pip by os.system", PIP, "S216", severity="warning"),
    _text("get_file", page(init=f"{INIT}\n{GET_FILE}", top=NET), "S216", severity="warning"),
    _text("imagenet by default", page(init=f"{INIT}\n{BACKBONE}", top=NET), "S216", severity="warning"),
    _text("imagenet by name", page(init=f"{INIT}\n{TF_BACKBONE}", top=NET), "S216", severity="warning"),
    _text("TensorFlow Hub", page(init=f"{INIT}\n{HUB}"), "S216", "S211", severity="warning"),
    _top("kagglehub", "import kagglehub\nkagglehub.model_download('a/b')", "S216", "S211", severity="warning"),
    _top("from_pretrained", "from transformers import AutoModel\nnet = AutoModel.from_pretrained('x/y')", "S216", "S211", severity="warning"),
    # what predict does with the images
    _body("scale guard", GUARD, "S217", severity="warning"),
    _body("scale guard with np.max", "if np.max(X) <= 1:\n    X = X * 255\n" + PREDICT, "S217", severity="warning"),
    _body("scale guard in one line", "X = X * 255 if X.max() < 2 else X\n" + PREDICT, "S217", severity="warning"),
    _body("divided by the brightest", "X = X / X.max()\nreturn labels(self.centres, X * 255)", "S218", severity="warning"),
    _body("batch statistics, by the text", NORMAL, "S218", severity="warning"),
    _body("a scaler fitted to the batch", SCALER, "S218", "S211", severity="warning"),
    _body("noise", NOISE, "S219", severity="warning"),
    _body("random flips", AUGMENT, "S219", top="import random", severity="warning"),
    _net("random augmentation of another package", RANDAUGMENT, "S219", "S211", "S220", severity="warning"),
    _warn("TensorFlow's random flips", TF_NOISE, "S219"),
    _warn("training=True", "return np.argmax(self.net(X, training=True), axis=1)", "S219"),
    _warn("predict in a loop", LOOP, "S220"),
    _warn("predict in a comprehension", LOOP_BY_NUMBER, "S220"),
    _warn("the network called in a loop", LOOP_CALL, "S220"),
    _warn("whole-set copies", COPIES, "S221"),
    _warn("the set tiled", TILED, "S221"),
    _warn("whole-set copies by TensorFlow", TF_COPIES, "S221"),
    _warn("scores, by the text", "return self.net.predict(X)", "S222"),
    _warn("scores by a name", "scores = self.net.predict(X)\nreturn scores", "S222"),
    _warn("floats, by the text", "return self.net.predict(X).argmax(1).astype('float32')", "S222"),
    _warn("a list, by the text", "return self.net.predict(X).argmax(1).tolist()", "S222"),
    _net("over the images", "return self.net.predict(X).argmax(axis=0)", "S223"),
    _net("a tensor", "return tf.argmax(self.net(X), axis=1)", "S224", severity="warning"),
    _net("a tensor by Keras", "found = keras.ops.argmax(self.net(X), axis=-1)\nreturn found", "S224", severity="warning"),
    _net("nothing returned", MUTED, "S225"),
    _net("printed, not returned", "print(self.net.predict(X).argmax(axis=1))", "S225"),
    _body("asks a person", f"input('continue?')\n{PREDICT}", "S226", severity="warning"),
    _body("a breakpoint", f"breakpoint()\n{PREDICT}", "S226", severity="warning"),
    Case("a submission for another challenge", files(page(end="    def fit(self, X, y):\n        self.seen = len(X)\n")), ("S228",), "warning"),
    Case("a submission that is trained on the server", files(page().replace("def predict(self, X)", "def predict(self, X_train, y_train, X)")), ("S204", "S228")),
]  # fmt: skip

"""Right or unknowable submissions that would be easy to accuse: no check may find an error in them."""

from __future__ import annotations

from tests.submission.corpus import keras_layers as text
from tests.submission.corpus import static_ages
from tests.submission.corpus.case import INIT, PREDICT, Case, Content, files, page
from tests.submission.corpus.keras_page import INIT as LOAD
from tests.submission.corpus.keras_page import keras_page
from tests.submission.corpus.keras_zip import dense, entry, keras_zip, layer
from tests.submission.corpus.pictures import CENTRES_NPY
from tests.submission.corpus.static_weights import GAIN, GAIN_REGISTERED

BODY = "    def predict(self, X): return X"
DYNAMIC = (
    'NAMES = sorted(p.name for p in Path(__file__).parent.iterdir())\ngetattr(np, "lo" + "ad")'
)
STARS = "def f(*a, **k): return a\nARGS = (1, 2)\nf(*ARGS)\ndef g(a, b): return a\ng(*ARGS)\ng(**dict(a=1, b=2))"
WRAPPED = "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a, 1)\n    return inner\n@deco\ndef g(a, b): return a\ng(1)"
REBOUND = "def g(a): return a\ng = lambda a, b: a\ng(1, 2)"
EITHER = "try:\n    from scipy import ndimage\n    def g(a): return a\nexcept ImportError:\n    def g(a, b=1): return a\ng(1)"
SHADOWED = "def g(a): return a\ndef h(g):\n    return g(1, 2)"
INHERITED = "class A(dict):\n    pass\nA(a=1, b=2)\nclass B(Exception):\n    pass\nB(1, 2)\nclass M(type):\n    def __call__(cls, *a): return 1\nclass C(metaclass=M):\n    pass\nC(1, 2)"
MADE = "from collections import namedtuple\nfrom enum import Enum\nP = namedtuple('P', 'a b')\nP(1, 2)\nclass E(Enum):\n    A = 1\nE(1)\nclass N:\n    def __new__(cls, *a): return object.__new__(cls)\nN(1, 2)"
VIEWS = "views = [X, X[:, ::-1]]\nreturn sum(self.net.predict(v) for v in views).argmax(1)"
BATCHES = "found = []\nfor i in range(0, len(X), 32):\n    found.append(self.net.predict(X[i:i + 32]).argmax(1))\nreturn np.concatenate(found)"
MEMBERS = "return sum(net.predict(X) for net in self.nets).argmax(1)"
VOTED = "votes = np.stack([net.predict(X).argmax(1) for net in self.nets])\ncounts = np.stack([(votes == k).sum(0) for k in range(8)])\nreturn np.argmax(counts, axis=0)"
MEANS = (
    "means = X.mean(axis=(1, 2, 3), keepdims=True)\nreturn self.net.predict(X - means).argmax(1)"
)
CHECKED = "if len(X) == 0:\n    return np.zeros(0, int)\nif X.ndim != 4:\n    raise ValueError(X.shape)\nscores = self.net.predict(X)\nif scores.ndim == 2:\n    scores = scores.argmax(1)\nreturn scores"
KEYED = "def helper(x): return x\nself_net = {'predict': helper}\nreturn labels(self.centres, self_net['predict'](X))"
DATASETS = 'if __name__ == "__main__":\n    import pandas as pd\n    train = np.load("training_set.npz")\n    plt.imshow(train["images"][0])'
COMMENTED = '"""\n%matplotlib inline\n!pip install x\n"""\n# %load_ext autoreload\nTEXT = "a % b"\nX = 7\nY = (X\n     % 3)'
OTHER_SIZE = "X = tf.image.resize(X, (64, 64))\nreturn np.argmax(self.net.predict(X), 1)"
TRAINED = 'def train():\n    net = keras.applications.ResNet50(weights="imagenet")\n    rng = np.random.rand(3)\n    net.save("best.keras")'
NONE = "self.net = keras.applications.MobileNetV2(weights=None, classes=8)"
NESTED_SCOPE = "def outer():\n    value = 1\n    def inner():\n        nonlocal value\n        value += 1\n        return value\n    return inner\nouter()()"
DELETED = "for i in range(3):\n    pass\ndel i\ni = 4\nprint(i)"
STAR_FROM_OUTSIDE = "from numpy import *\nprint(zeros(3), pi)"
LATE = "def a(): return b()\ndef b(): return 1\na()"
LOCALS = "def f():\n    exec('y = 1', globals())\n    return y"
NAME_ERROR = "try:\n    display\nexcept NameError:\n    display = print"
NUMBERED = """
self.centres = np.load(Path(__file__).parent / "weights.npy")
names = ["weights.npy", "never_opened.txt"]
folder = Path(__file__).parent
np.load(folder / names[0])
np.load(folder / f"{'weights'}{'.npy'}")
np.load(folder / "".join(["weights", ".npy"]))
np.load(folder / "{}.npy".format("weights"))
for i in range(2):
    np.load(folder / f"fold_{i + 1}.npy")
"""
FOLDS: dict[str, Content] = {f"fold_{i}.npy": CENTRES_NPY for i in (1, 2)}
OPTIONAL = 'PATH = Path(__file__).parent / "fine_tuned.npy"\nif PATH.exists():\n    np.load(PATH)'


def _top(name: str, top: str, *allowed: str) -> Case:
    return Case(name, files(page(top=top)), severity="good", allowed=frozenset(allowed))


def _keras(name: str, weights: bytes, model: str = "", *allowed: str, **more: Content) -> Case:
    named = {key.replace("_py", ".py"): value for key, value in more.items()}
    contents: dict[str, Content] = {"model.py": model or keras_page(), "w.keras": weights, **named}
    return Case(name, contents, severity="good", allowed=frozenset(allowed))


def _net(name: str, predict: str, *allowed: str, end: str = "") -> Case:
    top = "import tensorflow as tf"
    return _keras(
        name,
        keras_zip(),
        keras_page(predict, f"{LOAD}\nself.nets = [self.net]", top, end),
        *allowed,
    )


def _text(name: str, model: str, *allowed: str, **more: Content) -> Case:
    return Case(name, files(model, **more), severity="good", allowed=frozenset(allowed))


CASES: list[Case] = [
    # what the class may look like
    _text("class imported", "from net import Model\n", "S318", net_py=page()),
    _text("class by star import", "from net import *\n", "S318", net_py=page()),
    _text("class assigned", page().replace("class Model", "class Net") + "Model = Net\n"),
    _text("class made", page().replace("class Model", "class Net") + "Model = type('Model', (Net,), {})\n"),
    _text("class under a condition", page().replace("\nclass Model:", "\nif True:\n  class Model:").replace("\n    def ", "\n      def ").replace("\n        ", "\n            ")),
    _text("init with defaults", page().replace("def __init__(self)", "def __init__(self, path=None, *args, **kwargs)")),
    _text("predict with options", page().replace("def predict(self, X)", "def predict(self, X, batch_size=8)")),
    _text("predict with a star", page("X, = X\nreturn labels(self.centres, X)").replace("def predict(self, X)", "def predict(self, *X)")),
    _text("static predict", page("return labels(CENTRES, X)", top="CENTRES = np.load(Path(__file__).with_name('weights.npy'))").replace("    def predict(self, X)", "    @staticmethod\n    def predict(X)")),
    _text("predict inherited", page().replace("class Model", "class Net") + "\nclass Model(Net):\n    pass\n"),
    _text("predict by assignment", page().replace("def predict", "def classify") .replace("classify(self, X):", "classify(self, X):") + "    predict = classify\n"),
    _text("Byte order mark", "\ufeff" + page()),
    _text("Windows line ends", page().replace("\n", "\r\n")),
    _text("Latin-1 declared", ("# -*- coding: latin-1 -*-\n" + page(top="NAME = 'caf\u00e9'"))),
    # names and calls
    _top("comments and texts with magics", COMMENTED),
    _top("stars in calls", STARS),
    _top("a decorator changes the arguments", WRAPPED),
    _top("a name bound twice", REBOUND),
    _top("one of two definitions", EITHER, "S212"),
    _top("an argument hides a function", SHADOWED),
    _top("inherited __init__", INHERITED),
    _top("namedtuple, Enum, __new__", MADE),
    _top("nested scopes", NESTED_SCOPE),
    _top("deleted and bound again", DELETED),
    _top("star import from outside", STAR_FROM_OUTSIDE),
    _top("defined below its use", LATE),
    _top("exec", LOCALS, "S209"),
    _top("NameError is caught", NAME_ERROR),
    _top("names made at run time", DYNAMIC),
    _top("a file that may be missing", OPTIONAL, "S301"),
    _text("training code in the main block", page(end=DATASETS), "S209", "S211", "S301", "S306"),
    _text("a helper in a dict", page(KEYED)),
    _text("training code in a function", page(end=TRAINED, top="import keras"), "S216"),
    _text("a helper imported by its name", page(top='import importlib\nfor name in ["gain"]:\n    importlib.import_module(name)'), gain_py="FACTOR = 1\n"),
    _text("scripts that nothing imports", page(top="EXECUTORS = 'exec'"), train_py="from utils import x\nimport torch\nprint(undefined_here)\n"),
    _text("a method of the notebook that nobody calls", page(end="    def build(self, shape):\n        return Net(PARAMETERS['shape'])\n"), "S209"),
    _text("the course's example", page("found = labels(self.centres, X)\nif len(found.shape) == 2:\n    found = np.argmax(found, axis=1)\nreturn found")),
    _text("a child's method takes more", "from base import Base\n" + page().replace("class Model:", "class Model(Base):") + "    def step(self, X, again):\n        return X\n", base_py="class Base:\n    def run(self, X):\n        return self.step(X, 1)\n\n    def step(self, X):\n        return X\n"),
    Case("names that are put together", {**files(page(init=NUMBERED)), **FOLDS}, severity="good"),
    # what predict does
    _net("views one after another", VIEWS),
    _net("batches of 32", BATCHES),
    _net("members of an ensemble", MEMBERS),
    _net("votes counted by class", VOTED),
    _net("each image's own mean", MEANS),
    _net("checks, then scores", CHECKED),
    _keras("resized to what the network wants", keras_zip(entry(64), dense()), keras_page(OTHER_SIZE, top="import tensorflow as tf")),
    _keras("any image size", keras_zip(layer("InputLayer", batch_shape=[None, None, None, 3]), dense())),
    _keras("a network without weights of its own", keras_zip(), keras_page(init=f"{NONE}\n{LOAD}")),
    _keras("one output for two classes", keras_zip(entry(), dense(2), dense(8, name="last"))),
    # custom classes that are found
    _keras("registered", keras_zip(entry(), GAIN_REGISTERED, dense()), keras_page(top=text.REGISTERED)),
    _keras("handed over", keras_zip(entry(), GAIN, dense()), keras_page(init=LOAD.replace('"w.keras")', '"w.keras", custom_objects={"Gain": Gain})'), top=text.GAIN)),
    _keras("found by its module", keras_zip(entry(), GAIN, dense()), "", "S309", layers_py=text.LAYERS_PY),
    _keras("weights only, into a network of the code's own", keras_zip(entry(), GAIN, dense()), keras_page(init=f'{NONE}\nself.net.load_weights(HERE / "w.keras")')),
    _keras("classes in a module that is imported by name", keras_zip(entry(), GAIN_REGISTERED, dense()), keras_page(top='import importlib\nMODULES = ["gain"]\nfor name in MODULES:\n    importlib.import_module(name)'), gain_py=text.HEAD + text.REGISTERED),
    Case("Keras known, TensorFlow not", files(page(top="import h5py\nimport keras")), severity="good", challenge={"tensorflow": "", "keras": "3.4.1"}),
    Case("Keras 2 known, TensorFlow not", files(page(top="import keras")), severity="good", challenge={"tensorflow": "", "keras": "2.15.0"}),
    Case("two classes", files(page(f"{PREDICT} // 4", init=INIT)), severity="good", challenge={"label_names": ("a", "b")}),
    *static_ages.GOOD,
]  # fmt: skip

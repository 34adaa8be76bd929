"""Odd model.py files as texts, classes and modules. How each ends, the bare worker says."""

from __future__ import annotations

import importlib.util
import py_compile
import tempfile
from pathlib import Path

from tests.submission.corpus.case import INIT, PREDICT, Case, Content, files, page
from tests.submission.corpus.pictures import CENTRES, CENTRES_NPY
from tests.submission.zips import build_zip

NET = page().replace("class Model", "class Net")
ABOVE = 'self.centres = np.load(Path(__file__).parents[1] / "weights.npy")'
HELPER = """
import numpy as np


def nearest(centres, X):
    means = np.asarray(X)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
    return np.abs(means[:, None] - centres[None]).argmin(axis=1)
"""
CALLS = "return nearest(self.centres, X)"
ON_PATH = "import os, sys\nsys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), {folder!r}))\nfrom {module} import nearest"
BY_SPEC = """
import importlib.util
spec = importlib.util.spec_from_file_location("tools_of_ours", Path(__file__).parent / "lib" / "near.py")
near = importlib.util.module_from_spec(spec)
spec.loader.exec_module(near)
nearest = near.nearest
"""
SINGLETON = """
class Factory:
    def __call__(self):
        return Net()


Model = Factory()
"""
PROXY = """
class Model:
    def __init__(self):
        self.net = Net()

    def __getattr__(self, name):
        return getattr(self.net, name)
"""
REPLACED = """
import sys
import types
here = types.ModuleType(__name__)
here.Model = Net
sys.modules[__name__] = here
"""
ABSTRACT = """
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def predict(self, X): ...
    @abstractmethod
    def fit(self, X, y): ...
"""
DECORATED = """
def registered(cls):
    REGISTRY[cls.__name__] = cls
    return {returned}


REGISTRY = {{}}
"""
META = """
class Meta(type):
    def __call__(cls, *args):
        found = super().__call__(*args)
        found.ready = True
        return found
"""
MISSING = "import {name}"
OPTIONAL = "try:\n    import {name}\nexcept {error}:\n    {otherwise}"
MAIN = """
if __name__ == "__main__":
    import pandas_of_tomorrow as pd
    table = pd.read_csv("/content/drive/train.csv")
    Model().fit(table)
"""


def compiled(name: str = "model.py", magic: bytes | None = None) -> bytes:
    """model.py as bytecode of this Python, or one that says it is of another."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / name
        path.write_text(page())
        py_compile.compile(str(path), cfile=str(path) + "c", doraise=True)
        data = path.with_suffix(".pyc").read_bytes()
    return (importlib.util.MAGIC_NUMBER if magic is None else magic) + data[4:]


def zipped() -> bytes:
    """A zip with a module in it, as Python imports from."""
    with tempfile.TemporaryDirectory() as place:
        return build_zip(Path(place) / "lib.zip", {"near.py": HELPER}).read_bytes()


def _of(kind: str, name: str, contents: dict[str, Content], **fields: object) -> Case:
    return Case(name, contents, run=True, kind=kind, **fields)  # type: ignore[arg-type]  # as Case has them


def _text(name: str, model: Content, **more: Content) -> Case:
    return _of("text", name, {**files("", **more), "model.py": model})


def _class(name: str, model: str, **more: Content) -> Case:
    return _of("class", name, files(model, **more))


def _imports(name: str, model: str, **more: Content) -> Case:
    return _of("import", name, files(model, **more))


def _signature(name: str, new: str) -> Case:
    body = page().replace("def predict(self, X):", f"def predict({new}):\n        X = images")
    return _class(name, body)


CASES: list[Case] = [
    # the text
    _text("Latin-1 in a comment", page(top="# caf\udce9 noir")),
    _text("Latin-1 in a comment at the end", page(end="# d\udce9j\udce0 vu\n")),
    _text("Latin-1 in a docstring", page(top='"""caf\udce9"""')),
    _text("Latin-1 in a string", page(top='NAME = "caf\udce9"')),
    _text("a Word quote in a comment", page(top="# the model\udc92s centres")),
    _text("Windows-1252 declared", "# -*- coding: cp1252 -*-\n" + page(top='NAME = "model\udc92s"')),
    _text("an encoding nobody knows", "# -*- coding: latin-42 -*-\n" + page()),
    _text("declared ASCII, is UTF-8", "# -*- coding: ascii -*-\n" + page(top='NAME = "caf\u00e9"')),
    _text("mark and UTF-8 declared", "\ufeff# -*- coding: utf-8 -*-\n" + page()),
    _text("mark and Latin-1 declared", "\ufeff# -*- coding: latin-1 -*-\n" + page()),
    _text("two byte order marks", "\ufeff\ufeff" + page()),
    _text("old Mac line ends", page().replace("\n", "\r")),
    _text("mixed line ends", page().replace("\n", "\r\n", 9)),
    _text("form feeds between the parts", page().replace("\nclass", "\n\f\nclass")),
    _text("tabs throughout", page().replace("    ", "\t")),
    _text("one line in tabs", page().replace("        return labels", "\treturn labels")),
    _text("a non-breaking space", page().replace("import numpy", "import\u00a0numpy")),
    _text("a zero-width space in a comment", page(top="# a\u200bb")),
    _text("Greek names", page(top="\u03bc, \u03c3 = 0.5, 0.2")),
    _text("a null byte in a comment", page(top="# \0")),
    _text("future import below code", page(top="from __future__ import annotations")),
    _text("a shebang", "#!/usr/bin/env python3\n" + page()),
    _text("no last line end", page().rstrip("\n")),
    _text("a line of 200,000 characters", page(top="TABLE = [" + "0," * 100_000 + "]")),
    _text("Python of tomorrow", page(top="type Box[T] = list[T]\nimport nothing_of_it = x")),
    _text("escapes that Python warns of", page(top='PATTERN = "\\d+\\.npy"')),
    # the class
    _class("def Model() as a factory", NET + "def Model():\n    return Net()\n"),
    _class("a factory that needs a path", NET + "def Model(path):\n    return Net()\n"),
    _class("a lambda", NET + "Model = lambda: Net()\n"),
    _class("module __getattr__", NET + "def __getattr__(name):\n    if name == 'Model':\n        return Net\n    raise AttributeError(name)\n"),
    _class("module __getattr__ for another name", NET + "def __getattr__(name):\n    if name == 'Net':\n        return Net\n    raise AttributeError(name)\n"),
    _class("functools.partial", NET.replace("__init__(self)", "__init__(self, side)") + "import functools\nModel = functools.partial(Net, 96)\n"),
    _class("functools.partial without what it needs", NET.replace("__init__(self)", "__init__(self, side, depth)") + "import functools\nModel = functools.partial(Net, 96)\n"),
    _class("predict is __call__", page().replace("def predict", "def __call__") + "Model.predict = Model.__call__\n"),
    _class("only __call__", page().replace("def predict", "def __call__")),
    _class("predict put on the class", page().replace("def predict", "def _answer") + "setattr(Model, 'pre' + 'dict', Model._answer)\n"),
    _class("predict put on the object", page("return None", init=f"{INIT}\nself.predict = lambda X: labels(self.centres, X)").replace("def predict", "def other")),
    _class("predict by __getattr__", NET + PROXY),
    _class("predict as a property", page(f"return lambda X: {PREDICT.removeprefix('return ')}").replace("    def predict(self, X)", "    @property\n    def predict(self)")),
    _class("partialmethod", page().replace("def predict(self, X)", "def _answer(self, X, views)") + "    import functools\n    predict = functools.partialmethod(_answer, views=1)\n"),
    _class("class by type() with bases", NET + "Model = type('Model', (Net, object), {'views': 4})\n"),
    _class("class by make_dataclass", NET + "import dataclasses\nModel = dataclasses.make_dataclass('Model', [], bases=(Net,), init=False)\n"),
    _class("a decorator returns the class", page(top=DECORATED.format(returned="cls")).replace("\nclass Model", "\n@registered\nclass Model")),
    _class("a decorator forgets to return it", page(top=DECORATED.format(returned="None")).replace("\nclass Model", "\n@registered\nclass Model")),
    _class("a decorator returns another class", page(top=DECORATED.format(returned="type('Wrapped', (cls,), {})")).replace("\nclass Model", "\n@registered\nclass Model")),
    _class("an object that makes it", NET + SINGLETON),
    _class("the object itself", page(end="Model = Model()\n")),
    _class("the object itself, callable", page(end="    def __call__(self):\n        return self\n\n\nModel = Model()\n")),
    _class("__new__ gives another", NET + "class Model:\n    def __new__(cls):\n        return Net()\n"),
    _class("a metaclass", page(top=META).replace("class Model:", "class Model(metaclass=Meta):")),
    _class("an abstract method left open", page(top=ABSTRACT).replace("class Model:", "class Model(Base):")),
    _class("an abstract method filled", page(top=ABSTRACT, end="    def fit(self, X, y): ...\n").replace("class Model:", "class Model(Base):")),
    _class("dataclass with a default", page().replace("\nclass Model:", "\nfrom dataclasses import dataclass\n@dataclass\nclass Model:\n    views: int = 4\n").replace("__init__", "__post_init__")),
    _class("dataclass that needs a value", page().replace("\nclass Model:", "\nfrom dataclasses import dataclass\n@dataclass\nclass Model:\n    views: int\n").replace("__init__", "__post_init__")),
    _class("by exec", f"SOURCE = {page()!r}\nexec(SOURCE)\n"),
    _class("by exec of a file", "from pathlib import Path\nexec((Path(__file__).parent / 'net.txt').read_text())\n", **{"net.txt": page()}),
    _class("by globals().update", "import net\nglobals().update(vars(net))\n", net_py=page()),
    _class("by star import, not in __all__", "from net import *\n", net_py="__all__ = ['labels']\n" + page()),
    _class("by star import, under another name", "from net import *\n", net_py=NET),
    _class("the module replaced in sys.modules", NET + REPLACED),
    _class("under a Python version", "import sys\nif sys.version_info >= (3, 8):\n    from net import Model\nelse:\n    raise RuntimeError\n", net_py=page()),
    _class("under an old Python only", "import sys\nif sys.version_info < (3, 8):\n    from net import Model\n", net_py=page()),
    _class("under a variable of the shell", "import os\nif os.environ.get('COMPETITION') == '1':\n    from net import Model\n", net_py=page()),
    _class("under the module's name", "if __name__ == 'model':\n    from net import Model\n", net_py=page()),
    _class("only as a script", "if __name__ == '__main__':\n    from net import Model\n", net_py=page()),
    _class("a main block that would fail", page(end=MAIN)),
    _class("the class's fit takes a table", page(end="    def fit(self, X, y):\n        return self\n")),
    _class("slots", page(end="").replace("class Model:", "class Model:\n    __slots__ = ('centres',)\n")),
    _class("slots that lack one", page(end="").replace("class Model:", "class Model:\n    __slots__ = ('other',)\n")),
    _class("a private name", page("return labels(self.__centres, X)", "self.__centres = np.load(Path(__file__).parent / 'weights.npy')")),
    _class("super().__init__ forgotten", page("return labels(self.centres, X)", "self.views = 1", top=f"class Base:\n    def __init__(self):\n        {INIT}").replace("class Model:", "class Model(Base):")),
    _signature("predict(self, images)", "self, images"),
    _signature("predict(self, images, batch_size=32, **kwargs)", "self, images, batch_size=32, **kwargs"),
    _signature("predict(self, *, images)", "self, *, images"),
    _signature("predict(self, images, verbose)", "self, images, verbose"),
    _class("classmethod", page(f"return labels(np.array({list(CENTRES)}), X)").replace("    def predict(self, X)", "    @classmethod\n    def predict(cls, X)")),
    # what it imports
    _of("import", "package model/__init__.py", {"model/__init__.py": page(init=ABOVE), "weights.npy": CENTRES_NPY}),
    _of("import", "package model/ with its weights", {"model/__init__.py": page(), "model/weights.npy": CENTRES_NPY}),
    _of("import", "package that imports from itself", {"model/__init__.py": "from .net import Model\n", "model/net.py": page(), "model/weights.npy": CENTRES_NPY}),
    _of("import", "package without the class", {"model/__init__.py": "", "model/net.py": page(), "model/weights.npy": CENTRES_NPY}),
    _of("import", "package beside model.py, has the class", {**files(page()), "model/__init__.py": page(init=ABOVE)}),
    _of("import", "folder of weights called model", {"model.py": page(init='self.centres = np.load(Path(__file__).parent / "model" / "weights.npy")'), "model/weights.npy": CENTRES_NPY}),
    *(_imports(f"helper folder {name}/ on sys.path", page(CALLS, top=ON_PATH.format(folder=name, module="near")), **{f"{name}/near.py": HELPER}) for name in ("utils", "data", "layers", "src")),
    *(_imports(f"helper {name} from a folder on sys.path", page(CALLS, top=ON_PATH.format(folder="lib", module=name)), **{f"lib/{name}.py": HELPER}) for name in ("utils", "helpers", "config")),
    _imports("folder on sys.path, module missing", page(CALLS, top=ON_PATH.format(folder="lib", module="near")), **{"lib/far.py": HELPER}),
    _imports("utils/ without __init__", page(CALLS, top="from utils.near import nearest"), **{"utils/near.py": HELPER}),
    _imports("data.preprocess as a package", page(CALLS, top="from data.preprocess import nearest"), **{"data/__init__.py": "", "data/preprocess.py": HELPER}),
    _imports("all modules of a folder by iterdir", page(CALLS, top="import sys\nsys.path[:0] = [str(p) for p in Path(__file__).parent.iterdir() if p.is_dir()]\nfrom layers import nearest"), **{"parts/layers.py": HELPER}),
    _imports("from a zip on sys.path", page(CALLS, top="import sys\nsys.path.insert(0, str(Path(__file__).parent / 'lib.zip'))\nfrom near import nearest"), **{"lib.zip": zipped}),
    _imports("by a spec", page(CALLS, top=BY_SPEC), **{"lib/near.py": HELPER}),
    _imports("relative import in model.py", page(CALLS, top="from .near import nearest"), near_py=HELPER),
    _imports("relative import with a way out", page(CALLS, top="try:\n    from .near import nearest\nexcept ImportError:\n    from near import nearest"), near_py=HELPER),
    _imports("in a circle, fine", page(CALLS, top="from near import nearest"), near_py="import model\n" + HELPER),
    _imports("in a circle, broken", page(CALLS, top="from near import nearest"), near_py="from model import Model\n" + HELPER),
    _imports("a helper called random.py", page(CALLS, top="import random\nnearest = random.nearest"), random_py=HELPER),
    _imports("a helper called numpy.py", page(), numpy_py="raise ImportError('not this one')\n"),
    _imports("a helper called types.py", page(), types_py="KIND = 1\n"),
    _imports("a helper called ingestion.py", page(CALLS, top="from ingestion import nearest"), ingestion_py=HELPER),
    _imports("helper needs a module that is not there", page(CALLS, top="from near import nearest"), near_py="import tensorflow_of_tomorrow\n" + HELPER),
    _imports("an unused helper needs one", page(), near_py="import tensorflow_of_tomorrow\n"),
    _imports("missing, at the top", page(top="import torch_of_tomorrow")),
    _imports("missing, in a try", page(top=OPTIONAL.format(name="torch_of_tomorrow", error="ImportError", otherwise="torch = None"))),
    _imports("missing, in a try for another error", page(top=OPTIONAL.format(name="torch_of_tomorrow", error="OSError", otherwise="pass"))),
    _imports("missing, in contextlib.suppress", page(top="import contextlib\nwith contextlib.suppress(ImportError):\n    import torch_of_tomorrow")),
    _imports("missing, in a branch nobody takes", page(f"if X.ndim != 4:\n    import torch_of_tomorrow\n{PREDICT}")),
    _imports("missing, in predict", page(f"import torch_of_tomorrow\n{PREDICT}")),
    _imports("missing, asked for by find_spec", page(top="import importlib.util\nif importlib.util.find_spec('torch_of_tomorrow'):\n    import torch_of_tomorrow")),
    _imports("missing, under TYPE_CHECKING", page(top="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch_of_tomorrow import Tensor")),
    _of("import", "model.pyc alone, this Python", {"model.pyc": compiled, "weights.npy": CENTRES_NPY}),
    _of("import", "model.pyc alone, another Python", {"model.pyc": lambda: compiled(magic=b"\x55\x0d\x0d\x0a"), "weights.npy": CENTRES_NPY}),
    _of("import", "model.pyc in __pycache__ alone", {"__pycache__/model.cpython-311.pyc": compiled, "weights.npy": CENTRES_NPY}),
    _of("import", "helper as .pyc", {**files(page(top="import helper")), "helper.pyc": lambda: compiled("helper.py")}),
    _of("import", "model.pyc beside model.py, another Python", {**files(page()), "model.pyc": lambda: compiled(magic=b"\x55\x0d\x0d\x0a")}),
]  # fmt: skip

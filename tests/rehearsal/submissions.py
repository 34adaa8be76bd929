"""Small challenges and submissions to them: what is read of each, and how a run of it ends."""

from __future__ import annotations

from dataclasses import dataclass

from tests.challenge.worker.bundles import Files

HEAD = """
import sys
sys.path.insert(0, "/app/ingested_program")
x = open("/app/input_data/x").read()
"""
TAIL = """
answer = text.encode()
open("/app/output/predictions", "wb").write(answer)
"""
FUNCTION = f"{HEAD}from model import predict\ntext = predict(x){TAIL}"
CLASS = f"""{HEAD}
from model import Model
m = Model()
m.fit(x, [0, 1])
text = m.predict(x)
{TAIL}"""
MAKER = f"""{HEAD}
from submission import get_model
def main():
    model = get_model()
    model.fit(x)
    return model.predict(x)
text = main()
{TAIL}"""
WORDED = f"""{HEAD}
from model import Model
model = Model(size=3, name="a")
text = model.predict(x, verbose=True)
{TAIL}"""
CALLED = f"{HEAD}from model import Model\nmodel = Model()\ntext = model(x){TAIL}"
BY_NAME = f"""{HEAD}
import importlib
module = importlib.import_module("agent")
agent = module.Agent(3)
text = agent.act(x)
{TAIL}"""
DOTTED = f"""{HEAD}
from solution.submission import get_model
model = get_model()
text = model.predict(x)
{TAIL}"""
TRIED = f"""{HEAD}
try:
    from model import Model
except ImportError:
    from model import Net as Model
m = Model()
if hasattr(m, "fit"):
    m.fit(x, [0, 1])
text = m.predict(x)
{TAIL}"""
SEARCHING = f"""{HEAD}
import os
for where, _, names in os.walk("/app/ingested_program"):
    if "model.py" in names:
        sys.path.insert(0, where)
from model import Model
text = Model().predict(x)
{TAIL}"""
IN_A_FOLDER = f"""{HEAD}
import os
sys.path.insert(0, os.path.join("/app/ingested_program", "code"))
from model import Model
text = Model().predict(x)
{TAIL}"""
OPTIONAL = f"""{HEAD}
import importlib
module = importlib.import_module("agent")
if hasattr(module, "prepare"):
    module.prepare(x)
if not hasattr(module, "act"):
    raise SystemExit("agent.py has to define act")
text = module.act(x)
{TAIL}"""
SETTING = f"""
debug = 0
def main():
    {HEAD.strip().replace(chr(10), chr(10) + "    ")}
    from model import Model
    m = Model()
    if not hasattr(m, "predict"):
        raise SystemExit("no predict")
    text = m.predict(x)
    {TAIL.strip().replace(chr(10), chr(10) + "    ")}
if __name__ == "__main__" and debug < 4:
    main()
"""
LISTING = f"""{HEAD}
import os
names = [name for name in os.listdir("/app/input_data") if name != "y"]
copy = dict(enumerate(names)).copy()
print(os.listdir("/app/ingested_program"), copy)
from model import Model
text = Model().predict(x)
{TAIL}"""
UPPER = "    def predict(self, X):\n        return X.upper()\n"
FIT = "    def fit(self, X, y):\n        return self\n"
SOUND = f"class Model:\n{FIT}{UPPER}"
BASE = f"class Base:\n{FIT}{UPPER}"
PLAIN = f"class Plain:\n    def fit(self, X):\n        pass\n{UPPER}"


@dataclass(frozen=True)
class Case:
    """program: an ingestion. codes: of errors and warnings, "" for none. ends: of a run."""

    name: str
    program: str
    files: Files
    codes: str = ""
    ends: str = "Finished"


def _model(name: str, program: str, code: str, codes: str = "", ends: str = "Finished") -> Case:
    return Case(name, program, {"model.py": code}, codes, ends)


def _wrong(name: str, program: str, files: Files | str, codes: str) -> Case:
    every = {"model.py": files} if isinstance(files, str) else files
    return Case(name, program, every, codes, "Failed")


SOUND_CASES = (
    _model("a function", FUNCTION, "def predict(text):\n    return text.upper()\n"),
    _model("with defaults", FUNCTION, "def predict(a, b=1, *, c=2):\n    return a.upper()\n"),
    _model("any arguments", FUNCTION, "def predict(*args, **more):\n    return args[0].upper()\n"),
    _model("a lambda", FUNCTION, "predict = lambda text: text.upper()\n"),
    _model("a class", CLASS, SOUND),
    _model(
        "a class and its base", CLASS, f"{BASE}class Model(Base):\n    def __init__(self, n=3): ...\n"
    ),
    Case(
        "a base elsewhere",
        CLASS,
        {"model.py": "from nets.base import Base\nclass Model(Base):\n    pass\n",
         "nets/__init__.py": "", "nets/base.py": BASE},
    ),
    Case("from elsewhere", CLASS, {"model.py": "from net import Model\n", "net.py": SOUND}),
    Case("by another name", CLASS, {"model.py": "from net import Net as Model\n", "net.py": SOUND.replace("Model", "Net")}),
    Case("with a star", CLASS, {"model.py": "from net import *\n", "net.py": SOUND}),
    _model("assigned", CLASS, f"{SOUND.replace('Model', 'Net')}Model = Net\n"),
    _model("made by a call", CLASS, f"{SOUND}Model = type('Model', (Model,), {{}})\n"),
    _model(
        "asked for as it comes",
        CLASS,
        "class Model:\n    def __getattr__(self, name):\n"
        "        return lambda X, y=None: X.upper()\n",
    ),
    _model(
        "methods that are put there",
        CLASS,
        f"class Model:\n{FIT}def ask(self, X):\n    return X.upper()\nsetattr(Model, 'predict', ask)\n",
    ),
    _model(
        "decorated",
        CLASS,
        "import functools\ndef same(f):\n    @functools.wraps(f)\n    def g(self, *a):\n"
        f"        return f(self, a[0])\n    return g\nclass Model:\n{FIT}"
        "    @same\n    def predict(self, X):\n        return X.upper()\n",
    ),
    _model(
        "static and of the class",
        CLASS,
        "class Model:\n    @staticmethod\n    def fit(X, y):\n        pass\n"
        "    @classmethod\n    def predict(cls, X):\n        return X.upper()\n",
    ),
    _model(
        "a dataclass",
        WORDED,
        "from dataclasses import dataclass\n@dataclass\nclass Model:\n    size: int\n"
        "    name: str = ''\n    def predict(self, X, verbose=False):\n        return X.upper()\n",
    ),
    _model(
        "keywords taken as they come",
        WORDED,
        "class Model:\n    def __init__(self, **options):\n        self.options = options\n"
        "    def predict(self, X, **options):\n        return X.upper()\n",
    ),
    _model(
        "called itself",
        CALLED,
        "class Model:\n    def __call__(self, X):\n        return X.upper()\n",
    ),
    Case(
        "a function that makes it",
        MAKER,
        {"submission.py": f"{PLAIN}def get_model():\n    made = Plain()\n    return made\n"},
    ),
    Case(
        "one of several",
        MAKER,
        {"submission.py": f"class Other:\n    pass\n{PLAIN}def get_model():\n"
         "    if False:\n        return Other()\n    return Plain()\n"},
    ),
    Case("by its name", BY_NAME, {"agent.py": "class Agent:\n    def __init__(self, n):\n        pass\n    def act(self, X):\n        return X.upper()\n"}),
    Case("without what may be left out", OPTIONAL, {"agent.py": "def act(X):\n    return X.upper()\n"}),
    _model("as a setting has it", SETTING, SOUND),
    Case("in a package", DOTTED, {"solution/__init__.py": "", "solution/submission.py": f"{PLAIN}def get_model():\n    return Plain()\n"}),
    Case("in a folder without __init__", DOTTED, {"solution/submission.py": f"{PLAIN}def get_model():\n    return Plain()\n"}),
    Case("a package for the module", CLASS, {"model/__init__.py": "from .net import Model\n", "model/net.py": SOUND}),
    _model("asked for before", TRIED, f"class Net:\n{UPPER}"),
    Case("searched for", SEARCHING, {"mine/model.py": SOUND}, "S102?"),
    _model("listed for the log", LISTING, SOUND),
    Case("in the folder that is named", IN_A_FOLDER, {"code/model.py": SOUND}),
    _model("under a condition", CLASS, f"import sys\nif sys.version_info > (3, 2):\n    class Model:\n{FIT.replace('    ', '        ', 1).replace('        return', '            return')}        def predict(self, X):\n            return X.upper()\n"),
    _model("an abstract base", CLASS, f"from abc import ABC, abstractmethod\nclass Base(ABC):\n    @abstractmethod\n    def predict(self, X): ...\nclass Model(Base):\n{FIT}{UPPER}"),
)  # fmt: skip

WRONG_CASES = (
    _wrong("no module", CLASS, {"net.py": SOUND}, "S102"),
    _wrong("nothing of Python", CLASS, {"README.md": "hello"}, "S102"),
    _wrong("in a folder", CLASS, {"mine/model.py": SOUND}, "S102"),
    _wrong("in a folder that is only listed", LISTING, {"mine/model.py": SOUND}, "S102"),
    _wrong("evaluates a network", CLASS, f"class Model:\n{FIT}    def ask(self):\n        self.net.eval()\n", "S204"),
    _wrong("with a capital letter", CLASS, {"Model.py": SOUND}, "S102"),
    _wrong("another class", CLASS, SOUND.replace("Model", "Net"), "S202"),
    _wrong("another function", FUNCTION, "def predictions(X):\n    return X.upper()\n", "S202"),
    _wrong("an import of it is not the other way round", CLASS, "import sys\n", "S202"),
    _wrong("a class in a function", CLASS, "def make():\n    class Model:\n        pass\n", "S202"),
    _wrong("no predict", CLASS, f"class Model:\n{FIT}", "S204"),
    _wrong("no fit", CLASS, f"class Model:\n{UPPER}", "S204"),
    _wrong("none in the base either", CLASS, f"class Base:\n{FIT}class Model(Base):\n    pass\n", "S204"),
    _wrong("fit of one argument", CLASS, f"class Model:\n    def fit(self, X):\n        pass\n{UPPER}", "S204"),
    _wrong("predict without self", CLASS, f"class Model:\n{FIT}    def predict(X):\n        return X\n", "S204"),
    _wrong("predict of two", CLASS, f"class Model:\n{FIT}    def predict(self, X, y):\n        return X\n", "S204"),
    _wrong("a function of none", FUNCTION, "def predict():\n    return ''\n", "S204"),
    _wrong("a function of two", FUNCTION, "def predict(X, model):\n    return X\n", "S204"),
    _wrong("made with an argument", CLASS, f"class Model:\n    def __init__(self, n):\n        pass\n{FIT}{UPPER}", "S203"),
    _wrong("made with one by its base", CLASS, f"class Base:\n    def __init__(self, n):\n        pass\n{FIT}{UPPER}class Model(Base):\n    pass\n", "S203"),
    _wrong("keywords that it has not", WORDED, "class Model:\n    def __init__(self, size):\n        pass\n    def predict(self, X, verbose):\n        return X\n", "S203"),
    _wrong("made with nothing", WORDED, "class Model:\n    def predict(self, X, verbose):\n        return X\n", "S203"),
    _wrong("a keyword of predict", WORDED, "class Model:\n    def __init__(self, size, name):\n        pass\n    def predict(self, X):\n        return X\n", "S204"),
    _wrong("cannot be called", CALLED, f"class Model:\n{UPPER}", "S204"),
    _wrong("what it makes cannot", MAKER, {"submission.py": "class Net:\n    def fit(self, X):\n        pass\ndef get_model():\n    return Net()\n"}, "S204"),
    _wrong("makes nothing", MAKER, {"submission.py": f"{PLAIN}def get_model():\n    Plain()\n"}, "S225"),
    _wrong("gives nothing", CLASS, f"class Model:\n{FIT}    def predict(self, X):\n        X.upper()\n", "S225"),
    _wrong("waits for somebody", FUNCTION, "async def predict(X):\n    return X.upper()\n", "S204"),
    _wrong("more arguments", BY_NAME, {"agent.py": "class Agent:\n    def __init__(self, n, m):\n        pass\n    def act(self, X):\n        return X.upper()\n"}, "S203"),
    _wrong("no such name by its name", BY_NAME, {"agent.py": "class Player:\n    pass\n"}, "S202"),
    _wrong("not in the package", DOTTED, {"submission.py": f"{PLAIN}def get_model():\n    return Plain()\n"}, "S102"),
    _wrong("what is insisted on", OPTIONAL, {"agent.py": "def prepare(X):\n    pass\n"}, "S202"),
    _wrong("insisted on in a class", SETTING, f"class Model:\n{FIT}", "S204"),
    _wrong("no Python", CLASS, f"{SOUND}def f(:\n", "S201"),
    _wrong("of a notebook", CLASS, f"!pip install x\n{SOUND}", "S205"),
    _wrong("a name that is nowhere", CLASS, f"class Model:\n{FIT}    def predict(self, X):\n        return upper(X)\n", "S208"),
    _wrong("nowhere in fit", CLASS, f"class Model:\n    def fit(self, X, y):\n        self.t = tabel\n{UPPER}", "S208"),
    _wrong("an own call", CLASS, f"def shout(X):\n    return X\nclass Model:\n{FIT}    def predict(self, X):\n        return shout(X, 3)\n", "S210"),
    _wrong("an own file", CLASS, f"from utils import f\n{SOUND}", "S227"),
    _wrong("from beside", CLASS, {"model.py": f"from .net import f\n{SOUND}", "net.py": "f = 1\n"}, "S214"),
    _wrong("a name of another file", CLASS, {"model.py": "from net import Model\n", "net.py": "x = 1\n"}, "S215"),
    _wrong("a folder of its name", CLASS, {"model.py": SOUND, "model/__init__.py": ""}, "S103 S202"),
)  # fmt: skip

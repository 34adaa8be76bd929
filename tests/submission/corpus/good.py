"""Submissions in many styles that are right: whatever is said against them is a false alarm."""

from __future__ import annotations

import numpy as np

from tests.submission.corpus import good_keras
from tests.submission.corpus.case import INIT, PREDICT, Case, Content, files, only, page
from tests.submission.corpus.good_texts import DATACLASS, ODD_SYNTAX, SERVICES, TYPED
from tests.submission.corpus.pictures import CENTRES, npy, npz

RELATIVE = 'self.centres = np.load("weights.npy")'
CHDIR = "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))"
BATCHED = """
found = np.empty(len(X), dtype=np.int64)
for start in range(0, len(X), 64):
    found[start:start + 64] = labels(self.centres, X[start:start + 64])
return found
"""
VOTES = """
votes = np.zeros((len(X), 8))
for centres in self.members:
    votes[np.arange(len(X)), labels(centres, X)] += 1
return votes.argmax(axis=1)
"""
FLIPS = """
scores = 0
for view in (X, X[:, ::-1], X[:, :, ::-1]):
    means = np.asarray(view)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
    scores = scores - np.abs(means[:, None] - self.centres[None])
return scores.argmax(axis=1)
"""
GUARDED = """
X = np.asarray(X, dtype="float32")
if X.ndim == 3:
    X = X[None]
return labels(self.centres, X)
"""
HELPER = """
import numpy as np

BOX = slice(32, 64)


def means(X, box=BOX):
    return np.asarray(X)[:, box, box].astype("float64").mean(axis=(1, 2, 3))


def nearest(values, centres):
    return np.abs(values[:, None] - centres[None]).argmin(axis=1)
"""
USES = """
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
from helper import *
import parts.loader as loader
"""
LOADER = """
import os
import numpy as np


def load(name="weights.npy"):
    return np.load(os.path.join(os.path.dirname(__file__), "..", name))
"""
NOTEBOOK = """
def show_history(history):
    plt.plot(history.history["loss"])
    sns.heatmap(confusion_matrix(y_true, y_pred))
"""
SEARCHED = """
found = sorted(Path(__file__).parent.glob("*.np[yz]"))
self.centres = np.load(found[0])
"""
MANY = """
self.members = []
for i in range(3):
    self.members.append(np.load(Path(__file__).parent / f"member_{i}.npy"))
"""
SEEDED = "draws = np.random.default_rng(7)\njitter = draws.normal(0, 1e-6, 8)\nreturn labels(self.centres + jitter, X)"
ARCHIVED = (
    "with np.load(Path(__file__).with_name('all.npz')) as held:\n    self.centres = held['centres']"
)
PROGRESS = """
import time
started = time.time()
found = labels(self.centres, X)
print(f"{len(X)} images in {time.time() - started:.1f} s")
return found
"""
LOGGED = """
try:
    return labels(self.centres, X)
except Exception as error:
    print(type(error).__name__, error)
    raise
"""
NESTED = """
def one(batch):
    return labels(self.centres, batch)
parts = [one(X[i:i + 50]) for i in range(0, len(X), 50)]
return np.concatenate(parts) if parts else np.zeros(0, dtype=int)
"""
SMALL_TYPE = f"{PREDICT}.astype(np.uint8)"
WARNED = 'import warnings\nwarnings.filterwarnings("ignore")\nimport logging\nlog = logging.getLogger(__name__)'
LATER = """
def prepare(X):
    return _middle(X)


def _middle(X):
    return np.asarray(X)


class Model(Model):
    def predict(self, X):
        return super().predict(prepare(X))
"""
MEMBERS: dict[str, Content] = {f"member_{i}.npy": npy(CENTRES + i) for i in range(3)}
PARTS: dict[str, Content] = {
    "settings.json": '{"name": "centres", "box": [32, 64]}',
    "parts/centres.npy": npy(CENTRES),
}


def _good(name: str, contents: dict[str, Content], *allowed: str) -> Case:
    return Case(name, contents, severity="good", run=True, allowed=frozenset(allowed))


CASES: list[Case] = [
    _good("plain", files(page())),
    _good("in batches", files(page(BATCHED))),
    _good("test-time flips", files(page(FLIPS))),
    _good("one image is one too", files(page(GUARDED))),
    _good("type annotations", files(TYPED)),
    _good("dataclasses", files(DATACLASS)),
    _good("odd syntax", files(ODD_SYNTAX)),
    _good("settings file and folders", {"model.py": SERVICES, **PARTS}),
    _good("several modules, star import", files(page("return nearest(means(X), self.centres)", "self.centres = loader.load()", USES), helper_py=HELPER, **{"parts/loader.py": LOADER, "parts/__init__.py": ""})),
    _good("package of its own", files("from team.net import Model\n", **{"team/__init__.py": "", "team/net.py": page(init='self.centres = np.load(Path(__file__).parents[1] / "weights.npy")')})),
    _good("dead code of a notebook", files(page(end=NOTEBOOK)), "S209"),
    _good("weights found by a pattern", files(page(init=SEARCHED))),
    _good("ensemble with f-string names", {"model.py": page(VOTES, MANY), **MEMBERS}),
    _good("relative weights, changes directory first", files(page(init=RELATIVE, top=CHDIR))),
    _good("relative weights", files(page(init=RELATIVE)), "S306", "S705"),
    _good("seeded draws", files(page(SEEDED))),
    _good("npz archive", {"model.py": page(init=ARCHIVED), "all.npz": npz(centres=CENTRES)}),
    _good("prints how long it took", files(page(PROGRESS))),
    _good("logs and raises again", files(page(LOGGED))),
    _good("function in a method", files(page(NESTED))),
    _good("labels of a small type", files(page(SMALL_TYPE))),
    _good("warnings off", files(page(top=WARNED))),
    _good("class defined twice", files(page(end=LATER))),
    _good("weights in the text", only(page(init=f"self.centres = np.array({list(map(float, CENTRES))})")), "S302"),
    _good("predict as an attribute", files(page(init=f"{INIT}\nself.threshold = 0.5", end="predict = None\n"))),
    _good("more in the zip than needed", {**files(page()), "README.md": "ours", "requirements.txt": "numpy"}),
    _good("unsigned weights", {"model.py": page(init=INIT), "weights.npy": npy(CENTRES.astype(np.uint8))}),
    *good_keras.CASES,
]  # fmt: skip

"""Odd answers, and answers that are hopeless. How each is scored, the bare worker says."""

from __future__ import annotations

from tests.submission.corpus.case import INIT, PREDICT, Case, files, page

FOUND = "found = labels(self.centres, X)"
OWN_ARRAY = """
class Labels(np.ndarray):
    pass
"""
TENSOR = """
class Tensor:
    def __init__(self, values):
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)

    def __len__(self):
        return len(self.values)
"""
NUMPY_METHOD = """
class Tensor:
    def __init__(self, values):
        self.values = values

    def numpy(self):
        return self.values
"""
CELL = """
import enum
Cell = enum.IntEnum("Cell", {f"c{i}": i for i in range(8)})
"""
DICE = "draws = np.random.default_rng()\n"
HASHED = "codes = np.asarray(X).reshape(len(X), -1)[:, :64].astype(np.int64).sum(axis=1)\n"
MIRROR = "return 7 - found"
MEMBERS = "self.members = [self.centres + i for i in (-3, 0, 3)]"
BUFFER = """
if self.buffer is None or len(self.buffer) < len(X):
    self.buffer = np.zeros(len(X), dtype=np.int64)
self.buffer[:len(X)] = labels(self.centres, X)
return self.buffer[:len(X)]
"""
TTA = """
draws = np.random.default_rng()
scores = np.zeros((len(X), 8))
means = np.asarray(X)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
for view in range(3):
    moved = means + draws.normal(0, {spread}, len(X))
    scores -= np.abs(moved[:, None] - self.centres[None])
return scores.argmax(axis=1)
"""
WHOLE_SET = """
means = np.asarray(X)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
standard = (means - means.mean()) / means.std()
centres = (self.centres - self.centres.mean()) / self.centres.std()
return np.abs(standard[:, None] - centres[None]).argmin(axis=1)
"""
QUANTILES = """
means = np.asarray(X)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
ranks = means.argsort().argsort()
return (ranks * 8 // len(X)).clip(0, 7)
"""


def _answers(name: str, predict: str, kind: str = "answer", **fields: object) -> Case:
    fields.setdefault("data", True)
    return Case(name, files(page(predict)), run=True, kind=kind, **fields)  # type: ignore[arg-type]  # as Case has them


def _after(name: str, last: str, kind: str = "answer", **fields: object) -> Case:
    return _answers(name, f"{FOUND}\n{last}", kind, **fields)


def _twice(name: str, last: str) -> tuple[Case, Case]:
    """With labelled images and with drawn ones: what is said may differ."""
    return _after(name, last), _after(f"{name}, no labels given", last, data=False)


def _top(name: str, top: str, last: str) -> Case:
    return Case(name, files(page(f"{FOUND}\n{last}", top=top)), run=True, data=True, kind="answer")


def _hopeless(name: str, last: str) -> Case:
    return _after(name, last, "chance")


def _permuted(name: str, order: str) -> Case:
    return _hopeless(name, f"return np.array([{order}])[found]")


def _again(name: str, predict: str, init: str = "") -> Case:
    contents = files(page(predict, f"{INIT}\n{init}"))
    return Case(name, contents, run=True, data=True, kind="again")


CASES: list[Case] = [
    # against the contract, perhaps scored
    *_twice("whole floats", "return found.astype('float32')"),
    *_twice("whole floats of double size", "return found * 1.0"),
    _after("float16", "return found.astype(np.float16)"),
    _after("long double", "return found.astype(np.longdouble)"),
    _after("uint8", "return found.astype(np.uint8)"),
    _after("int8", "return found.astype(np.int8)"),
    _after("uint64", "return found.astype(np.uint64)"),
    _after("big-endian", "return found.astype('>i4')"),
    *_twice("list of Python numbers", "return found.tolist()"),
    _after("list of NumPy's numbers", "return list(found)"),
    _after("tuple of Python numbers", "return tuple(int(i) for i in found)"),
    _after("list of floats", "return [float(i) for i in found]"),
    _after("list of lists of one", "return [[int(i)] for i in found]"),
    _after("list of arrays of one", "return [np.array([i]) for i in found]"),
    _after("list of arrays of none", "return [np.array(i) for i in found]"),
    _after("array.array", "import array\nreturn array.array('l', found.tolist())"),
    _after("memoryview", "return memoryview(np.ascontiguousarray(found))"),
    *_twice("(n, 1)", "return found.reshape(-1, 1)"),
    _after("(n, 1) of floats", "return found.reshape(-1, 1).astype('float32')"),
    _after("(1, n)", "return found[None]"),
    _after("(n, 1, 1)", "return found[:, None, None]"),
    _after("(n, 2), the same twice", "return np.stack([found, found], axis=1)"),
    _after("np.matrix, a column", "import warnings\nwarnings.simplefilter('ignore')\nreturn np.matrix(found).T"),
    _after("np.matrix, a row", "import warnings\nwarnings.simplefilter('ignore')\nreturn np.matrix(found)"),
    _after("masked array, nothing masked", "return np.ma.array(found)"),
    _after("masked array, some masked", "return np.ma.array(found, mask=found == 3)"),
    _after("masked array, filled", "return np.ma.array(found, mask=found < 0).filled(0)"),
    _top("subclass of ndarray", OWN_ARRAY, "return found.view(Labels)"),
    _top("tensor with __array__", TENSOR, "return Tensor(found)"),
    _top("tensor of floats with __array__", TENSOR, "return Tensor(found.astype('float32'))"),
    _top("tensor (n, 1) with __array__", TENSOR, "return Tensor(found[:, None])"),
    _top("tensor with numpy() only", NUMPY_METHOD, "return Tensor(found)"),
    _top("list of IntEnum", CELL, "return [Cell(int(i)) for i in found]"),
    _after("Fortran order, a column of a table", "table = np.asfortranarray(np.stack([found, found], 1))\nreturn table[:, 0]"),
    _after("every second of a longer array", "return np.repeat(found, 2)[::2]"),
    _after("read-only", "found.setflags(write=False)\nreturn found"),
    _after("memory-mapped in a temporary folder", "import tempfile\nheld = np.memmap(tempfile.NamedTemporaryFile(), dtype='int64', shape=len(X), mode='w+')\nheld[:] = found\nreturn held"),
    _after("floats almost whole", "return found + 1e-4"),
    _after("floats rounded", "return np.round(found + 1e-4)"),
    _after("minus zero", "return np.where(found == 0, -0.0, found)"),
    _after("object array of whole numbers", "return found.astype(object)"),
    _after("object array of NumPy's numbers", "return np.array([np.int64(i) for i in found], dtype=object)"),
    _after("digits as text, U1", "return found.astype('U1')"),
    _after("digits as bytes", "return found.astype('S1')"),
    _after("names of classes", "return np.array(list('abcdefgh'))[found]"),
    _after("one-hot of float32", "return np.eye(8, dtype='float32')[found]"),
    _after("one-hot of bool", "return np.eye(8, dtype=bool)[found]"),
    _after("probabilities", "return np.eye(8)[found] * 0.93 + 0.01 * (1 - np.eye(8)[found])"),
    _after("one NaN", "held = found.astype(float)\nheld[-1] = np.nan\nreturn held"),
    _after("one infinite", "held = found.astype(float)\nheld[-1] = np.inf\nreturn held"),
    _after("complex with nothing imaginary", "return found + 0j"),
    _after("a structured array", "return found.astype([('label', 'i8')])"),
    _after("a field of a structured array", "return found.astype([('label', 'i8')])['label']"),
    _after("ragged", "return [[int(i)] if i else [0, 0] for i in found]"),
    _after("a set", "return set(found.tolist())"),
    _after("a dict with its key", "return {'labels': found}"),
    _after("an iterator", "return iter(found.tolist())"),
    _after("range-like", "return range(len(found))"),
    _after("labels and scores", "return found, np.eye(8)[found]"),
    _after("decimals", "from decimal import Decimal\nreturn [Decimal(int(i)) for i in found]"),
    _after("one too few, the last", "return found[:-1]"),
    _after("one too many, a zero", "return np.r_[found, 0]"),
    _after("only the first 100", "return found[:100]"),
    # the second time, another batch, another order: the platform asks once
    _answers("unseeded test-time augmentation", TTA.format(spread=12), "again"),
    _answers("unseeded test-time augmentation, rarely another label", TTA.format(spread=5), "again"),
    _answers("unseeded test-time augmentation, no label changes", TTA.format(spread=0.2), "again"),
    _answers("dropout left on, a little", f"{DICE}noise = draws.normal(0, 1, (len(X), 1, 1, 1))\nreturn labels(self.centres, np.asarray(X) + noise)", "again"),
    _answers("seeded by the clock, no effect", f"import time\nnp.random.seed(int(time.time()))\nnp.random.rand(3)\n{PREDICT}", "again"),
    _answers("standardised by the whole set", WHOLE_SET, "again"),
    _answers("as many of each class as the set allows", QUANTILES, "again"),
    _answers("refuses fewer than 32 images", f"if len(X) < 32:\n    raise ValueError('too few images')\n{PREDICT}", "again"),
    _answers("refuses one image", f"images = np.squeeze(X)\nassert images.ndim == 4\n{PREDICT}", "again"),
    _answers("wants uint8 and says so", f"if X.dtype != np.uint8:\n    raise TypeError('uint8 wanted')\n{PREDICT}", "again"),
    _again("refuses to be called twice", f"if self.used:\n    raise RuntimeError('predict was called before')\nself.used = True\n{PREDICT}", "self.used = False"),
    _again("frees its weights after the answer", f"{FOUND}\ndel self.centres\nreturn found"),
    _again("remembers its answer", "if self.answer is None:\n    self.answer = labels(self.centres, X)\nreturn self.answer", "self.answer = None"),
    _again("one buffer for all answers", BUFFER, "self.buffer = None"),
    _again("counts how often it is asked", f"self.calls += 1\n{PREDICT}", "self.calls = 0"),
    _again("a generator seeded once", f"X = np.asarray(X) + self.draws.normal(0, 6, (len(X), 1, 1, 1))\n{PREDICT}", "self.draws = np.random.default_rng(3)"),
    _answers("changes the images", f"X[X > 250] = 250\n{PREDICT}", "again"),
    _answers("inverts the images in place, and back", "np.subtract(255, X, out=X)\nfound = labels(255 - self.centres, X)\nreturn found", "again"),
    # weak, but far better than guessing
    _after("three classes in eight", "return np.where(found < 3, found, 0)", "weak"),
    _after("half of the answers are noise", f"{HASHED}return np.where(codes % 2 == 0, found, codes // 2 % 8)", "weak"),
    _after("two classes exchanged", "return np.array([0, 1, 2, 3, 4, 5, 7, 6])[found]", "weak"),
    _after("neighbours mixed up", f"{HASHED}return np.clip(found + codes % 3 - 1, 0, 7)", "weak"),
    _after("never says one class", "return np.where(found == 3, 4, found)", "weak"),
    # hopeless
    _hopeless("all basophils", "return np.zeros(len(X), dtype=int)"),
    _hopeless("all of the largest class", "return np.full(len(X), 6)"),
    _hopeless("all but the first of one class", "held = np.full(len(X), 6)\nheld[0] = found[0]\nreturn held"),
    _hopeless("all of one class, as floats", "return np.full(len(X), 6.0)"),
    _hopeless("two classes, without reason", f"{HASHED}return codes % 2 * 5"),
    _hopeless("noise of the pixels", f"{HASHED}return codes % 8"),
    _hopeless("dice", "return np.random.default_rng().integers(0, 8, len(X))"),
    _hopeless("dice, seeded", "return np.random.default_rng(0).integers(0, 8, len(X))"),
    _hopeless("numbers in reverse", MIRROR),
    _hopeless("numbers shifted by one", "return (found + 1) % 8"),
    _hopeless("numbers from one, the last cut", "return np.minimum(found + 1, 7)"),
    _hopeless("numbers from one", "return found + 1"),
    _hopeless("numbers from one, as whole floats", "return found + 1.0"),
    _permuted("another order of the classes", "3, 0, 1, 2, 7, 4, 5, 6"),
    _permuted("order of the names' second letters", "1, 2, 3, 4, 5, 6, 7, 0"),
    _permuted("every class twice", "4, 4, 5, 5, 6, 6, 7, 0"),
    _hopeless("argmin for argmax", "means = np.asarray(X)[:, 32:64, 32:64].mean(axis=(1, 2, 3))\nreturn np.abs(means[:, None] - self.centres[None]).argmax(axis=1)"),
    _hopeless("truth values", "return found > 3"),
    _hopeless("out of range", "return found + 100"),
    _hopeless("below zero", "return -found - 1"),
    _hopeless("backwards", "return found[::-1]"),
    _hopeless("sorted", "return np.sort(found)"),
    _hopeless("shuffled", "return np.random.default_rng(1).permutation(found)"),
    _hopeless("moved by one image", "return np.roll(found, 1)"),
    _hopeless("its position in the set", "return np.arange(len(X)) % 8"),
    _hopeless("rotating bytes", "return np.asarray(X)[:, 0, 0, 0] % 8"),
    _hopeless("fed 0..1", "return labels(self.centres, X / 255.0)"),
    _hopeless("fed -1..1", "return labels(self.centres, X / 127.5 - 1)"),
    _hopeless("trained on 0..1, fed 0..255", "return labels(self.centres / 255, X)"),
    _hopeless("inverted images", "return labels(self.centres[::-1], 255 - np.asarray(X)) if False else 7 - found"),
    _hopeless("images as the wrong half", "return labels(self.centres, np.asarray(X) // 4)"),
]  # fmt: skip

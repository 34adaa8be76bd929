"""Submissions that answer, but wrongly: only a look at the answers finds it."""

from __future__ import annotations

from tests.submission.corpus.case import INIT, PREDICT, Case, files, page

FOUND = "found = labels(self.centres, X)"
COUNTED = f"{INIT}\nself.calls = 0"
RUNNING_MEAN = """
means = np.asarray(X, dtype="float64").mean(axis=(1, 2, 3))
self.seen = means.mean() if self.seen is None else 0.5 * self.seen + 0.5 * means.mean()
return np.clip((means - self.seen) / 20 + 4, 0, 7).astype(int)
"""
OWN_STATISTICS = """
values = np.asarray(X, dtype="float64")[:, 32:64, 32:64].mean(axis=(1, 2, 3))
spread = (values - values.mean()) / (values.std() + 1e-9)
return np.clip(spread * 2 + 4, 0, 7).astype(int)
"""
GUARD = """
values = np.asarray(X, dtype="float64")
if values[0].mean() < 150:
    values = 255 - values
return labels(self.centres, values)
"""
TENSOR_LIKE = """
class Answer:
    def __init__(self, values):
        self.values = values
        self.shape = values.shape
"""
PICKLED = """
class Trap:
    def __reduce__(self):
        import os
        return (os.system, ("touch /tmp/corpus-was-unpickled",))
"""
REMEMBERS = """
if self.answer is None or len(self.answer) != len(X):
    self.answer = labels(self.centres, X)
return self.answer
"""


def _answers(name: str, predict: str, *expected: str, **fields: object) -> Case:
    return Case(name, files(page(predict)), expected, run=True, **fields)  # type: ignore[arg-type]  # as Case has them


def _after(name: str, last: str, *expected: str, **fields: object) -> Case:
    return _answers(name, f"{FOUND}\n{last}", *expected, **fields)


def _scored(name: str, last: str, *expected: str, **fields: object) -> Case:
    """Not what the challenge's words ask for, and scored all the same."""
    return _after(name, last, "S614", *expected, severity="warning", **fields)


def _hopeless(name: str, predict: str, *expected: str, **fields: object) -> Case:
    """It runs, and is scored at the level of chance: labelled images show it."""
    return _answers(name, predict, *expected, data=True, **fields)


def _keeps(name: str, init: str, predict: str, *expected: str, **fields: object) -> Case:
    model = page(predict, f"{INIT}\n{init}")
    return Case(name, files(model), expected, severity="warning", run=True, **fields)  # type: ignore[arg-type]  # as Case has them


CASES: list[Case] = [
    # what is no label
    _after("one-hot", "return np.eye(8)[found]", "S606", advice="Take argmax over the classes"),
    _after("one-hot whole numbers", "return np.eye(8, dtype=int)[found]", "S606", advice="Take argmax over the classes"),
    _scored("floats", "return found * 1.0", advice="Return np.asarray(labels)"),
    _scored("half precision", "return found.astype(np.float16)", advice="Return np.asarray(labels)"),
    _after("not a number", "return np.where(found == 0, np.nan, found)", "S606", advice="The answers hold NaN or infinity"),
    _after("one too many", "return np.append(found, 0)", "S606", advice="Return one label for every image"),
    _after("one too few", "return found[:-1]", "S606", advice="Return one label for every image"),
    _after("none at all", "return found[:0]", "S606", advice="Return one label for every image"),
    _after("beyond the classes", "return found + 8", "S606", advice="Return the challenge's own numbers of the cla"),
    _after("from 1 to 8", "return np.minimum(found, 7) + 1 if len(X) else found", "S606|S708", advice="Labels count from 0"),
    _after("below zero", "return found - 8", "S606", advice="Return the challenge's own numbers of the cla"),
    _scored("a column", "return found[:, None]", advice="Return np.asarray(labels)"),
    _after("two columns", "return np.stack([found, found])", "S606", advice="Return a numpy array of n integer labels"),
    _after("one number", "return int(found[0])", "S606", advice="Return a numpy array of n integer labels"),
    _scored("truth values", "return found > 3", advice="Return np.asarray(labels)"),
    _after("class names", "return np.array(['basophil', 'monocyte'])[found % 2]", "S606", advice="Return a numpy array of n integer labels"),
    _after("digits as text", "return found.astype(str)", "S606", advice="Return a numpy array of n integer labels"),
    _after("objects", "return np.array([str(i) for i in found], dtype=object)", "S606", advice="Return a numpy array of n integer labels"),
    _scored("a list", "return [int(i) for i in found]", advice="Return np.asarray(labels)"),
    _after("a dict", "return dict(enumerate(found))", "S606", advice="Return a numpy array of n integer labels"),
    _after("a generator", "return (int(i) for i in found)", "S606", advice="Return a numpy array of n integer labels"),
    _after("a tuple of two", "return found, found", "S606", advice="Return a numpy array of n integer labels"),
    _answers("nothing", "found = labels(self.centres, X)", "S606", advice="Add the return statement"),
    _after("complex numbers", "return found + 0j", "S606", advice="Return a numpy array of n integer labels"),
    _after("dates", "return found.astype('datetime64[s]')", "S606", advice="Return a numpy array of n integer labels"),
    _after("huge rows", "return np.zeros((len(X), 200_000))", "S606|S608", advice="Return one label for every image"),
    _answers("lazily made answers", "return map(int, labels(self.centres, X))", "S606", advice="Return a numpy array of n integer labels"),
    Case("tensor-like object", files(page(f"return Answer({PREDICT.removeprefix('return ')})", top=TENSOR_LIKE)), ("S606",), run=True, advice="Return a numpy array of n integer labels"),
    Case("objects with a trap", files(page("return np.array([Trap() for _ in X], dtype=object)", top=PICKLED)), ("S606",), run=True, advice="Return a numpy array of n integer labels"),
    _after("whole batches of fifty only", "return found[: len(X) // 50 * 50]", "S606", severity="warning", advice="pad the last batch"),
    # labels, but not of these images
    _hopeless("labels by position", "return np.arange(len(X)) % 8", "S716", "S703|S702", advice="order of the images"),
    _hopeless("sorted", f"{FOUND}\nreturn np.sort(found)", "S716", "S703|S702", advice="order of the images"),
    _hopeless("backwards", f"{FOUND}\nreturn found[::-1]", "S716", "S703|S702", advice="order of the images"),
    _answers("by the clock", "import time\nreturn np.full(len(X), time.time_ns() // 1000 % 8)", "S709", "S701|S702", data=True, advice="scale mismatch"),
    # Never the right label: honest dice are right often enough, now and then, to be no certain error.
    _hopeless("thrown dice", f"{FOUND}\nreturn (found + np.random.randint(1, 8, len(X))) % 8", "S716", "S701", "S219", advice="Seed every draw"),
    _answers("one class", "return np.full(len(X), 6)", "S709", severity="warning", advice="Most often a scale mismatch"),
    _keeps("another answer the second time", "self.calls = 0", f"self.calls += 1\n{FOUND}\nreturn (found + self.calls) % 8", "S701", advice="Seed every draw"),
    _keeps("running mean", "self.seen = None", RUNNING_MEAN, "S701|S702|S703", advice="The platform gives all images in one call"),
    _keeps("remembers its first answer", "self.answer = None", REMEMBERS, "S703|S702", advice="Keep the images' order"),
    _answers("batch statistics", OWN_STATISTICS, "S702", severity="warning", advice="The platform gives all images in one call"),
    _answers("the first image decides", GUARD, "S702|S703", severity="warning", advice="The platform gives all images in one call"),
    _answers("majority of the batch", f"{FOUND}\nreturn np.full(len(X), np.bincount(found).argmax())", "S702|S709", severity="warning", advice="The platform gives all images in one call"),
    _answers("scale by the brightest image", "scale = 1.0 if X.max() < 200 else 0.5\nreturn labels(self.centres, X * scale)", "S702", "S217", severity="warning", advice="The platform gives all images in one call"),
    _answers("floats read otherwise", "scale = 1.0 if X.dtype == np.uint8 else 0.5\nreturn labels(self.centres, X * scale)", "S704", severity="warning", advice="Convert first"),
    _answers("whole numbers overflow", "return labels(self.centres, X * 2)", "S704", severity="warning", advice="Convert first"),
    # silent without labels
    _answers("fed 0..1 for 0..255", "return labels(self.centres, X / 255.0)", "S708|S709", data=True, advice="but model.py divides by 255"),
    _answers("fed 0..255 for 0..1", "return labels(self.centres / 255, X)", "S708|S709", data=True, advice="--scale 0..1"),
    _answers("fed -1..1", "return labels(self.centres, X / 127.5 - 1)", "S708|S709", data=True, advice="but model.py feeds -1..1"),
]  # fmt: skip

"""Mutated zips and mutated modules: the checks may say anything of them, but neither crash nor hang."""

from __future__ import annotations

import ast
import io
import tempfile
import tokenize
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.archive import Archive
from submission.checks.subject import examine
from tests.submission.corpus import good, good_static, static_source, static_weights
from tests.submission.corpus.keras_zip import keras_zip, model_config, older_hdf5
from tests.submission.zips import build_zip

CHALLENGE = load_challenge()
QUICK = settings(max_examples=50, deadline=5000, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=1000, deadline=5000, suppress_health_check=list(HealthCheck))
TEXTS = [
    str(case.files["model.py"])
    for case in (*good.CASES, *good_static.CASES, *static_source.CASES)
    if isinstance(case.files.get("model.py"), str)
]
NAMES = [
    "X",
    "np",
    "self",
    "Model",
    "predict",
    "labels",
    "keras",
    "model",
    "__file__",
    "Path",
    "os",
]


@cache
def zips() -> tuple[bytes, ...]:
    """Zips of the corpus, of all the kinds of weights."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            *static_weights.CASES[:30:3],
            *static_weights.CASES[30::2],
            *good_static.CASES[-4:],
        ]
        return tuple(case.build(Path(folder)).read_bytes() for case in cases)


def look_at(data: bytes) -> None:
    """Examine bytes as a zip; only an unreadable archive may raise, and only our own error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.zip"
        path.write_bytes(data)
        try:
            with Archive(path) as archive:
                findings = examine(archive, CHALLENGE)
        except SubmissionError:
            return
        assert all(f.message and f.advice for f in findings)


def look_at_module(text: str, weights: bytes | None = None) -> None:
    """Examine a zip around this model.py."""
    with tempfile.TemporaryDirectory() as folder:
        content = text.encode("utf-8", "replace")
        path = Path(folder) / "s.zip"
        build_zip(
            path, {"model.py": content, "w.keras": weights or keras_zip(), "w.h5": older_hdf5()}
        )
        with Archive(path) as archive:
            examine(archive, CHALLENGE)


@st.composite
def broken_zips(draw: st.DrawFn) -> bytes:
    """A zip with bits flipped, a piece cut out, its end lost, or another zip's directory."""
    data = bytearray(draw(st.sampled_from(zips())))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["bit", "cut", "end", "swap", "byte"]))
        if kind == "bit" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "end":
            del data[max(len(data) // 2, place) :]
        else:
            other = draw(st.sampled_from(zips()))
            data[data.rfind(b"PK\x01\x02") :] = other[other.rfind(b"PK\x01\x02") :]
    return bytes(data)


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A module of the corpus with tokens dropped, doubled, swapped, renamed; lines moved."""
    text = draw(st.sampled_from(TEXTS))
    try:
        tokens = [t.string for t in tokenize.generate_tokens(io.StringIO(text).readline)]
    except (tokenize.TokenError, SyntaxError, IndentationError):
        tokens = text.split(" ")
    words = sorted({token for token in tokens if token.strip()}) or ["x"]
    for _ in range(draw(st.integers(1, 5))):
        old = draw(st.sampled_from(words))
        new = draw(st.one_of(st.sampled_from(words), st.sampled_from(NAMES), st.just("")))
        text = text.replace(old, new, draw(st.integers(1, 3)))
    return text


def expressions() -> st.SearchStrategy[str]:
    """Expressions as participants write them, nested at random."""
    leaves = st.sampled_from(
        [*NAMES, "1", "'w.keras'", "'*.npy'", "None", "__file__", "f'{X}.h5'", "255.0"]
    )
    shapes: list[Callable[[str, str], str]] = [
        lambda a, b: f"({a} / {b})", lambda a, b: f"{a}[{b}]", lambda a, b: f"({a}).predict({b})",
        lambda a, b: f"np.concatenate([{a}, {b}])", lambda a, b: f"os.path.join({a}, {b})",
        lambda a, b: f"[{a} for X in {b}]", lambda a, b: f"Path({a}).with_name({b})",
        lambda a, b: f"({a} if X.max() < 2 else {b})", lambda a, b: f"load_model({a}, custom_objects={{{b}: {a}}})",
        lambda a, b: f"labels({a}, axis={b})", lambda a, b: f"(lambda X={a}: {b})", lambda a, b: f"{a}.argmax({b})",
        lambda a, b: f"f'{{{a}!r:>{{{b}}}}}'".replace("'", '"', 0), lambda a, b: f"dict(a={a}, **{b})",
        lambda a, b: f"({a} < {b} == X)", lambda a, b: f"keras.applications.{b}({a})" if b.isidentifier() else a,
    ]  # fmt: skip
    return st.recursive(
        leaves, lambda inner: st.builds(lambda f, a, b: f(a, b), st.sampled_from(shapes), inner, inner), max_leaves=12
    )  # fmt: skip


def statements() -> st.SearchStrategy[str]:
    """One line or block around expressions."""
    forms = [
        "x = {0}", "return {0}", "for x in {0}:\n    y = {1}", "if {0}:\n    {1}", "X += {0}", "self.a = self.b = {0}",
        "try:\n    import {2}\nexcept {0}:\n    pass", "with {0} as x:\n    {1}", "from {2} import *", "del {2}",
        "def f(a, *b, c={0}, **d):\n    return {1}", "class {2}({0}):\n    def __init__(self, a={1}): pass",
        "global {2}", "@{0}\ndef {2}(X): yield {1}", "from .{2} import labels as {2}", "import {2}.x as y",
        "match {0}:\n    case [{2}, *rest]:\n        {1}", "async def {2}(X):\n    await {0}", "assert {0}, {1}",
    ]  # fmt: skip
    return st.builds(
        lambda form, a, b, c: form.format(a, b, c),
        st.sampled_from(forms), expressions(), expressions(), st.sampled_from([n for n in NAMES if n != "self"]),
    )  # fmt: skip


@st.composite
def grown_texts(draw: st.DrawFn) -> str:
    """A module grown from a small grammar, with the class in it."""
    lines = draw(st.lists(statements(), max_size=6))
    body = "\n".join(draw(st.lists(statements(), min_size=1, max_size=5))).replace(
        "\n", "\n        "
    )
    return "\n".join([*lines, "class Model:", "    def predict(self, X):", f"        {body}"])


def configs() -> st.SearchStrategy[object]:
    """JSON that looks like a config here and there."""
    keys = ["class_name", "config", "module", "registered_name", "layers", "name", "units", "batch_shape", "output_layers", "compile_config"]  # fmt: skip
    words = ["Dense", "InputLayer", "function", "__lambda__", "Gain", "keras.layers", "layers", "Custom>Gain", "model", ""]  # fmt: skip
    leaves = st.one_of(st.none(), st.integers(-9, 99), st.sampled_from(words), st.booleans())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(keys), inner, max_size=6)),
        max_leaves=25,
    )  # fmt: skip


@QUICK
@given(broken_zips())
def test_no_zip_breaks_the_checks(data: bytes) -> None:
    """Else a damaged download shows our traceback instead of one sentence."""
    look_at(data)


@QUICK
@given(broken_texts())
def test_no_module_breaks_the_checks(text: str) -> None:
    """Else a half-finished model.py shows our traceback instead of its own fault."""
    look_at_module(text)


@QUICK
@given(grown_texts())
def test_no_syntax_tree_breaks_the_checks(text: str) -> None:
    """Else odd but legal Python shows our traceback."""
    look_at_module(text)


@QUICK
@given(configs())
@example({"class_name": "Dense", "module": 1, "registered_name": 1, "config": None})
def test_no_config_breaks_the_checks(value: object) -> None:
    """Else a strange weights file shows our traceback."""
    inner = {"name": "net", "layers": [value, model_config()]}
    config = model_config() | {"config": inner, "compile_config": value}
    look_at_module(TEXTS[0] + "\nkeras.models.load_model('w.keras')\n", _keras_file(config))


def _keras_file(config: dict[str, object]) -> bytes:
    import json

    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keras_zip())) as old, zipfile.ZipFile(held, "w") as new:
        for name in old.namelist():
            same = name != "config.json"
            new.writestr(name, old.read(name) if same else json.dumps(config))
    return held.getvalue()


@pytest.mark.slow
@THOROUGH
@given(broken_zips(), broken_texts(), grown_texts())
def test_nothing_breaks_the_checks(data: bytes, broken: str, grown: str) -> None:
    """Else the rare case shows our traceback."""
    look_at(data)
    look_at_module(broken)
    look_at_module(grown)


def test_the_grammar_makes_python() -> None:
    """Else the fuzzing would only test that syntax errors are told."""
    counts = {True: 0, False: 0}

    @settings(max_examples=30, database=None, suppress_health_check=list(HealthCheck))
    @given(grown_texts())
    def count(text: str) -> None:
        try:
            ast.parse(text)
            counts[True] += 1
        except SyntaxError:
            counts[False] += 1

    count()
    assert counts[True] > counts[False] / 4

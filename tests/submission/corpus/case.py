"""One submission of the corpus: its files, and what has to be found in it."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from codabench_rehearsal.challenge.profile import Challenge, load_challenge
from tests.submission.corpus.pictures import CENTRES_NPY
from tests.submission.zips import Link, build_zip

Content = str | bytes | Callable[[], bytes]


class Weights(str):
    """Stands for a weights file that `keras_weights.py` makes, by its name there."""

    __slots__ = ()


@dataclass(frozen=True)
class Case:
    """A submission and what must be found.

    files: path -> text, bytes, a function that makes bytes, a `Link` or `Weights`.
    expected: codes that must be among the findings; "S605|S606" stands for one of the two.
    severity: the worst finding is at least this bad ("good": no error, and no warning but those
    in `allowed`). run: only running finds it. keras: needs TensorFlow. data: found with labelled
    images only (`pictures.labelled_images`). server: only the server's versions show it.
    seconds, memory: limits to run it under (s, bytes). spoil: changes the zip's bytes.
    prefix: so many bytes (of a sparse file) stand before the zip.
    advice: what the advice of a run's finding must hold, beside the cause that the row stands for.
    challenge: fields that differ from the built-in challenge. kind: of the rows of `bare_*.py`,
    which expect nothing: the bare worker says how they end (`verdicts.py`).
    """

    name: str
    files: Mapping[str, Content]
    expected: tuple[str, ...] = ()
    severity: Literal["good", "note", "warning", "error"] = "error"
    run: bool = False
    keras: bool = False
    data: bool = False
    server: bool = False
    seconds: float | None = None
    memory: int | None = None
    allowed: frozenset[str] = frozenset()
    advice: str = ""
    zip_name: str = "submission.zip"
    spoil: Callable[[bytes], bytes] | None = None
    prefix: int = 0
    challenge: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""

    def __str__(self) -> str:
        return self.name

    def missing(self, found: set[str]) -> list[str]:
        """The expected codes that are not among these."""
        return [wanted for wanted in self.expected if not set(wanted.split("|")) & found]

    def profile(self) -> Challenge:
        """The challenge that it is made for."""
        return replace(load_challenge(), **dict(self.challenge))

    def build(self, folder: Path, weights: Path | None = None) -> Path:
        """Write the zip; weights: the folder that `keras_weights.py` filled."""
        path = folder / self.zip_name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of the duplicates that we want
            build_zip(path, {name: _bytes(x, weights) for name, x in self.files.items()})
            if self.spoil is not None:
                path.write_bytes(self.spoil(path.read_bytes()))
        if self.prefix:
            data = path.read_bytes()
            with path.open("wb") as file:
                file.seek(self.prefix)
                file.write(data)
        return path


def _bytes(content: Content, weights: Path | None) -> str | bytes:
    if isinstance(content, Weights):
        if weights is None:
            raise ValueError(f"{content} is made by keras_weights.py: give its folder")
        return (weights / content).read_bytes()
    if isinstance(content, Link):
        return content
    if isinstance(content, str):
        return content.encode("utf-8", "surrogateescape")
    return content if isinstance(content, bytes) else content()


INIT = 'self.centres = np.load(Path(__file__).parent / "weights.npy")'
PREDICT = "return labels(self.centres, X)"
PAGE = """
from pathlib import Path
import numpy as np
{top}
def labels(centres, X):
    means = np.asarray(X)[:, 32:64, 32:64].astype("float64").mean(axis=(1, 2, 3))
    return np.abs(means[:, None] - centres[None]).argmin(axis=1)


class Model:
    def __init__(self):
        {init}

    def predict(self, X):
        {predict}
{end}
"""


def indented(text: str) -> str:
    """A body for a method of the page."""
    return text.strip("\n").replace("\n", "\n        ")


def page(predict: str = PREDICT, init: str = INIT, top: str = "", end: str = "") -> str:
    """A model.py without Keras: tells the class by the brightness of the image's middle."""
    return PAGE.format(top=top, init=indented(init), predict=indented(predict), end=end)


def files(model: str, **more: Content) -> dict[str, Content]:
    """The files of a submission: this model.py and the centres it loads, and `name_py` as name.py."""
    named = {name.replace("__", "/").replace("_py", ".py"): x for name, x in more.items()}
    return {"model.py": model, "weights.npy": CENTRES_NPY, **named}


def only(model: str, **more: Content) -> dict[str, Content]:
    """The same without weights."""
    return {name: x for name, x in files(model, **more).items() if name != "weights.npy"}


def append(name: str, content: bytes) -> Callable[[bytes], bytes]:
    """Put a further member into a zip, also one of a name that is there."""

    def spoil(data: bytes) -> bytes:
        import io

        held = io.BytesIO(data)
        with zipfile.ZipFile(held, "a") as file:
            file.writestr(name, content)
        return held.getvalue()

    return spoil

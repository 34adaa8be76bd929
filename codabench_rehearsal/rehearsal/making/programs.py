"""What a made bundle runs: both programs, and two submissions that need numpy alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.rehearsal.template.baseline.model import BATCH, features
from submission.model_page import filled
from submission.zipping import best_level, put

TEMPLATE = resources.files("codabench_rehearsal.rehearsal") / "template"
INGESTION, SCORING = "ingestion_program", "scoring_program"
_METADATA = "metadata.yaml"


def text_of(*names: str) -> str:
    """A file of the template."""
    return TEMPLATE.joinpath(*names).read_text(encoding="utf-8")


def programs(challenge: Challenge) -> dict[str, bytes]:
    """Both programs' files, asking and judging as the challenge says; name -> bytes."""
    ingestion = filled(
        text_of(INGESTION, "ingestion.py"),
        {
            "CHANGES_FOLDER": challenge.working_folder == "submission",
            "ONE_AT_A_TIME": challenge.one_at_a_time,
        },
    )
    asked = replaced(
        ingestion,
        {
            "from model import Model": f"from {challenge.module} import {challenge.class_name}",
            "return Model()": f"return {made(challenge, 'str(submission)')}",
            "model.predict(": f"model.{challenge.method}(",
        },
    )
    settings = {"CLASSES": list(challenge.label_names), "ANSWERS": challenge.answers}
    texts = {
        f"{INGESTION}/ingestion.py": asked,
        f"{INGESTION}/{_METADATA}": text_of(INGESTION, _METADATA),
        f"{SCORING}/scoring.py": filled(text_of(SCORING, "scoring.py"), settings),
        f"{SCORING}/{_METADATA}": text_of(SCORING, _METADATA),
    }
    return {name: text.encode() for name, text in texts.items()}


def made(challenge: Challenge, path: str) -> str:
    """The call that makes the object; path: the submission's folder, as source."""
    return f"{challenge.class_name}({', '.join(path for _ in challenge.arguments)})"


def sample_files(challenge: Challenge, training: Dataset) -> dict[str, bytes]:
    """The smallest submission: a module, and each class's mean colour in the public images."""
    colours = np.concatenate(_each(training, lambda images: images.mean(axis=(1, 2))))
    means = _by_class(colours, training.labels).astype(np.float32)
    return {**_module(challenge, "starting_kit"), "colours.npy": npy(means)}


def baseline_files(challenge: Challenge, training: Dataset) -> dict[str, bytes]:
    """The nearest class mean of more features: a module and its numbers."""
    found = np.concatenate(_each(training, features))
    means = _by_class(found, training.labels)
    within = ((found - means[training.labels]) ** 2).mean(axis=0)
    kept = npz(means=means.astype(np.float32), variances=within.astype(np.float32))
    return {**_module(challenge, "baseline"), "baseline.npz": kept}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files, the same bytes every time."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, data in files.items():
            put(file, name, data, best_level(data))
    return held.getvalue()


def npz(**arrays: NDArray[Any]) -> bytes:
    """An array file's bytes, not compressed: whoever zips it does that."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, array in arrays.items():
            put(file, f"{name}.npy", npy(array))
    return held.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    """One array's file."""
    held = io.BytesIO()
    np.save(held, array, allow_pickle=False)
    return held.getvalue()


def replaced(page: str, words: Mapping[str, str]) -> str:
    """A page with other words in the place of the template's own."""
    for old, new in words.items():
        if page.count(old) != 1:
            raise AssertionError(f"the template has {old!r} {page.count(old)} times")
        page = page.replace(old, new)
    return page


def _module(challenge: Challenge, name: str) -> dict[str, bytes]:
    """A module of the template, with the names and the answers that the challenge asks for."""
    one = challenge.one_at_a_time
    found = f"self.scores({'X[None]' if one else 'X'})"
    found += "" if challenge.answers == "probabilities" else ".argmax(axis=1)"
    given = "self, path" if challenge.arguments else "self"
    page = replaced(
        text_of(name, "model.py"),
        {
            "class Model:": f"class {challenge.class_name}:",
            "def __init__(self)": f"def __init__({given})",
            "def predict(": f"def {challenge.method}(",
            "return self.scores(X).argmax(axis=1)": f"return {found}{'[0]' if one else ''}",
        },
    )
    return {f"{challenge.module}.py": page.encode()}


def _each(training: Dataset, look: Callable[[NDArray[np.uint8]], Any]) -> list[Any]:
    """What is seen of the images, some at a time."""
    starts = range(0, len(training), BATCH)
    rows = (np.arange(at, min(at + BATCH, len(training))) for at in starts)
    return [look(training.pictures(some)) for some in rows]


def _by_class(found: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.stack([found[labels == one].mean(axis=0) for one in np.unique(labels)])

"""What people read of a made bundle: competition.yaml, pages, the kit's texts, its profile, a logo.

Nothing here knows the seed or which damage it is: whatever is written may be public.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

import numpy as np

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.rehearsal.making.programs import (
    INGESTION,
    SCORING,
    made,
    replaced,
    text_of,
)

KIT, PUBLIC = "starting_kit.zip", "public_data.zip"
PAGES = ("overview", "evaluation", "data", "terms")
MOST_RECALLS = 30  # columns of a leaderboard; the detailed results have all classes
_PRECISION = 4
_LONGEST_TITLE, _LONGEST_NAME = 36, 40  # characters: of a column on the site, of a profile
_TILE, _SIDE = 96, 3  # pixels of a logo's tile, tiles along its side
_CLEAN = "as clean as the training images"
_DAMAGED = (
    "**corrupted**. How is not said: a model that is right on clean images alone will fall behind"
)
_KEYS = {"accuracy": "accuracy", "balanced accuracy": "balanced_accuracy", "macro-F1": "macro_f1"}


@dataclass(frozen=True)
class PhasePlan:
    """A phase: times in UTC, limits of submissions, and how many images are hidden in it."""

    key: str
    name: str
    start: dt.datetime
    end: dt.datetime
    per_day: int
    in_all: int
    images: int


@dataclass(frozen=True)
class Described:
    """All that is told of a challenge.

    counts: training images of each class. shape: of an image. licence: of the data, "" where nobody
    said. is_damaged: whether the hidden images are. seconds: of a program.
    """

    title: str
    challenge: Challenge
    phases: tuple[PhasePlan, PhasePlan]
    counts: tuple[int, ...]
    sample_images: int
    docker: str
    licence: str
    is_damaged: bool
    seconds: int


def competition(described: Described) -> str:
    """`competition.yaml`."""
    import yaml

    phases = list(enumerate(described.phases))
    values = {
        "version": 2,
        "title": described.title,
        "description": f"Tell the class of each image: {described.challenge.classes} classes.",
        "image": "logo.png",
        "terms": "pages/terms.md",
        "docker_image": described.docker,
        "enable_detailed_results": True,
        "show_detailed_results_in_submission_panel": True,
        "pages": [{"title": one.capitalize(), "file": f"pages/{one}.md"} for one in PAGES],
        "tasks": [_task(index, phase) for index, phase in phases],
        "solutions": [
            {"index": 0, "tasks": [index for index, _ in phases], "path": "solutions/baseline.zip"}
        ],
        "phases": [_phase(index, phase, described.seconds) for index, phase in phases],
        "leaderboards": [_leaderboard(described.challenge)],
    }
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    return text


def _task(index: int, phase: PhasePlan) -> dict[str, Any]:
    return {
        "index": index,
        "name": phase.name,
        "description": f"{phase.images:,} hidden images",
        "ingestion_program": INGESTION,
        "scoring_program": SCORING,
        "input_data": f"input_data/{phase.key}",
        "reference_data": f"reference_data/{phase.key}",
    }


def _phase(index: int, phase: PhasePlan, seconds: int) -> dict[str, Any]:
    return {
        "index": index,
        "name": phase.name,
        "description": f"{phase.images:,} hidden images",
        "start": str(phase.start),
        "end": str(phase.end),
        "max_submissions_per_day": phase.per_day,
        "max_submissions": phase.in_all,
        "execution_time_limit": seconds,
        "hide_prediction_output": True,  # a submission could leave hidden images there
        "tasks": [index],
        "starting_kit": KIT,
        "public_data": PUBLIC,
    }


def _leaderboard(challenge: Challenge) -> dict[str, Any]:
    named = [("Accuracy", "accuracy"), ("Balanced accuracy", "balanced_accuracy")]
    named += [("Macro-F1", "macro_f1")]
    recalls = enumerate(challenge.label_names[:MOST_RECALLS])
    named += [(f"Recall: {name}"[:_LONGEST_TITLE].strip(), f"recall_{i}") for i, name in recalls]
    keys = [key for _, key in named]
    return {
        "title": "Results",
        "key": "results",
        "primary_index": keys.index(_KEYS[challenge.metric]),
        "columns": [
            {"index": i, "title": title, "key": key, "sorting": "desc", "precision": _PRECISION}
            for i, (title, key) in enumerate(named)
        ],
    }


def pages(described: Described) -> dict[str, bytes]:
    """The site's pages; name -> bytes."""
    words = _words(described)
    filled = {name: Template(text_of("pages", f"{name}.md")).substitute(words) for name in PAGES}
    return {f"pages/{name}.md": text.encode() for name, text in filled.items()}


def kit_texts(described: Described) -> dict[str, bytes]:
    """The starting kit's own texts: README.md, start.ipynb, profile.toml."""
    readme = Template(text_of("starting_kit", "README.md")).substitute(_words(described))
    return {
        "README.md": readme.encode(),
        "start.ipynb": _notebook(described.challenge).encode(),
        "profile.toml": profile_toml(described).encode(),
    }


def _words(described: Described) -> dict[str, str]:
    """Whatever a page may name."""
    challenge, licence = described.challenge, described.licence
    height, width, channels = challenge.shape
    in_folder = challenge.working_folder == "submission"
    unsaid = "The licence of the data is not said: ask the organisers before you pass them on."
    words = {
        "title": described.title,
        "classes_count": f"{challenge.classes:,}",
        "height": str(height),
        "width": str(width),
        "colour": ", grey" if channels == 1 else "",
        "shape_said": f"(n, {height}, {width}, {channels})",
        "module": challenge.module,
        "class_name": challenge.class_name,
        "interface": _interface(challenge),
        "images_said": _images_said(challenge),
        "answers_said": _answers_said(challenge),
        "folder_said": "its own folder" if in_folder else "another folder than its own",
        "seconds": f"{described.seconds:,}",
        "docker": described.docker,
        "metric": challenge.metric,
        "training_images": f"{sum(described.counts):,}",
        "sample_images": f"{described.sample_images:,}",
        "class_rows": _class_rows(challenge.label_names, described.counts),
        "damage_said": _DAMAGED if described.is_damaged else _CLEAN,
        "hidden_are": "corrupted; training images are not" if described.is_damaged else _CLEAN,
        "licence_said": f"Licence of the data: {licence}" if licence else unsaid,
    }
    for phase in described.phases:
        words |= {f"{phase.key}_{name}": text for name, text in _phase_words(phase).items()}
    return words


def _phase_words(phase: PhasePlan) -> dict[str, str]:
    return {
        "name": phase.name,
        "start": f"{phase.start:%Y-%m-%d %H:%M}",
        "end": f"{phase.end:%Y-%m-%d %H:%M}",
        "images": f"{phase.images:,}",
        "day": f"{phase.per_day:,}",
        "all": f"{phase.in_all:,}",
    }


def _class_rows(names: Sequence[str], counts: Sequence[int]) -> str:
    safe = (name.replace("|", r"\|") for name in names)
    rows = enumerate(zip(safe, counts, strict=True))
    return "\n".join(f"| {label} | {name} | {count:,} |" for label, (name, count) in rows)


def _interface(challenge: Challenge) -> str:
    given = "self, path" if challenge.arguments else "self"
    made_with = "path: this zip's folder" if challenge.arguments else "load your weights here"
    return (
        f"class {challenge.class_name}:\n    def __init__({given}):  # {made_with}\n        ...\n\n"
        f"    def {challenge.method}(self, X):\n        ..."
    )


def _images_said(challenge: Challenge) -> str:
    shape = ", ".join(map(str, challenge.shape))
    if challenge.one_at_a_time:
        how = f"is called for each hidden image: `X` is uint8 ({shape}), values 0..255."
    else:
        how = f"is called once, with all hidden images: `X` is uint8 (n, {shape}), values 0..255."
    return f"`{challenge.method}` {how}"


def _answers_said(challenge: Challenge) -> str:
    k, many = challenge.classes, "" if challenge.one_at_a_time else "n, "
    if challenge.answers == "probabilities":
        return f"scores, numbers of shape ({many}{k}): the highest one of an image is its class"
    whole = "an integer" if challenge.one_at_a_time else "integers of shape (n,)"
    return f"labels, {whole}, each from 0 to {k - 1}"


def _notebook(challenge: Challenge) -> str:
    """Its cells ask as the ingestion program does."""
    asked = f'model.{challenge.method}(sample["images"])'
    if challenge.one_at_a_time:
        asked = f'np.stack([model.{challenge.method}(image) for image in sample["images"]])'
    if challenge.answers == "probabilities":
        asked += ".argmax(axis=1)"
    words = {
        "from model import Model": f"from {challenge.module} import {challenge.class_name}",
        "model = Model()": f"model = {made(challenge, repr('.'))}",
        'model.predict(sample["images"])': asked,
    }
    in_json = {json.dumps(old)[1:-1]: json.dumps(new)[1:-1] for old, new in words.items()}
    return replaced(text_of("starting_kit", "start.ipynb"), in_json)


def profile_toml(described: Described) -> str:
    """The challenge for this tool. What somebody believes of the hidden set is left out."""
    one = described.challenge
    server = {
        "working_folder": one.working_folder,
        **{name: getattr(one, name) for name in ("python", "tensorflow", "keras")},
        "packages": list(one.packages),
        "worker": one.worker,
    }
    sizes = {name: getattr(one.sizes, name) for name in ("zip_bytes", "unpacked_bytes")}
    sizes["file_bytes"] = one.sizes.file_bytes
    name = re.sub(r"[^a-z0-9]+", "-", described.title.lower()).strip("-")[:_LONGEST_NAME]
    sections: dict[str, Mapping[str, Any]] = {
        "": {"schema": 1, "name": name or "challenge", "title": described.title},
        "interface": {
            "module": one.module,
            "class": one.class_name,
            "method": one.method,
            "arguments": list(one.arguments),
            "images": "one" if one.one_at_a_time else "all",
            "answers": one.answers,
        },
        "images": {"shape": list(one.shape), "dtype": one.dtype},
        "labels": {"names": list(one.label_names)},
        "scoring": {"metric": one.metric, "hidden_images": described.phases[0].images},
        "server": server,
        "limits": {**sizes, "seconds": described.seconds, "memory_bytes": one.memory_bytes},
    }
    return "\n".join(_section(name, values) for name, values in sections.items())


def _section(name: str, values: Mapping[str, Any]) -> str:
    """A table of a TOML file; what is not known is left out."""
    known = {key: value for key, value in values.items() if value not in (None, "", [])}
    head = f"[{name}]\n" if name else ""
    # A basic string of TOML is one of JSON, but for one sign.
    texts = (f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in known.items())
    return head + "".join(texts).replace("\x7f", "\\u007f")


def logo(training: Dataset) -> bytes:
    """A PNG: training images of several classes, and a tile that asks."""
    from PIL import Image, ImageDraw, ImageFont

    first = [np.flatnonzero(training.labels == one)[0] for one in np.unique(training.labels)]
    picture = Image.new("RGB", (_SIDE * _TILE, _SIDE * _TILE))
    for at in range(_SIDE**2):
        pixels = training.pictures(int(first[at % len(first)]))
        pixels = pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
        tile = Image.fromarray(pixels).resize((_TILE, _TILE))
        picture.paste(tile, (at % _SIDE * _TILE, at // _SIDE * _TILE))
    pen, middle = ImageDraw.Draw(picture), _SIDE * _TILE // 2
    half = _TILE // 2
    pen.rectangle([middle - half, middle - half, middle + half, middle + half], fill=(35, 45, 70))
    font = ImageFont.load_default(_TILE * 3 // 4)
    pen.text((middle, middle), "?", (255, 255, 255), font, anchor="mm")
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return held.getvalue()

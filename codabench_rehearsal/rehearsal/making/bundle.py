"""Make a challenge: a bundle with hidden sets, programs, pages, a starting kit and a baseline.

`make_bundle` is the door. The same data, options, dates and seed give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codabench_rehearsal.challenge.bundle import SECONDS
from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.files import replacing, written
from codabench_rehearsal.console.words import one_line
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.images.splitting import prefix_order
from codabench_rehearsal.rehearsal.making.pages import (
    KIT,
    PUBLIC,
    Described,
    PhasePlan,
    competition,
    kit_texts,
    logo,
    pages,
)
from codabench_rehearsal.rehearsal.making.parts import Drawing, Hidden, Parts, draw_parts
from codabench_rehearsal.rehearsal.making.programs import (
    baseline_files,
    npy,
    npz,
    programs,
    sample_files,
    zipped,
)
from corruptions.chain import validate
from corruptions.presets import Preset
from submission.zipping import best_level, put

USUAL_IMAGE = "codalab/codalab-legacy:py312"  # where the challenge names no TensorFlow
SHORTEST = dt.timedelta(days=1)
LONGEST_TITLE, LONGEST_CLASS = 256, 100  # characters: as the site takes it, of a class's name
_MINUTE = dt.timedelta(minutes=1)  # between the end of a phase and the start of the next
_DAYS_FOR_MIDNIGHT = 5  # from so many days on, phases meet at midnight
_DEVELOPMENT = 0.8  # of the whole time
_LIMITS = {"development": (5, 100), "final": (1, 3)}  # submissions: a day, in all
_SAMPLE = 64  # training images in the kit
_PUBLIC_HOME = "training_set.npz"


@dataclass(frozen=True)
class Wanted:
    """What an organiser chooses.

    seed: secret; it decides which images are hidden and what becomes of them. start, end: UTC.
    hidden: images of each hidden set, or below 1 their share of the clean data. title: "" for the
    profile's. training: at most so many public images, None for all that are not hidden. licence:
    of the data, "" where nobody says. docker: "" for one with the TensorFlow that the profile
    names, else one with numpy.
    """

    seed: int
    start: dt.datetime
    end: dt.datetime
    hidden: float
    title: str = ""
    training: int | None = None
    licence: str = ""
    docker: str = ""


@dataclass(frozen=True)
class Made:
    """What was made. sizes: bytes in the zip, by part. images: of each part. remarks: of drawing.

    docker: the image that the programs run in.
    """

    path: Path
    title: str
    phases: tuple[PhasePlan, ...]
    sizes: Mapping[str, int]
    images: Mapping[str, int]
    remarks: tuple[str, ...]
    docker: str


def make_bundle(
    data: Dataset, preset: Preset, challenge: Challenge, wanted: Wanted, out: Path
) -> Made:
    """Write the bundle's zip to `out`, whole or not at all.

    Raises `SubmissionError` for dates that do not go, `DataError` for data that do not suffice,
    `CorruptionError` for the preset, `FileError` for the place.
    """
    validate(preset)
    data.check_classes(challenge.classes, challenge.name)
    phases = _planned(wanted)
    names = tuple(one_line(name, LONGEST_CLASS) for name in challenge.label_names)
    challenge = replace(challenge, label_names=names)
    how = Drawing(preset, wanted.hidden, wanted.training, wanted.seed)
    parts = draw_parts(data, names, how)
    described = _described(challenge, wanted, phases, parts)
    files = _files(described, parts)
    with written(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out, sum(map(len, files.values()))) as file, zipfile.ZipFile(file, "w") as held:
        for name, content in files.items():
            put(held, name, content, best_level(content))
        sizes = _sizes(held)
    sets = {"development": parts.development.labels, "final": parts.final.labels}
    counts = {**{f"hidden, {k}": len(v) for k, v in sets.items()}, PUBLIC: len(parts.training)}
    return Made(
        out, described.title, described.phases, sizes, counts, parts.remarks, described.docker
    )


def _planned(wanted: Wanted) -> tuple[PhasePlan, PhasePlan]:
    """Two phases that do not overlap, the second a fifth of the time; their sets are not drawn."""
    if wanted.end - wanted.start < SHORTEST:
        raise SubmissionError(
            f"expected an end at least a day after the start ({wanted.start} UTC), received "
            f"{wanted.end} UTC; change --start or --end"
        )
    between = wanted.start + _DEVELOPMENT * (wanted.end - wanted.start)
    if wanted.end - wanted.start >= _DAYS_FOR_MIDNIGHT * SHORTEST:
        between = between.replace(hour=0, minute=0)
    between = between.replace(second=0, microsecond=0)
    times = {
        "development": (wanted.start, between - _MINUTE),
        "final": (between, wanted.end),
    }
    first, second = (
        PhasePlan(key, key.capitalize(), *times[key], *_LIMITS[key], 0) for key in times
    )
    return first, second


def _described(
    challenge: Challenge, wanted: Wanted, phases: tuple[PhasePlan, PhasePlan], parts: Parts
) -> Described:
    with_tensorflow = f"tensorflow/tensorflow:{challenge.tensorflow}"
    return Described(
        title=wanted.title or one_line(challenge.title or challenge.name)[:LONGEST_TITLE],
        challenge=challenge,
        phases=(
            replace(phases[0], images=len(parts.development.labels)),
            replace(phases[1], images=len(parts.final.labels)),
        ),
        counts=tuple(np.bincount(parts.training.labels, minlength=challenge.classes).tolist()),
        sample_images=min(_SAMPLE, len(parts.training)),
        docker=wanted.docker or (with_tensorflow if challenge.tensorflow else USUAL_IMAGE),
        licence=wanted.licence,
        is_damaged=parts.is_damaged,
        seconds=int(challenge.seconds or SECONDS),
    )


def _files(described: Described, parts: Parts) -> dict[str, bytes]:
    """All files of the bundle; name -> bytes."""
    baseline = zipped(baseline_files(described.challenge, parts.training))
    return {
        "competition.yaml": competition(described).encode(),
        "logo.png": logo(parts.training),
        **pages(described),
        **programs(described.challenge),
        **_hidden("development", parts.development),
        **_hidden("final", parts.final),
        PUBLIC: zipped({_PUBLIC_HOME: _labelled(parts.training)}),
        KIT: zipped(_kit(described, parts.training, baseline)),
        "solutions/baseline.zip": baseline,
    }


def _hidden(key: str, hidden: Hidden) -> dict[str, bytes]:
    """Images for ingestion, labels for scoring: no job sees both."""
    return {
        f"input_data/{key}/images.npy": npy(hidden.images),
        f"reference_data/{key}/labels.npy": npy(hidden.labels),
    }


def _kit(described: Described, training: Dataset, baseline: bytes) -> dict[str, bytes]:
    sample = sample_files(described.challenge, training)
    rows = prefix_order(training)[: described.sample_images]  # seed 0: nothing secret in it
    return {
        **kit_texts(described),
        **sample,
        "sample_submission.zip": zipped(sample),
        "baseline.zip": baseline,
        "sample.npz": _labelled(training.subset(np.sort(rows))),
    }


def _labelled(public: Dataset) -> bytes:
    """Images and labels as the challenge's file has them; ids would show the gaps."""
    column = public.labels[:, None]
    small = public.labels.max() <= np.iinfo(np.uint8).max
    return npz(images=public.images, labels=column.astype(np.uint8 if small else np.int64))


def _sizes(file: zipfile.ZipFile) -> dict[str, int]:
    """Bytes of each part in the zip; a part is what stands first in a name, data phase by phase."""
    sizes: dict[str, int] = {}
    for part, size in _parts(file):
        sizes[part] = sizes.get(part, 0) + size
    return sizes


def _parts(file: zipfile.ZipFile) -> Iterator[tuple[str, int]]:
    for info in file.infolist():
        first, _, rest = info.filename.partition("/")
        hidden = first in ("input_data", "reference_data")
        is_text = first in ("competition.yaml", "logo.png", "pages")
        part = f"hidden, {rest.partition('/')[0]}" if hidden else "pages" if is_text else first
        yield part, info.compress_size

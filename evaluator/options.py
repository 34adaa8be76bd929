"""How to evaluate, and on which images: never those that the model was trained on, if known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import Believed, Challenge
from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console import DEFAULT_IMAGES as DEFAULT_IMAGES
from codabench_rehearsal.console import NO_STORE as NO_STORE
from codabench_rehearsal.console import PHASE as PHASE
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.fields import refuse_unknown
from codabench_rehearsal.console.reading import first_file
from codabench_rehearsal.images import Dataset, clean, prefix_order, read_split
from codabench_rehearsal.images.splitting import SplitRecord
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import python_at
from evaluator.beliefs import read_beliefs
from evaluator.store.scores import read_phase

Device = Literal["cpu", "gpu"]
SplitKind = Literal["validation", "all", "held-out", "unknown"]
_LEAST: Mapping[str, int] = MappingProxyType(
    {
        "images": 1,
        "seed": 0,
        "block": 1,
        "memory_bytes": 1,
        "hidden_images": 1,
        "order_seed": 0,
        "workers": 1,
    }
)
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "tolerance": (lambda v: isinstance(v, int | float) and 0 <= v <= 1, "0 to 1"),
        "seconds": (
            lambda v: v is None or (isinstance(v, int | float) and 0 < v < float("inf")),
            "a number above 0",
        ),
        "until": (
            lambda v: v is None or (isinstance(v, int | float) and 0 < v < 1),
            "an accuracy above 0 and below 1",
        ),
        "device": (lambda v: v in (None, "cpu", "gpu"), "cpu or gpu"),
        "trained_on": (lambda v: not isinstance(v, str), "a tuple"),
        "phase": (lambda v: isinstance(v, str), "a name"),
    }
)


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    corrupt: a preset, a chain such as "fog:3", or a TOML file. images: at most so many base images,
    None for all. block: images in one predict call, None for as many as memory allows, and no more
    than the hidden set has. device: None for the GPU where there is one, except in a notebook.
    seconds, memory_bytes: limits of the child, for one pass over the hidden set: None for the
    challenge's own, else 600 s without an answer and 80 % of the memory that is free. store: a file
    or folder, None for the project's, "none" to keep nothing. estimate: whether to expect a hidden
    score as well, which asks the conditions of estimate-v1. tolerance: stop asking when finite
    local images make up less than this share of the estimate's variance. full: every image, every
    condition. sweep: the 19 corruptions at all five severities too. phase: whose score is expected.
    hidden_images: in that phase, None for the challenge's own number. trained_on: damages that the
    training used, None for what the recipe beside the zip says. part: of a data file that has
    several, "train", "val" or "test"; None for val, else test. held_out: none of the images was
    trained on. python: what runs the submission, a program or an environment's folder; None for our
    own. order_seed: of the order in which the submission is asked, from 0; None for a secret one,
    kept in the store. It changes no figure, but of submissions whose answers depend on the order.
    until: an accuracy; of each corruption the severity is searched at which it is not reached.
    reference: a zip that is asked the same, and relative to whose errors this one's are told.
    believe: what the hidden set is taken for, as "an2dl-2024:0.6" (a preset or file, and how
    probable that is), several of them, or "nothing"; None for what the challenge's profile says.
    cluster: the address of a Dask scheduler that `evaluator.cluster.connected` has opened, on whose
    workers submissions are asked; None for this machine. workers: children that share a
    submission's blocks, where it answers as one child does; it changes no figure.
    """

    corrupt: str = "heavy"
    images: int | None = DEFAULT_IMAGES
    seed: int = 0
    split: str | None = None
    challenge: str = DEFAULT_CHALLENGE
    device: Device | None = None
    block: int | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    command: str = ""
    store: str | None = None
    estimate: bool = True
    tolerance: float = 0.1
    full: bool = False
    sweep: bool = False
    phase: str = PHASE
    hidden_images: int | None = None
    trained_on: tuple[str, ...] | None = None
    part: str | None = None
    held_out: bool = False
    python: str | None = None
    order_seed: int | None = None
    believe: tuple[Believed, ...] | None = None
    until: float | None = None
    reference: str | None = None
    cluster: str | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        """Raise `EvaluationError` for what cannot be meant; bring values to one spelling."""
        for name, least in _LEAST.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), least))
        for name in ("corrupt", "split", "store", "python", "reference"):  # a Path is as good
            if isinstance(value := getattr(self, name), PathLike):
                object.__setattr__(self, name, str(value))
        for name, (good, expected) in _CHECKS.items():
            if not good(value := getattr(self, name)):
                raise EvaluationError(f"{name}: expected {expected}, received {value!r}")
        for name, read in (("phase", read_phase), ("believe", read_beliefs), ("python", _python)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, read(value))


def chosen(**options: Any) -> Options:
    """The options of a call in Python, `count` for `images` too; raises `EvaluationError`."""
    refuse_unknown(options, Options, EvaluationError, "count")
    if "count" in options:
        options["images"] = options.pop("count")
    return Options(**options)


def believing(options: Options, challenge: Challenge) -> Options:
    """With the challenge's own belief where the user said nothing of any."""
    if options.believe is not None:
        return options
    return replace(options, believe=() if challenge.believed is None else (challenge.believed,))


def _python(where: str) -> str:
    try:
        return python_at(where).path
    except SandboxError as error:
        raise EvaluationError(f"python: {error}") from None


def _whole(name: str, value: object, least: int) -> int | None:
    if value is None and name != "seed":
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise EvaluationError(f"{name}: expected a whole number from {least}, received {value!r}")
    return int(value)


@dataclass(frozen=True)
class Choice:
    """The images to evaluate, in an order whose every prefix is stratified by class.

    split: "validation" (the held-out side of a known split), "all" (a split is known, and none of
    these images is in it), "held-out" (the user says that none was trained on), or "unknown" (no
    split: the model may have been trained on them).
    """

    data: Dataset
    split: SplitKind
    notes: tuple[str, ...]


def find_split(submission: Path, given: str | None) -> Path | None:
    """The split to use: `given`, or the one beside the zip; None for "none" or when there is none.

    Raises `EvaluationError` for a pipe, a device or a socket in its place.
    """
    if given == "none":
        return None
    if given is not None:
        return Path(given)
    beside = (
        submission.with_name(f"{submission.stem}.split.json"),
        submission.with_name("split.json"),
    )
    return first_file(beside, EvaluationError)


class Untrained:
    """Which images a submission has not been trained on, as far as a split tells.

    given: the split's file; the one beside each zip when left out. Each split is read once.
    """

    def __init__(self, data: Dataset, given: str | None = None) -> None:
        self._data, self._given = data, given
        self._known: dict[Path, NDArray[np.bool_]] = {}

    def of(self, submission: Path) -> NDArray[np.bool_]:
        """Bool `(n,)`. Raises `DataError` for a broken split."""
        split = find_split(submission, self._given) if submission.name else None
        if split is None:
            return np.ones(len(self._data), bool)
        if split not in self._known:
            self._known[split] = np.asarray(read_split(split).side(self._data) != "train")
        return self._known[split]


def choose(
    data: Dataset, split: Path | None, count: int | None, seed: int, *, held_out: bool = False
) -> Choice:
    """Pick the images: the validation side, cleaned, at most `count` of them.

    held_out: the user says that none of them was trained on; a split is believed before that.
    Raises `EvaluationError` when only training images are left, `DataError` for a broken split.
    """
    faint = _without_pixels(data)
    kind, kept, notes = _as_told(faint, split) if held_out else _by_split(faint, split)
    cleaned, report = clean(kept, near_threshold=None)
    if report.dropped:
        notes.append(f"{len(report.dropped):,} duplicate, conflicting or blended images left out")
    if len(cleaned) == 0:
        raise EvaluationError(f"no images left to evaluate in {data.source}")
    chosen = cleaned.ids[prefix_order(cleaned, seed)[:count]]
    place = np.argsort(data.ids)
    rows = place[np.searchsorted(data.ids, chosen, sorter=place)]
    return Choice(data.view(rows), kind, tuple(notes))


def _without_pixels(data: Dataset) -> Dataset:
    """The same data for all that goes by hashes, labels and ids: copies of it take no room."""
    black = np.zeros((1, 1, 1, data.image_shape[2]), np.uint8)
    dots = np.broadcast_to(black, (len(data), 1, 1, data.image_shape[2]))
    faint = Dataset(dots, data.labels, data.ids, data.notes, data.source)
    faint.__dict__["_fingerprints"] = data.fingerprints()
    return faint


def _by_split(data: Dataset, split: Path | None) -> tuple[SplitKind, Dataset, list[str]]:
    if split is None:
        return "unknown", data, []
    record = read_split(split)
    side = _sides(record, data)
    held_out, trained = side == "validation", side == "train"
    if held_out.any():
        left = f"{trained.sum():,} training images"
        unknown = (~held_out & ~trained).sum()
        if unknown:
            left += f" and {unknown:,} on neither side of the split"
        return "validation", data.subset(held_out), [f"{left} left out", *record.notes]
    if trained.any():
        raise EvaluationError(
            f"{trained.sum():,} of the {len(data):,} images in {data.source} are on the training "
            f"side of {split}, none on its validation side: give images that the model was "
            "not trained on."
        )
    return "all", data, [f"none of these images is in {split.name}: new to the model"]


def _as_told(data: Dataset, split: Path | None) -> tuple[SplitKind, Dataset, list[str]]:
    """All that no split has on its training side."""
    if split is None:
        return "held-out", data, []
    record = read_split(split)
    trained = _sides(record, data) == "train"
    others = "--split none if that is another model's split"
    if trained.all():
        raise EvaluationError(
            f"--held-out: expected images that were not trained on, but all {len(data):,} in "
            f"{data.source} are on the training side of {split}: give others, or {others}."
        )
    if not trained.any():
        return "held-out", data, []
    said = f"{trained.sum():,} images left out: on the training side of {split.name} ({others})"
    return "held-out", data.subset(~trained), [said, *record.notes]


def _sides(record: SplitRecord, data: Dataset) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    sides: np.ndarray[tuple[int], np.dtype[np.str_]] = record.side(data)
    return sides

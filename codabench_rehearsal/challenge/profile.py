"""Challenge profiles: what the platform expects of a submission, as TOML."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from codabench_rehearsal.console.arguments import DEFAULT_CHALLENGE
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import (
    LARGEST_SETTINGS,
    parse_toml,
    read_limited,
    require_file,
)
from codabench_rehearsal.console.words import LONGEST_NAME, one_line

Metric = Literal["accuracy", "balanced accuracy", "macro-F1"]
WorkingFolder = Literal["submission", "program"]
Answers = Literal["labels", "probabilities", "strict"]
Worker = Literal["2026-03", "2026-10"]
WORKERS: tuple[Worker, ...] = get_args(Worker)
DEFAULT = DEFAULT_CHALLENGE
MOST_CLASSES = 2000  # each table of answers holds the square of it
ASSUMED_HIDDEN_IMAGES = 2000  # where a challenge does not say; the same for every command
_SECTIONS = (
    "schema",
    "name",
    "title",
    "interface",
    "images",
    "labels",
    "scoring",
    "server",
    "limits",
)


@dataclass(frozen=True)
class SizeLimits:
    """Sizes in bytes that the platform accepts; None where unknown.

    quota_bytes: what is left of the user's own quota.
    """

    zip_bytes: int | None = None
    unpacked_bytes: int | None = None
    file_bytes: int | None = None
    quota_bytes: int | None = None


@dataclass(frozen=True)
class Challenge:
    """One challenge.

    shape: (h, w, channels) of an image. label_names: their positions are the labels. arguments:
    what the class is made with, "path" for the submission's folder. one_at_a_time: whether the
    method is given one image (h, w, channels), not all (n, h, w, channels). answers: "labels" for
    whatever `accuracy_score` takes for labels, "strict" for an integer array (n,) alone,
    "probabilities" for scores (n, classes). hidden_images: size of the hidden set, None where
    unknown. keras, tensorflow, python: the server's versions, "" where unknown; packages: what else
    it has, as for pip. worker: Codabench's generation, None where either may run it. seconds,
    memory_bytes: the server's limits, None where unknown.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    label_names: tuple[str, ...]
    module: str = "model"
    class_name: str = "Model"
    method: str = "predict"
    arguments: tuple[Literal["path"], ...] = ()
    one_at_a_time: bool = False
    answers: Answers = "labels"
    dtype: str = "uint8"
    metric: Metric = "accuracy"
    hidden_images: int | None = None
    working_folder: WorkingFolder = "program"
    python: str = ""
    tensorflow: str = ""
    keras: str = ""
    packages: tuple[str, ...] = ()
    worker: Worker | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    sizes: SizeLimits = field(default_factory=SizeLimits)

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.label_names)

    @property
    def assumed_images(self) -> int:
        """The size of the hidden set, `ASSUMED_HIDDEN_IMAGES` where nobody said."""
        return self.hidden_images or ASSUMED_HIDDEN_IMAGES

    def asked(self, worker: Worker | None = None) -> dict[str, Any]:
        """How a submission is asked: the fields of `codabench_rehearsal.sandbox.ingest.Request` that a challenge knows.

        worker: the generation to ask as; the challenge's own, else the older one.
        """
        return {
            "classes": self.classes,
            "module": self.module,
            "class_name": self.class_name,
            "method": self.method,
            "answers": self.answers,
            "arguments": self.arguments,
            "one_at_a_time": self.one_at_a_time,
            "worker": worker or self.worker or WORKERS[0],
        }

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The generations of Codabench's worker that may run a submission."""
        return WORKERS if self.worker is None else (self.worker,)


def built_in() -> tuple[str, ...]:
    """The names of the profiles that ship with the tool."""
    folder = files("codabench_rehearsal.challenge") / "profiles"
    return tuple(
        sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    )


def load_challenge(spec: str = DEFAULT) -> Challenge:
    """Read a profile: a built-in name, or the path of a TOML file. Raises `SubmissionError`."""
    if spec in built_in():
        text = (files("codabench_rehearsal.challenge") / "profiles" / f"{spec}.toml").read_text(
            encoding="utf-8"
        )
        return _parse(text, spec)
    path = Path(spec)
    require_file(path, SubmissionError)
    if not path.is_file():
        known = ", ".join(built_in())
        raise SubmissionError(
            f"No challenge {spec!r}: expected one of {known}, or the path of a TOML file."
        )
    try:
        content = read_limited(path, LARGEST_SETTINGS, SubmissionError)
        return _parse(content.decode("utf-8-sig"), spec)
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{spec}: not a text file in UTF-8 ({error.reason}).") from None


def _parse(text: str, source: str) -> Challenge:
    try:
        data = parse_toml(text)
    except ValueError as error:
        raise SubmissionError(f"{source}: not valid TOML: {error}.") from None
    reader = _Reader(source, data)
    reader.only(data, "", _SECTIONS)
    if data.get("schema") != 1:
        raise SubmissionError(f"{source}: expected schema = 1, received {data.get('schema')!r}.")
    return _build(reader)


def _build(reader: _Reader) -> Challenge:
    interface = reader.section(
        "interface", ("module", "class", "method", "arguments", "images", "answers")
    )
    images = reader.section("images", ("shape", "dtype"))
    labels = reader.section("labels", ("names",))
    scoring = reader.section("scoring", ("metric", "hidden_images"))
    server = reader.section(
        "server", ("working_folder", "python", "tensorflow", "keras", "packages", "worker")
    )
    limits = reader.section(
        "limits", ("zip_bytes", "unpacked_bytes", "file_bytes", "seconds", "memory_bytes")
    )
    return Challenge(
        name=reader.text(reader.data, "name"),
        title=reader.text(reader.data, "title", default=""),
        shape=reader.shape(images),
        label_names=reader.names(labels),
        module=reader.identifier(interface, "module", "model"),
        class_name=reader.identifier(interface, "class", "Model"),
        method=reader.identifier(interface, "method", "predict"),
        arguments=reader.texts(interface, "arguments", ("path",)),
        one_at_a_time=reader.choice(interface, "images", ("all", "one"), "all") == "one",
        answers=reader.choice(interface, "answers", get_args(Answers), "labels"),
        dtype=reader.choice(images, "dtype", ("uint8",), "uint8"),
        metric=reader.choice(scoring, "metric", get_args(Metric), "accuracy"),
        hidden_images=reader.count(scoring, "hidden_images"),
        working_folder=reader.choice(server, "working_folder", get_args(WorkingFolder), "program"),
        python=reader.text(server, "python", default=""),
        tensorflow=reader.text(server, "tensorflow", default=""),
        keras=reader.text(server, "keras", default=""),
        packages=reader.texts(server, "packages"),
        worker=reader.choice(server, "worker", WORKERS, None),
        seconds=reader.count(limits, "seconds"),
        memory_bytes=reader.count(limits, "memory_bytes"),
        sizes=SizeLimits(
            *(reader.count(limits, key) for key in ("zip_bytes", "unpacked_bytes", "file_bytes"))
        ),
    )


class _Reader:
    """Reads values out of a parsed TOML file; every error names file, key, expected and received."""

    def __init__(self, source: str, data: Mapping[str, Any]) -> None:
        self.source, self.data = source, data

    def fail(self, key: str, expected: str, received: object) -> SubmissionError:
        said = one_line(repr(received), LONGEST_NAME)
        return SubmissionError(f"{self.source}: {key}: expected {expected}, received {said}.")

    def only(self, table: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
                raise SubmissionError(f"{self.source}: unknown key {where}{key!r}; {hint}")

    def section(self, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            raise self.fail(name, f"a table [{name}]", table)
        self.only(table, f"{name}.", known)
        return table

    def text(self, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
        value = table.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "a text in quotes", value)
        return value

    def identifier(self, table: Mapping[str, Any], key: str, default: str) -> str:
        value = self.text(table, key, default=default)
        if not value.isidentifier():
            raise self.fail(key, "a name as in Python, without an ending", value)
        return value

    def choice(
        self, table: Mapping[str, Any], key: str, among: tuple[str, ...], default: str | None
    ) -> Any:
        value = table.get(key, default)
        if key in table and value not in among:
            raise self.fail(key, "one of " + ", ".join(among), value)
        return value

    def texts(
        self, table: Mapping[str, Any], key: str, among: tuple[str, ...] = ()
    ) -> tuple[Any, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.fail(key, "a list of texts", value)
        if among and not set(value) <= set(among):
            raise self.fail(key, "a list of " + ", ".join(among), value)
        return tuple(value)

    def count(self, table: Mapping[str, Any], key: str) -> int | None:
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.fail(key, "a whole number above 0", value)
        return value

    def shape(self, images: Mapping[str, Any]) -> tuple[int, int, int]:
        value = images.get("shape")
        good = (
            isinstance(value, list)
            and len(value) == 3
            and all(type(s) is int and s > 0 for s in value)
        )
        if not good or value is None or value[2] not in (1, 3):
            raise self.fail("images.shape", "[height, width, 1 or 3]", value)
        return (value[0], value[1], value[2])

    def names(self, labels: Mapping[str, Any]) -> tuple[str, ...]:
        value = labels.get("names")
        good = isinstance(value, list) and len(value) > 1 and all(isinstance(n, str) for n in value)
        if not good or value is None or len(set(value)) != len(value):
            raise self.fail("labels.names", "at least two different names", value)
        if len(value) > MOST_CLASSES:
            raise self.fail("labels.names", f"at most {MOST_CLASSES:,} names", len(value))
        return tuple(value)

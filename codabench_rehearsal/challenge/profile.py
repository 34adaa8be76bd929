"""Challenge profiles: what the platform expects of a submission, as TOML."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.fields import (
    Expected,
    Fields,
    is_above_zero,
    is_text,
    is_texts,
    is_whole,
    one_of,
    told,
)
from codabench_rehearsal.console.reading import (
    LARGEST_SETTINGS,
    parse_toml,
    read_limited,
    require_file,
)

Metric = Literal["accuracy", "balanced accuracy", "macro-F1"]
WorkingFolder = Literal["submission", "program"]
Answers = Literal["labels", "probabilities", "strict"]
Worker = Literal["2026-03", "2026-10"]
WORKERS: tuple[Worker, ...] = get_args(Worker)
MOST_CLASSES = 2000  # each table of answers holds the square of it
ASSUMED_HIDDEN_IMAGES = 2000  # where a challenge does not say; the same for every command
_PROFILES = files("codabench_rehearsal.challenge") / "profiles"
_TAKE_BUNDLES = "make-submission --check-only ZIP, local-eval ZIP and local-eval board"
_SECTIONS = (
    *("schema", "name", "title"),
    *("interface", "images", "labels", "scoring", "server", "limits", "hidden"),
)
_TEXT: Expected = ("a text in quotes", is_text)
_TEXTS: Expected = ("a list of texts", is_texts)
_WHOLE: Expected = ("a whole number above 0", is_whole)
_SHARE: Expected = ("a number above 0 and below 1", lambda v: is_above_zero(v) and v < 1)


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
class Believed:
    """What the hidden set is taken for: a preset's name or file, and how probable that is.

    confidence: above 0 and below 1. reason: in words, "" where nobody gave one.
    """

    preset: str
    confidence: float
    reason: str = ""


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
    memory_bytes: the server's limits, None where unknown. believed: what its hidden set is taken
    for, None where nobody has an idea.
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
    believed: Believed | None = None

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.label_names)

    @property
    def assumed_images(self) -> int:
        """The size of the hidden set, `ASSUMED_HIDDEN_IMAGES` where nobody said."""
        return self.hidden_images or ASSUMED_HIDDEN_IMAGES

    def asked(self, worker: Worker | None = None) -> dict[str, Any]:
        """How a submission is asked: what a challenge knows of `sandbox.ingest.Request`.

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
    names = (path.name for path in _PROFILES.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_challenge(spec: str = DEFAULT_CHALLENGE) -> Challenge:
    """Read a profile: a built-in name, or the path of a TOML file. Raises `SubmissionError`."""
    if spec in built_in():
        return _parse((_PROFILES / f"{spec}.toml").read_text(encoding="utf-8"), spec)
    path, wanted = Path(spec), f"{spec}: expected a profile here, a name or a TOML file."
    if path.is_dir() or path.suffix.lower() == ".zip":
        raise SubmissionError(f"{wanted} A bundle goes with {_TAKE_BUNDLES}.")
    if spec.isdecimal() or spec.startswith(("http:", "https:")):
        raise SubmissionError(
            f"{wanted} A challenge on a site, with its bundle beside it (--bundle FILE), goes with "
            f"{_TAKE_BUNDLES}; what the site says of it is told by codabench-challenge show."
        )
    require_file(path, SubmissionError)
    if not path.is_file():
        known = ", ".join(built_in())
        raise SubmissionError(
            f"No challenge {spec!r}: expected one of {known}, or the path of a TOML file; "
            "make-submission --check-only and local-eval take a bundle too, a zip or folder."
        )
    content = read_limited(path, LARGEST_SETTINGS, SubmissionError)
    try:
        return _parse(content.decode("utf-8-sig"), spec)
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{spec}: not a text file in UTF-8 ({error.reason}).") from None


def _parse(text: str, source: str) -> Challenge:
    with told(source, SubmissionError, malformed=": not valid TOML: {}."):
        top = Fields(parse_toml(text), source, SubmissionError, missing="None")
    top.only(_SECTIONS)
    if (schema := top.values.get("schema")) != 1:
        raise SubmissionError(f"{source}: expected schema = 1, received {schema!r}.")
    return Challenge(
        name=top.take("name", _TEXT),
        title=top.take("title", _TEXT, ""),
        **_interface(top),
        **_images_and_labels(top),
        **_server(top),
        **_limits(top),
        believed=_hidden(top),
    )


def _interface(top: Fields) -> dict[str, Any]:
    known = ("module", "class", "method", "arguments", "images", "answers")
    table = _section(top, "interface", known)
    arguments = table.take("arguments", _TEXTS, [])
    if not set(arguments) <= {"path"}:
        raise table.fail("arguments", "a list of path")
    return {
        "module": _identifier(table, "module", "model"),
        "class_name": _identifier(table, "class", "Model"),
        "method": _identifier(table, "method", "predict"),
        "arguments": tuple(arguments),
        "one_at_a_time": table.take("images", one_of(("all", "one")), "all") == "one",
        "answers": table.take("answers", one_of(get_args(Answers)), "labels"),
    }


def _images_and_labels(top: Fields) -> dict[str, Any]:
    images = _section(top, "images", ("shape", "dtype"))
    labels = _section(top, "labels", ("names",))
    scoring = _section(top, "scoring", ("metric", "hidden_images"))
    return {
        "shape": _shape(top, images.values.get("shape")),
        "label_names": _names(top, labels.values.get("names")),
        "dtype": images.take("dtype", one_of(("uint8",)), "uint8"),
        "metric": scoring.take("metric", one_of(get_args(Metric)), "accuracy"),
        "hidden_images": scoring.take("hidden_images", _WHOLE, None),
    }


def _server(top: Fields) -> dict[str, Any]:
    known = ("working_folder", "python", "tensorflow", "keras", "packages", "worker")
    table = _section(top, "server", known)
    folders = one_of(get_args(WorkingFolder))
    return {
        "working_folder": table.take("working_folder", folders, "program"),
        **{name: table.take(name, _TEXT, "") for name in ("python", "tensorflow", "keras")},
        "packages": tuple(table.take("packages", _TEXTS, ())),
        "worker": table.take("worker", one_of(WORKERS), None),
    }


def _hidden(top: Fields) -> Believed | None:
    table = _section(top, "hidden", ("believed", "confidence", "reason"))
    if not table.values:
        return None
    preset = table.take("believed", _TEXT)
    confidence = table.take("confidence", _SHARE)
    return Believed(preset, confidence, " ".join(table.take("reason", _TEXT, "").split()))


def _limits(top: Fields) -> dict[str, Any]:
    sizes, others = ("zip_bytes", "unpacked_bytes", "file_bytes"), ("seconds", "memory_bytes")
    table = _section(top, "limits", (*sizes, *others))
    return {
        "sizes": SizeLimits(*(table.take(name, _WHOLE, None) for name in sizes)),
        **{name: table.take(name, _WHOLE, None) for name in others},
    }


def _section(top: Fields, name: str, known: tuple[str, ...]) -> Fields:
    is_table: Expected = (f"a table [{name}]", lambda value: isinstance(value, dict))
    table = replace(top, values=top.take(name, is_table, {}))
    table.only(known, f"{name}.")
    return table


def _identifier(table: Fields, name: str, usual: str) -> str:
    value = str(table.take(name, _TEXT, usual))
    if not value.isidentifier():
        raise table.fail(name, "a name as in Python, without an ending")
    return value


def _shape(top: Fields, value: Any) -> tuple[int, int, int]:
    numbers = value if isinstance(value, list) and all(map(is_whole, value)) else []
    if len(numbers) != 3 or numbers[2] not in (1, 3):
        raise top.fail("images.shape", "[height, width, 1 or 3]", value)
    return (numbers[0], numbers[1], numbers[2])


def _names(top: Fields, value: Any) -> tuple[str, ...]:
    if not is_texts(value) or len(value) < 2 or len(set(value)) != len(value):
        raise top.fail("labels.names", "at least two different names", value)
    if len(value) > MOST_CLASSES:
        raise top.fail("labels.names", f"at most {MOST_CLASSES:,} names", len(value))
    return tuple(value)

"""How to evaluate: the command's flags and `local_eval`'s arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal

from codabench_rehearsal.challenge.profile import DEFAULT
from codabench_rehearsal.console.arguments import DEFAULT_IMAGES as DEFAULT_IMAGES
from codabench_rehearsal.console.arguments import NO_STORE as NO_STORE
from codabench_rehearsal.console.arguments import PHASE as PHASE
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.places import python_at
from evaluator.store.score_text import read_phase

Device = Literal["cpu", "gpu"]
_LEAST: Mapping[str, int] = MappingProxyType(
    {"images": 1, "seed": 0, "block": 1, "memory_bytes": 1, "hidden_images": 1, "order_seed": 0}
)
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "tolerance": (lambda v: isinstance(v, int | float) and 0 <= v <= 1, "0 to 1"),
        "seconds": (
            lambda v: v is None or (isinstance(v, int | float) and 0 < v < float("inf")),
            "a number above 0",
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
    """

    corrupt: str = "heavy"
    images: int | None = DEFAULT_IMAGES
    seed: int = 0
    split: str | None = None
    challenge: str = DEFAULT
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

    def __post_init__(self) -> None:
        """Raise `EvaluationError` for what cannot be meant; bring values to one spelling."""
        for name, least in _LEAST.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), least))
        for name in ("corrupt", "split", "store", "python"):  # a Path is as good
            if isinstance(value := getattr(self, name), PathLike):
                object.__setattr__(self, name, str(value))
        for name, (good, expected) in _CHECKS.items():
            if not good(value := getattr(self, name)):
                raise EvaluationError(f"{name}: expected {expected}, received {value!r}")
        object.__setattr__(self, "phase", read_phase(self.phase))
        if self.python is not None:
            try:
                object.__setattr__(self, "python", python_at(self.python).path)
            except SandboxError as error:
                raise EvaluationError(f"python: {error}") from None


def chosen(**options: Any) -> Options:
    """The options of a call in Python, `count` for `images` too; raises `EvaluationError`."""
    if "count" in options:
        options["images"] = options.pop("count")
    try:
        return Options(**options)
    except TypeError as error:
        raise EvaluationError(f"unknown option: {error}") from None


def _whole(name: str, value: object, least: int) -> int | None:
    if value is None and name != "seed":
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise EvaluationError(f"{name}: expected a whole number from {least}, received {value!r}")
    return int(value)

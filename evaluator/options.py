"""How to evaluate: the command's flags and `local_eval`'s arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from submission.challenge import DEFAULT

DEFAULT_IMAGES = 1000
NO_STORE = "none"
PHASE = "dev"
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    corrupt: a preset, a chain such as "fog:3", or a TOML file. images: at most so many base
    images, None for all. block: images in one predict call, None for as many as memory allows.
    device: None for the GPU where there is one, except in a notebook. seconds, memory_bytes:
    limits of the child, None for the challenge's own. store: a file or folder, None for the
    project's, "none" to keep nothing. estimate: whether to expect a hidden score as well, which
    asks the cells of estimate-v1. tolerance: stop asking when finite local images make up less
    than this share of the estimate's variance. full: every image, every cell. sweep: the 19
    corruptions at all five severities too. phase: whose score is expected. hidden_images: in
    that phase, None for the challenge's own number. trained_on: damages that the training used,
    None for what the recipe beside the zip says.
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

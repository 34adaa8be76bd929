"""Where a dry run takes place: with this Python, with the server's versions, or in a docker image."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.server import (
    Pins,
    build,
    checked_requirement,
    default_cache,
    find,
    keras_pins,
    package_name,
)


@dataclass(frozen=True)
class Place:
    """name: for people, as in "under TensorFlow 2.17.0 / Keras 3.4.1". is_server: the last word."""

    name: str
    python: str = field(default=sys.executable, compare=False)  # "here" is one place with any
    image: str | None = None
    is_server: bool = False

    @property
    def is_built(self) -> bool:
        """Whether it is an environment that we built: its packages are the server's only in part."""
        return self.is_server and self.image is None


HERE = Place("here")


def server_name(challenge: Challenge) -> str:
    """The server's versions as they are shown, "" where the challenge names none."""
    named = (("TensorFlow", challenge.tensorflow), ("Keras", challenge.keras))
    return " / ".join(f"{what} {version}" for what, version in named if version)


def server_pins(challenge: Challenge, packages: Sequence[str] = ()) -> Pins:
    """What has to be installed to run as the challenge's server does.

    packages: requirements beside the challenge's own, which they replace where both name one. Raises
    `SandboxError` for one that is no plain requirement, or that contradicts the server's versions.
    """
    known = (*challenge.packages, *packages)
    extra = {package_name(line): checked_requirement(line) for line in known}
    pins = keras_pins(challenge.tensorflow, challenge.keras, challenge.python)
    for pinned in pins.packages:
        name = package_name(pinned).replace("tensorflow-cpu", "tensorflow")
        if line := extra.get(name) or extra.get(package_name(pinned)):
            raise SandboxError(
                f"{line}: the challenge's server has {pinned.replace('-cpu', '')}; leave it out"
            )
    return replace(pins, extra=tuple(extra.values()))


def server_if_built(challenge: Challenge, packages: Sequence[str] = ()) -> Place | None:
    """The server's versions, if they were built before."""
    name = server_name(challenge)
    pins = server_pins(challenge, packages)
    python = find(pins, default_cache()) if name else None
    return _server(name, pins, python) if python else None


def build_server(
    challenge: Challenge, say: Callable[[str], None], packages: Sequence[str] = ()
) -> Place | None:
    """The server's versions, built now if need be; None where the challenge names none."""
    name = server_name(challenge)
    if not name:
        return None
    pins = server_pins(challenge, packages)
    return _server(name, pins, build(pins, default_cache(), say))


def in_image(image: str) -> Place:
    """A docker image, run with its own Python."""
    return Place(f"in the image {image}", "python3", image, is_server=True)


def _server(name: str, pins: Pins, python: Path) -> Place:
    more = f" with {', '.join(pins.extra)}" if pins.extra else ""
    return Place(f"under {name}{more}", str(python), is_server=True)

"""Where a dry run takes place: with this Python, with the server's versions, or in a docker image."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.server import Pins, build, default_cache, find, keras_pins
from submission.challenge import Challenge


@dataclass(frozen=True)
class Place:
    """name: for people, as in "under TensorFlow 2.17.0 / Keras 3.4.1". is_server: the last word."""

    name: str
    python: str = sys.executable
    image: str | None = None
    is_server: bool = False


HERE = Place("here")


def server_name(challenge: Challenge) -> str:
    """The server's versions as they are shown, "" where the challenge names none."""
    named = (("TensorFlow", challenge.tensorflow), ("Keras", challenge.keras))
    return " / ".join(f"{what} {version}" for what, version in named if version)


def server_pins(challenge: Challenge) -> Pins:
    """What has to be installed to run as the challenge's server does."""
    return keras_pins(challenge.tensorflow, challenge.keras, challenge.python)


def server_if_built(challenge: Challenge) -> Place | None:
    """The server's versions, if they were built before."""
    name = server_name(challenge)
    python = find(server_pins(challenge), default_cache()) if name else None
    return _server(name, python) if python else None


def build_server(challenge: Challenge, say: Callable[[str], None]) -> Place | None:
    """The server's versions, built now if need be; None where the challenge names none."""
    name = server_name(challenge)
    return _server(name, build(server_pins(challenge), default_cache(), say)) if name else None


def in_image(image: str) -> Place:
    """A docker image, run with its own Python."""
    return Place(f"in the image {image}", "python3", image, is_server=True)


def _server(name: str, python: Path) -> Place:
    return Place(f"under {name}", str(python), is_server=True)

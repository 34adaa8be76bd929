"""A Python with the server's versions, for tests that must see them."""

from __future__ import annotations

import os
import subprocess
from functools import cache

import pytest

from codabench_rehearsal.sandbox.job import SandboxError
from codabench_rehearsal.sandbox.server import Pins, build, default_cache, keras_pins

KERAS = "3.4.1"
PINS = keras_pins("2.17.0", KERAS)


@cache
def server_python() -> str:
    """SERVER_PYTHON, or the environment that users have too, built once; skips where none can be."""
    try:
        python = os.environ.get("SERVER_PYTHON") or str(build(PINS, default_cache(), print))
        ask = [python, "-c", "import keras; print(keras.__version__)"]
        found = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, SandboxError, subprocess.SubprocessError) as error:
        pytest.skip(f"no environment with Keras {KERAS}: {error}")
    if found != KERAS:
        pytest.skip(f"{python} has Keras {found}, not {KERAS}")
    return python


@cache
def keras_2_python() -> str:
    """A Python with TensorFlow 2.15.1 and Keras 2.15.0, built once; skips where none can be."""
    pins = Pins(("tensorflow-cpu==2.15.1", "keras==2.15.0"), ("3.11", "3.10", "3.9"))
    try:
        return os.environ.get("KERAS_2_PYTHON") or str(build(pins, default_cache(), print))
    except (OSError, SandboxError) as error:
        pytest.skip(f"no environment with Keras 2: {error}")

"""A Python with the server's versions, for tests that must see them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

KERAS = "3.4.1"
PACKAGES = ("tensorflow-cpu==2.17.0", f"keras=={KERAS}")


@cache
def server_python() -> str:
    """SERVER_PYTHON, or an environment built once into the user's cache; skips where none can be."""
    place = Path.home() / ".cache" / "codabench-rehearsal" / f"keras-{KERAS}"
    python = os.environ.get("SERVER_PYTHON", str(place / "bin" / "python"))
    try:
        if "SERVER_PYTHON" not in os.environ and not (place / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            install = [python, "-m", "pip", "install", "-q", *PACKAGES]
            subprocess.run(install, check=True, timeout=1200)
            (place / "complete").touch()
        ask = [python, "-c", "import keras; print(keras.__version__)"]
        found = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no environment with Keras {KERAS}: {error}")
    if found != KERAS:
        pytest.skip(f"{python} has Keras {found}, not {KERAS}")
    return python

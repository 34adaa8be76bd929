"""The real thing once: TensorFlow 2.17.0 and Keras 3.4.1, as users and all slow tests share it."""

from __future__ import annotations

import subprocess
import time

import pytest

from codabench_rehearsal.sandbox.server import build, default_cache, find, keras_pins

PINS = keras_pins("2.17.0", "3.4.1")
VERSIONS = "import keras, tensorflow; print(tensorflow.__version__, keras.__version__)"


@pytest.mark.slow
def test_the_servers_versions_are_built_and_found() -> None:
    """Else nobody can rehearse under them: about 250 MB are fetched the first time."""
    python = build(PINS, default_cache(), print)
    started = time.perf_counter()
    assert find(PINS, default_cache()) == python
    assert time.perf_counter() - started < 0.02
    done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2.17.0", "3.4.1"]

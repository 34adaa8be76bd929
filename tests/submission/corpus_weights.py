"""The corpus's Keras weights, made once a session by the Keras that is installed."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

MAKER = Path(__file__).parent / "corpus" / "keras_weights.py"


@cache
def corpus_weights(python: str = sys.executable) -> Path:
    """The folder with the files that `keras_weights.py` makes."""
    folder = Path(tempfile.mkdtemp(prefix="corpus-weights-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = subprocess.run(
        [python, str(MAKER), str(folder)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return folder

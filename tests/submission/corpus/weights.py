"""The corpus's Keras weights, made once a session by a child: as saved, and for the server's Keras."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from codabench_rehearsal.console.errors import SubmissionError
from submission.backport import BackportError, backport_keras_file

MAKER = Path(__file__).with_name("keras_weights.py")
SERVER = "3.4.1"
AS_MADE = ("newer.keras", "truncated.keras")  # they are what they are on purpose


@cache
def corpus_weights(python: str = sys.executable) -> Path:
    """The folder with every `Weights` of the corpus, as that Python's Keras saves them.

    Takes about 5 s the first time.
    """
    folder = _folder()
    made = subprocess.run(
        [python, str(MAKER), str(folder)], check=False, capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stderr
    return folder


@cache
def server_weights() -> Path:
    """The same, rewritten for the server's Keras as make-submission does."""
    folder = _folder()
    shutil.copytree(corpus_weights(), folder, dirs_exist_ok=True)
    for path in folder.glob("*.keras"):
        if path.name not in AS_MADE:
            _for_server(path)
    return folder


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="corpus-weights-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _for_server(path: Path) -> None:
    try:
        data, _ = backport_keras_file(path.read_bytes(), SERVER, keep_compile=True)
    except BackportError:
        return  # a lambda: no server loads it, and that is its row
    except SubmissionError as error:
        raise AssertionError(f"{path.name}: {error}") from None
    path.write_bytes(data)

"""Loading Keras: which backend, without its chatter, and so that a seed repeats.

A seed decides split, order, augmentations, dropout and the first weights: all bytes that enter the
network are the same on any machine. What the network adds up is a matter of the backend.
TensorFlow's CPU operations split their sums by the number of threads that they are given, which is
the same in every run; but operations that run beside each other share them, and a sum is then split
in one way or another. Run one after the other they end in the same bits, at no cost in time that
could be measured. `enable_op_determinism` changes nothing about that. On GPUs the order of sums is
the driver's.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from codabench_rehearsal.console.bar import progress
from codabench_rehearsal.console.temporary import PREFIX, owner_mark
from codabench_rehearsal.recipes.system import RecipeError

BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
_INTER_OP = "TF_NUM_INTEROP_THREADS"  # TensorFlow reads it when it first computes
PROMISE = (
    "on CPUs the same data, seed, number of CPUs and version of TensorFlow give the same weights, "
    "bit for bit; on GPUs and with other backends equal but for rounding"
)


@contextmanager
def loading_keras(backend: str | None) -> Iterator[None]:
    """Import Keras inside: with that backend, without what TensorFlow writes past every log level.

    TensorFlow's operations then run one after the other, each on all CPUs, unless the user's
    environment says otherwise. Raises `RecipeError` for an unknown backend and a missing one.
    """
    wanted = backend or os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if wanted not in BACKENDS:
        raise RecipeError(
            f"KERAS_BACKEND is {wanted!r}: expected {', '.join(BACKENDS)}. Set it, or say "
            "--backend."
        )
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault(_INTER_OP, "1")
    logging.getLogger("tensorflow").setLevel("ERROR")  # each new phase is a new function to it
    kept = os.dup(2)
    with (
        tempfile.TemporaryFile(prefix=f"{PREFIX}{owner_mark()}") as chatter,
        os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace") as terminal,
        progress(f"loading Keras ({wanted})", into=terminal),
    ):
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except ImportError as error:
            missing = error.name or str(error)
            raise RecipeError(
                f"Keras cannot be loaded: {missing} is not installed here. "
                f"pip install {'tensorflow' if missing == 'keras' else missing}"
            ) from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def repeats() -> str:
    """How equal another run with the same data and seed is, for recipe.json; Keras is loaded."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return "but for rounding"
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU") or os.environ.get(_INTER_OP) != "1":
        return "but for rounding"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or usable or 1
    return f"bit for bit with TensorFlow {tf.__version__} on {threads} CPUs"

"""engine="reference": the package `imagecorruptions` itself, image by image.

Every image's generators are seeded from its own stream, so results depend on (seed, corruption,
image id, step) only; the generators that the package shares with the caller are put back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.streams import Streams
from corruptions.validation import Images

_SEEDED = ("impulse_noise", "glass_blur")  # these take a seed of their own


def corrupt(images: Images, name: str, severity: int, streams: Streams) -> Images:
    """Corrupt uint8 `(n, h, w, 3)` with the package's own function.

    Raises `CorruptionError` where the package is missing or does not know the name.
    """
    package = _package()
    if name not in package.get_corruption_names("all"):
        raise CorruptionError(f'{name!r} has no reference: leave out engine="reference".')
    seeds = streams.bits() >> np.uint64(32)
    out = np.empty_like(images, order="C")
    with _generators_kept(), np.errstate(invalid="ignore"):  # spatter divides 0 by 0
        for i, own_seed in enumerate(seeds.tolist()):
            np.random.seed(own_seed)  # noqa: NPY002  the package draws from it
            more = {"seed": own_seed} if name in _SEEDED else {}
            image = np.ascontiguousarray(images[i])
            out[i] = package.corrupt(image, severity=severity, corruption_name=name, **more)
    return out


def _package() -> Any:
    import_module("corruptions.kernels")  # its advice on OpenCV comes before the package's failure
    try:
        return import_module("imagecorruptions")
    except ImportError as error:
        raise CorruptionError(
            'engine="reference" runs the package imagecorruptions, which does not load here: '
            f"{error}. pip install imagecorruptions-imaug"
        ) from error


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    """Put NumPy's global generator back, and numba's copy of it, which glass_blur seeds."""
    numba_state: Any = import_module("numba._helperlib")
    state = np.random.get_state()  # noqa: NPY002
    place = numba_state.rnd_get_np_state_ptr()
    compiled_state = numba_state.rnd_get_state(place)
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        numba_state.rnd_set_state(place, compiled_state)

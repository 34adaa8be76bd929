"""A corruption of somebody else's: `--corrupt package.module:function`.

The function is the user's own code. It is imported into this process, and only where the user names
it: `load` is called for what stands behind `--corrupt`, never for what a file says. Its signature:
`(images, severity, rng)`, uint8 `(n, h, w, 3)`, a float of 1..5 and a `numpy.random.Generator`, to
new images of the same shape and dtype. It is called image by image (n is 1), with a generator that
(seed, name, image id, step) determine, so that no image depends on its block.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.words import shown
from corruptions.registry import OWN_TABLE, WHOLE, Corruption, Draws, Images, add_function
from corruptions.streams import Streams

Function = Callable[[Images, float, np.random.Generator], Images]

SIGNATURE = "function(images uint8 (n, h, w, 3), severity, rng) -> uint8 (n, h, w, 3)"
FAMILY = "function"
_SEVERITIES = (1.0, 2.0, 3.0, 4.0, 5.0)
_known: dict[str, str] = {}  # module -> the hash of its source when it was imported here


def load(name: str) -> Corruption:
    """Import `package.module:function` and make it a corruption of that name.

    Modules are looked for in the working folder first. A source that has changed since the last
    call is imported anew. Raises `CorruptionError` where there is no such function.
    """
    place, _, word = name.partition(":")
    module = _imported(place, name)
    source = _source(module, name)
    if _known.setdefault(place, source) != source:
        module = _imported(place, name, anew=True)
        _known[place] = source
    function = getattr(module, word, None)
    if not callable(function):
        held = "is no function" if hasattr(module, word) else "is not there"
        raise CorruptionError(
            f"{name}: {word} {held} in {shown(place)}. Expected {SIGNATURE} under that name."
        )
    operator = _operator(name, function, int(source[:12], 16))
    add_function(operator)
    return operator


def _imported(place: str, name: str, *, anew: bool = False) -> Any:
    """The module. What its own code raises is told as the user's."""
    try:
        with _working_folder_first():
            if anew:
                return importlib.reload(sys.modules[place])
            return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise _of_the_users(name, "does not import", error) from error
        raise CorruptionError(
            f"{name}: there is no module {shown(error.name)} in this folder or among the installed "
            "packages. Expected a corruption with its severity (fog:3), or package.module:function."
        ) from error
    except (Exception, SystemExit) as error:
        raise _of_the_users(name, "does not import", error) from error


@contextmanager
def _working_folder_first() -> Iterator[None]:
    """A command's own folder comes first on the path; the user's files are where they work."""
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove("")


def _source(module: Any, name: str) -> str:
    """The SHA-256 of the module's file: other source, other answers."""
    try:
        file = inspect.getsourcefile(module) or module.__file__
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except (TypeError, AttributeError, OSError) as error:
        raise CorruptionError(
            f"{name}: expected a module with a file of its own, whose contents tell one version "
            "from the next. Put the function into a .py file."
        ) from error


def _operator(name: str, function: Function, revision: int) -> Corruption:
    """The function as an operator of the registry's. It is not asked to be ready for threads."""
    lock = threading.Lock()

    def draw(streams: Streams, _size: tuple[int, int], _severity: float) -> Draws:
        return {"seed": streams.bits()}

    def apply(images: Images, severity: float, draws: Draws) -> Images:
        out = np.empty_like(images)
        with lock:
            for image, seed, target in zip(images, draws["seed"], out, strict=True):
                target[:] = _called(name, function, image, severity, int(seed))
            for image, seed, target in zip(images[:1], draws["seed"], out, strict=False):
                _require_same(name, target, _called(name, function, image, severity, int(seed)))
        return out

    return Corruption(
        *(name, FAMILY, OWN_TABLE, _SEVERITIES, draw, apply, "yours", revision, WHOLE),
        rows=_SEVERITIES,
    )


def _called(name: str, function: Function, image: Images, severity: float, seed: int) -> Images:
    """What the function makes of one image `(h, w, 3)`, checked."""
    given = image[None].copy()
    try:
        found: Any = function(given, float(severity), np.random.default_rng(seed))
    except Exception as error:
        raise _of_the_users(name, f"fails at severity {severity:g}", error) from error
    if not np.array_equal(given[0], image):
        raise CorruptionError(f"{name} changes its input: begin with images = images.copy().")
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.shape != given.shape:
        is_array = isinstance(found, np.ndarray)
        what = f"{found.dtype} {found.shape}" if is_array else type(found).__name__
        raise CorruptionError(
            f"{name}: expected uint8 {given.shape} back, as it was given, received {shown(what)}."
        )
    return np.asarray(found[0], np.uint8)


def _require_same(name: str, first: Images, again: Images) -> None:
    if not np.array_equal(first, again):
        raise CorruptionError(
            f"{name} gives other pixels when the same image, severity and rng come again: draw "
            "from the rng alone, and keep nothing between calls. Answers could not be compared."
        )


def _of_the_users(name: str, what: str, error: BaseException) -> CorruptionError:
    last = _place_of(error)
    said = f"{type(error).__name__}: {error}"
    return CorruptionError(f"{name}, your function, {what}: {shown(said)}{last}.")


def _place_of(error: BaseException) -> str:
    """The last line of the user's that the error came through."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file not in (__file__, importlib.__file__) and not file.startswith("<"):
            found = f" ({shown(Path(file).name)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found

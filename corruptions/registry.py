"""The only door to the corruptions: what exists, and `corrupt()`.

A corruption is two functions: one draws its randomness from per-image streams, the other applies
it. Apart, they can be fed a reference's draws, and they keep results free of batch and order.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corruptions.errors import CorruptionError
from corruptions.streams import Streams, streams

Images = NDArray[np.uint8]
Draws = Mapping[str, NDArray[Any]]
Params = Any  # one severity's parameters: a number or a tuple, as the operator documents
Draw = Callable[[Streams, tuple[int, int], Params], Draws]
Apply = Callable[[Images, Params, Draws], Images]

DEFAULT_TABLE = "imagecorruptions"
OWN_TABLE = "own"  # operators of this project: valid under every table
SMALLEST_SIDE = 32
CHUNK_PIXELS = 32 * 96 * 96  # drawn and changed at a time: what stays in the cache
LARGE_CHUNK_PIXELS = 256 * 96 * 96  # for operators that share a cost among the images of a call
FAMILIES = (
    *("noise", "blur", "weather", "digital", "geometry", "color", "overlay"),
    *("randaugment", "augmix"),
)
_MODULES = (
    "noise",
    "blur",
    "weather",
    "splashes",
    "digital",
    "geometry",
    "color",
    "overlay",
    "policy",
)


@dataclass(frozen=True)
class Corruption:
    """One operator of one severity table.

    `draw(streams, (h, w), params)` returns named arrays with the image axis first;
    `apply(images, params, draws)` takes and returns uint8 `(n, h, w, 3)` and leaves its input alone.
    """

    name: str
    family: str
    table: str
    severities: tuple[Params, Params, Params, Params, Params]
    draw: Draw
    apply: Apply
    source: str
    revision: int
    chunk_pixels: int


_registry: dict[tuple[str, str], Corruption] = {}


def no_draws(_streams: Streams, _size: tuple[int, int], _params: Params) -> Draws:
    """For operators without randomness."""
    return {}


def corruption(
    family: str,
    severities: Sequence[Params],
    *,
    source: str,
    draw: Draw = no_draws,
    table: str = OWN_TABLE,
    revision: int = 1,
    name: str | None = None,
    chunk_pixels: int = CHUNK_PIXELS,
) -> Callable[[Apply], Apply]:
    """Register the decorated `apply` function under its own name (or `name`).

    `severities` holds five parameters, mild to strong. Raise `revision` whenever the operator's
    bytes change: answers stored under the old one then no longer count.
    """

    def register(apply: Apply) -> Apply:
        key = (table, name or apply.__name__)
        if key in _registry or len(severities) != 5 or family not in FAMILIES:
            raise ValueError(f"{key}: registered twice, not five severities, or no known family")
        levels: Any = tuple(severities)
        _registry[key] = Corruption(
            key[1], family, table, levels, draw, apply, source, revision, chunk_pixels
        )
        return apply

    return register


def names(table: str = DEFAULT_TABLE) -> tuple[str, ...]:
    """Every corruption that `corrupt(..., table=table)` knows, family by family."""
    _load()
    found = [op for (home, _), op in _registry.items() if home in (table, OWN_TABLE)]
    return tuple(op.name for op in sorted(found, key=lambda op: FAMILIES.index(op.family)))


def all_operators() -> tuple[Corruption, ...]:
    """Everything registered, of every table, by table and name."""
    _load()
    return tuple(_registry[key] for key in sorted(_registry))


def get(name: str, table: str = DEFAULT_TABLE) -> Corruption:
    """The corruption of that name. Raises `CorruptionError` with the nearest names."""
    _load()
    found = _registry.get((table, name)) or _registry.get((OWN_TABLE, name))
    if found is None:
        raise CorruptionError(_unknown(name, table))
    return found


def corrupt(
    images: Images,
    name: str,
    severity: int,
    seed: int = 0,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
    *,
    table: str = DEFAULT_TABLE,
    engine: str = "own",
    step: int = 0,
) -> Images:
    """Corrupt every image with one operator; each image gets its own random draws.

    images: uint8 `(n, h, w, 3)`, h and w at least 32. severity: 1..5. ids: one integer an image,
    0..n-1 when left out; a slice of a data set needs its own ids to give the same bytes.
    engine: "own", or "reference" for the package `imagecorruptions` itself (slow, other draws).
    step: the operator's place in a chain. Returns a new uint8 array of the same shape.
    Raises `CorruptionError` for a wrong name, severity, seed, shape, dtype or number of ids.
    """
    operator = get(name, table)
    params = operator.severities[_check_severity(severity) - 1]
    if engine == "reference":
        from corruptions import reference

        checked, numbered = _check(images, seed, ids)
        return reference.corrupt(checked, name, severity, seed, numbered, step)
    if engine != "own":
        raise CorruptionError(f'engine must be "own" or "reference", not {engine!r}.')
    return run(operator, params, images, seed, ids, step)


def run(
    operator: Corruption,
    params: Params,
    images: Images,
    seed: int,
    ids: NDArray[np.int64] | Sequence[int] | None = None,
    step: int = 0,
) -> Images:
    """Draw and apply an operator with parameters of one's own, as `corrupt` does.

    A few images at a time, so that memory does not grow with n. Errors as of `corrupt`.
    """
    checked, numbered = _check(images, seed, ids)
    out = np.empty_like(checked, order="C")
    size = (int(checked.shape[1]), int(checked.shape[2]))
    keys = streams(seed, operator.name, numbered, step).keys
    length = max(1, operator.chunk_pixels // (size[0] * size[1]))
    for start in range(0, len(checked), length):
        part = slice(start, start + length)
        few = np.require(checked[part], requirements=["C", "W", "E"])  # one type: compiled once
        drawn = operator.draw(Streams(keys[part]), size, params)
        out[part] = operator.apply(few, params, drawn)
    return out


def _load() -> None:
    for module in _MODULES:
        importlib.import_module(f"corruptions.{module}")


def _unknown(name: str, table: str) -> str:
    known = names(table)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        return f"Unknown corruption {name!r}. Did you mean {' or '.join(near)}?"
    return f"Unknown corruption {name!r}. Known: {', '.join(known)}."


def _check(
    images: Images, seed: int, ids: NDArray[np.int64] | Sequence[int] | None
) -> tuple[Images, NDArray[np.int64]]:
    _check_seed(seed)
    checked = _check_images(images)
    return checked, _check_ids(ids, len(checked))


def _check_images(images: Images) -> Images:
    if not isinstance(images, np.ndarray):
        raise CorruptionError(f"Images must be a numpy array, not {type(images).__name__}.")
    if images.dtype != np.uint8:
        raise CorruptionError(
            f"Images must be uint8 (0..255), not {images.dtype}. "
            "For floats in 0..1: (images * 255).round().astype('uint8')."
        )
    if images.ndim != 4 or images.shape[3] != 3:
        raise CorruptionError(f"Images must have shape (n, h, w, 3), not {images.shape}.")
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise CorruptionError(
            f"Images must be at least {SMALLEST_SIDE} pixels high and wide, "
            f"not {images.shape[1]}x{images.shape[2]}."
        )
    return images


def _check_severity(severity: int) -> int:
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer):
        raise CorruptionError(f"Severity must be an integer from 1 to 5, not {severity!r}.")
    if not 1 <= severity <= 5:
        raise CorruptionError(f"Severity must be from 1 (mild) to 5 (strong), not {severity}.")
    return int(severity)


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise CorruptionError(f"The seed must be an integer, not {seed!r}.")


def _check_ids(ids: NDArray[np.int64] | Sequence[int] | None, count: int) -> NDArray[np.int64]:
    if ids is None:
        return np.arange(count, dtype=np.int64)
    numbered = np.asarray(ids)
    if numbered.shape != (count,) or (count and numbered.dtype.kind not in "iu"):
        raise CorruptionError(
            f"ids must hold one integer for each of the {count} images, "
            f"not shape {numbered.shape} of {numbered.dtype}."
        )
    return numbered.astype(np.int64)

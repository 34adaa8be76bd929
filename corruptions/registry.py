"""The only door to the corruptions: what exists, and `corrupt()`.

A corruption is two functions: one draws its randomness from per-image streams, the other applies
it. Apart, they can be fed a reference's draws, and they keep results free of batch and order.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from corruptions.arguments import (
    SMALLEST_SIDE,
    check_ids,
    check_images,
    check_seed,
    check_severity,
    is_ready,
    prepared,
    restored,
)
from corruptions.streams import Streams, streams

Images = NDArray[np.uint8]
Draws = Mapping[str, NDArray[Any]]
Params = Any  # one severity's parameters: a number or a tuple, as the operator documents
Draw = Callable[[Streams, tuple[int, int], Params], Draws]
Apply = Callable[[Images, Params, Draws], Images]

DEFAULT_TABLE = "imagecorruptions"
OWN_TABLE = "own"  # operators of this project: valid under every table
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"cells-96": ("pcam", "tiny")}  # of 96-pixel microscopy: the first table that has the name
)
CHUNK_PIXELS = 32 * 96 * 96  # drawn and changed at a time: what stays in the cache
WHOLE = sys.maxsize  # for operators that need no memory beside their result
LARGE_CHUNK_PIXELS = 128 * 96 * 96  # for operators that share a cost among the images of a call
FAMILIES = (
    *("noise", "blur", "weather", "digital", "geometry", "color", "overlay"),
    *("randaugment", "augmix"),
)
_MODULES = (
    "noise",
    "blur",
    "weather",
    "digital",
    "geometry",
    "color",
    "overlay",
    "policy",
    "tables.tiny",
    "tables.pcam",
    "tables.medmnist",
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


def tables() -> tuple[str, ...]:
    """Every severity table, the default one first; then aliases, and "own", which all of them hold."""
    _load()
    homes = {home for home, _ in _registry} - {DEFAULT_TABLE, OWN_TABLE}
    return (DEFAULT_TABLE, *sorted(homes), *ALIASES, OWN_TABLE)


def names(table: str = DEFAULT_TABLE) -> tuple[str, ...]:
    """Every corruption that `corrupt(..., table=table)` knows, family by family.

    Raises `CorruptionError` for an unknown table.
    """
    homes = _homes(table)
    found = {name: op for home in homes for (at, name), op in _registry.items() if at == home}
    return tuple(sorted(found, key=lambda name: FAMILIES.index(found[name].family)))


def all_operators() -> tuple[Corruption, ...]:
    """Everything registered, of every table, by table and name."""
    _load()
    return tuple(_registry[key] for key in sorted(_registry))


def get(name: str, table: str = DEFAULT_TABLE) -> Corruption:
    """The corruption of that name: the table's own, or one that is valid under every table.

    Raises `CorruptionError` with the nearest names, or with the tables that have it.
    """
    for home in _homes(table):
        if (home, name) in _registry:
            return _registry[home, name]
    raise CorruptionError(_unknown(name, table))


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

    images: uint8 `(n, h, w, 3)`, or grey `(n, h, w, 1)` or `(n, h, w)`, which is corrupted as RGB
    with equal channels and turned back by its luma: a change of hue does nothing there, added
    saturation darkens. Sides below 32 get mirrored borders up to 32, cut off afterwards. severity: 1..5. ids: one integer an image, 0..n-1 when left out;
    a slice of a data set needs its own ids to give the same bytes. table: one of `tables()`.
    engine: "own", or "reference" for the package `imagecorruptions` itself (slow, other draws, its
    own table only). step: the operator's place in a chain. Returns a new uint8 array of the same
    shape. Raises `CorruptionError` for a wrong name, table, severity, seed, shape, dtype or number
    of ids.
    """
    operator = get(name, table)
    params = operator.severities[check_severity(severity) - 1]
    if engine == "reference":
        return _by_reference(operator, images, severity, seed, ids, step)
    if engine != "own":
        raise CorruptionError(f'engine must be "own" or "reference", not {engine!r}.')
    return run(operator, params, images, seed, ids, step)


def _by_reference(
    operator: Corruption,
    images: Images,
    severity: int,
    seed: int,
    ids: NDArray[np.int64] | Sequence[int] | None,
    step: int,
) -> Images:
    from corruptions import reference

    if operator.table not in (DEFAULT_TABLE, OWN_TABLE):
        raise CorruptionError(
            f'engine="reference" runs the package {DEFAULT_TABLE}, which has its own table only: '
            f"leave out the engine, or table={operator.table!r}."
        )
    checked, numbered = _check(images, seed, ids)
    found = reference.corrupt(prepared(checked), operator.name, severity, seed, numbered, step)
    return restored(found, checked.shape)


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
    size = (max(checked.shape[1], SMALLEST_SIDE), max(checked.shape[2], SMALLEST_SIDE))
    keys = streams(seed, operator.name, numbered, step).keys
    ready = is_ready(checked.shape)
    pixels = operator.chunk_pixels if ready else min(operator.chunk_pixels, CHUNK_PIXELS)
    length = max(1, pixels // (size[0] * size[1]))
    out = np.empty_like(checked, order="C")
    for start in range(0, len(checked), length):
        part = slice(start, start + length)
        few = np.require(prepared(checked[part]), requirements=["C", "W", "E"])  # compiled once
        drawn = operator.draw(Streams(keys[part]), size, params)
        changed = restored(operator.apply(few, params, drawn), checked.shape)
        if len(changed) == len(checked) and not np.may_share_memory(changed, checked):
            return np.ascontiguousarray(changed)  # one part: spares a copy
        out[part] = changed
    return out


def _load() -> None:
    for module in _MODULES:
        importlib.import_module(f"corruptions.{module}")


def _homes(table: str) -> tuple[str, ...]:
    """Where to look, in order; an alias stands for several tables."""
    if table not in tables():
        near = difflib.get_close_matches(str(table), tables(), n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CorruptionError(
            f"Unknown severity table {table!r}.{hint} Known: {', '.join(tables())}."
        )
    return (*ALIASES.get(table, (table,)), OWN_TABLE)


def _unknown(name: str, table: str) -> str:
    having = [home for home in tables() if name in names(home)]
    if having:
        return (
            f"The severity table {table!r} has no {name!r}. Tables that have it: "
            f"{', '.join(having)}."
        )
    known = names(table)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        return f"Unknown corruption {name!r}. Did you mean {' or '.join(near)}?"
    return f"Unknown corruption {name!r}. Known: {', '.join(known)}."


def _check(
    images: Images, seed: int, ids: NDArray[np.int64] | Sequence[int] | None
) -> tuple[Images, NDArray[np.int64]]:
    check_seed(seed)
    checked = check_images(images)
    return checked, check_ids(ids, len(checked))

"""The only door to the corruptions: what exists, and `corrupt()`.

A corruption is two functions: one draws its randomness from per-image streams, the other applies
it. Apart, they can be fed a reference's draws, and they keep results free of batch and order.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import CorruptionError
from codabench_rehearsal.console.reading import parse_toml
from corruptions.between import Apart, same_kind
from corruptions.operator import Apply as Apply
from corruptions.operator import Corruption as Corruption
from corruptions.operator import Draw as Draw
from corruptions.operator import Draws as Draws
from corruptions.operator import Operation as Operation
from corruptions.operator import Params as Params
from corruptions.operator import Values as Values
from corruptions.operator import as_written, no_draws
from corruptions.presets import DEFAULT_TABLE as DEFAULT_TABLE  # re-exported, as Images below
from corruptions.streams import Streams, streams
from corruptions.validation import (
    SMALLEST_SIDE,
    Ids,
    check_ids,
    check_images,
    check_seed,
    check_severity,
    is_ready,
    prepared,
    restored,
)
from corruptions.validation import Images as Images  # for those who import operators from here

OWN_TABLE = "own"  # operators of this project: valid under every table
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"cells-96": ("pcam", "tiny")}  # of 96-pixel microscopy: the first table that has the name
)
CHUNK_PIXELS = 8 * 96 * 96  # drawn and changed at a time: what stays in the cache
WHOLE = sys.maxsize  # for operators that need no memory beside their result
LARGE_CHUNK_PIXELS = 128 * 96 * 96  # for operators that share a cost among the images of a call
FAMILIES = (
    *("noise", "blur", "weather", "digital", "geometry", "color", "overlay"),
    *("randaugment", "augmix"),
)
_MODULES = (
    *("noise", "blur", "weather", "digital", "operations", "overlay"),
    *("policy", "variants", "microscopy"),
)


_registry: dict[tuple[str, str], Corruption] = {}
_functions: dict[str, Corruption] = {}  # the user's own, once `functions.load` has imported them


def corruption(
    family: str,
    severities: Sequence[Params] | None = None,
    *,
    source: str = "",
    draw: Draw = no_draws,
    tables: Sequence[str] = (OWN_TABLE,),
    revision: int = 1,
    name: str | None = None,
    chunk_pixels: int = CHUNK_PIXELS,
    read: Callable[[Params], Params] = as_written,
    apart: Apart = same_kind,
) -> Callable[[Apply], Apply]:
    """Register the decorated `apply` function under its own name (or `name`).

    `severities` holds five parameters, mild to strong. An operator of published `tables` has them
    in `severities.toml`, each turned by `read`; `source` then adds to the table's own. `apart`: see
    `Corruption`. Raise `revision` whenever the operator's bytes change: answers stored under the
    old one then no longer count.
    """

    def register(apply: Apply) -> Apply:
        for table in tables:
            key = (table, name or apply.__name__)
            rows = tuple(severities or _published()[table][key[1]])
            levels: Any = tuple(map(read, rows))
            if key in _registry or len(levels) != 5 or family not in FAMILIES:
                raise ValueError(f"{key}: registered twice, not five severities, or no such family")
            whole_source = _published()["sources"].get(table, "") + source
            _registry[key] = Corruption(
                *(key[1], family, table, levels, draw, apply, whole_source, revision, chunk_pixels),
                *(rows, read, apart),
            )
        return apply

    return register


def steered(
    family: str,
    severities: Sequence[Params],
    *,
    source: str,
    draw: Draw,
    revision: int = 1,
    apart: Apart = same_kind,
) -> Callable[[Operation], Operation]:
    """Register an operation `(images, values)` whose `draw` returns one "value" an image.

    The random policies call the same operation with values of their own.
    """

    def register(operation: Operation) -> Operation:
        @functools.wraps(operation)  # the gallery shows its docstring
        def apply(images: Images, _params: Params, draws: Draws) -> Images:
            return operation(images, draws["value"])

        more: Any = {"source": source, "draw": draw, "revision": revision, "apart": apart}
        corruption(family, severities, **more)(apply)
        return operation

    return register


def tables() -> tuple[str, ...]:
    """Every severity table, the default one first; then aliases, and "own", which all hold."""
    published = set(_published()) - {"sources", DEFAULT_TABLE}
    return (DEFAULT_TABLE, *sorted(published), *ALIASES, OWN_TABLE)


def names(table: str = DEFAULT_TABLE) -> tuple[str, ...]:
    """Every corruption that `corrupt(..., table=table)` knows, family by family.

    Raises `CorruptionError` for an unknown table.
    """
    homes = _homes(table)
    found = {name: op for home in homes for (at, name), op in _loaded().items() if at == home}
    return tuple(sorted(found, key=lambda name: FAMILIES.index(found[name].family)))


def is_known(name: str, table: str = DEFAULT_TABLE) -> bool:
    """Whether `get` finds it. Raises `CorruptionError` for an unknown table."""
    return name in _functions or name in names(table)


def all_operators() -> tuple[Corruption, ...]:
    """Everything registered, of every table, by table and name."""
    return tuple(operator for _, operator in sorted(_loaded().items()))


def get(name: str, table: str = DEFAULT_TABLE) -> Corruption:
    """The corruption of that name: the table's own, or one that is valid under every table.

    Or the user's function, once `functions.load` has imported it. Raises `CorruptionError` with the
    nearest names, or with the tables that have it.
    """
    if name in _functions:
        return _functions[name]
    for home in _homes(table):
        if (home, name) in _loaded():
            return _loaded()[home, name]
    raise CorruptionError(_unknown(name, table))


def add_function(operator: Corruption) -> None:
    """Make a function of the user's known under its name, `package.module:function`."""
    _functions[operator.name] = operator


def corrupt(
    images: Images,
    name: str,
    severity: float,
    seed: int = 0,
    ids: Ids = None,
    *,
    table: str = DEFAULT_TABLE,
    engine: str = "own",
    step: int = 0,
) -> Images:
    """Corrupt every image with one operator; each image gets its own random draws.

    images: uint8 `(n, h, w, 3)`, or grey `(n, h, w, 1)` or `(n, h, w)`, which is corrupted as RGB
    with equal channels and turned back by its luma: a change of hue does nothing there, added
    saturation darkens. Sides below 32 get mirrored borders up to 32, cut off afterwards.
    severity: 1..5, also between whole ones. ids: one integer an image, 0..n-1 when left out; a
    slice of a data set needs its own ids to give the same bytes. table: one of `tables()`. engine:
    "own", or "reference" for the package `imagecorruptions` itself (slow, other draws, whole
    severities of its own table only). step: the operator's place in a chain. Returns a new uint8
    array of the same shape. Raises `CorruptionError` for a wrong name, table, severity, seed,
    shape, dtype or number of ids.
    """
    operator = get(name, table)
    severity = check_severity(severity)
    if engine == "own":
        return run(operator, operator.at(severity), images, seed, ids, step)
    if engine != "reference":
        raise CorruptionError(f'engine must be "own" or "reference", not {engine!r}.')
    if operator.table not in (DEFAULT_TABLE, OWN_TABLE):
        raise CorruptionError(
            f'engine="reference" runs the package {DEFAULT_TABLE}, which has its own table only: '
            f"leave out the engine, or table={operator.table!r}."
        )
    if not isinstance(severity, int):
        raise CorruptionError(f'engine="reference" knows whole severities only, not {severity}.')
    from corruptions import reference

    keys = _keys(name, images, seed, ids, step)
    found = reference.corrupt(prepared(images), name, severity, Streams(keys))
    return restored(found, images.shape)


def run(
    operator: Corruption,
    params: Params,
    images: Images,
    seed: int,
    ids: Ids = None,
    step: int = 0,
) -> Images:
    """Draw and apply an operator with parameters of one's own, as `corrupt` does.

    A few images at a time, so that memory does not grow with n. Errors as of `corrupt`.
    """
    keys = _keys(operator.name, images, seed, ids, step)
    size = (max(images.shape[1], SMALLEST_SIDE), max(images.shape[2], SMALLEST_SIDE))
    most = sys.maxsize if is_ready(images.shape) else CHUNK_PIXELS
    length = max(1, min(operator.chunk_pixels, most) // (size[0] * size[1]))
    out = np.empty_like(images, order="C")
    for start in range(0, len(images), length):
        part = slice(start, start + length)
        few = np.require(prepared(images[part]), requirements=["C", "W", "E"])  # compiled once
        drawn = operator.draw(Streams(keys[part]), size, params)
        changed = restored(operator.apply(few, params, drawn), images.shape)
        if len(changed) == len(images) and not np.may_share_memory(changed, images):
            return np.ascontiguousarray(changed)  # one part: spares a copy
        out[part] = changed
    return out


def _keys(name: str, images: Images, seed: int, ids: Ids, step: int) -> NDArray[np.uint64]:
    """The keys of the images' streams, once everything is checked."""
    check_seed(seed)
    return streams(seed, name, check_ids(ids, len(check_images(images))), step).keys


@functools.cache
def _published() -> Mapping[str, Mapping[str, Any]]:
    """`severities.toml`: each table's numbers, lists as tuples, and the tables' sources."""
    text = Path(__file__).with_name("severities.toml").read_text(encoding="utf-8")
    return {
        table: {name: _tupled(rows) for name, rows in content.items()}
        for table, content in parse_toml(text).items()
    }


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


@functools.cache
def _loaded() -> Mapping[tuple[str, str], Corruption]:
    """The whole registry: tables take the default one's operators where they have none."""
    for module in _MODULES:
        importlib.import_module(f"corruptions.{module}")
    tabled = {
        (table, name): _registry.get((table, name))
        or replace(
            _registry[DEFAULT_TABLE, name],
            table=table,
            severities=levels,
            rows=levels,
            source=_published()["sources"][table],
        )
        for table, rows in _published().items()
        if table != "sources"
        for name, levels in rows.items()
    }
    return tabled | _registry  # in the file's order, then our own


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
    if ":" in name:
        return f"{name!r}, a function of your own, runs only where --corrupt names it."
    known = names(table)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        return f"Unknown corruption {name!r}. Did you mean {' or '.join(near)}?"
    return f"Unknown corruption {name!r}. Known: {', '.join(known)}."

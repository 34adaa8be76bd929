"""What `.keras` and HDF5 files say of themselves, read without Keras and without their arrays."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from typing import IO, Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from submission.archive import Archive
from submission.backport import (
    CONFIG,
    LARGEST_CONFIG,
    METADATA,
    WEIGHTS,
    is_newer,
    targets,
    unread_lists,
)
from submission.backport_config import Refusal
from submission.backport_graph import Node
from submission.backport_h5 import config_of, text
from submission.h5 import opened_h5
from submission.zipping import opened

HDF5_SIGN = b"\x89HDF\r\n\x1a\n"
LARGEST_STATISTICS = 1 << 20  # bytes of a mean: one value a channel, or a pixel
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError)  # fmt: skip


@dataclass(frozen=True)
class Arrays:
    """What an HDF5 file holds. Bytes as arrays, not as stored; unread: what `target` passes over."""

    bytes: int = 0
    largest: int = 0
    optimizer_bytes: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    unread: tuple[Refusal, ...] = ()
    statistics: tuple[
        str, ...
    ] = ()  # Normalization layers of a whole model with a mean or variance


@dataclass(frozen=True)
class Weights:
    """One file. kind: what it is by its content and name; problem: why it cannot be read, or "".

    config is the whole model's config as in a `.keras` file, None where the file has only arrays.
    """

    name: str
    kind: str  # "keras" | "h5" | "weights" (arrays only)
    problem: str = ""
    version: str = ""
    config: Node | None = None
    arrays: Arrays | None = None  # None where h5py is not installed
    held_bytes: int = 0  # of the arrays' file inside a .keras file


def read_weights(archive: Archive, name: str, target: str = "") -> Weights:
    """Look into one file of the zip. target: the server's Keras, "" where unknown."""
    try:
        file = archive.look_into(name)
        sign = file.read(len(HDF5_SIGN))
        file.seek(0)
        if name.lower().endswith(".keras"):
            return _keras(file, name, sign, target)
        return _hdf5(file, name, sign)
    except SubmissionError as error:
        return Weights(name, "keras", str(error))


def _keras(file: IO[bytes], name: str, sign: bytes, target: str) -> Weights:
    if sign == HDF5_SIGN:
        return Weights(name, "keras", "it is an HDF5 file, and .keras files are zips")
    try:
        with zipfile.ZipFile(file) as inner:
            version = str(_json(inner, METADATA).get("keras_version", ""))
            config = _json(inner, CONFIG)
            if WEIGHTS not in inner.namelist():
                return Weights(name, "keras", f"it holds no {WEIGHTS}", version, config)
            info = inner.getinfo(WEIGHTS)
            with opened(file, inner, info) as held:
                arrays, problem = _arrays(held, target if is_newer(version, target) else "")
            return Weights(name, "keras", problem, version, config, arrays, info.file_size)
    except DAMAGED as error:
        return Weights(name, "keras", f"it is no .keras file, or not the whole of one ({error})")


def _json(inner: zipfile.ZipFile, name: str) -> Node:
    if inner.getinfo(name).file_size > LARGEST_CONFIG:
        raise ValueError(f"{name} has {inner.getinfo(name).file_size:,} bytes")
    value = parse_json(inner.read(name))
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")  # noqa: TRY004  damaged like the rest
    return value


def _hdf5(file: IO[bytes], name: str, sign: bytes) -> Weights:
    if sign != HDF5_SIGN:
        return Weights(name, "h5", "it is no HDF5 file")
    arrays, problem = _arrays(file)
    config, version = None, ""
    if arrays is not None and not problem:
        version = arrays.attributes.get("keras_version", "")
        config, problem = config_of(arrays.attributes.get("model_config"))
    kind = "h5" if config is not None or problem or arrays is None else "weights"
    return Weights(name, kind, problem, version, config, arrays)


def _arrays(file: IO[bytes], target: str = "") -> tuple[Arrays | None, str]:
    """The arrays of an HDF5 file, or why it cannot be read; None where h5py is not installed."""
    try:
        import h5py  # noqa: F401  asked for here, opened elsewhere
    except ImportError:
        return None, ""
    try:
        with opened_h5(file) as held:
            return _measured(held, target), ""
    except DAMAGED as error:
        return None, f"its arrays are cut short or damaged ({error})"


def _measured(held: Any, target: str) -> Arrays:
    sizes: list[tuple[str, int]] = []

    def visit(path: str, item: Any) -> None:
        if hasattr(item, "nbytes"):
            sizes.append((path, int(item.nbytes)))

    held.visititems(visit)
    wasted = sum(size for path, size in sizes if path.startswith(("optimizer/", "optimizer_weights/")))  # fmt: skip
    total = sum(size for _, size in sizes)
    texts = {key: text(held.attrs[key]) for key in ("keras_version", "model_config") if key in held.attrs}  # fmt: skip
    largest = max((size for _, size in sizes), default=0)
    unread = unread_lists(held, target) if target in targets() else ()
    told = _statistics(held, sizes) if "model_config" in texts else ()
    return Arrays(total - wasted, largest, wasted, texts, unread, told)


def _statistics(held: Any, sizes: list[tuple[str, int]]) -> tuple[str, ...]:
    """The Normalization layers whose mean is not 0 or whose variance is not 1, by the layout of Keras 2 and 3."""
    paths, found = {path for path, size in sizes if size < LARGEST_STATISTICS}, []
    for path, size in sizes:
        folder, _, name = path.rpartition("/")
        plain, _, end = name.partition(":")
        others = {f"{folder}/{other}{':' if end else ''}{end}" for other in ("variance", "count")}
        if plain == "mean" and others <= paths and size < LARGEST_STATISTICS:
            variance = held[f"{folder}/variance{':' if end else ''}{end}"][()]
            if bool((held[path][()] != 0).any() or (variance != 1).any()):
                found.append(folder.rpartition("/")[2])
    return tuple(found)

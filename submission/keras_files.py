"""What `.keras` and HDF5 files say of themselves, read without Keras and without their arrays.

A `.keras` file is a zip with metadata.json, config.json and model.weights.h5. A whole model's
`.h5` file has the config as its attribute `model_config`; its layers do not say their modules.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import IO, Any

from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.zip_members import opened
from submission.backport_graph import BARE, GRAPH, Node, Refusal, layer_name, nodes
from submission.backport_keras2 import OWN_NAMES
from submission.h5 import SIGN, opened_h5
from submission.keras_tables import is_newer, load_table, targets
from submission.zipping import put

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
H5_CONFIG, H5_VERSION = "model_config", "keras_version"
HDF5_SIGN = SIGN + b"\r\n\x1a\n"
LOADABLE = (".keras", ".h5", ".hdf5")
LARGEST_CONFIG = 64 << 20
LARGEST_STATISTICS = 1 << 20  # bytes of a mean: one value a channel, or a pixel
LARGEST_EXPANSION = 50  # Keras stores its files as they are; more is a bomb
FIRST_WITH_NESTED_LISTS = "3.15.0"
SAVE_AGAIN = "Save the model again with model.save('model.keras')."
# What zipfile and h5py raise for a file that is damaged, or none.
NO_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError)
DAMAGED = (*NO_ZIP, zlib.error, OSError, ValueError, KeyError)


@dataclass(frozen=True)
class Arrays:
    """What an HDF5 file holds. Bytes as arrays, not as stored; unread: what `target` passes over.

    statistics: Normalization layers of a whole model with a mean or variance.
    """

    bytes: int = 0
    largest: int = 0
    optimizer_bytes: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    unread: tuple[Refusal, ...] = ()
    statistics: tuple[str, ...] = ()


@dataclass(frozen=True)
class KerasFile:
    """One file. kind: what it is by its content and name; problem: why it cannot be read, or "".

    config is the whole model's config as in a `.keras` file, None where the file has only arrays.
    """

    name: str
    kind: str  # "keras" | "h5" | "weights" (arrays only)
    problem: str = ""
    version: str = ""
    config: Node | None = None
    arrays: Arrays | None = None  # None where h5py is not installed


def read_keras_file(file: IO[bytes], name: str, target: str = "") -> KerasFile:
    """Look into an open file. target: the server's Keras, "" where unknown."""
    sign = file.read(len(HDF5_SIGN))
    file.seek(0)
    if not name.lower().endswith(".keras"):
        return (
            _hdf5(file, name) if sign == HDF5_SIGN else KerasFile(name, "h5", "it is no HDF5 file")
        )
    if sign == HDF5_SIGN:
        return KerasFile(name, "keras", "it is an HDF5 file, and .keras files are zips")
    try:
        with zipfile.ZipFile(file) as inner:
            version = str(_json(inner, METADATA).get("keras_version", ""))
            config = _json(inner, CONFIG)
            if WEIGHTS not in inner.namelist():
                return KerasFile(name, "keras", f"it holds no {WEIGHTS}", version, config)
            with opened(file, inner, inner.getinfo(WEIGHTS)) as held:
                arrays, problem = _arrays(held, target if is_newer(version, target) else "")
            return KerasFile(name, "keras", problem, version, config, arrays)
    except DAMAGED as error:
        return KerasFile(name, "keras", f"it is no .keras file, or not the whole of one ({error})")


def _json(inner: zipfile.ZipFile, name: str) -> Node:
    if inner.getinfo(name).file_size > LARGEST_CONFIG:
        raise ValueError(f"{name} has {inner.getinfo(name).file_size:,} bytes")
    value = parse_json(inner.read(name))
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")  # noqa: TRY004  damaged like the rest
    return value


def _hdf5(file: IO[bytes], name: str) -> KerasFile:
    arrays, problem = _arrays(file)
    config, version = None, ""
    if arrays is not None and not problem:
        version = arrays.attributes.get(H5_VERSION, "")
        config, problem = config_of(arrays.attributes.get(H5_CONFIG))
    kind = "h5" if config is not None or problem or arrays is None else "weights"
    return KerasFile(name, kind, problem, version, config, arrays)


def _arrays(file: IO[bytes], target: str = "") -> tuple[Arrays | None, str]:
    """The arrays of an HDF5 file, or why it cannot be read; None where h5py is not installed."""
    try:
        with opened_h5(file) as held:
            return _measured(held, target), ""
    except ImportError:
        return None, ""
    except DAMAGED as error:
        return None, f"its arrays are cut short or damaged ({error})"


def _measured(held: Any, target: str) -> Arrays:
    sizes: dict[str, int] = {}
    held.visititems(lambda path, item: sizes.update({path: int(getattr(item, "nbytes", -1))}))
    sizes = {path: size for path, size in sizes.items() if size >= 0}
    state = ("optimizer/", "optimizer_weights/")
    wasted = sum(size for path, size in sizes.items() if path.startswith(state))
    attributes = {
        key: text(held.attrs[key]) for key in (H5_VERSION, H5_CONFIG) if key in held.attrs
    }
    return Arrays(
        sum(sizes.values()) - wasted,
        max(sizes.values(), default=0),
        wasted,
        attributes,
        unread_lists(held, target) if target in targets() else (),
        _statistics(held, sizes) if H5_CONFIG in attributes else (),
    )


def _statistics(held: Any, sizes: dict[str, int]) -> tuple[str, ...]:
    """The Normalization layers whose mean is not 0 or whose variance is not 1."""
    small, found = {path for path, size in sizes.items() if size < LARGEST_STATISTICS}, []
    for path in (path for path in sizes if path in small):
        folder, _, name = path.rpartition("/")
        plain, sign, end = name.partition(":")
        others = {f"{folder}/{other}{sign}{end}" for other in ("variance", "count")}
        if plain == "mean" and others <= small:
            variance = held[f"{folder}/variance{sign}{end}"][()]
            if bool((held[path][()] != 0).any() or (variance != 1).any()):
                found.append(folder.rpartition("/")[2])
    return tuple(found)


def config_of(found: str | None) -> tuple[Node | None, str]:
    """The config of an HDF5 file, shaped as in `.keras` files, or why it cannot be read."""
    if found is None:
        return None, ""
    try:
        if len(found) > LARGEST_CONFIG:
            raise ValueError(f"{len(found):,} characters")  # noqa: TRY301  told like the rest
        config = parse_json(found)
        inner = {"class_name": str(config["class_name"]), "config": dict(config["config"])}
        return _with_modules(inner, _homes()), ""
    except (ValueError, KeyError, TypeError) as error:
        return None, f"its {H5_CONFIG} cannot be read ({error!r})"


def text(value: object) -> str:
    """An HDF5 attribute as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@cache
def _homes() -> dict[str, str]:
    """Class names of Keras -> their modules, which HDF5 files leave out."""
    tables = [load_table(target) for target in targets()]
    names = {name for table in tables for name in (*table.accepts, *table.new_classes)}
    public = sorted(name for name in names if not name.startswith("keras.src."))
    layers_last = sorted(public, key=lambda name: name.startswith("keras.layers."))
    homes = {name.rpartition(".")[2]: name.rpartition(".")[0] for name in layers_last}
    return {**homes, **dict.fromkeys(("Functional", "Model"), "keras.src.models.functional")}


@cache
def _operations() -> dict[str, str]:
    """Class names of `keras.ops` -> their modules."""
    names = sorted(name for target in targets() for name in load_table(target).operations)
    return {name.rpartition(".")[2]: name.rpartition(".")[0] for name in names}


def _with_modules(value: Any, homes: dict[str, str]) -> Any:
    """The config, its layers saying where they are from; a class of nobody's is the user's own."""
    if isinstance(value, list):
        return [_with_modules(part, homes) for part in value]
    if not isinstance(value, dict):
        return value
    own = {key: _with_modules(part, homes) for key, part in value.items()}
    name = value.get("class_name")
    if (
        not isinstance(name, str)
        or name.startswith("__")
        or "config" not in value
        or "module" in value
    ):
        return own
    home = _operations()[name] if is_operation(value) else homes.get(name, "")
    registered = None if home or name in OWN_NAMES else name
    return {**own, "module": home, "registered_name": registered, BARE: True}


def is_operation(node: Node) -> bool:
    """Whether it is one of `keras.ops` in a graph, as `a + b`: unlike layers, they do not train."""
    config = node["config"]
    plain = isinstance(config, dict) and "trainable" not in config
    return plain and GRAPH in node and node["class_name"] in _operations()


def unread_operations(config: Node) -> list[str]:
    """The operations that no Keras reads back from an HDF5 file, as it takes them for layers."""
    return [layer_name(node) for node in nodes(config) if BARE in node and is_operation(node)]


def unread_lists(file: Any, target: str) -> tuple[Refusal, ...]:
    """Return the weights of an open `h5py.File` that the target would pass over without a word.

    A layer's lists of layers are stored alike in all versions, but lists of lists of layers only
    since Keras 3.15: as groups called `container`. Other layouts were found to be the same.
    """
    found: set[str] = set()

    def visit(path: str) -> None:
        parent, _, name = path.rpartition("/")
        # One that belongs to no layer itself.
        if re.fullmatch(r"container(_\d+)?", name) and "vars" not in file[parent or "/"]:
            found.add(parent)

    if is_newer(FIRST_WITH_NESTED_LISTS, target):
        file.visit(visit)
    return tuple(_refused_list(file, path, target) for path in sorted(found))


def _refused_list(file: Any, path: str, target: str) -> Refusal:
    owner, _, attribute = path.rpartition("/")
    variables = f"{owner}/vars"
    layer = str(file[variables].attrs.get("name", owner)) if variables in file else owner
    why = (
        f"keeps layers in a list of lists ({attribute!r}), where Keras {target} does not look: "
        "their weights would stay at random values, without an error."
    )
    advice = "Keep them in one flat list, or as attributes of their own, and save the model again."
    return Refusal(f"{WEIGHTS}:{path}", layer, attribute, None, why, advice)


def members_of(data: bytes, needed: tuple[str, ...], wrong: str) -> dict[str, bytes]:
    """Unpack a `.keras` file's bytes, after a look at the sizes.

    needed: members that it must have. wrong: what it is told to be where it is no such zip, with {}
    for zipfile's words. Raises `SubmissionError`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            infos = [info for info in file.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > LARGEST_EXPANSION * len(data):
                raise SubmissionError("a .keras file that unpacks to far more than it holds.")
            members = {info.filename: file.read(info) for info in infos}
    except NO_ZIP as error:
        raise SubmissionError(f"{wrong.format(error)} {SAVE_AGAIN}") from None
    if missing := [name for name in needed if name not in members]:
        lacks = f"its zip has no {' and no '.join(missing)}"
        raise SubmissionError(f"not a .keras file: {lacks}. {SAVE_AGAIN}")
    return members


def packed(members: Mapping[str, bytes]) -> bytes:
    """Zip the members, stored, as Keras unpacks them at every start: its own three first."""
    first = [METADATA, CONFIG, WEIGHTS]
    names = [n for n in first if n in members] + sorted(n for n in members if n not in first)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name in names:
            put(file, name, members[name])
    return held.getvalue()

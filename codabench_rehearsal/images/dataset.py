"""Labelled images in memory, from a file or a folder and back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.files import replacing
from codabench_rehearsal.console.temporary import PREFIX, TemporaryFolder
from codabench_rehearsal.images.array_files import read
from codabench_rehearsal.images.arrays import as_ids, as_images
from codabench_rehearsal.images.keys import TO_TRAIN
from codabench_rehearsal.images.labels import as_labels

HASH_BYTES = 16
SMALLEST_BYTES = 20_000_000  # of a file whose unpacked images are kept: smaller ones are quick
MOST_SETS = 3  # of unpacked images that are kept
_SCHEMA = 2
_ARRAYS: dict[str, Literal["r"] | None] = {"images": "r", "labels": None, "ids": None}


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with their labels; frozen, and its arrays are read-only.

    images: uint8 (n, h, w, 3) in RGB order, or (n, h, w, 1) for grey ones.
    labels: int64 (n,), counted from 0.
    ids: int64 (n,), each image's row in the file before any cleaning; unique.
    notes: what was converted while loading, a sentence each.
    source: where the images come from, for people.

    Raises DataError if the arrays do not fit each other or these types.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    source: str = "arrays"

    def __post_init__(self) -> None:
        for name, dtype in (("images", np.uint8), ("labels", np.int64), ("ids", np.int64)):
            object.__setattr__(self, name, _frozen(name, getattr(self, name), dtype))
        shape = self.images.shape
        if len(shape) != 4 or shape[3] not in (1, 3):
            raise DataError(f"a Dataset holds images (n, h, w, 3) or (n, h, w, 1), not {shape}")
        for name in ("labels", "ids"):
            found = getattr(self, name).shape
            if found != shape[:1]:
                raise DataError(f"{name} must have shape ({shape[0]},), not {found}")
        if len(np.unique(self.ids)) != len(self.ids):
            raise DataError("ids must be unique: one row of the uncleaned file each")

    def check_classes(self, classes: int, whose: str) -> None:
        """Raise DataError unless all labels are in 0..classes-1; whose: the challenge's name."""
        if len(self) and not 0 <= self.labels.min() <= self.labels.max() < classes:
            raise DataError(
                f"expected labels from 0 to {classes - 1} ({whose}), received "
                f"{self.labels.min()} to {self.labels.max()} in {self.source}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return f"Dataset({len(self)} images {shape}, source={self.source!r})"

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels of an image."""
        return self.images.shape[1:]

    def pictures(self, rows: int | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the images of some rows, uint8 (m, h, w, c), or of one, (h, w, c)."""
        return np.asarray(self.images[rows], np.uint8)

    def subset(self, rows: ArrayLike) -> Dataset:
        """Return the given rows (integers or a boolean mask (n,)), in the given order.

        Ids travel along. Raises DataError for rows that do not exist.
        """
        index = self._index(np.asarray(rows))
        labels, ids = self.labels[index], self.ids[index]
        chosen = Dataset(self.pictures(index), labels, ids, self.notes, self.source)
        return self._known(chosen, index)

    def view(self, rows: ArrayLike) -> Dataset:
        """As `subset`, without a copy of the images: they are read here, by `pictures`."""
        index = self._index(np.asarray(rows))
        return self._known(_View(self, index), index)

    def _known(self, chosen: Dataset, index: NDArray[np.int64]) -> Dataset:
        """With the fingerprints, if they have been computed here."""
        if "_fingerprints" in self.__dict__:
            chosen.__dict__["_fingerprints"] = tuple(self._fingerprints[row] for row in index)
        return chosen

    def fingerprints(self) -> tuple[str, ...]:
        """Return a 32-digit hex hash of every image's shape and pixels; computed once."""
        return self._fingerprints

    def fingerprint(self) -> str:
        """Return one 32-digit hex hash over images, labels and ids, for a stored answer's key."""
        whole = hashlib.blake2b(digest_size=HASH_BYTES)
        whole.update("".join(self.fingerprints()).encode())
        whole.update(self.labels.astype("<i8").tobytes())
        whole.update(self.ids.astype("<i8").tobytes())
        return whole.hexdigest()

    @cached_property
    def _fingerprints(self) -> tuple[str, ...]:
        begun = hashlib.blake2b(repr(self.image_shape).encode(), digest_size=HASH_BYTES)
        found = []
        for row in range(len(self)):
            digest = begun.copy()
            digest.update(np.ascontiguousarray(self.pictures(row)).data)
            found.append(digest.hexdigest())
        return tuple(found)

    def _index(self, rows: NDArray[np.generic]) -> NDArray[np.int64]:
        if rows.dtype == np.bool_:
            if rows.shape != (len(self),):
                raise DataError(f"a mask of rows must have shape ({len(self)},), not {rows.shape}")
            return np.flatnonzero(rows)
        if rows.size == 0:
            return np.zeros(0, np.int64)
        if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
            raise DataError(f"rows must be a list of integers, not {rows.dtype} {rows.shape}")
        index = rows.astype(np.int64)
        if index.min() < 0 or index.max() >= len(self):
            raise DataError(
                f"rows must lie in 0..{len(self) - 1}, received {index.min()}..{index.max()}"
            )
        return index


class _View(Dataset):
    """Rows of another data set, whose images are not copied; `images` is a new copy each time."""

    _whole: NDArray[np.uint8]
    _rows: NDArray[np.int64]

    def __init__(self, whole: Dataset, rows: NDArray[np.int64]) -> None:
        nested = whole if isinstance(whole, _View) else None
        self.__dict__.update(
            _whole=whole.images if nested is None else nested._whole,
            _rows=rows if nested is None else nested._rows[rows],
            labels=_frozen("labels", whole.labels[rows], np.int64),
            ids=_frozen("ids", whole.ids[rows], np.int64),
            notes=whole.notes,
            source=whole.source,
        )
        if len(np.unique(self.ids)) != len(self.ids):
            raise DataError("rows must be named once each")

    @property
    def images(self) -> NDArray[np.uint8]:
        """Return a copy of all of them."""
        copied = self.pictures(np.arange(len(self)))
        copied.flags.writeable = False
        return copied

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels of an image."""
        return self._whole.shape[1:]

    def pictures(self, rows: int | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the images of some rows, read from where they are."""
        return np.asarray(self._whole[self._rows[rows]], np.uint8)


def load(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    part: str | None = None,
    prefer: Sequence[str] = TO_TRAIN,
    shape: Sequence[int] | None = None,
    classes: int | Sequence[str] | None = None,
    strays: bool = False,
) -> Dataset:
    """Read labelled images; nothing is ever unpickled.

    path: an `.npz` (keys in any case: images/labels, x/y, data/target, arr_0/arr_1, with a part
        as in x_train/y_train or test_images/test_labels; optionally ids), an `.npy` of images, or
        a folder with one folder of images a class, or with folders train, val, test of such.
    labels: the `.npy` of labels that goes with an `.npy` of images; the one beside it if None.
    part: "train", "val" or "test" of a file that holds several.
    prefer: which parts to take where `part` is None, the first that there is: `keys.TO_TRAIN`
        (train), or `keys.TO_REHEARSE` (val, else test). `notes` says which was taken.
    shape: the expected (h, w, channels) of an image; not checked if None.
    classes: how many classes there are: labels must lie below; or their names in order: then labels
        and class folders may be named so, too. Not checked if None.
    strays: whether labels beyond the classes pass, to be looked at (`count_classes`).

    Images in floats (0..1 or 0..255) or other integers, labels in whole floats, booleans, digits or
    one-hot rows are converted, and `notes` says so. Raises DataError for all else.
    """
    raw = read(Path(path).expanduser(), labels, part, prefer, classes)
    made = from_arrays(*raw[:3], shape=shape, classes=classes, strays=strays, source=raw.source)
    return replace(made, notes=(*raw.notes, *made.notes))


def load_kept(
    path: str | os.PathLike[str],
    folder: Path,
    *,
    part: str | None = None,
    prefer: Sequence[str] = TO_TRAIN,
    shape: Sequence[int],
    classes: int | Sequence[str],
) -> Dataset:
    """`load`, of a large compressed `.npz` unpacked only once: that takes longer than all else.

    folder: where unpacked images are kept, the three newest sets of them; a file that has changed
    since is unpacked anew. Same arguments and errors otherwise; the images are a mapped file.
    """
    source = Path(path).expanduser()
    read = partial(load, source, part=part, prefer=prefer, shape=shape, classes=classes)
    if not _is_slow(source):
        return read()
    facts = source.stat()
    named = classes if isinstance(classes, int) else list(classes)
    known = [str(source.resolve()), facts.st_size, facts.st_mtime_ns, part, list(prefer)]
    known += [list(shape), named, _SCHEMA]
    place = folder / hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]
    found = _read(place, str(source))
    if found is None:
        found = read()
        with suppress(OSError):  # a full or read-only disk: unpacked again next time
            _write(found, place)
    return found


def from_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    ids: ArrayLike | None = None,
    *,
    shape: Sequence[int] | None = None,
    classes: int | Sequence[str] | None = None,
    strays: bool = False,
    source: str = "the arrays",
) -> Dataset:
    """Make a Dataset of arrays in memory, converted and checked as `load` does; same errors."""
    pictures, image_notes = as_images(np.asarray(images), source, shape)
    count = len(pictures)
    numbers, label_notes = as_labels(np.asarray(labels), count, source, classes, strays=strays)
    numbered = as_ids(None if ids is None else np.asarray(ids), count, source)
    return Dataset(pictures, numbers, numbered, (*image_notes, *label_notes), source)


def save(dataset: Dataset, path: str | os.PathLike[str]) -> None:
    """Write an uncompressed `.npz` that `load` reads back, atomically.

    Keys: images uint8 (n, h, w, c); labels uint8 (n, 1), int64 if a label exceeds 255; ids int64
    (n,). Raises DataError for another ending, `FileError` where the file cannot be written.
    """
    if Path(path).suffix != ".npz":
        raise DataError(f"{path}: the name must end in .npz, the only format written here")
    small = len(dataset) == 0 or (dataset.labels.min() >= 0 and dataset.labels.max() <= 255)
    column = dataset.labels[:, None].astype(np.uint8 if small else np.int64)
    with replacing(path, dataset.images.nbytes + column.nbytes + dataset.ids.nbytes) as file:
        np.savez(file, images=dataset.images, labels=column, ids=dataset.ids)


def _frozen(name: str, value: object, dtype: type[np.generic]) -> NDArray[np.generic]:
    array = np.asarray(value)
    if array.dtype != dtype:
        raise DataError(f"{name} must be {np.dtype(dtype)}, not {array.dtype}")
    view = array.view()
    view.flags.writeable = False
    return view


def _is_slow(path: Path) -> bool:
    try:
        if path.suffix != ".npz" or path.stat().st_size < SMALLEST_BYTES:
            return False
        with ZipFile(path) as file:
            return any(info.compress_type != ZIP_STORED for info in file.infolist())
    except (OSError, BadZipFile):
        return False  # `load` says what is wrong


def _read(place: Path, source: str) -> Dataset | None:
    try:
        facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
        images, labels, ids = (
            np.load(place / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
            for name, mode in _ARRAYS.items()
        )
        found = Dataset(images, labels, ids, tuple(facts["notes"]), source)
        found.__dict__["_fingerprints"] = tuple(facts["fingerprints"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None  # not there, or half of it: made anew
    with suppress(OSError):  # another user's folder, or just evicted: the images are here
        os.utime(place)
    return found if len(found.fingerprints()) == len(found) else None


def _write(dataset: Dataset, place: Path) -> None:
    """In one step: a reader, or a kill, never meets half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    made = TemporaryFolder("part-", within=place.parent)
    with made as part:
        for name in _ARRAYS:
            np.save(part / f"{name}.npy", getattr(dataset, name), allow_pickle=False)
        text = json.dumps({"notes": dataset.notes, "fingerprints": dataset.fingerprints()})
        (part / "facts.json").write_text(text, encoding="utf-8")
        made.become(place)
    whole = (one for one in place.parent.iterdir() if not one.name.startswith(PREFIX))
    sets = sorted(whole, key=lambda one: one.stat().st_mtime)
    for old in sets[:-MOST_SETS]:
        shutil.rmtree(old, ignore_errors=True)

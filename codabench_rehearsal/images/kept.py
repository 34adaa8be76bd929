"""Unpacked images kept on disk: inflating a large `.npz` takes longer than all else in a repeated run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from codabench_rehearsal.console.temporary import PREFIX, TemporaryFolder
from codabench_rehearsal.images.dataset import Dataset, load
from codabench_rehearsal.images.keys import TO_TRAIN

SMALLEST_BYTES = 20_000_000  # of a file: smaller ones are unpacked at once
MOST_SETS = 3
_SCHEMA = 2


def load_kept(
    path: str | os.PathLike[str],
    folder: Path,
    *,
    part: str | None = None,
    prefer: Sequence[str] = TO_TRAIN,
    shape: Sequence[int],
    classes: int | Sequence[str],
) -> Dataset:
    """`codabench_rehearsal.images.load`, of a large compressed `.npz` unpacked only once.

    folder: where unpacked images are kept, the three newest sets of them; a file that has changed
    since is unpacked anew. Same arguments and errors otherwise; the images are a mapped file.
    """
    source = Path(path).expanduser()
    read = partial(load, source, part=part, prefer=prefer, shape=shape, classes=classes)
    if not _is_slow(source):
        return read()
    facts = source.stat()
    named = classes if isinstance(classes, int) else list(classes)
    wanted = [part, list(prefer), list(shape), named, _SCHEMA]
    known = [str(source.resolve()), facts.st_size, facts.st_mtime_ns, *wanted]
    place = folder / hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]
    found = _read(place, str(source))
    if found is None:
        found = read()
        with suppress(OSError):  # a full or read-only disk: unpacked again next time
            _write(found, place)
    return found


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
        images = np.load(place / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(place / "labels.npy", allow_pickle=False)
        ids = np.load(place / "ids.npy", allow_pickle=False)
        found = Dataset(images, labels, ids, tuple(facts["notes"]), source)
        prints = tuple(facts["fingerprints"])
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None  # not there, or half of it: made anew
    if len(prints) != len(found):
        return None
    with suppress(OSError):  # another user's folder, or just evicted: the images are here
        os.utime(place)
    found.__dict__["_fingerprints"] = prints
    return found


def _write(dataset: Dataset, place: Path) -> None:
    """In one step: a reader, or a kill, never meets half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    made = TemporaryFolder("part-", within=place.parent)
    with made as part:
        for name in ("images", "labels", "ids"):
            np.save(part / f"{name}.npy", getattr(dataset, name), allow_pickle=False)
        facts = {"notes": dataset.notes}
        text = json.dumps({**facts, "fingerprints": dataset.fingerprints()})
        (part / "facts.json").write_text(text, encoding="utf-8")
        made.become(place)
    whole = (one for one in place.parent.iterdir() if not one.name.startswith(PREFIX))
    sets = sorted(whole, key=lambda one: one.stat().st_mtime)
    for old in sets[:-MOST_SETS]:
        shutil.rmtree(old, ignore_errors=True)

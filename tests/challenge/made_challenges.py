"""A challenge made of a few drawn cells, for the tests of `codabench-challenge make`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.bundle import Bundle, read_bundle
from codabench_rehearsal.commands.codabench_challenge import main
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.images import Dataset, save, synthetic

SEED = 8_234_567_891_234_567
NAMES = (
    "basophil",
    "<b>eosin|ophil</b>",
    'an "ery\\throblast"',
    "monocyte \N{GREEK SMALL LETTER ALPHA}",
)
WORDS = ("--start", "2027-01-01", "--end", "2027-02-01", "--seed", str(SEED))
USUAL = (
    "--corrupt",
    "gaussian_noise:1+jpeg_compression:2",
    "--licence",
    "CC BY 4.0 \N{EM DASH} A. Drawer",
)
Images = NDArray[np.uint8]


def profile(place: Path, interface: str = "", **sections: str) -> Path:
    """A profile's file. interface: lines of that table; sections: name -> lines."""
    quoted = ", ".join(f"'{name}'" for name in NAMES)
    tables = {"interface": interface, "images": "shape = [32, 32, 3]"}
    tables |= {"labels": f"names = [{quoted}]", **sections}
    text = "".join(f"\n[{name}]\n{lines}\n" for name, lines in tables.items())
    path = place / "profile.toml"
    path.write_text(f'schema = 1\nname = "drawn"\ntitle = "Drawn cells"\n{text}', encoding="utf-8")
    return path


@cache
def drawn(count: int) -> Dataset:
    """So many cells, as many of each class."""
    return synthetic(count, seed=3, size=32, classes=len(NAMES), balanced=True)


def cells(place: Path, count: int = 240) -> Path:
    """The data's file."""
    path = place / "cells.npz"
    save(drawn(count), path)
    return path


def make(place: Path, *words: str, given: Path | None = None) -> Path:
    """Make a bundle by the command; given: the profile."""
    data = place / "cells.npz"
    data = data if data.exists() else cells(place)
    out = place / "bundle.zip"
    use = ["--data", data, "--profile", given or profile(place), "--out", out]
    assert main(["make", *map(str, use), *words]) == Exit.FINE
    return out


def opened(bundle: Path, place: Path) -> Bundle:
    """The bundle as the worker has it."""
    return read_bundle(bundle, place / "unpacked")


def contents(archive: bytes | Path) -> dict[str, bytes]:
    """All files of a zip, those of zips in it too, by their names."""
    held = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(held) as file:
        for name in file.namelist():
            found[name] = file.read(name)
            if name.endswith((".zip", ".npz")):
                found |= {f"{name}/{n}": data for n, data in contents(found[name]).items()}
    return found


def public(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What everybody may have."""
    closed = ("input_data/", "reference_data/")
    return {name: data for name, data in files.items() if not name.startswith(closed)}


def arrays(files: Mapping[str, bytes]) -> Iterator[tuple[str, Any]]:
    """Every array, by its name."""
    for name, data in files.items():
        if name.endswith(".npy"):
            yield name, np.load(io.BytesIO(data), allow_pickle=False)


def hidden(files: Mapping[str, bytes], phase: str) -> tuple[Images, NDArray[np.int64]]:
    """A phase's images and labels."""
    held = dict(arrays(files))
    return held[f"input_data/{phase}/images.npy"], held[f"reference_data/{phase}/labels.npy"]


def training(files: Mapping[str, bytes]) -> tuple[Images, NDArray[np.int64]]:
    """The public images and labels."""
    held = dict(arrays(files))
    home = "public_data.zip/training_set.npz"
    return held[f"{home}/images.npy"], held[f"{home}/labels.npy"]

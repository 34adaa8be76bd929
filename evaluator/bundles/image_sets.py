"""The images of a bundle's input data, and on which of them is predicted.

Training images stay clean: what is damaged is what the hidden set is made of. Names say which is
which (`test` and its like against `train`), where they do not, the only set of images is meant, or
those that the user names.
"""

from __future__ import annotations

import re
import struct
import tokenize
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import numpy as np

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import counted, few, shown
from evaluator.bundles.pixels import Array, Layout, layout_of, with_range

Role = Literal["predicted", "training", "answers", ""]
_WORDS: Mapping[Role, str] = {  # in lower case, as whole words; the first row that fits decides
    "answers": (
        "label labels mask masks truth gt y target targets segmentation annotation annotations"
    ),
    "training": "train training trainset traindata tr labeled labelled fit support",
    "predicted": (
        "test tests testing testset testdata te valid validation validset val valset dev devset "
        "eval evaluation private public hidden unlabeled unlabelled query holdout heldout final"
    ),
}
ROLES: Mapping[Role, frozenset[str]] = {r: frozenset(said.split()) for r, said in _WORDS.items()}
PICTURES = (".png", ".jpg", ".jpeg")
LARGEST_MEMBER = 8 << 30  # bytes of one array in an .npz
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# Everything that zipfile, zlib and numpy raise on damaged or foreign bytes.
DAMAGE = (
    *(EOFError, KeyError, MemoryError, NotImplementedError, OSError, OverflowError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class ImageSet:
    """Images that belong together: an array, or the pictures below a folder.

    name: as `--perturb` takes it. files: relative to the input data. member: of an .npz.
    layout: of an array, None for pictures.
    """

    name: str
    files: tuple[str, ...]
    member: str = ""
    layout: Layout | None = None

    @property
    def count(self) -> int:
        """How many images."""
        return self.layout.count if self.layout else len(self.files)

    def __str__(self) -> str:
        kind = str(self.layout) if self.layout else "pictures"
        return f"{shown(self.name)} ({counted(self.count, 'image')}, {kind})"


@dataclass(frozen=True)
class Seen:
    """What was found in one folder of input data.

    chosen: to be damaged. remarks: sentences. unmet: patterns that name no images there. every:
    names of all sets, where patterns decide.
    """

    chosen: tuple[ImageSet, ...] = ()
    remarks: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    every: tuple[str, ...] = ()


def look_into(folders: Iterable[Path], patterns: Sequence[str] = ()) -> dict[Path, Seen]:
    """Find the images that are predicted on in the input data of some tasks; see `look`.

    Raises `EvaluationError` for a pattern that names no images in any of them.
    """
    seen = {folder: look(folder, patterns) for folder in folders}
    for pattern in patterns:
        if all(pattern in one.unmet for one in seen.values()):
            has = few(list(dict.fromkeys(name for one in seen.values() for name in one.every)))
            raise EvaluationError(
                f"--perturb {pattern}: expected a pattern of images in the input data, which "
                f"has {has or 'none'}"
            )
    return seen


def look(folder: Path, patterns: Sequence[str] = ()) -> Seen:
    """Find the images that are predicted on.

    patterns: globs relative to the folder, of files, folders, or `file.npz/member`; they alone
    decide where there are some.
    """
    names = sorted(
        str(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()
    )
    if patterns:
        return _named(folder, names, patterns)
    fit, refused = _fitting(folder, _found(folder, names, said=False))
    roles = {one.name: role_of(one.name) for one in fit}
    chosen = [one for one in fit if roles[one.name] == "predicted"]
    open_sets = [one for one in fit if not roles[one.name]]
    if chosen:
        return Seen(tuple(chosen), tuple(refused))
    if len(open_sets) == 1:
        said = f"{open_sets[0].name} is taken as the images to predict: there are no others"
        return Seen((open_sets[0],), (said, *refused))
    if refused and not fit:
        return Seen(
            (), (*refused, "So nothing is corrupted; --perturb PATTERN names other images.")
        )
    return Seen((), (*refused, _nothing(names, fit)))


def role_of(name: str) -> Role:
    """What a set's name says of it; the deepest part of a path that says anything decides."""
    for part in reversed(PurePosixPath(name).parts):
        words = {word.lower() for word in _WORD.findall(part)}
        words |= {word[1:] for word in words if word[0] == "x" and word != "x"}  # xtest
        beside = ROLES["predicted"] | ROLES["training"]
        words |= {"y" for word in words if word[0] == "y" and word[1:] in beside}  # ytest
        for role, known in ROLES.items():
            if words & known:
                return role
    return ""


def read_array(folder: Path, images: ImageSet) -> Array:
    """An array of images, mapped where the file allows it. Never unpickles."""
    path = folder / images.files[0]
    if not images.member:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    with zipfile.ZipFile(path) as archive, archive.open(images.member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _named(folder: Path, names: Sequence[str], patterns: Sequence[str]) -> Seen:
    found = _found(folder, names, said=True)
    chosen: list[ImageSet] = []
    unmet = []
    for pattern in patterns:
        meant = [one for whole in found if (one := _meant(whole, pattern)) is not None]
        chosen += [one for one in meant if one not in chosen]
        unmet += [] if meant else [pattern]
    fit, refused = _fitting(folder, chosen)
    return Seen(tuple(fit), tuple(refused), tuple(unmet), tuple(one.name for one in found))


def _meant(images: ImageSet, pattern: str) -> ImageSet | None:
    """The part of a set that a pattern names; None for nothing."""
    plain = pattern.strip("/")
    if images.layout:
        is_meant = any(fnmatchcase(one, plain) for one in _with_parents(images.name))
        return images if is_meant else None
    files = [f for f in images.files if any(fnmatchcase(one, plain) for one in _with_parents(f))]
    return replace(images, files=tuple(files)) if files else None


def _with_parents(name: str) -> Iterator[str]:
    path = PurePosixPath(name)
    return (str(one) for one in (path, *path.parents) if str(one) != ".")


def _nothing(names: Sequence[str], fit: Sequence[ImageSet]) -> str:
    """Why nothing is damaged, and how to say what should be."""
    if not fit:
        seen = f"its files are {few(names)}" if names else "it is empty"
        return (
            "No images were found in the input data (.npy, .npz, .png, .jpg), so nothing is "
            f"corrupted: {seen}. If some are images all the same, name them: --perturb PATTERN."
        )
    return (
        f"Nothing says on which images is predicted: {few([one.name for one in fit])}. "
        f"Name them: --perturb {fit[0].name}."
    )


def _fitting(folder: Path, found: Iterable[ImageSet | str]) -> tuple[list[ImageSet], list[str]]:
    """Those whose values are pixels, and sentences on the others."""
    fit, refused = [], []
    for one in found:
        if isinstance(one, str):
            refused.append(one)
        elif one.layout is None:
            fit.append(one)
        else:
            try:
                layout = with_range(one.layout, read_array(folder, one))
            except DAMAGE as error:
                layout = f"it cannot be read ({error})"
            if isinstance(layout, Layout):
                fit.append(replace(one, layout=layout))
            elif role_of(one.name) not in ("answers", "training"):
                refused.append(f"{shown(one.name)} is left as it is: {layout}.")
    return fit, refused


def _found(folder: Path, names: Sequence[str], *, said: bool) -> list[ImageSet]:
    """Every set of images, whatever it is for. said: the user calls something there images."""
    found: list[ImageSet] = []
    for name in names:
        if name.endswith(".npy"):
            found += _array(folder, name, said=said)
        elif name.endswith(".npz"):
            found += _members(folder, name, said=said)
    found += _pictures([name for name in names if name.lower().endswith(PICTURES)])
    return [one for one in found if said or role_of(one.name) != "answers"]


def _array(folder: Path, name: str, *, said: bool) -> Iterator[ImageSet]:
    path = folder / name
    try:
        with path.open("rb") as file:
            layout = _layout(file, path.stat().st_size, said=said)
    except DAMAGE:
        return
    if layout:
        yield ImageSet(name, (name,), layout=layout)


def _members(folder: Path, name: str, *, said: bool) -> Iterator[ImageSet]:
    try:
        with zipfile.ZipFile(folder / name) as archive:
            for info in archive.infolist():
                if not info.filename.endswith(".npy") or info.file_size > LARGEST_MEMBER:
                    continue
                with archive.open(info) as file:
                    layout = _layout(file, info.file_size, said=said)
                if layout:
                    key = info.filename.removesuffix(".npy")
                    yield ImageSet(f"{name}/{key}", (name,), info.filename, layout)
    except DAMAGE:
        return


def _layout(file: IO[bytes], size: int, *, said: bool) -> Layout | None:
    """By the header alone; None for what holds no images, or fewer bytes than it says."""
    shape, _, dtype = _READERS[np.lib.format.read_magic(file)](file)
    if dtype.hasobject or _bytes(shape, dtype) > size:
        return None
    layout = layout_of(shape, dtype, said=said)
    return layout if isinstance(layout, Layout) else None


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    size = dtype.itemsize
    for side in shape:
        size *= side
    return size


def _pictures(names: Sequence[str]) -> Iterator[ImageSet]:
    """Pictures by folder: by the deepest one whose name says what they are for."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_group(PurePosixPath(name).parent)].append(name)
    return (ImageSet(folder, tuple(files)) for folder, files in sorted(groups.items()))


def _group(folder: PurePosixPath) -> str:
    for one in (folder, *folder.parents):
        if role_of(one.name):
            return str(one)
    return folder.parts[0] if folder.parts else "."

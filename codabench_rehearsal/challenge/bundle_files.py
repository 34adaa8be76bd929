"""A bundle's files: a folder or a zip, the zips within it, and how they are unpacked.

A bundle is foreign: names cannot leave the folder, links are not followed out of it, and sizes,
numbers of files and ratios are bounded before anything is written.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from codabench_rehearsal.console.errors import SubmissionError, room_for
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.words import human_bytes, shown
from codabench_rehearsal.console.zip_members import opened as seekable_member

Kind = Literal["file", "folder", ""]
MOST_FILES = 200_000  # of a bundle, its images counted one by one
MOST_BYTES = 64 << 30  # that one zip may unpack to
LARGEST_RATIO = 200  # deflate reaches about 1,000 on zeros; data and code stay below 20
SUSPECT_BYTES = 1 << 30  # masks and empty pictures compress well: below this they may
LARGEST_TEXT = 4 << 20
LEFT_OUT = (".git", "__MACOSX", ".DS_Store", "__pycache__")
DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True, eq=False)
class Tree:
    """The files below a folder, or in a zip.

    sizes: name ("a/b.py") -> bytes. folders: names of folders. opened: a file by its name, to be
    closed by who asks; seekable: the same, read from anywhere at no cost. path: where the folder
    lies, None for a zip. label: for messages.
    """

    sizes: Mapping[str, int]
    folders: frozenset[str]
    opened: Callable[[str], IO[bytes]]
    seekable: Callable[[str], IO[bytes]]
    path: Path | None = None
    label: str = ""

    def kind(self, name: str) -> Kind:
        """What is there by that name, as the site looks for it; a slash at its end is none."""
        plain = plain_name(name)
        if plain in self.sizes:
            return "file"
        return "folder" if plain in self.folders or not plain else ""

    def read(self, name: str, limit: int = LARGEST_TEXT) -> bytes:
        """One file's bytes. Raises `SubmissionError` if it is damaged or larger than `limit`."""
        try:
            with self.opened(plain_name(name)) as file:
                data = file.read(limit + 1)
        except DAMAGED as error:
            raise SubmissionError(
                f"{shown(name)} in {self.label} cannot be read: {error}."
            ) from None
        if len(data) > limit:
            most = human_bytes(limit)
            raise SubmissionError(f"{shown(name)} in {self.label}: expected at most {most}.")
        return data

    def below(self, name: str) -> Tree:
        """The files of one of its folders."""
        start = f"{plain_name(name)}/" if plain_name(name) else ""
        sizes = {n.removeprefix(start): s for n, s in self.sizes.items() if n.startswith(start)}
        folders = (n.removeprefix(start) for n in self.folders if n.startswith(start))
        path = self.path / start if self.path else None
        return Tree(
            sizes,
            frozenset(folders),
            lambda name: self.opened(start + name),
            lambda name: self.seekable(start + name),
            path,
            self.label,
        )

    def in_zip(self, name: str, stack: ExitStack) -> Tree | None:
        """The files of a zip among its files, open as long as the stack is; None for no zip.

        Raises `SubmissionError` for one that is too large.
        """
        try:
            file = stack.enter_context(self.seekable(plain_name(name)))
            archive = stack.enter_context(zipfile.ZipFile(file))
        except (*DAMAGED, NotImplementedError):
            return None
        return _of_zip(file, archive, name)


@contextmanager
def opened_tree(source: Path) -> Iterator[Tree]:
    """The files of a folder or a zip. Raises `SubmissionError` for what is neither."""
    require_file(source, SubmissionError, or_folder=True)
    if source.is_dir():
        yield _of_folder(source)
        return
    if not source.exists():
        raise SubmissionError(
            f"{source}: no such file. Expected a bundle: a zip, or the folder of competition.yaml."
        )
    with ExitStack() as stack:
        try:
            file = stack.enter_context(source.open("rb"))
            archive = stack.enter_context(zipfile.ZipFile(file))
        except (*DAMAGED, NotImplementedError) as error:
            raise SubmissionError(
                f"{source}: expected a bundle's zip or folder, received no readable zip ({error})."
            ) from None
        yield _of_zip(file, archive, source.name)


def place(tree: Tree, name: str, folder: Path) -> Path | None:
    """The folder that a program or data is in, as the site's worker gives it; unpacked if need be.

    A folder on disk stays where it is; a folder of a zip and a zip are unpacked into `folder`.
    None for what is no folder and no zip. Raises `SubmissionError` for a zip that is damaged or
    too large, `NoRoomError`, `OSError`.
    """
    if tree.kind(name) == "folder":
        found = tree.below(name)
        if found.path:
            return found.path
        _write(found, folder)
        return folder
    with ExitStack() as stack:
        inside = tree.in_zip(name, stack) if tree.kind(name) else None
        if inside is None:
            return None
        _write(inside, folder)
    return folder


def plain_name(written: str) -> str:
    """A name as the site finds it in its folder: "./a//b/" is "a/b"; what leads out finds nothing.

    Extract-all puts names that lead out of its folder into it; a name in competition.yaml is joined
    to the folder as it stands.
    """
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts:
        return "/"
    return "" if str(path) == "." else str(path)


def _of_folder(root: Path) -> Tree:
    sizes: dict[str, int] = {}
    folders: set[str] = set()
    home = root.resolve()
    for where, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in LEFT_OUT)
        base = Path(where)
        folders |= {(base / name).relative_to(root).as_posix() for name in names}
        for name in files:
            path = base / name
            if path.is_file() and (not path.is_symlink() or home in path.resolve().parents):
                sizes[path.relative_to(root).as_posix()] = path.stat().st_size
        if len(sizes) > MOST_FILES:
            raise SubmissionError(f"{shown(root)}: expected at most {MOST_FILES:,} files.")

    def opened(name: str) -> IO[bytes]:
        return (root / name).open("rb")

    return Tree(sizes, frozenset(folders), opened, opened, root, str(root))


def _of_zip(file: IO[bytes], archive: zipfile.ZipFile, label: str) -> Tree:
    infos: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for info in archive.infolist():
        parts = [part for part in info.filename.split("/") if part not in ("", ".", "..")]
        above = parts if info.is_dir() else parts[:-1]
        if set(parts) & set(LEFT_OUT):
            continue
        folders |= {"/".join(above[:end]) for end in range(1, len(above) + 1)}
        if parts and not info.is_dir():
            infos["/".join(parts)] = info  # of two files of one name the last one stays
    sizes = {name: info.file_size for name, info in infos.items()}
    packed = sum(info.compress_size for info in infos.values())
    _refuse_bomb(label, sizes, packed)
    return Tree(
        sizes,
        frozenset(folders),
        lambda name: archive.open(infos[name]),
        lambda name: seekable_member(file, archive, infos[name]),
        None,
        label,
    )


def _refuse_bomb(label: str, sizes: Mapping[str, int], packed: int) -> None:
    total = sum(sizes.values())
    if len(sizes) > MOST_FILES:
        raise SubmissionError(f"{shown(label)}: expected at most {MOST_FILES:,} files.")
    if total > MOST_BYTES or (total > SUSPECT_BYTES and total > LARGEST_RATIO * max(packed, 1)):
        size = f"{human_bytes(total)} out of {human_bytes(packed)}"
        raise SubmissionError(f"{shown(label)}: it would unpack to {size}: too much to be data.")


def _write(tree: Tree, folder: Path) -> None:
    """Write all files of a tree; links of a zip become text files that hold where they lead."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.resolve()
    with room_for(folder, sum(tree.sizes.values())):
        for name in tree.folders:
            (home / name).mkdir(parents=True, exist_ok=True)
        for name in tree.sizes:
            target = home / name
            if home not in target.parents or "\\" in name:
                raise SubmissionError(f"{tree.label}: the name {shown(name)} cannot be unpacked.")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with tree.opened(name) as file, target.open("wb") as out:
                    shutil.copyfileobj(file, out)
            except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
                where = f"{shown(name)} in {shown(tree.label)}"
                raise SubmissionError(f"{where} cannot be unpacked: {error}.") from None

"""Pipes, devices, sockets and open descriptors that a user names as an output."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codabench_rehearsal.console import files
from codabench_rehearsal.console.files import (
    FileError,
    check_place,
    draft,
    write_bytes,
    write_text,
)
from tests.console.stage import names

ROOT = os.geteuid() == 0


pytestmark = pytest.mark.usefixtures("empty")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _device(kind: int, major: int, minor: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        try:
            os.mknod(path, kind | 0o666, os.makedev(major, minor))
            if kind == stat.S_IFCHR:
                os.close(os.open(path, os.O_WRONLY))
        except PermissionError:
            pytest.skip("no device can be made here")

    return make


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("folder", Path.mkdir, "received a folder"),
    ("socket", _socket, "received a socket"),
    ("block device", _device(stat.S_IFBLK, 7, 200), "received a block device"),
    ("link to a folder", lambda path: path.symlink_to("/"), "received a folder"),
    ("circle", lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    ("link into /proc", lambda path: path.symlink_to("/proc/x"), "No such file or directory"),
    ("link to nowhere", lambda path: path.symlink_to("no/such/x"), "there is no folder"),
]


@pytest.mark.parametrize(
    ("make", "said"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_is_no_file_is_refused_and_left(make: Callable[[Path], object], said: str) -> None:
    """Else a socket, a device or a folder of the user's is gone."""
    make(Path("x"))
    before = os.lstat("x")
    with pytest.raises(FileError, match=said):
        write_text("x", "y")
    assert os.lstat("x").st_ino == before.st_ino
    assert names() == ["x"]


@pytest.mark.parametrize("link", [False, True])
def test_a_device_is_written_into_and_stays(link: bool) -> None:
    """Else root replaces /dev/null by a file, and the machine breaks."""
    _device(stat.S_IFCHR, 1, 3)(Path("null"))
    target = "null"
    if link:
        Path("link").symlink_to("null")
        target = "link"
    check_place(target)
    write_text(target, "x" * 100_000)
    assert stat.S_ISCHR(Path("null").stat().st_mode)
    with pytest.raises(FileError, match="expected the name of a file"), draft(target):
        pass


def test_a_full_device_is_said_in_one_line() -> None:
    """Else a report that went nowhere counts as written."""
    _device(stat.S_IFCHR, 1, 7)(Path("full"))
    with pytest.raises(FileError, match="full cannot be written: No space left on device"):
        write_text("full", "x" * 100_000)
    assert stat.S_ISCHR(Path("full").stat().st_mode)


def test_a_pipe_gets_it_all_and_stays() -> None:
    """Else `--json PIPE` leaves its reader waiting for ever, and a file in the pipe's place."""
    os.mkfifo("pipe")
    content, heard = os.urandom(300_000), []
    reader = threading.Thread(target=lambda: heard.append(Path("pipe").read_bytes()))
    reader.start()
    write_bytes("pipe", content)
    reader.join(10)
    assert heard == [content]
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_a_reader_that_leaves_early_is_no_mistake() -> None:
    """Else `--json >(head -1)` ends a fine run with an error."""
    os.mkfifo("pipe")
    reader = threading.Thread(target=lambda: os.close(os.open("pipe", os.O_RDONLY)))
    reader.start()
    write_bytes("pipe", bytes(3_000_000))
    reader.join(10)


def test_a_pipe_that_nobody_reads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run hangs for ever after hours of work."""
    monkeypatch.setattr(files, "READER_SECONDS", 0.1)
    os.mkfifo("pipe")
    with pytest.raises(FileError, match=r"pipe is a pipe that nobody read"):
        write_text("pipe", "x")


WRITES = (
    "import sys; from codabench_rehearsal.console.files import *\n"
    "print('before'); check_place({0!r}); write_text({0!r}, 'content\\n'); print('after')"
)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("into", ["pipe", "file", "appended"])
def test_standard_output_by_its_name(empty: Path, name: str, into: str) -> None:
    """Else `--json /dev/stdout > file` loses what was printed, or the file itself."""
    Path("link").symlink_to("/dev/stdout")
    Path("out").write_text("kept\n" if into == "appended" else "", encoding="utf-8")
    mark = {"pipe": "| cat > out", "file": "> out", "appended": ">> out"}[into]
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {mark}', sys.executable, WRITES.format(name)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stderr == ""
    kept = "kept\n" if into == "appended" else ""
    assert (empty / "out").read_text() == f"{kept}before\ncontent\nafter\n"


def test_a_descriptor_for_reading_is_refused() -> None:
    """Else a run ends with a bare errno after hours."""
    Path("x").write_text("x", encoding="utf-8")
    with Path("x").open("rb") as file, pytest.raises(FileError, match="open for reading only"):
        check_place(f"/dev/fd/{file.fileno()}")
    with pytest.raises(FileError, match="/dev/fd/77 cannot be written: Bad file descriptor"):
        check_place("/dev/fd/77")

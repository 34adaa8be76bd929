"""What a child left is read with suspicion: no links, no pipes, no endless files."""

from __future__ import annotations

import os
from pathlib import Path

from codabench_rehearsal.sandbox.validate import read_left


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    """Else no answer ever counts."""
    (tmp_path / "note").write_bytes(b"abc")
    assert read_left(tmp_path / "note", 3) == b"abc"
    assert read_left(tmp_path / "note", 2) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Else a link to the labels would be a perfect answer, and one to /dev/zero fill the memory."""
    (tmp_path / "labels").write_bytes(b"labels")
    (tmp_path / "answer").symlink_to(tmp_path / "labels")
    (tmp_path / "endless").symlink_to("/dev/zero")
    assert read_left(tmp_path / "answer", 100) is None
    assert read_left(tmp_path / "endless", 100) is None


def test_a_pipe_or_folder_is_not_waited_for(tmp_path: Path) -> None:
    """Else the tool hangs for ever on what a child left."""
    os.mkfifo(tmp_path / "pipe")
    assert read_left(tmp_path / "pipe", 100) is None
    assert read_left(tmp_path, 100) is None
    assert read_left(tmp_path / "missing", 100) is None

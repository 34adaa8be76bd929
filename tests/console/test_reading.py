"""Foreign files are refused before they can do harm: pipes, devices, bottomless JSON and TOML."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.reading import (
    DEEPEST,
    TooMuchError,
    parse_json,
    parse_toml,
    read_limited,
    require_file,
    special_kind,
)

DEEP = 100_000
TOO_MUCH = {
    "lists": "[" * DEEP + "]" * DEEP,
    "objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "not closed": "[" * DEEP,
    "behind a text": '["\\"[[[", ' + "[" * DEEP,
    "values": "[" + "[]," * 2_000_001 + "1]",
    "digits": "[" + "9" * 5000 + "]",
}
TOO_MUCH_TOML = {
    "lists": "a = " + "[" * DEEP,
    "tables": "a = " + "{a=" * DEEP,
    "dots": ".".join(["a"] * 50_000) + " = 1",
    "spaced dots": "[" + " . ".join(["a"] * 50_000) + "]",
    "digits": "a = " + "9" * 5000,
}


def test_each_kind_is_told_by_its_name(tmp_path: Path) -> None:
    """Else a command waits for ever for a pipe's writer, or reads a device without an end."""
    pipe, door, plain = tmp_path / "pipe", tmp_path / "door", tmp_path / "plain"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(door))
    plain.write_bytes(b"x")
    (tmp_path / "link").symlink_to(pipe)
    assert [special_kind(tmp_path / name) for name in ("pipe", "link", "door", "", "plain", "no")] == [
        "a pipe", "a pipe", "a socket", "a folder", "", "",
    ]  # fmt: skip
    with pytest.raises(UserError, match="expected a file, received a pipe; save what it gives"):
        require_file(pipe)
    with pytest.raises(UserError, match="expected a file, received a folder"):
        read_limited(tmp_path, 10)
    require_file(tmp_path, or_folder=True)
    require_file(tmp_path / "no")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a device")
def test_a_device_is_not_opened(tmp_path: Path) -> None:
    """Else an endless device fills the memory."""
    device = tmp_path / "zero"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no device may be made here")
    with pytest.raises(UserError, match="received a device"):
        read_limited(device, 10)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Else a file of gigabytes given by mistake fills the memory."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * 11)
    with pytest.raises(UserError, match="expected at most 10 bytes, received 11 bytes"):
        read_limited(path, 10)
    assert read_limited(path, 11) == b"x" * 11


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_bottomless_json_is_refused_in_time(text: str) -> None:
    """Else a config of brackets ends in a fault of ours, or in no memory."""
    begin = time.monotonic()
    with pytest.raises(TooMuchError):
        parse_json(text)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("text", TOO_MUCH_TOML.values(), ids=TOO_MUCH_TOML)
def test_bottomless_toml_is_refused_in_time(text: str) -> None:
    """Else a profile of dots takes minutes and gigabytes."""
    begin = time.monotonic()
    with pytest.raises(ValueError, match=r"nested|thousands of digits"):
        parse_toml(text)
    assert time.monotonic() - begin < 5


def test_what_is_meant_is_read() -> None:
    """Else a saved network of models within models could not be packed."""
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert parse_json(deep)
    assert parse_json(f'["{"[" * 10_000}", "\\"{"{" * 10_000}"]')
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse_toml(f"text = '{'a. ' * 150}'\nb.c.d = 1")["b"] == {"c": {"d": 1}}

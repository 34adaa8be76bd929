"""What the tests of outputs work in, and of signals need."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.console.commands import FILES
from tests.submission.zips import GOOD, build_zip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file for every role."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "trained").mkdir()
    for name in FILES.values():
        (tmp_path / name).write_bytes(f"this is {name}".encode())
    build_zip(tmp_path / "s.zip", GOOD)
    images = np.random.default_rng(0).integers(0, 256, (16, 96, 96, 3), dtype=np.uint8)
    np.savez(tmp_path / "cells.npz", images=images, labels=np.arange(16) % 8)
    return tmp_path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hangups() -> Iterator[None]:
    """SIGHUP ends a child, as it does everywhere but under nohup, whose tests' children ignore it."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)

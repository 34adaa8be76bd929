"""A board of many submissions: one process, whose memory does not grow with their answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.board import fill
from tests.evaluator.stores import ROOT


def measured(folder: Path, submissions: int) -> dict[str, float]:
    """Seconds and MB of a process that draws such a board."""
    path = folder / f"{submissions}.sqlite"
    fill(path, submissions)
    words = [sys.executable, "-m", "bench.board", "--one", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    return dict(json.loads(done.stdout))


@pytest.mark.slow  # it measures
@pytest.mark.parametrize(("submissions", "more_mb", "seconds"), [(120, 40, 60), (1000, 100, 240)])
def test_memory_hardly_grows(
    tmp_path: Path, submissions: int, more_mb: float, seconds: float
) -> None:
    """Else a course's board needs the memory of everybody's answers at once."""
    few, many = measured(tmp_path, 10), measured(tmp_path, submissions)
    assert many["peak_mb"] - few["peak_mb"] < more_mb
    assert many["seconds"] + many["page_seconds"] < seconds

"""Processes that are killed while they write the store, and several that write it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluator.stores import child

JOURNALS = ["wal", "delete"]


def run_rounds(call: str) -> None:
    """Run a function of `store_rounds` in a child; its assertions are this test's."""
    started = child(f"from tests.evaluator.store_rounds import *\n{call}")
    shown, heard = started.communicate(timeout=500)
    assert started.returncode == 0, heard
    assert shown == "whole\n"


@pytest.mark.parametrize("journal", JOURNALS)
def test_a_killed_writer_leaves_a_whole_store(tmp_path: Path, journal: str) -> None:
    """Else a closed laptop or a full memory would cost all past answers and scores."""
    run_rounds(f"kill_rounds({str(tmp_path / 's.sqlite')!r}, {journal!r}, 6, 1)")


@pytest.mark.slow
@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("seed", [2, 3])
def test_killed_writers_leave_a_whole_store_hundreds_of_times(
    tmp_path: Path, journal: str, seed: int
) -> None:
    """Else the rare moment that breaks the file would be met by a user."""
    run_rounds(f"kill_rounds({str(tmp_path / 's.sqlite')!r}, {journal!r}, 300, {seed})")


@pytest.mark.parametrize("journal", JOURNALS)
def test_writers_at_once_do_not_harm_each_other(tmp_path: Path, journal: str) -> None:
    """Else two evaluations in two terminals would lose answers or stop with a fault."""
    run_rounds(f"race({str(tmp_path / 's.sqlite')!r}, {journal!r}, 4, 6)")


@pytest.mark.slow
@pytest.mark.parametrize("journal", JOURNALS)
def test_long_races_lose_nothing(tmp_path: Path, journal: str) -> None:
    """Else the rare lock would stop a run half-way."""
    for number in range(10):
        path = tmp_path / f"{number}.sqlite"
        run_rounds(f"race({str(path)!r}, {journal!r}, 4, 40)")


DRAWS = """
import sys
from evaluator.store.store import Store
with Store.open(sys.argv[1]) as store:
    print(store.order("f" * 32, 2**70), store.order("f" * 32, 1))
"""


def test_processes_that_draw_an_order_at_once_get_the_same(tmp_path: Path) -> None:
    """Else two runs at once, or one that is resumed, would ask in different orders."""
    started = [child(DRAWS, tmp_path / "s.sqlite") for _ in range(3)]
    shown = {run.communicate(timeout=60)[0] for run in started}
    (line,) = shown
    one, other = map(int, line.split())
    assert one != other
    assert 0 <= min(one, other) <= max(one, other) < 2**53

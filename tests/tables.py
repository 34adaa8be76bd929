"""Long tables of tests: what the normal suite takes of them, and who computes what they share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

Row = TypeVar("Row")
Found = TypeVar("Found")
_SHARED_OUT = "PYTEST_XDIST_WORKER"  # set where several processes take the tests


def thinned(rows: Iterable[Any], every: int = 3) -> list[Any]:
    """Rows as parameters: all with `-m slow`, and each so-manieth in the normal suite.

    Tables are written kind after kind, so that a step through them meets each kind.
    """
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            marks=[] if number % every == 0 else [pytest.mark.slow],
        )
        for number, row in enumerate(rows)
    ]


@contextmanager
def begun(
    rows: Mapping[str, Row], work: Callable[[Row], Found], threads: int
) -> Iterator[Callable[[str], Found]]:
    """What work makes of a row, by its name; all are begun at once where no other process helps.

    Else each process would begin those that another one takes, too.
    """
    with ThreadPoolExecutor(threads) as pool:
        early: dict[str, Future[Found]] = {}
        if _SHARED_OUT not in os.environ:
            early = {name: pool.submit(work, row) for name, row in rows.items()}
        yield lambda name: early[name].result() if name in early else work(rows[name])

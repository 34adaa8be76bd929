"""Deflating where it pays."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from submission.zipping import best_level, put

DRAWS = np.random.default_rng(1)
NOISE = DRAWS.bytes(3 << 20)
FLOATS = DRAWS.normal(size=1 << 19).astype("float32").tobytes()
TEXT = b"".join(b"layer_%d = %d\n" % (i, i * i) for i in range(9000))


@pytest.mark.parametrize(
    ("data", "deflated"),
    [
        (b"", False),
        (NOISE, False),
        (FLOATS, True),
        (TEXT, True),
        (b"\0" * 100, True),
        (FLOATS[: 1 << 20] + NOISE[: 1 << 20], True),
        (NOISE + TEXT[:60_000], False),
    ],
)
def test_deflated_where_more_than_3_percent_are_saved(data: bytes, deflated: bool) -> None:
    """Else the upload is larger than need be, or the server unpacks for nothing."""
    level = best_level(data)
    assert (level is not None) == deflated
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        put(file, "x", data, level)
    with zipfile.ZipFile(held) as file:
        saved = 1 - file.getinfo("x").compress_size / max(1, len(data))
        assert file.read("x") == data
    assert (saved > 0.03) if deflated else saved == (0 if data else 1)


def test_a_lower_level_where_a_higher_one_gains_nothing() -> None:
    """Else packing large weights takes several times as long for the same bytes."""
    assert best_level(FLOATS) == 1
    assert best_level(TEXT) in (6, 9)

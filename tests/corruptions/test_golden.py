"""Bytes and revisions: an operator that changes says so."""

from __future__ import annotations

import json

import pytest

from corruptions.registry import Corruption, all_operators
from tools.golden import GOLDEN, digest, environment

RECORDED = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.skipif(
    RECORDED["environment"] != environment(), reason="recorded with other library versions"
)
@pytest.mark.parametrize("operator", all_operators(), ids=lambda op: f"{op.table}/{op.name}")
def test_new_bytes_need_a_new_revision(operator: Corruption) -> None:
    """Else answers stored for the old bytes would be taken for answers to the new ones."""
    entry = RECORDED["operators"].get(f"{operator.table}/{operator.name}")
    assert entry is not None, "new: record it with python tools/golden.py"
    assert {"revision": operator.revision, "hash": digest(operator)} == entry, (
        "raise the operator's revision=, then run python tools/golden.py"
    )

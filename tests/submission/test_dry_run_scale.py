"""Whether a wrong scale is recognised, and chance not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from submission.dry_run_judgement import judge_scale
from submission.dry_run_scale import compare, variants
from submission.preprocessing import MODES


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.integers(1, 9)
)
def test_the_gains_interval_holds_the_gain(pairs: list[tuple[bool, bool]], family: int) -> None:
    """Else a mismatch would be called by chance, or its size be wrong."""
    plain, other = (np.array(side) for side in zip(*pairs, strict=True))
    found = compare(variants(3)[0], plain, other, family)
    assert -1 <= found.low <= found.changed - found.plain + 1e-5
    assert found.changed - found.plain - 1e-5 <= found.high <= 1
    wider = compare(variants(3)[0], plain, other, family + 1)
    assert wider.low <= found.low + 1e-5


def test_chance_is_not_called_a_mismatch() -> None:
    """Else one in twenty right submissions would be refused: nine ways are tried on each."""
    draws = np.random.default_rng(5)
    blamed = 0
    for _ in range(100):
        plain = draws.random(200) < 0.9
        # Two equally good answers that differ on a fifth of the images.
        tried = variants(3)
        different = [
            np.where(draws.random(200) < 0.2, draws.random(200) < 0.9, plain) for _ in tried
        ]
        compared = {
            v.name: compare(v, plain, d, len(tried)) for v, d in zip(tried, different, strict=True)
        }
        blamed += bool(list(judge_scale(compared)))
    assert blamed <= 5


def test_a_mismatch_says_which_way_round() -> None:
    """Else the user would know that something is wrong, and not what to type."""
    tried = {v.name: v for v in variants(3)}
    plain, right = np.arange(200) % 8 == 0, np.arange(200) % 20 != 0
    found = list(judge_scale({"X / 255": compare(tried["X / 255"], plain, right, 9)}))
    assert [f.code for f in found] == ["S708"]
    assert "--scale 0..1" in found[0].advice
    assert "0.950 when fed X / 255" in found[0].message
    assert "all 1 variants" in found[0].message


PAIRS = [("X / 255", "X * 255"), ("X / 127.5 - 1", "(X + 1) * 127.5"), ("caffe", "caffe undone"), ("torch", "torch undone")]  # fmt: skip


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_every_variant_has_its_way_back(there: str, back: str) -> None:
    """Else a preprocessing too many would not be recognised as one too few is."""
    tried = {v.name: v.turn for v in variants(3)}
    pictures = np.random.default_rng(1).integers(0, 256, (4, 5, 6, 3), np.uint8)
    forward = {
        "X / 255": lambda x: x / 255,
        "X / 127.5 - 1": lambda x: x / 127.5 - 1,
        "caffe": MODES["caffe"].apply,
        "torch": MODES["torch"].apply,
    }[there]
    assert np.allclose(tried[there](pictures), forward(pictures.astype("float32")), atol=1e-4)
    assert np.allclose(forward(tried[back](pictures)), pictures, atol=1e-2)


def test_grey_images_have_no_colour_variants() -> None:
    """Else a grey challenge's dry run would end in a fault of ours."""
    grey = np.zeros((2, 8, 8, 1), np.uint8)
    assert all(v.turn(grey).shape == grey.shape for v in variants(1))

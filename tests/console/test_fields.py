"""Fields of foreign files: each mistake is said with file, field, expected and received."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.fields import (
    Fields,
    is_above_zero,
    is_list,
    is_texts,
    is_whole,
    nearest,
    one_of,
    told,
)

TOP = Fields({"size": 0, "name": "x" * 1000, "deep": [{"tone": 1}], "none": None}, "f", UserError)
ONE_OF = one_of(("a", "b"))
INNER = TOP.inner("deep[1]", TOP.values["deep"][0])
WRONG: list[tuple[Any, str]] = [
    (lambda: TOP.take("size", ("a whole number", is_whole)), "f: size: expected a whole number, received 0."),
    (lambda: TOP.take("none", ONE_OF), "f: none: expected one of a, b, received nothing."),
    (lambda: TOP.take("no", ONE_OF), "f: no: expected one of a, b, received nothing."),
    (lambda: INNER.take("tone", ONE_OF), "f: deep[1].tone: expected one of a, b, received 1."),
    (lambda: INNER.only(["tune", "b"]), "f: unknown key deep[1].'tone'; did you mean 'tune'?"),
    (lambda: INNER.only(["b", "c"], "x."), "f: unknown key deep[1].x.'tone'; known: b, c."),
    (lambda: TOP.inner("deep", [1]), "f: deep: expected a table, received [1]."),
]  # fmt: skip


@pytest.mark.parametrize(("read", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_mistake_is_said_with_its_place(read: Any, said: str) -> None:
    """Else somebody searches a file for a mistake that we know."""
    with pytest.raises(UserError) as error:
        read()
    assert str(error.value) == said


def test_a_long_value_is_cut_and_shown_as_its_file_has_it() -> None:
    """Else one value fills the terminal, or JSON is quoted as Python writes it."""
    assert len(str(TOP.fail("name", "less"))) < 500
    assert "received true." in str(
        Fields({"a": True}, "f", UserError, show=json.dumps).fail("a", "b")
    )


def test_what_is_missing_or_null_is_the_default() -> None:
    """Else every optional field has to be written."""
    assert TOP.take("none", ONE_OF, "a") == TOP.take("no", ONE_OF, "a") == "a"


def test_truth_is_no_number() -> None:
    """Else `draws = true` draws once."""
    assert not is_whole(True)
    assert not is_above_zero(True)
    assert is_above_zero(0.5)
    assert not is_above_zero(float("inf"))
    assert not is_list([])
    assert is_texts([])
    assert nearest("fgo", ["fog", "snow"]) == "did you mean 'fog'?"
    assert not nearest("fgo", ["snow"])


READING: list[tuple[Exception, str]] = [
    (PermissionError(13, "Permission denied"), "f cannot be read: Permission denied."),
    (ValueError("line 1"), "f: is not TOML: line 1."),
    (UserError("as it is"), "as it is"),
]


@pytest.mark.parametrize(("error", "said"), READING)
def test_what_cannot_be_read_is_said(error: Exception, said: str) -> None:
    """Else a broken file is a fault of ours."""
    words = {"malformed": ": is not TOML: {}.", "unreadable": " cannot be read: {}."}
    with pytest.raises(UserError) as raised, told("f", UserError, **words):
        raise error
    assert str(raised.value) == said

"""Foreign text made fit to be shown: nothing deceives, and nothing honest is touched."""

from __future__ import annotations

import json
import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codabench_rehearsal.console import words

ANY = st.text(st.characters(), max_size=60)  # lone surrogates too
HONEST = (
    "café naïve Ünïcödé ßøåñ",
    "红细胞 血小板 赤血球 적혈구",
    "كريات الدم الحمراء",
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "क्‍ष की कोशिका",  # Hindi, with a zero-width joiner
    "עברית",
    "👩🏽‍💻 👨‍👩‍👧 ❤️ 1️⃣ 🙂‍↔️ 🏳️‍🌈",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "C:\\new\\table [/red] :smile: <b> 'quoted' \u00a0 – … ½ ±",  # noqa: RUF001  the signs themselves
)
DECEIVING = {
    "\x1b[2J": r"\x1b[2J",
    "\x9b31m": r"\x9b31m",
    "\x7f": r"\x7f",
    "a\nready": r"a\nready",
    "a\r\tb": r"a\r\tb",
    "a\u202egpj.exe": r"a\u202egpj.exe",
    "\u2066\u2069": r"\u2066\u2069",
    "a\u2028b\u2029c": r"a\u2028b\u2029c",
    "a\u200bb\u200db\ufeff\xad": r"a\u200bb\u200db\ufeff\xad",
    "x\U000e0041\U000e007f": r"x\U000e0041\U000e007f",
    "\udcff": r"\udcff",
    "a\ufe0f\ufe0f": "a\ufe0f\\ufe0f",
}


def deceives(text: str) -> bool:
    """Whether a sign of these kinds is left: controls, invisible ones, separators, surrogates."""
    joiners = "\u200c\u200d"
    seen = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return any(unicodedata.category(sign) in kinds for sign in text if sign not in joiners + seen)


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_passes_as_it_is(text: str) -> None:
    """Else people who write in other alphabets find their names broken."""
    assert words.one_line(text) == text
    assert words.several_lines(f"{text}\n\t{text}") == f"{text}\n\t{text}"


@pytest.mark.parametrize(("text", "shown"), DECEIVING.items())
def test_what_deceives_is_shown_by_its_number(text: str, shown: str) -> None:
    """Else a file's name moves the cursor, hides its ending or begins a line as if we said it."""
    assert words.one_line(text) == shown


@given(ANY)
def test_no_text_deceives(text: str) -> None:
    """Else one sign that nobody thought of gets through."""
    plain = words.one_line(text)
    assert not deceives(plain.replace("\U0001f3f4\U000e0067", ""))
    plain.encode("utf-8")  # can be written anywhere
    assert words.one_line(plain) == plain


@given(ANY)
def test_what_follows_the_first_line_is_marked(text: str) -> None:
    """Else an error message that holds a name prints a second line that looks like ours."""
    first, *others = words.ours(f"tool: {text}").split("\n")
    assert first.startswith("tool: ")
    assert all(line.startswith(words.MARK) for line in others)
    assert all(line.startswith(words.MARK) for line in words.marked(text))


@given(ANY)
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    """Else a team's spreadsheet runs a submission's name, or an import changes it."""
    cell = words.cell(text)
    assert not re.match(r"[\s]*[=+\-@]|[\t\r]", cell)
    assert words.from_cell(cell) == words.cleaned(text, keep="\n")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "'=1", " =1", "\uff1d1"])  # fmt: skip
def test_formulas_get_their_sign(text: str) -> None:
    """Else the sheet calculates what somebody called a zip."""
    assert words.cell(text) == f"'{words.cleaned(text)}"


@given(st.dictionaries(ANY, st.one_of(ANY, st.floats(), st.lists(ANY, max_size=2)), max_size=5))
def test_json_is_valid_and_loses_no_key(document: dict[str, object]) -> None:
    """Else a program that reads the report stops at a name, or misses a file."""
    text = words.as_json(document)
    assert text.isascii()
    found = json.loads(text, parse_constant=pytest.fail)
    assert len(found) == len(document)
    assert not any(deceives(key.replace("\U0001f3f4\U000e0067", "")) for key in found)


def test_long_text_is_cut_in_the_middle_in_time() -> None:
    """Else one name of a hundred megabytes fills the terminal for minutes."""
    begin = time.monotonic()
    line = words.one_line("a" * 50_000_000 + "\x1b" * 50_000_000)
    log = words.several_lines("\x1b\n" * 5_000_000)
    assert time.monotonic() - begin < 2
    assert line.endswith(r"\x1b (100,000,000 characters)")
    assert len(line) < 12_000
    assert log.startswith("[... 49")
    assert log.count("\n") == words.MOST_LINES

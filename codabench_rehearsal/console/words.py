r"""Foreign text made fit to stand beside ours, and the small words that our own sentences share.

Names of files and members, class names, notes, versions, what a child wrote: none of it may move
the cursor, colour the terminal, turn the direction of a line, hide a sign, or begin a line as if we
said it. Such signs are shown by their numbers, as Python writes them (`\x1b`, `\u202e`); text in
any language passes as it is, the joiners of Persian, Hindi and emoji included. There is one rule,
`cleaned`, and a function for each place: a line of ours, lines of theirs, a spreadsheet, JSON.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LONGEST_NAME = 300  # characters of a foreign name that a message shows
LONGEST_LINE = 4000  # of a line of ours, with what is foreign in it
LONGEST_TEXT = 100_000  # of a foreign text of several lines
MOST_LINES = 400
MARK = "    | "  # stands before every line that is not ours
# C0, C1 and DEL, invisible format signs, line separators, lone surrogates, no characters at all.
# Of Unicode's format signs (Cf) those that are seen, as the Arabic sign for a year, are left out.
_SUSPECT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DRAWING = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x08+")
_TAGS = "\U000e0020-\U000e007e"
_FLAG = re.compile(f"\U0001f3f4[{_TAGS}]{{4,6}}\U000e007f")  # the flags of England, Scotland, Wales
_FLAGS = ("gbeng", "gbsct", "gbwls")
_JOINERS = "\u200c\u200d"
_JOINED = ("Lo", "Mn", "Mc", "So", "Sk", "Sm")  # letters without case, their marks, pictures
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_FORMULA = re.compile(r"[\s']*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")


def cleaned(text: str, keep: str = "") -> str:
    """Foreign text with every sign that could deceive shown by its number.

    keep: control characters that are harmless where it goes, as a newline. Lone surrogates, which
    stand for bytes that are no UTF-8, are shown too, so that the result can always be encoded.
    """
    if text.isascii() and text.isprintable():
        return text
    found = _FLAG.split(text)
    flags = [flag if _is_flag(flag) else _by_number(flag, keep) for flag in _FLAG.findall(text)]
    parts = (_by_number(part, keep) for part in found)
    return "".join(part + flag for part, flag in zip(parts, (*flags, ""), strict=True))


def uncoloured(text: str) -> str:
    """A log without what honest programs write to colour it and to draw their progress."""
    return _DRAWING.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: object, longest: int = LONGEST_LINE) -> str:
    """Foreign text as a part of one line of ours; what is too long is cut in its middle."""
    return cleaned(_cut(str(text), longest))


def shown(text: object) -> str:
    """A foreign name in a sentence of ours: `one_line`, and short."""
    return one_line(text, LONGEST_NAME)


def several_lines(text: str, longest: int = LONGEST_TEXT, most: int = MOST_LINES) -> str:
    """Foreign text that keeps its lines, as a log: the end of it where it is too long.

    Whoever shows it marks each line as not ours (`marked`).
    """
    lines = text[-longest:].replace("\r\n", "\n").split("\n")
    left_out = len(lines) - most
    if left_out > 0:
        lines = [f"[... {left_out} lines cut ...]", *lines[-most:]]
    return cleaned("\n".join(lines), keep="\n\t")


def marked(text: str, mark: str = MARK) -> list[str]:
    """The lines of a foreign text, each with the mark of what is not ours."""
    return [mark + line for line in several_lines(text).split("\n")]


def ours(line: str) -> str:
    """A message of ours as it goes out: what follows its first line is marked, never forged."""
    first, *others = line.split("\n")
    return "\n".join([one_line(first), *(MARK + one_line(other) for other in others[:MOST_LINES])])


def cell(text: str) -> str:
    """Foreign text in a spreadsheet's cell, which must not be taken for a formula: `'` before it.

    `from_cell` takes the sign off again; texts that need none are left alone.
    """
    plain = cleaned(_cut(text, LONGEST_TEXT), keep="\n")
    return f"'{plain}" if _FORMULA.match(plain) else plain


def from_cell(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def as_json(document: Any, *, indent: int = 1) -> str:
    """A document as JSON text that ends in a newline: ASCII, NaN and infinity as null.

    Texts are cleaned as everywhere, keys too, with their lines kept: a lone surrogate, which other
    programs refuse, is the six signs that stand for it.
    """
    return json.dumps(_document(document), indent=indent, allow_nan=False) + "\n"


def quoted(word: Path | str) -> str:
    """A word as a shell takes it, whatever signs it is made of."""
    text = os.fspath(word)
    if text.isprintable():
        return shlex.quote(text)
    plain = [byte for byte in range(32, 127) if byte not in b"\\'"]
    signs = (chr(one) if one in plain else f"\\x{one:02x}" for one in os.fsencode(text))
    return f"$'{''.join(signs)}'"


def counted(number: int, one: str, many: str = "") -> str:
    """1 image, 2 images."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ago(seconds: float) -> str:
    """How long something is past: 5 minutes ago, 3 hours ago, 2 days ago; in the future: now."""
    minutes = max(0, round(seconds / 60))
    if minutes < 90:
        return f"{counted(minutes, 'minute')} ago"
    hours = round(minutes / 60)
    return f"{counted(hours, 'hour') if hours < 48 else counted(round(hours / 24), 'day')} ago"


def listed(words: Sequence[str], most: int = 20) -> str:
    """a, b and c; of more than `most` words the first, and how many more there are."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most:,} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def few(words: Sequence[str], most: int = 8) -> str:
    """a, b, c, each a foreign name; of more than `most` the first, and how many more there are."""
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(map(shown, words[:most])) + more


def percent(share: float) -> str:
    """A share of 0..1 as 87 %."""
    return f"{share:.0%}".replace("%", " %")


def parse_bytes(text: str) -> int:
    """Read "500MB", "2 GiB" or "1000" as bytes. Raises ValueError saying what was expected."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text.lower())
    if not found or float(found[1]) == 0:
        raise ValueError(f"expected a size such as 500MB or 2GiB, received {text!r}")
    return round(float(found[1]) * _UNITS[found[2] or ""])


def human_bytes(count: float) -> str:
    """A size for people, in decimal units: 812 bytes, 65.5 kB, 3.2 MB, 1.25 GB."""
    for unit, decimals in (("bytes", 0), ("kB", 1), ("MB", 1), ("GB", 2)):
        if count < 1000:
            return f"{count:.{decimals}f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def _cut(text: str, longest: int) -> str:
    """The beginning and the end of a text, with its length between them where it is longer."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... {text[-half:]} ({len(text):,} characters)"


def _by_number(text: str, keep: str) -> str:
    return _SUSPECT.sub(lambda found: _sign(found, keep), text)


def _sign(found: re.Match[str], keep: str) -> str:
    """One suspect sign: as it is where it belongs there, else its number."""
    sign, text = found[0], found.string
    if sign in keep:
        return sign
    before = text[max(0, found.start() - 1) : found.start()]
    after = text[found.end() : found.end() + 1]
    if sign in _JOINERS and _is_joined(before) and _is_joined(after):
        return sign
    if _selects(sign) and before and not _selects(before) and not _SUSPECT.match(before):
        return sign
    return _SHORT.get(sign) or ascii(sign)[1:-1]


def _is_joined(sign: str) -> bool:
    return sign > "\x7f" and unicodedata.category(sign) in _JOINED


def _selects(sign: str) -> bool:
    """Whether a sign chooses how the one before it looks: a heart in red, an old letter."""
    return "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"


def _is_flag(text: str) -> bool:
    return "".join(chr(ord(sign) - 0xE0000) for sign in text[1:-1]) in _FLAGS


def _document(value: Any) -> Any:
    match value:
        case str():
            return cleaned(value, keep="\n\t")
        case bytes():  # a damaged store gives them for texts
            return cleaned(value.decode("utf-8", "backslashreplace"), keep="\n\t")
        case dict():
            return _with_keys(value)
        case list() | tuple() | set() | frozenset():
            return [_document(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
    return value


def _with_keys(fields: dict[Any, Any]) -> dict[Any, Any]:
    """Keys cleaned too; two that come out alike are both kept, the later one with a number."""
    made: dict[Any, Any] = {}
    for key, value in fields.items():
        plain, number = (one_line(key) if isinstance(key, str) else key), 2
        while plain in made:
            plain, number = f"{one_line(key)} ({number})", number + 1
        made[plain] = _document(value)
    return made

"""How much room text takes in a drawing whose reader brings the font.

A page cannot measure text: which sans-serif draws it is known only where it is read. So widths are
estimated from above, letter by letter, by the widest of the common fonts (DejaVu Sans, Verdana,
Noto Sans, Arial and Liberation Sans; full-width scripts are one em wide in all of them). A drawing
gives its names the room that they need, breaks long ones into lines, and shortens only those that
would leave no room for the figure. Units are those of the drawing, sizes those of the style sheet.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluator.report import svg
from evaluator.report.markup import Tag, tag

LABEL, QUIET = 12.0, 11.0  # font sizes of page.css
LEADING = 1.2  # from one baseline to the next, in font sizes
_BOLD = 1.22
_EMS: Mapping[str, float] = {
    letter: ems
    for ems, letters in (
        (0.29, "'ijl"),
        (0.37, " ,.f"),
        (0.43, "!Irt"),
        (0.46, '"()-/:;[\\]'),
        (0.56, "*?JL_`csz|"),
        (0.64, "$0123456789FTabdeghknopquvxy{}"),
        (0.7, "ABEKPSVXYZ"),
        (0.8, "&CDGHNOQRU"),
        (0.84, "#+<=>^w~\u00b1\u2212"),
        (1.0, "MWm\u2026"),
        (1.08, "%@"),
    )
    for letter in letters
}
_PICTURE = 1.4  # emoji and other symbols
_PIECES = re.compile(r"[^\s_\-/+:.,]*[_\-/+:.,]+|[^\s_\-/+:.,]+|\s+")


@dataclass(frozen=True)
class Names:
    """Names that stand below or beside each other in a drawing, all broken for the same room.

    room: width of the widest line; height: of the name with most lines; both in units.
    """

    lines: Mapping[str, tuple[str, ...]]
    room: float
    size: float

    @property
    def height(self) -> float:
        """Room from the first line's top to the last one's bottom."""
        most = max((len(lines) for lines in self.lines.values()), default=1)
        return most * self.size * LEADING

    def draw(
        self, name: str, x: float, y: float, class_: str, anchor: str = "start", **more: str
    ) -> Tag:
        """A name whose lines lie around y, from, around or up to x."""
        lines, leading = self.lines[name], self.size * LEADING
        first = y + 0.35 * self.size - leading * (len(lines) - 1) / 2
        if len(lines) == 1 and not more:
            return svg.text(x, first, lines[0], class_, anchor)
        space = " " if anchor == "start" else ""  # for those who copy; counts as width elsewhere
        ends = [space] * (len(lines) - 1) + [""]
        spans = (
            tag("tspan", said + end, x=x, y=first + leading * place)
            for place, (said, end) in enumerate(zip(lines, ends, strict=True))
        )
        return tag("text", *spans, class_=class_, text_anchor=anchor, **more)


def fitted(
    names: Iterable[str], most: float, lines: int, size: float = LABEL, *, bold: bool = False
) -> Names:
    """Names broken into as few lines as `most` units of width allow, at most `lines`.

    Names that need no more than `most` keep to one line. With more lines the room is the smallest
    that holds them and every word; what still does not fit is shortened.
    """
    every = tuple(dict.fromkeys(names))

    def whole(room: float, count: int) -> bool:
        return all(len(wrapped(name, room, count + 1, size, bold=bold)) <= count for name in every)

    count = next((n for n in range(1, lines + 1) if whole(most, n)), lines)
    words = [width_of(word, size, bold=bold) for name in every for word in _words(name)]
    room = min(most, max(words, default=0.0))
    while room < most and not whole(room, count):
        room = min(most, room + size / 4)
    chosen = {name: wrapped(name, room, count, size, bold=bold) for name in every}
    widths = (width_of(part, size, bold=bold) for found in chosen.values() for part in found)
    return Names(chosen, max(widths, default=0), size)


def wrapped(
    said: str, room: float, lines: int, size: float = LABEL, *, bold: bool = False
) -> tuple[str, ...]:
    """The text in lines no wider than `room`: broken at spaces and signs, else inside words.

    What `lines` lines do not hold ends in an ellipsis. A space at a break is left out, and several
    are one, as in HTML.
    """
    said = " ".join(said.split())
    found = [""]
    for piece in _pieces(said, room, size, bold=bold):
        if found[-1] and width_of((found[-1] + piece).rstrip(), size, bold=bold) > room:
            found.append("")
        found[-1] += piece if found[-1] else piece.lstrip()
    if len(found) <= lines:
        return tuple(part.rstrip() for part in found)
    rest = "".join(found[lines - 1 :])
    while rest and width_of(rest + "\u2026", size, bold=bold) > room:
        rest = rest[:-1]
    return (*(part.rstrip() for part in found[: lines - 1]), rest.rstrip() + "\u2026")


def in_lines(said: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """A sentence in as many lines as it needs, broken at spaces."""
    found = [""]
    for word in said.split():
        longer = f"{found[-1]} {word}".lstrip()
        if width_of(longer, size, bold=bold) > room and found[-1]:
            found.append(word)
        else:
            found[-1] = longer
    return found


def width_of(said: str, size: float = LABEL, *, bold: bool = False) -> float:
    """At most so wide is this text in a common sans-serif font of that size."""
    return sum(_ems(letter) for letter in said) * size * (_BOLD if bold else 1.0)


def _ems(letter: str) -> float:
    """An upper bound of one letter's advance, in font sizes."""
    known = _EMS.get(letter)
    if known is not None:
        return known
    category = unicodedata.category(letter)
    if unicodedata.combining(letter) or category in ("Mn", "Me", "Cf"):
        return 0.0
    if category in ("So", "Sk") or ord(letter) > 0x1F000:
        return _PICTURE if ord(letter) < 0x20000 else 1.0
    return _EMS.get(unicodedata.normalize("NFD", letter)[0], 1.0)


def _words(name: str) -> list[str]:
    """What is not broken where there is room."""
    return [word for piece in _PIECES.findall(name) for word in _wide_apart(piece) if word.strip()]


def _pieces(said: str, room: float, size: float, *, bold: bool) -> Iterable[str]:
    """The parts between which a line may end, none wider than the room."""
    for word in (word for piece in _PIECES.findall(said) for word in _wide_apart(piece)):
        now = ""
        for letter in word:
            joins = not _ems(letter) or now.endswith("\u200d")
            if now and not joins and width_of(now + letter, size, bold=bold) > room:
                yield now
                now = ""
            now += letter
        yield now


def _wide_apart(piece: str) -> list[str]:
    """Chinese and Japanese break between any two characters, other scripts not."""
    found = [""]
    for letter in piece:
        wide = unicodedata.east_asian_width(letter) in "WF"
        if found[-1] and (wide or unicodedata.east_asian_width(found[-1][-1]) in "WF"):
            found.append("")
        found[-1] += letter
    return found

"""Values out of foreign TOML and JSON; errors name file, field, what was expected and received."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.words import LONGEST_NAME, one_line

Expected = tuple[str, Callable[[Any], bool]]  # a value in words, and whether a value is such a one
_NEEDED = object()


def is_text(value: object) -> bool:
    """Any text, an empty one too."""
    return isinstance(value, str)


def is_whole(value: object) -> bool:
    """A whole number from 1; True is none."""
    return type(value) is int and value >= 1


def is_above_zero(value: object) -> bool:
    """A finite number above 0; True is none."""
    return type(value) in (int, float) and 0 < value < math.inf  # type: ignore[operator]


def is_list(value: object) -> bool:
    """A list with an entry."""
    return isinstance(value, list) and bool(value)


def is_texts(value: object) -> bool:
    """A list of texts, an empty one too."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def one_of(among: Iterable[str]) -> Expected:
    """One of these words."""
    known = tuple(among)
    return f"one of {', '.join(known)}", lambda value: value in known


@dataclass(frozen=True)
class Fields:
    """A table of a foreign file that knows where it stands.

    values: as parsed. source: the file, as messages call it. wrong: what is raised. place: what
    stands before a field's name, as "family[2].". missing: what is said to be received where a
    field is missing or null. show: a received value in words.
    """

    values: Mapping[str, Any]
    source: str | Path
    wrong: type[UserError]
    place: str = ""
    missing: str = "nothing"
    show: Callable[[Any], str] = repr

    def fail(self, field: str, expected: str, received: object = None) -> UserError:
        """The error for a field. received: what to show in the place of its value."""
        value = self.values.get(field) if received is None else received
        said = self.missing if value is None else one_line(self.show(value), LONGEST_NAME)
        where = f"{self.source}: {self.place}{field}"
        return self.wrong(f"{where}: expected {expected}, received {said}.")

    def only(self, known: Iterable[str], section: str = "") -> None:
        """Raise for a field of another name. section: of the file, where `place` says none."""
        known = tuple(known)
        for field in self.values:
            if field not in known:
                hint = nearest(field, known) or f"known: {', '.join(known)}."
                where = f"{self.source}: unknown key {self.place}{section}{field!r}"
                raise self.wrong(f"{where}; {hint}")

    def take(self, field: str, expected: Expected, default: object = _NEEDED) -> Any:
        """A field's value; `default` where it is missing or null. Raises for another one."""
        value = self.values.get(field)
        if value is None and default is not _NEEDED:
            return default
        if not expected[1](value):
            raise self.fail(field, expected[0])
        return value

    def inner(self, place: str, values: object) -> Fields:
        """The table at a place of this one, as "family[2]"; its fields are named after that."""
        if not isinstance(values, dict):
            where, said = f"{self.source}: {self.place}{place}", self.show(values)
            raise self.wrong(f"{where}: expected a table, received {one_line(said, LONGEST_NAME)}.")
        return replace(self, values=values, place=f"{self.place}{place}.")


def nearest(word: str, known: Iterable[str]) -> str:
    """The question "did you mean 'fog'?" for a word that nobody knows; "" where none is near."""
    near = difflib.get_close_matches(word, tuple(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def refuse_unknown(
    given: Iterable[str], options: type, wrong: type[UserError], *others: str, leave: str = ""
) -> None:
    """Raise `wrong` for a keyword of a call in Python that is no field of the dataclass `options`.

    others: further keywords that the call takes. leave: a field that it does not.
    """
    known = {*(one.name for one in fields(options)), *others} - {leave}
    for name in given:
        if name not in known:
            hint = nearest(name, sorted(known)) or f"expected one of {', '.join(sorted(known))}"
            raise wrong(f"unknown option {name!r}; {hint}")


@contextmanager
def told(
    source: str | Path, wrong: type[UserError], *, malformed: str, unreadable: str = ""
) -> Iterator[None]:
    """Say what inside cannot be read or parsed as `wrong`.

    malformed, unreadable: what is said behind the file's name, {} for why, as ": not JSON ({}).";
    without `unreadable` the system's own error passes.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        if not unreadable:
            raise
        raise wrong(f"{source}{unreadable.replace('{}', error.strerror or str(error))}") from error
    except ValueError as error:
        raise wrong(f"{source}{malformed.replace('{}', str(error))}") from None

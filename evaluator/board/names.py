"""Whose a submission is, and what it is called where nobody is to know: teams and letters."""

from __future__ import annotations

import csv
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.reading import read_limited
from codabench_rehearsal.console.words import counted, few, from_cell, shown
from evaluator.store.rows import Submission

LARGEST = 4 << 20  # bytes of a table of teams
MOST_ROWS = 20_000
SHORTEST_SHA = 8
ORDER_OF = "letters of a board"  # in the place of a data set: the store's secret for them
_ZIP = ("zip", "submission", "file", "filename", "name", "sha256")
_TEAM = ("team", "group", "team_name", "who")
_LETTERS, _FEWEST = 26, 5
_ADVICE = "Give two columns with a header, zip,team, a row for each zip"


@dataclass(frozen=True)
class Teams:
    """Team by what the table calls the zip.

    That is its file name, with .zip or without, the end of its path where many are called
    submission.zip, or the start of its SHA-256.
    """

    source: str
    by_zip: Mapping[str, str]

    def of(self, one: Submission) -> str:
        """A submission's team; "" where the table has none."""
        return self.by_zip.get(self._called(one), "")

    def notes(self, known: Sequence[Submission]) -> list[str]:
        """What of the table no submission is, and which submissions have no team."""
        used = {self._called(one) for one in known}
        strange = [name for name in self.by_zip if name not in used]
        without = [one.name for one in known if not self.of(one)]
        said = []
        if strange:
            many = counted(len(strange), "zip")
            said.append(f"{self.source} names {many} not on the board: {few(strange)}.")
        if without:
            said.append(f"{counted(len(without), 'submission')} without a team: {few(without)}.")
        return said

    def _called(self, one: Submission) -> str:
        """The table's word for a submission, the longest first; "" where there is none."""
        parts = PurePath(one.path or one.name).parts
        ends = ["/".join(parts[at:]).removeprefix("//") for at in range(len(parts))]
        plain = one.name.removesuffix(".zip")
        starts = [one.sha256[:size] for size in range(SHORTEST_SHA, len(one.sha256) + 1)]
        words = (*ends, *reversed(starts), one.name, plain, f"{plain}.zip")
        found = next((word for word in words if word in self.by_zip), "")
        return found or self._by_last_part.get(one.name, "")

    @cached_property
    def _by_last_part(self) -> dict[str, str]:
        """The table's path by its last part, where that is of one zip alone."""
        names = Counter(PurePath(word).name for word in self.by_zip)
        return {name: word for word in self.by_zip if names[name := PurePath(word).name] == 1}


def read_teams(path: Path) -> Teams:
    """A table of zips and teams: CSV with commas, semicolons or tabs.

    Raises `EvaluationError` for no such table, and for a zip of two teams.
    """
    rows = _rows(path)
    header = [cell.casefold().replace(" ", "_") for cell in rows[0]] if rows else []
    at = [next((header.index(n) for n in names if n in header), -1) for names in (_ZIP, _TEAM)]
    if -1 in at:
        received = few(rows[0]) if rows else "nothing"
        raise EvaluationError(
            f"{shown(path)}: expected columns zip and team, received {received}. {_ADVICE}."
        )
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        name, team = (row[place] if place < len(row) else "" for place in at)
        name = name.replace("\\", "/").removeprefix("./")
        if not name or not team:
            continue
        if found.setdefault(name, team) != team:
            raise EvaluationError(
                f"{shown(path)}, row {number}: expected one team for {shown(name)}, received "
                f"{shown(found[name])} and {shown(team)}. {_ADVICE}."
            )
    return Teams(shown(path.name), found)


def letters(secret: int, keys: Iterable[str]) -> dict[str, str]:
    """Names that tell nothing: the same key has the same letters wherever the secret is known.

    Two keys with the same letters get longer ones, the later one in order of their digests.
    """
    digests = {key: _number(secret, key) for key in set(keys)}
    made: dict[str, str] = {}
    taken: set[str] = set()
    for key, digest in sorted(digests.items(), key=lambda item: item[1]):
        size = _FEWEST
        while (name := _spelt(digest, size)) in taken:
            size += 1
        taken.add(name)
        made[key] = name
    return made


def _rows(path: Path) -> list[list[str]]:
    try:
        content = read_limited(path, LARGEST, EvaluationError)
    except OSError as error:
        raise EvaluationError(f"{shown(path)}: {error.strerror}. {_ADVICE}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    lines = text.splitlines()
    if len(lines) > MOST_ROWS:
        raise EvaluationError(
            f"{shown(path)}: expected at most {MOST_ROWS:,} rows, received {len(lines):,}."
        )
    sign = next((one for one in ",;\t" if lines and one in lines[0]), ",")
    try:
        rows = list(csv.reader(lines, delimiter=sign))
    except csv.Error as error:
        raise EvaluationError(f"{shown(path)}: not CSV ({error}). {_ADVICE}.") from error
    return [[from_cell(cell.strip()) for cell in row] for row in rows if any(row)]


def _number(secret: int, key: str) -> int:
    digest = hmac.new(str(secret).encode(), key.encode("utf-8", "backslashreplace"), "sha256")
    return int.from_bytes(digest.digest(), "big")


def _spelt(number: int, size: int) -> str:
    made = ""
    for _ in range(size):
        number, place = divmod(number, _LETTERS)
        made += chr(ord("A") + place)
    return made

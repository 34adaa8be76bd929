"""Submissions as a user names them, in the store that the user means."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.commands.evaluation_arguments import say
from codabench_rehearsal.commands.given import require_zip
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import cleaned, few
from evaluator.report.history import SHORT
from submission.archive import sha256_of

if TYPE_CHECKING:
    from evaluator.store.store import Store, Submission

_SHOWN = 4  # submissions that a message lists


@contextmanager
def opened(place: Path) -> Iterator[Store]:
    """The store; what it has to say of itself goes to standard error."""
    from evaluator.store.store import Store  # it starts numpy

    with Store.open(place) as store:
        for note in store.notes:
            say(note)
        yield store


def contents(word: str) -> str:
    """A zip's SHA-256, "" where there is no such file. Raises `EvaluationError`."""
    path = Path(word)
    if not path.exists():
        return ""
    require_zip(path)
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise EvaluationError(f"{word}: {error.strerror}. Allow reading it") from error
    if not zipfile.is_zipfile(path):
        raise EvaluationError(f"{word}: expected the zip that was uploaded, received another file")
    return sha256


def named(store: Store, word: str, *, name_only: bool = False) -> tuple[Submission, ...]:
    """The stored submissions that a word may mean: a name, a zip's place, a start of a SHA-256.

    name_only: the one of this whole name whose zip was never seen.
    """
    if name_only:
        whole = cleaned(word)
        return tuple(one for one in store.find(word) if one.name == whole and not one.sha256)
    return store.find(word) or store.find(str(Path(word).absolute()))


def only(found: Sequence[Submission], word: str) -> Submission:
    """The one submission that is meant. Raises `EvaluationError` for several."""
    if len(found) > 1:
        raise EvaluationError(
            f"{word} may mean {len(found)} submissions: {_listed(found)}. Give the start of its "
            "SHA-256 instead, or its whole name with --name-only"
        )
    return found[0]


def unknown(store: Store | None, word: str) -> str:
    """That nobody knows this word, and what is known: the beginning of a message."""
    seen = store.submissions() if store else ()
    known = f"it knows {_listed(seen)}" if seen else "it knows none yet"
    return f"{word}: no such file, and no submission that the store knows ({known})"


def _listed(found: Sequence[Submission]) -> str:
    """The newest ones, by what tells them apart."""
    return few([f"{one.name} ({_sign(one)})" for one in reversed(found)], _SHOWN)


def _sign(one: Submission) -> str:
    if not one.sha256:
        return "by name only"
    return f"{one.sha256[:SHORT]}, first seen {one.first_seen[:10]}"

"""Writing a file so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cells.errors import DataError
from codabench_rehearsal.console.temporary import owner_mark, remove_abandoned

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a temporary binary file beside `path`; it takes that name if the block succeeds.

    Raises DataError where the system refuses (no such folder, no permission, disk full).
    """
    target = Path(path)
    draft = target.with_name(f".{target.name[:32]}.{owner_mark()}.tmp")
    remove_abandoned([target.absolute().parent])  # drafts of killed runs
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(target)
    except OSError as error:
        raise DataError(
            f"cannot write {target}: {error.strerror or error}; "
            "choose a folder that exists, may be written to, and has room"
        ) from error
    finally:
        with suppress(OSError):  # a disk that may only be read says so here again
            draft.unlink(missing_ok=True)

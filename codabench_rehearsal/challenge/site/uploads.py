"""What is known of this user's uploads: how far each came, so that none is sent twice.

A small file for each zip and phase, in the configuration folder; written before and after each step
that costs something. It holds no token and no signed address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from codabench_rehearsal.challenge.site.address import Address, file_name, site_of
from codabench_rehearsal.challenge.site.credentials import config_folder
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.fields import Expected, Fields, is_text, one_of
from codabench_rehearsal.console.files import alone_in, write_text, written
from codabench_rehearsal.console.reading import LARGEST_SETTINGS, read_json
from codabench_rehearsal.console.words import as_json

# stored: the site has the bytes. sent: the submission was asked for, and its answer is not known.
# submitted: it has a number. ended: it has a result, and that was recorded.
Stage = Literal["stored", "sent", "submitted", "ended"]
_LATER = ("account", "asked")  # notes of earlier versions lack them
_TEXT: Expected = ("a text", is_text)
_WHOLE: Expected = ("a whole number", lambda value: type(value) is int and value >= 0)


@dataclass(frozen=True)
class Upload:
    """One zip on its way into one phase.

    phase: its id on the site. key: of the zip's dataset there. before: the newest submission that
    was there before ours was asked for. submission: its number, 0 while it has none. began: ISO,
    UTC. store: where its score goes.
    """

    base: str
    challenge: int
    phase: int
    phase_name: str
    zip: str
    sha256: str
    size: int
    began: str
    store: str = ""
    stage: Stage = "stored"
    key: str = ""
    before: int = 0
    submission: int = 0
    status: str = ""
    account: str = ""
    asked: str = ""

    @property
    def came_to_nothing(self) -> bool:
        """Whether it ended without a result, so that the same zip may be sent again."""
        return self.stage == "ended" and self.status in ("Failed", "Cancelled")

    @property
    def name(self) -> str:
        """The zip's name."""
        return Path(self.zip).name

    @property
    def address(self) -> Address:
        """Its challenge."""
        return Address(self.base, self.challenge)

    @property
    def place(self) -> Path:
        """The file that knows of it."""
        name = f"{self.challenge}-{self.phase}-{self.sha256[:16]}.json"
        return config_folder() / "uploads" / file_name(self.base) / name

    def keep(self) -> Upload:
        """Write it down, and return it. Raises `FileError`."""
        write_text(self.place, as_json({"schema": 1, **asdict(self)}))
        return self


@contextmanager
def alone(upload: Upload) -> Iterator[bool]:
    """Hold other commands of this user off the site; yields whether none is at it already."""
    folder = upload.place.parent
    with written(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone_in(folder, wait=False) as is_alone:
        yield is_alone


def known_of(upload: Upload) -> Upload | None:
    """What is known of this zip in this phase from an earlier run; None for nothing."""
    return _read(upload.place) if upload.place.exists() else None


def forget(upload: Upload) -> bool:
    """Drop what is known of an upload; False where another command has gone on with it meanwhile.

    Whoever calls is certain that the site has no submission of it. Raises `FileError`.
    """
    with alone(upload) as is_alone:
        if not is_alone or known_of(upload) != upload:
            return False
        with written(upload.place):
            upload.place.unlink()
        return True


def all_uploads() -> tuple[Upload, ...]:
    """All that can be read, the oldest first."""
    return tuple(sorted(_every(), key=lambda one: one.began))


def _every() -> Iterator[Upload]:
    folder = config_folder() / "uploads"
    with suppress(OSError):
        for place in sorted(folder.glob("*/*.json")):
            with suppress(UserError, ValueError):
                yield _read(place)


def _read(place: Path) -> Upload:
    """Raises `SiteError` for a file that is none of ours."""
    try:
        given = read_json(place, LARGEST_SETTINGS, SiteError)
    except ValueError as error:
        raise SiteError(f"{place}: not JSON ({error}). Remove it; then look at the site.") from None

    def usual(name: str) -> tuple[str, ...]:
        return ("",) if name in _LATER else ()

    table = Fields(given if isinstance(given, dict) else {}, place, SiteError)
    stage = table.take("stage", one_of(get_args(Stage)))
    values = {
        one.name: table.take(one.name, _WHOLE if one.type == "int" else _TEXT, *usual(one.name))
        for one in fields(Upload)
        if one.name != "stage"
    }
    site_of(values["base"])  # nobody may have turned it into another's
    return Upload(**values, stage=stage)

"""`local-eval explain`: from the platform's message and logs to the cause and the mend."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.address import is_address
from codabench_rehearsal.commands.evaluation_arguments import add_json
from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console.arguments import add_challenge
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.files import STDOUT, write_or_print
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.reading import require_file
from codabench_rehearsal.console.roles import LOG
from codabench_rehearsal.console.words import as_json, listed, marked, quoted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.explained import Explained

EXAMPLES = """\
examples:
  local-eval explain ingestion.log scoring.log        what was downloaded from the site
  local-eval explain logs/                            a folder of them (--logs of a rehearsal)
  pbpaste | local-eval explain -                      the message, out of the clipboard
  local-eval explain error.txt submission.zip         and how to see it happen here
  local-eval explain 500                              a submission that was uploaded from here
"""
_TEXTS = (".log", ".txt", ".out", ".err", ".json", ".html", "")
_MOST = 200  # files of a folder or zip of logs
_TRACE = "    | "


@dataclass(frozen=True)
class Explanation:
    """What logs say: the causes, likeliest first. next: commands that show it happen here.

    asked: whether any log was given.
    """

    causes: tuple[Explained, ...]
    next: tuple[str, ...]
    asked: bool

    def __str__(self) -> str:
        return "\n".join(_lines(self.causes, self.next, asked=self.asked))

    def __repr__(self) -> str:
        return str(self)  # what a notebook keeps as plain text, and an interpreter shows

    def to_json(self) -> str:
        """As JSON, schema 1."""
        causes = [one.document() for one in self.causes]
        return as_json({"schema": 1, "causes": causes, "next": list(self.next)})


def explain(
    *files: str | Path, message: str = "", challenge: str = DEFAULT_CHALLENGE
) -> Explanation:
    """Say what the platform's message and logs mean: `explain("ingestion.log", "scoring.log")`.

    files: logs, folders or zips of logs; a submission's zip, or its number on the site where it was
    uploaded from here. message: what the site shows, as text. Raises `EvaluationError` for what
    cannot be read.
    """
    from codabench_rehearsal.rehearsal.explained import explain_text

    names = [name for file in files for name in _named(str(file))]
    zips = [name for name in names if _is_submission(Path(name))]
    texts = [*map(_text, (n for n in names if n not in zips)), *([message] if message else ())]
    found = explain_text("\n".join(texts)) if texts else ()
    return Explanation(found, tuple(_again(one, challenge) for one in zips), bool(texts))


def parser() -> Parser:
    """The command's options."""
    what = "Say what the platform's message and logs mean, and what to do."
    made = Parser("local-eval explain", what, EXAMPLES, "nothing in it is known")
    files = "logs, a folder or zip of logs, - for standard input; a submission's zip, or its number"
    made.add_argument("files", nargs="+", type=LOG, metavar="LOG|ZIP|ID", help=files)
    add_json(made, "also as JSON")
    add_force(made)
    add_challenge(made, bundles=True)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Read, and tell; exit code 1 where nothing in it is known."""
    found = explain(*options.files, challenge=options.challenge)
    if options.json:
        write_or_print(options.json, found.to_json())
    if options.json != STDOUT:
        print_lines(_lines(found.causes, found.next, asked=found.asked))
    return Exit.FINE if found.causes or not found.asked else Exit.FINDINGS


def _named(word: str) -> list[str]:
    """The files that a word means: itself; of a submission's number its results and its zip."""
    if not word.isdecimal() or Path(word).exists():
        return [word]
    from codabench_rehearsal.challenge.site.results import results_folder
    from codabench_rehearsal.challenge.site.uploads import all_uploads

    known = [one for one in all_uploads() if str(one.submission) == word]
    if not known:
        raise EvaluationError(
            f"{word}: no such file, and no submission of that number was uploaded from here."
        )
    zip_ = Path(known[-1].zip)
    folder = results_folder(zip_, known[-1].submission)
    if len({one.base for one in known}) > 1:
        folders = listed([quoted(results_folder(Path(o.zip), o.submission)) for o in known], 4)
        raise EvaluationError(f"submission {word} is on several sites: name its folder: {folders}.")
    if not folder.is_dir():
        raise EvaluationError(
            f"submission {word}: its logs are not here yet: codabench-challenge status brings them "
            "once it has ended."
        )
    return [str(folder), *([str(zip_)] if zip_.is_file() else [])]


def _is_submission(path: Path) -> bool:
    """Whether it is a zip with code, and not one of logs."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any(name.endswith(".py") for name in file.namelist())


def _text(name: str) -> str:
    """The text of a log, of a folder or zip of them, or of standard input."""
    from codabench_rehearsal.rehearsal.explained import LARGEST

    if name == STDOUT:
        return sys.stdin.read(LARGEST)
    path = Path(name)
    require_file(path, EvaluationError, or_folder=True)
    if not path.exists():
        raise EvaluationError(f"{shown(name)}: no such file. Expected a log, or a zip.")
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file() and _is_text(one.name))
        return "\n".join(_decoded(_end_of(one, LARGEST)) for one in files[:_MOST])
    if zipfile.is_zipfile(path):
        return "\n".join(_of_zip(path, LARGEST))
    return _decoded(_end_of(path, LARGEST))


def _end_of(path: Path, most: int) -> bytes:
    """A log's last bytes, all of a usual one: what ended a program stands at its end."""
    require_file(path, EvaluationError)
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - most, 0))
        return file.read(most)


def _of_zip(path: Path, most: int) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as file:
            for info in [one for one in file.infolist() if _is_text(one.filename)][:_MOST]:
                with file.open(info) as member:
                    yield _decoded(member.read(most))
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, NotImplementedError) as error:
        raise EvaluationError(f"{shown(path)}: cannot be read: {error}.") from None


def _is_text(name: str) -> bool:
    return Path(name).suffix.lower() in _TEXTS


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _again(name: str, challenge: str) -> str:
    """The command that shows it happen here."""
    programs = " --bundle BUNDLE" if is_address(challenge) else ""
    return f"make-submission --check-only {quoted(name)} --challenge {quoted(challenge)}{programs}"


def _lines(found: Sequence[Explained], further: Sequence[str], *, asked: bool) -> Iterator[str]:
    for number, one in enumerate(found):
        start = "" if number == 0 else "also: "
        yield f"{start}{one.cause}{'' if one.sure else ' (it may follow from something else)'}"
        yield f"    {one.advice}"
        yield f"    because of: {one.evidence}"
        if one.detail:
            yield from marked(one.detail, _TRACE)
    if asked and not found:
        yield "No cause found: this tool knows none of these messages."
        yield "    Give all its logs (ingestion and scoring, stdout and stderr), and its zip."
    for command in further:
        yield f"here: {command}"

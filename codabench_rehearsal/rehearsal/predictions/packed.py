"""Predictions instead of code, in a bundle: packed as its scoring reads them, and looked at."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codabench_rehearsal.challenge.setting import Setting
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.guard import RESULT_FILES
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.bundle.scoring_reads import reads_of
from codabench_rehearsal.rehearsal.predictions.file import (
    check_labels,
    check_results,
    packed_results,
)
from codabench_rehearsal.rehearsal.predictions.sample import find_expected, find_reference
from codabench_rehearsal.rehearsal.predictions.table import binary_kind
from submission.archive import Archive
from submission.findings import Finding


@contextmanager
def opened_submission(path: Path, setting: Setting) -> Iterator[Archive]:
    """A zip, or predictions in a file, packed as the setting's scoring program reads them.

    Raises `SubmissionError` for a file where the challenge takes code.
    """
    takes_code = any(task.ingestion for task in setting.tasks)
    suffix = path.suffix.lower()
    if suffix not in (*RESULT_FILES, ".zip") and path.is_file() and not takes_code:
        _require_zip(path)
    if path.is_dir() or zipfile.is_zipfile(path) or suffix not in RESULT_FILES:
        with Archive(path) as archive:
            yield archive
        return
    if takes_code:
        raise SubmissionError(
            f"{path}: expected a zip with code: an ingestion program runs it (codabench-challenge "
            "show BUNDLE says what it imports)."
        )
    with TemporaryFolder("results-") as folder:
        packed = packed_results(path, _opened_by_scoring(setting), folder / f"{path.stem[:40]}.zip")
        with Archive(packed) as archive:
            yield archive


def _require_zip(path: Path) -> None:
    """Raise `SubmissionError` for predictions that are neither a zip nor a text."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            kind = binary_kind(file.read(16)) or "another file"
        raise SubmissionError(
            f"{path}: expected a zip, or predictions as {', '.join(RESULT_FILES)}, received "
            f"{kind}. Save them as scoring reads them, or zip the file."
        )


def of_predictions(path: Path, setting: Setting) -> Iterator[Finding]:
    """Where no code is asked for: the predictions beside the bundle's sample or reference."""
    if any(task.ingestion or "ingestion_program" in task.missing for task in setting.tasks):
        return
    inside = _opened_by_scoring(setting)
    try:
        expected = find_expected(setting.bundle, setting.phase, path, inside)
    except SubmissionError:
        return  # `look` says what is missing
    if expected is not None:
        yield from check_results(path, expected, inside)
    if expected is not None and expected.kind == "sample" and not expected.is_json:
        reference = find_reference(setting.bundle, setting.phase, path, inside)
        yield from check_labels(path, reference, inside) if reference else []


def _opened_by_scoring(setting: Setting) -> str:
    """The only file of a submission that scoring opens; "" where that is not told."""
    names = {reads_of(task.scoring).only for task in setting.tasks if task.scoring}
    return names.pop() if len(names) == 1 else ""

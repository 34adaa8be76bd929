"""Predictions instead of code, in a bundle: packed as its scoring reads them, and looked at."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codabench_rehearsal.challenge.setting import Setting
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.temporary import TemporaryFolder
from codabench_rehearsal.rehearsal.bundle.scoring_reads import reads_of
from codabench_rehearsal.rehearsal.predictions.file import check_results, packed_results
from codabench_rehearsal.rehearsal.predictions.sample import find_expected
from submission.archive import Archive
from submission.findings import Finding

RESULTS = (".csv", ".tsv", ".txt", ".json", ".npy", ".npz", ".jsonl", ".dat")


@contextmanager
def opened_submission(path: Path, setting: Setting) -> Iterator[Archive]:
    """A zip, or predictions in a file, packed as the setting's scoring program reads them.

    Raises `SubmissionError` for a file where the challenge takes code.
    """
    if path.is_dir() or zipfile.is_zipfile(path) or path.suffix.lower() not in RESULTS:
        with Archive(path) as archive:
            yield archive
        return
    if any(task.ingestion for task in setting.tasks):
        raise SubmissionError(
            f"{path}: expected a zip with code: an ingestion program runs it (codabench-challenge "
            "show BUNDLE says what it imports)."
        )
    with TemporaryFolder("results-") as folder:
        packed = packed_results(path, _opened_by_scoring(setting), folder / f"{path.stem[:40]}.zip")
        with Archive(packed) as archive:
            yield archive


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


def _opened_by_scoring(setting: Setting) -> str:
    """The only file of a submission that scoring opens; "" where that is not told."""
    names = {reads_of(task.scoring).only for task in setting.tasks if task.scoring}
    return names.pop() if len(names) == 1 else ""

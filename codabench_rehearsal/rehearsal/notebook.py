"""`check`: everything that `make-submission --check-only` tells, in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from codabench_rehearsal.challenge.profile import DEFAULT, load_challenge
from codabench_rehearsal.console.command import tell
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.images import DataError, Dataset, from_arrays
from codabench_rehearsal.rehearsal.check import Checked, Checking, known_to_us
from codabench_rehearsal.rehearsal.dry_run_progress import silent
from codabench_rehearsal.rehearsal.rehearse import Rehearser, Wishes
from submission.archive import Archive
from submission.findings import known_codes


def check(
    zip_path: str | Path = "submission.zip",
    images: NDArray[Any] | Dataset | str | Path | None = None,
    labels: NDArray[Any] | None = None,
    *,
    run: bool = True,
    challenge: str = DEFAULT,
    ignore: Iterable[str] = (),
    **wishes: Any,
) -> Checked:
    """Look into a zip and rehearse it: `check("submission.zip", images, labels)`.

    images: uint8 `(n, h, w, c)` with labels `(n,)`, a `codabench_rehearsal.images.Dataset`, or a file to load; drawn
    ones when left out. run: False only looks. ignore: codes to leave out. Further options are the
    fields of `Wishes`, such as `server=True` or `time_limit=600`. Raises `SubmissionError` for what
    cannot be used; whatever is wrong with the submission is a finding in what comes back.
    """
    profile = load_challenge(challenge)
    ignored = known_codes(ignore, known_to_us())
    try:
        wished = Wishes(data=_data(images, labels, profile.label_names), **wishes)
    except TypeError as error:
        raise SubmissionError(f"unknown option: {error}.") from None
    profile = replace(profile, packages=(*profile.packages, *wished.packages))
    rehearse = Rehearser(wished, profile, _say, silent) if run else None
    with Archive(zip_path) as archive:
        return Checking(profile, rehearse, ignored).whole(archive)


def _data(images: Any, labels: Any, classes: tuple[str, ...]) -> Any:
    if images is None or isinstance(images, str | Path | Dataset):
        return images
    if labels is None:
        raise SubmissionError("labels are missing: check(zip, images, labels), or give a file.")
    try:
        return from_arrays(images, labels, classes=classes, source="the given arrays")
    except DataError as error:
        raise SubmissionError(str(error)) from None


def _say(line: str) -> None:
    tell("check", line)

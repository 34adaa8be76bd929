"""What is told of a submission to a bundle before anything runs, beside what a run of it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.worker_fallback import why_no_places
from codabench_rehearsal.rehearsal.bundle_look import look
from submission.archive import Archive
from submission.findings import Finding
from tests.challenge.worker_bundles import bundle, program, ran, reason, zipped
from tests.rehearsal.submissions import SOUND_CASES, WRONG_CASES, Case
from tests.sandbox.children import linux_only

EVERY = (*SOUND_CASES, *WRONG_CASES)


def looked_at(place: Path, case: Case, image: str = "") -> list[Finding]:
    """What is found, notes left out."""
    made = replace(bundle(place, program(case.program)), image=image or "somebody/image:1")
    with Archive(zipped(place, case.files)) as archive:
        found = look(archive, made, made.phases[0], "2026-10")
    return [one for one in found if one.severity != "note"]


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_what_is_read(tmp_path: Path, case: Case) -> None:
    """Else a zip that fails is called right, or a good one is called wrong."""
    found = looked_at(tmp_path, case)
    told = {f"{one.code}{'?' if one.is_unknown else ''}" for one in found}
    assert told == set(case.codes.split()), found


@linux_only
@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_a_run_agrees(tmp_path: Path, case: Case) -> None:
    """Else the table above believes what the platform refutes."""
    if why_no_places():
        pytest.skip("no folder can be shown at /app here")
    made = bundle(tmp_path, program(case.program))
    result = ran(made, tmp_path, "2026-10", case.files)
    assert result.status == case.ends, (reason(result), result.tasks[0].jobs)

"""The corpus, run for real: what only a run finds is found, and nothing right is refused.

The normal suite takes a slice, `-m slow` all of them; those with Keras
need half a minute of a core each, so that two of them are in the normal suite. A wrong scale and an
answer that is a tensor are seen there without Keras.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import pytest

from codabench_rehearsal.images import from_arrays
from codabench_rehearsal.rehearsal.check import Checked, check_open
from codabench_rehearsal.rehearsal.questions import silent
from codabench_rehearsal.rehearsal.rehearse import RunOptions
from submission.archive import Archive
from tests.submission.corpus import good, keras_broken, running_broken
from tests.submission.corpus.case import Case
from tests.submission.corpus.pictures import labelled_images
from tests.submission.corpus.weights import corpus_weights
from tests.tables import begun

WORKERS = 2
FAST = {
    *("crash in import", "class removed again", "exit in predict", "endless recursion"),
    *("squeezes a batch of one", "fork bomb", "writes without end", "os._exit(0) in predict"),
    *("crashes in native code", "fakes its answers", "terminal escapes", "deletes its weights"),
    *("one-hot", "objects with a trap", "from 1 to 8", "thrown dice", "fed 0..1 for 0..255"),
    *("plain", "test-time flips", "several modules, star import"),
}
FAST_KERAS = {"Keras, class of the notebook", "Keras, plain"}  # one that fails, one that is right
ONE_AT_A_TIME = Lock()
WORST = ("note", "warning", "error")


def table(cases: Sequence[Case]) -> Sequence[object]:
    """The rows; all but the chosen ones are slow, those that start TensorFlow are marked so."""
    rows = []
    for case in cases:
        marks = [pytest.mark.keras] if case.keras else []
        slow = case.name not in (FAST_KERAS if case.keras else FAST)
        rows.append(pytest.param(case, marks=[*marks, *([pytest.mark.slow] if slow else [])]))
    return rows


BROKEN = [c for c in (*running_broken.CASES, *keras_broken.CASES) if c.run and not c.server]
GOOD = [case for case in good.CASES if case.run]


@cache
def labelled() -> object:
    """Images whose brightness is their class."""
    return from_arrays(*labelled_images(each=14), source="the corpus")


def check(case: Case) -> Checked:
    """What make-submission would say of it, with a dry run here."""
    data = labelled() if case.data or case.severity == "good" else None
    profile = case.profile()
    if case.keras:  # the weights are saved by this very Keras: what it says of others is not asked
        profile = replace(profile, keras=version("keras"))
    options = RunOptions(data, 0, case.seconds, case.memory, server=False)  # type: ignore[arg-type]  # a Dataset
    with tempfile.TemporaryDirectory(prefix="corpus-") as place:
        with ONE_AT_A_TIME:  # they are made once, by whoever is first
            weights = corpus_weights() if case.keras else None
        path = case.build(Path(place), weights)
        with Archive(path) as archive:
            return check_open(archive, profile, options, shown=silent)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Checked]]:
    """What is said of a selected case."""
    here = [item for item in request.session.items if item.path == request.path]
    cases = [item.callspec.params["case"] for item in here if hasattr(item, "callspec")]
    with begun({case.name: case for case in cases}, check, WORKERS) as found:
        yield found


def test_the_chosen_rows_are_rows() -> None:
    """Else a renamed row would leave the normal suite, and nobody would notice."""
    rows = {kind: {c.name for c in (*BROKEN, *GOOD) if c.keras == kind} for kind in (False, True)}
    assert not FAST - rows[False]
    assert not FAST_KERAS - rows[True]


def said(checked: Checked) -> str:
    """The findings, for a failing test."""
    return "\n".join(f"{f.severity} {f.code} {f.message}" for f in checked.findings)


@pytest.mark.parametrize("case", table(BROKEN), ids=str)
def test_what_is_broken_does_not_pass(case: Case, runs: Callable[[str], Checked]) -> None:
    """Else a submission that fails on the platform would be called fine here."""
    checked = runs(case.name)
    assert not case.missing({finding.code for finding in checked.findings}), said(checked)
    worst = max((WORST.index(f.severity) for f in checked.findings), default=-1)
    assert worst >= WORST.index(case.severity), said(checked)
    assert not (case.severity == "error" and checked.verdict != "has errors")
    shown = [f.advice for f in checked.findings if f.code.startswith(("S6", "S7"))]
    assert not case.advice or any(case.advice in advice for advice in shown), said(checked)
    assert "codabench_rehearsal/" not in "".join(f.detail for f in checked.findings), (
        "a traceback of ours"
    )


@pytest.mark.parametrize("case", table(GOOD), ids=str)
def test_what_is_right_passes(case: Case, runs: Callable[[str], Checked]) -> None:
    """Else a team would be kept from uploading by a false alarm."""
    checked = runs(case.name)
    alarms = [f for f in checked.findings if f.severity != "note" and f.code not in case.allowed]
    assert not alarms, said(checked)
    assert checked.verdict == "runs here"
    assert not checked.ready, "only the server's own versions make it ready"

"""Why a submission failed, read out of what its programs printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.bundle import Task
from codabench_rehearsal.challenge.explain import cause_of
from codabench_rehearsal.challenge.worker.job import Step
from codabench_rehearsal.challenge.worker.outcome import RanJob, RanTask

TASK = Task(0, "task", Path())
OWN = """Traceback (most recent call last):
  File "/app/program/ingestion.py", line 4, in <module>
    from model import Model
  File "/app/ingested_program/model.py", line 12, in <module>
    import scipy
ModuleNotFoundError: No module named 'scipy'
"""
SYNTAX = """Traceback (most recent call last):
  File "/app/program/ingestion.py", line 4, in <module>
    from model import Model
  File "/app/ingested_program/model.py", line 3
    def predict(:
                ^
SyntaxError: invalid syntax
"""
CHAINED = """loading ...
Traceback (most recent call last):
  File "/app/ingested_program/a.py", line 1, in f
    x
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/program/ingestion.py", line 9, in <module>
    f()
  File "/app/ingested_program/a.py", line 5, in f
    raise sub.Wrong("both")
package.errors.Wrong: both
cleaning up
"""
LIBRARY = """Traceback (most recent call last):
  File "/app/ingested_program/model.py", line 7, in predict
    return self.net.predict(X)
  File "/usr/lib/python3.11/site-packages/sklearn/base.py", line 99, in predict
    check(X)
  File "<frozen importlib._bootstrap>", line 241, in _call
sklearn.exceptions.NotFittedError: This is not fitted yet.
Call fit first.
"""
GROUP = """Traceback (most recent call last):
  File "/app/program/scoring.py", line 2, in <module>
    1/0
    ~^~
ZeroDivisionError: division by zero
"""


def _ran(*steps: Step, status: str = "Failed") -> RanTask:
    jobs = (RanJob("prediction", steps[:1], 1.0), RanJob("scoring", steps[1:], 1.0))
    return RanTask(TASK, status, "", "", jobs)  # type: ignore[arg-type]


def _step(log: str, code: int | None = 1, kind: str = "ingestion") -> Step:
    return Step(kind, "python x.py", code, 1.0, log, ended="exit")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (OWN, "ModuleNotFoundError: No module named 'scipy' (model.py, line 12)"),
        (SYNTAX, "SyntaxError: invalid syntax (model.py, line 3)"),
        (CHAINED, "Wrong: both (a.py, line 5)"),
        (LIBRARY, "NotFittedError: This is not fitted yet. (model.py, line 7)"),
        (GROUP, "ZeroDivisionError: division by zero (scoring.py, line 2)"),
        ("usage: x.py\nx.py: error: no data\n", "exit code 1 (x.py: error: no data)"),
        ("", "exit code 1"),
        (
            "\x1b[31mTraceback (most recent call last):\x1b[0m\nhalf of it",
            "exit code 1 (half of it)",
        ),
    ],
)
def test_the_last_traceback_counts(log: str, said: str) -> None:
    """A participant reads what stopped the program and in which line of their own file."""
    cause = cause_of(_ran(_step(log)))
    assert str(cause) == f"ingestion ended with {said}"
    assert cause
    assert cause.in_submission == ("model.py" in said or "a.py" in said)


def test_the_first_program_that_failed_is_the_cause() -> None:
    """Scoring fails for want of predictions: its traceback must not hide ingestion's."""
    cause = cause_of(_ran(_step(OWN), _step(GROUP, kind="scoring")))
    assert cause
    assert (cause.job, cause.program, cause.kind) == (
        "prediction", "ingestion", "ModuleNotFoundError"
    )  # fmt: skip


def test_a_traceback_that_was_caught_explains_a_failure() -> None:
    """An ingestion that prints the error and ends with 0 leaves nothing to score."""
    quiet = _step(OWN, code=0)
    cause = cause_of(_ran(quiet, _step(GROUP, kind="scoring")))
    assert str(cause).startswith("ingestion printed ModuleNotFoundError")
    assert cause_of(_ran(quiet, status="Finished")) is None


def test_other_ends_are_told() -> None:
    """A kill, the time limit and a program that could not start have no traceback."""
    killed = cause_of(_ran(_step("", code=137)))
    assert "most often for memory" in str(killed)
    late = cause_of(_ran(replace(_step(GROUP, code=None), ended="time")))
    assert str(late) == "ingestion ended with the time limit"
    fault = cause_of(_ran(Step("ingestion", fault="No closing quotation")))
    assert "No closing quotation" in str(fault)
    assert cause_of(_ran(_step("fine", code=0))) is None


def test_hostile_logs_are_read_quickly() -> None:
    """A log of megabytes, or one made to fool the reader, must not hang the command."""
    for log in (
        "Traceback (most recent call last):\n" * 20_000,
        "A" * 2_000_000,
        'File "' * 100_000,
    ):
        assert cause_of(_ran(_step(log))) is not None

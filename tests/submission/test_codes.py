"""The table of codes: each once, with advice; and what a run refutes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from submission.checks.subject import all_checks
from submission.findings import (
    KINDS,
    OF_THE_FOLDER,
    OF_THE_SERVER,
    PREDICTS,
    STEPS,
    STOPS,
    Finding,
    Step,
    found,
    refuted,
    run_codes,
    step_of,
    stops,
)

CHECKS = {check.code: check for check in all_checks()}
# Errors of checks that no run can refute: what cannot be unpacked or uploaded is never run.
CERTAIN = {*STOPS, "S109", "S401", "S402", "S403", "S404", "S407", "S409"}


def test_every_error_that_is_read_says_which_step_it_predicts() -> None:
    """Else a guess stands beside the proof that it is wrong."""
    errors = {code for code, check in CHECKS.items() if check.severity == "error"}
    assert errors - CERTAIN <= {code for codes in PREDICTS.values() for code in codes}
    assert not CERTAIN & {code for codes in PREDICTS.values() for code in codes}


def test_the_tables_name_codes_that_there_are() -> None:
    """Else a renamed code would silently lose what is said of it."""
    named = [code for codes in PREDICTS.values() for code in codes]
    assert len(named) == len(set(named))
    assert {*named, *OF_THE_SERVER, *OF_THE_FOLDER, *STOPS, *KINDS} <= set(CHECKS)
    assert set(named) >= OF_THE_SERVER


def test_a_code_means_one_thing() -> None:
    """Else a user who ignores or looks up a code gets another one's words."""
    codes = list(run_codes())
    assert codes == sorted(set(codes))
    assert not set(codes) & set(CHECKS)
    assert all(line.advice.endswith(".") and line.name for line in run_codes().values())


def test_errors_are_of_a_kind() -> None:
    """Else "would fail" and "scores as if broken" are told apart by nobody."""
    kinds = {code: line.kind for code, line in run_codes().items() if line.severity == "error"}
    assert set(kinds.values()) == {"fails", "scores"}
    assert {code for code, kind in kinds.items() if kind == "scores"} == {"S708", "S709", "S716"}


READ = Finding("S202", "error", "model.py defines no class Model", "Define it.")
CASES: list[tuple[str, Step | None, dict[str, bool], bool]] = [
    ("S202", None, {}, False),
    ("S202", "import", {}, False),
    ("S202", "class", {}, True),
    ("S202", "answer", {}, True),
    ("S208", "init", {}, False),
    ("S208", "predict", {}, True),
    ("S224", "predict", {}, False),
    ("S224", "answer", {}, True),
    ("S303", "answer", {}, False),  # today's Keras loads what the server's does not
    ("S303", "answer", {"is_server": True}, True),
    ("S306", "answer", {}, False),
    ("S306", "answer", {"anywhere": True}, True),
    (
        "S327",
        "answer",
        {"tells_case": False},
        False,
    ),  # a disk that opens Weights.npy for weights.npy
    ("S327", "answer", {}, True),
    ("S101", "answer", {"is_server": True, "anywhere": True}, False),
    ("S401", "answer", {"is_server": True, "anywhere": True}, False),
    ("S219", "answer", {"is_server": True, "anywhere": True}, False),
]


@pytest.mark.parametrize(("code", "passed", "how", "wanted"), CASES)
def test_what_ran_refutes_what_was_read(
    code: str, passed: Step | None, how: dict[str, bool], wanted: bool
) -> None:
    """Else an error is kept that a run has disproved, or one is dropped that it says nothing of."""
    read = replace(READ, code=code)
    weighed = refuted(read, passed, "here", **{"is_server": False, **how})
    assert (weighed.severity == "note") == wanted
    assert (weighed == read) == (not wanted)
    assert ("it ran here" in weighed.message) == wanted


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_a_run_that_failed_at_the_first_step_refutes_nothing(code: str) -> None:
    """Else a zip that cannot be imported loses the findings that say why."""
    read = replace(READ, code=code)
    assert refuted(read, None, "here", is_server=True) == read


def test_the_steps_stand_in_their_order() -> None:
    """Else a run that got as far as the class would vouch for its answers."""
    assert STEPS == ("import", "class", "init", "method", "predict", "answer")
    assert step_of("S201") == "import"
    assert step_of("S999") is None


def test_what_cannot_be_unpacked_is_not_run() -> None:
    """Else a bomb is unpacked, or a good zip never run for a warning."""
    assert stops([replace(READ, code="S105")])
    assert not stops([replace(READ, code="S105", severity="warning"), READ])


def test_a_finding_takes_what_the_table_says() -> None:
    """Else each place where one is made words its advice anew."""
    made = found("S701", "x")
    assert (made.severity, made.kind) == ("warning", "rules")
    assert made.advice.startswith("Seed every draw")
    assert found("S701", "x", "note", "Nothing.", kind="") == Finding("S701", "note", "x", "Nothing.")  # fmt: skip

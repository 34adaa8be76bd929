"""The corpus: what is broken is found without running it, and what is right is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from submission.archive import Archive
from submission.checks.subject import all_checks, examine
from submission.findings import Finding
from tests.submission.corpus import good, good_static, keras_broken, running_broken, static_broken
from tests.submission.corpus.case import Case
from tests.submission.corpus.weights import server_weights

RANK = {"good": 0, "note": 1, "warning": 2, "error": 3}
STATIC = ("S1", "S2", "S3", "S4")
WITHOUT_KERAS = [case for case in good.CASES if not case.keras] + good_static.CASES
WITH_KERAS = [case for case in good.CASES if case.keras] + keras_broken.CASES
ALL = [*good.CASES, *good_static.CASES, *keras_broken.CASES, *running_broken.CASES, *static_broken.CASES]  # fmt: skip


def found_in(case: Case, folder: Path, weights: Path | None = None) -> list[Finding]:
    """What the checks say of a case."""
    with Archive(case.build(folder, weights)) as archive:
        return examine(archive, case.profile())


def told(findings: list[Finding]) -> str:
    """The findings for a failed assertion."""
    return "\n".join(f"{f.code} {f.severity}: {f.message}" for f in findings)


def unexpected(case: Case, findings: list[Finding]) -> list[Finding]:
    """Errors and warnings that the case does not name; notes may come along."""
    named = {code for wanted in case.expected for code in wanted.split("|")} | case.allowed
    return [f for f in findings if f.severity != "note" and f.code not in named]


@pytest.mark.parametrize("case", static_broken.CASES, ids=str)
def test_what_is_broken_is_found(case: Case, tmp_path: Path) -> None:
    """Else a mistake reaches the platform, or comes with others that are none."""
    findings = found_in(case, tmp_path)
    assert not case.missing({f.code for f in findings}), told(findings)
    assert max(RANK[f.severity] for f in findings) >= RANK[case.severity], told(findings)
    assert not unexpected(case, findings), told(findings)


@pytest.mark.parametrize("case", WITHOUT_KERAS, ids=str)
def test_what_is_right_is_left_alone(case: Case, tmp_path: Path) -> None:
    """Else a good zip is refused, and the user learns to pass over what is said."""
    findings = found_in(case, tmp_path)
    assert not [f for f in findings if f.severity == "error"], told(findings)
    assert not unexpected(case, findings), told(findings)


@pytest.mark.parametrize("case", running_broken.CASES, ids=str)
def test_what_only_a_run_finds_is_not_guessed(case: Case, tmp_path: Path) -> None:
    """Else the checks accuse code that they cannot judge, or miss the part that they can."""
    findings = found_in(case, tmp_path)
    asked = [wanted for wanted in case.expected if wanted.startswith(STATIC)]
    assert set(asked) <= {f.code for f in findings}, told(findings)
    assert not {"S201", "S202", "S203", "S204", "S208", "S210"} & {f.code for f in findings}


@pytest.mark.keras
def test_real_keras_weights(tmp_path: Path) -> None:
    """Else files that Keras itself wrote are read otherwise than those we wrote by hand."""
    weights, wrong = server_weights(), []
    for number, case in enumerate(WITH_KERAS):
        folder = tmp_path / str(number)
        folder.mkdir()
        findings = found_in(case, folder, weights)
        codes = {f.code for f in findings}
        missed = [w for w in case.missing(codes) if all(c.startswith(STATIC) for c in w.split("|"))]
        loud = [f for f in findings if f.severity == "error"] if case.severity == "good" else []
        if missed or loud or unexpected(case, findings):
            wrong.append(f"{case}: missed {missed}\n{told(findings)}")
    assert not wrong, "\n".join(wrong)


def test_every_check_has_a_case() -> None:
    """Else a check could be dead without anybody noticing."""
    named = {code for case in ALL for wanted in case.expected for code in wanted.split("|")}
    assert {check.code for check in all_checks()} <= named


def test_the_corpus_is_as_large_as_promised() -> None:
    """Else the figures caught / total and false alarms / total say nothing."""
    names = [case.name for case in ALL]
    right = [case for case in ALL if case.severity == "good"]
    assert len(ALL) - len(right) >= 80
    assert len(right) >= 25
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]

"""The dry run's parts: which images, what answers mean, what the hidden set would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sandbox.job import JobResult
from sandbox.outcome import Call, Outcome, Seen
from submission.challenge import load_challenge
from submission.dry_run_cost import Cost, estimate
from submission.dry_run_images import Images
from submission.dry_run_judgement import (
    Bounds,
    judge_answers,
    judge_cost,
    judge_traces,
    unchecked_cost,
)
from submission.dry_run_questions import Answer, Interview
from submission.findings import Finding

CHALLENGE = load_challenge()


def images(count: int = 200, labels: bool = False) -> Images:
    """That many images, the last ten of them odd."""
    truth = np.arange(count) % 8 if labels else None
    return Images(np.zeros((count, 4, 4, 3), np.uint8), np.arange(count - 10, count), truth, "")


def interview(answers: Mapping[str, Any], count: int = 200, labels: bool = False) -> Interview:
    """An interview with these answers to questions about all images; no child."""
    made = Interview(None, images(count, labels))  # type: ignore[arg-type]  # it is not asked anything
    for block, (name, said) in enumerate(answers.items()):
        rows = np.arange(len(said)) % count
        made.answers[name] = Answer(rows, np.asarray(said), range(block, block + 1), 0.1)
    return made


def outcome(calls: list[tuple[float, int]], log: str = "", seen: Seen | None = None) -> Outcome:
    """What a session left that took two seconds to start and held 900 bytes at most."""
    result = JobResult("exit", 0, log, 3.0, 1.0, 900, {})
    made = tuple(Call(*call) for call in calls)
    return Outcome((), None, result, {}, {}, 2.0, 1.0, 1.0, made, 100, seen or Seen())


FIRST = np.arange(200) % 8


def changed(count: int) -> np.ndarray[Any, Any]:
    """The first answer with so many other labels."""
    other = FIRST.copy()
    other[:count] = (other[:count] + 1) % 8
    return other


SAME = {"first": FIRST, "again": FIRST}
ANSWERS: list[tuple[Mapping[str, Any], list[tuple[str, str]]]] = [
    (SAME, []),
    ({**SAME, "again": changed(3)}, [("S701", "error")]),
    ({**SAME, "again": changed(1)}, [("S701", "note")]),
    ({**SAME, "again": changed(2)}, [("S701", "note")]),
    ({**SAME, "order": changed(3), "small": changed(9)}, [("S703", "error"), ("S702", "error")]),
    ({**SAME, "small": changed(9), "large": changed(9)}, [("S702", "error")]),
    ({**SAME, "large": changed(1)}, [("S702", "note")]),
    ({**SAME, "float32": changed(5), "float64": changed(5)}, [("S704", "error")]),
    ({**SAME, "float64": changed(5)}, [("S704", "error")]),
    ({**SAME, "again": changed(50), "order": changed(50)}, [("S701", "error")]),
    ({"first": np.full(200, 3), "again": np.full(200, 3)}, [("S709", "warning")]),
    ({"first": FIRST}, []),
    ({}, []),
]


@pytest.mark.parametrize(("answers", "wanted"), ANSWERS)
def test_what_the_answers_mean(answers: Mapping[str, Any], wanted: list[tuple[str, str]]) -> None:
    """Else floating point would be called a fault, or a fault floating point."""
    found = list(judge_answers(interview(answers), CHALLENGE))
    assert [(finding.code, finding.severity) for finding in found] == wanted


def test_one_class_for_real_images_is_an_error() -> None:
    """Else the commonest result of a wrong scale would pass."""
    found = list(judge_answers(interview({"first": np.full(200, 3)}, labels=True), CHALLENGE))
    assert [(finding.code, finding.severity) for finding in found] == [("S709", "error")]
    assert "immature granulocyte" in found[0].message


def test_one_image_of_few_may_be_floating_point() -> None:
    """Else one flip among thirty images, over 1 % of them, would be an error."""
    answers = {"first": FIRST, "again": FIRST, "small": changed(1)[:30]}
    assert [f.severity for f in judge_answers(interview(answers), CHALLENGE)] == ["note"]


def test_the_cost_is_linear_and_the_compile_counted_once() -> None:
    """Else the first call's compile would be multiplied, or the loading forgotten."""
    asked = interview({"first": FIRST, "again": FIRST, "large": np.zeros(1000)})
    cost = estimate(asked, outcome([(3.0, 300), (1.0, 400), (5.0, 800)]), hidden=3000)
    assert cost is not None
    assert cost.measured == 1000
    # 2 s to start, 2 s to compile, 5 s for 1,000 images, 4 s / 800 images for 2,000 more.
    assert cost.seconds == pytest.approx(2 + 2 + 5 + 2000 * 4 / 800)
    # 800 at 1,000 images, 400 / 800 for each further one, 100 held by other processes.
    assert cost.peak_bytes == 800 + 2000 * 400 // 800 + 100


@pytest.mark.parametrize("names", [["first"], ["first", "again"], []])
def test_no_cost_without_two_sizes(names: list[str]) -> None:
    """Else a figure would be made up."""
    asked = interview(dict.fromkeys(names, FIRST))
    assert estimate(asked, outcome([(1.0, 1)] * len(names)), 3000) is None


COST = Cost(3000, 1000, 700.0, 2_000_000_000, 2.0, 698.0)


@pytest.mark.parametrize(
    ("bounds", "codes", "unknown"),
    [
        (
            Bounds(),
            [],
            ["time limit (needs about 700 s", "memory limit (needs about 2.00 GB here)"],
        ),
        (Bounds(699, None), ["S706"], ["memory limit"]),
        (Bounds(None, 1_999_999_999), ["S707"], ["time limit"]),
        (Bounds(701, 2_000_000_001), [], []),
        (Bounds(1, 1), ["S706", "S707"], []),
    ],
)
def test_limits_that_are_known_and_unknown(
    bounds: Bounds, codes: list[str], unknown: list[str]
) -> None:
    """Else a limit would be passed over in silence, or one that nobody set be held against it."""
    assert [finding.code for finding in judge_cost(COST, bounds)] == codes
    lines = list(unchecked_cost(COST, bounds))
    assert len(lines) == len(unknown)
    assert all(line.startswith(start) for line, start in zip(lines, unknown, strict=True))


def test_codabenchs_own_default_is_named_when_it_would_be_passed() -> None:
    """Else somebody without a known limit would not learn that 600 s is the usual one."""
    assert "600 s is Codabench's default" in next(unchecked_cost(COST, Bounds()))
    quick = replace(COST, seconds=9.0)
    assert "default" not in next(unchecked_cost(quick, Bounds()))


TRACES: list[tuple[Seen, str, list[tuple[str, str]]]] = [
    (Seen(), "fine\n", []),
    (Seen(threads=("worker",)), "", [("S710", "warning")]),
    (Seen(processes=("sleep 9",)), "", [("S710", "warning")]),
    (Seen(hosts=("example.org",)), "", [("S711", "warning")]),
    (Seen(changed=("model.py",)), "", [("S713", "error")]),
    (Seen(added=("cache.bin",)), "", [("S713", "warning")]),
    (Seen(moved_to="/"), "", [("S715", "warning")]),
    (Seen(moved_to="/own"), "", [("S715", "note")]),
    (Seen(), "\x1b[1m32/32\x1b[0m \x1b[32m━━━\x1b[0m\x1b[K\n", []),  # Keras's own progress bar
    (Seen(), "\x1b[2J", [("S712", "warning")]),
    (Seen(), "\x1b]0;title\x07", [("S712", "warning")]),
]


@pytest.mark.parametrize(("seen", "log", "wanted"), TRACES)
def test_what_it_did_beside_answering(seen: Seen, log: str, wanted: list[tuple[str, str]]) -> None:
    """Else a hanging thread would be found on the platform, or Keras's progress bar be blamed."""
    found = list(judge_traces(outcome([], log, seen), "/own"))
    assert [(finding.code, finding.severity) for finding in found] == wanted


def test_foreign_names_cannot_paint_the_terminal() -> None:
    """Else a file name could rewrite our report."""
    seen = Seen(("a\x1b[2J",), ("b\nerror",), ("c\x1b]0;x\x07",), ("d\r",))
    for finding in judge_traces(outcome([], "", seen), ""):
        assert finding.message.isprintable()


def test_findings_carry_advice() -> None:
    """Else a user would read what is wrong and not what to do."""
    found: list[Finding] = [
        *judge_answers(interview({**SAME, "order": changed(9)}), CHALLENGE),
        *judge_cost(COST, Bounds(1, 1)),
        *judge_traces(outcome([], "\x1b[2J", Seen(("t",), (), ("h",), ("f",), (), "/")), "/own"),
    ]
    assert len(found) == 8
    assert all(finding.advice.endswith(".") for finding in found)

"""The dry run's parts: which images, what answers mean, what the hidden set would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.rehearsal.forecast import (
    Bounds,
    Forecast,
    Range,
    forecast,
    judge_forecast,
    unknown_limits,
)
from codabench_rehearsal.rehearsal.judge import (
    judge_answers,
    judge_meaning,
    judge_traces,
    judge_worker,
)
from codabench_rehearsal.rehearsal.questions import Answer, Images, Interview
from codabench_rehearsal.rehearsal.scale import guess_level
from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.outcome import Call, Outcome, Problem, Seen
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
    result = JobResult("exit", 0, log, 3.0, 900, {})
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
    ({**SAME, "again": changed(3)}, [("S701", "warning")]),
    ({**SAME, "again": changed(1)}, [("S701", "note")]),
    ({**SAME, "again": changed(2)}, [("S701", "note")]),
    (
        {**SAME, "order": changed(3), "small": changed(9)},
        [("S703", "warning"), ("S702", "warning")],
    ),
    ({**SAME, "small": changed(9), "large": changed(9)}, [("S702", "warning")]),
    ({**SAME, "large": changed(1)}, [("S702", "note")]),
    ({**SAME, "float32": changed(5), "float64": changed(5)}, [("S704", "warning")]),
    ({**SAME, "float64": changed(5)}, [("S704", "warning")]),
    ({**SAME, "again": changed(50), "order": changed(50)}, [("S701", "warning")]),
    ({"first": FIRST}, []),
    ({}, []),
]


@pytest.mark.parametrize(("answers", "wanted"), ANSWERS)
def test_what_the_answers_mean(answers: Mapping[str, Any], wanted: list[tuple[str, str]]) -> None:
    """Else floating point would be called a fault, or a fault floating point."""
    found = list(judge_answers(interview(answers), outcome([]), CHALLENGE, 2000))
    assert [(finding.code, finding.severity) for finding in found] == wanted


DRAWS = np.random.default_rng(3)
GOOD = np.where(DRAWS.random(200) < 0.6, FIRST, DRAWS.integers(0, 8, 200))
MEANINGS: list[tuple[Any, bool, list[tuple[str, str]]]] = [
    (np.full(200, 3), False, [("S709", "warning")]),
    (np.full(200, 3), True, [("S709", "error")]),
    (np.full(60, 3), True, [("S709", "error")]),
    (FIRST, False, []),
    (GOOD, True, []),
    (DRAWS.integers(0, 8, 200), True, [("S716", "error")]),
    (np.sort(FIRST), True, [("S716", "error")]),
    (DRAWS.integers(0, 8, 60), True, [("S716", "warning")]),
    (FIRST[:12], True, []),
    (DRAWS.integers(0, 8, 29), True, []),
]


@pytest.mark.parametrize(("answers", "labelled", "wanted"), MEANINGS)
def test_no_better_than_guessing(
    answers: Any, labelled: bool, wanted: list[tuple[str, str]]
) -> None:
    """Else a hopeless zip is called ready, or one that is merely not good is refused."""
    asked = interview({"first": answers}, len(answers), labels=labelled)
    found = list(judge_meaning(asked, {}, CHALLENGE))
    assert [(finding.code, finding.severity) for finding in found] == wanted
    assert all(finding.kind == "scores" for finding in found)
    assert all(str(len(answers) - 10) in finding.message for finding in found)


def test_chance_is_called_guessing_and_skill_is_not() -> None:
    """Else one zip in a hundred that answers well enough would be refused."""
    draws = np.random.default_rng(8)
    truth = np.arange(150) % 8
    called = {0.0: 0, 0.3: 0, 0.9: 0}
    for skill in called:
        for _ in range(40):
            knows = draws.random(150) < skill
            answers = np.where(knows, truth, draws.integers(0, 8, 150))
            called[skill] += bool(guess_level(answers, truth)[0])
    assert called[0.0] >= 36
    assert called[0.3] == called[0.9] == 0


def test_a_rare_class_does_not_make_a_guesser() -> None:
    """Else a good model of uneven classes is refused, as a constant answer is right often too."""
    truth = (np.arange(200) % 10 == 0).astype(np.int64)
    good = truth.copy()
    good[:8] = 1 - good[:8]
    assert not guess_level(good, truth)[0]
    assert guess_level(np.roll(truth, 5), truth)[0]


def test_random_views_are_a_warning_with_their_size() -> None:
    """Else a submission that is scored is refused, or nobody learns how far its score moves."""
    answers = {"first": FIRST, "again": changed(60)}
    [found] = judge_answers(interview(answers), outcome([]), CHALLENGE, 2000)
    assert (found.code, found.severity, found.kind) == ("S701", "warning", "rules")
    assert "60 of 200 images" in found.message
    assert "±0.024" in found.message


TYPES = [
    ({"type": "numpy.ndarray", "dtype": "int64", "shape": "(200,)"}, "labels", ""),
    ({"type": "numpy.ndarray", "dtype": "uint8", "shape": "(200,)"}, "labels", ""),
    ({"type": "numpy.ndarray", "dtype": "float32", "shape": "(200,)"}, "labels", "float32"),
    ({"type": "numpy.ndarray", "dtype": "bool", "shape": "(200,)"}, "labels", "bool"),
    ({"type": "numpy.ndarray", "dtype": "int64", "shape": "(200, 1)"}, "labels", "(200, 1)"),
    ({"type": "builtins.list", "dtype": "", "shape": ""}, "labels", "builtins.list"),
    ({"type": "builtins.list", "dtype": "", "shape": ""}, "probabilities", ""),
]


@pytest.mark.parametrize(("returned", "answers", "said"), TYPES)
def test_what_is_scored_all_the_same(returned: dict[str, str], answers: Any, said: str) -> None:
    """Else a list that scoring takes is refused, or nobody learns that it was not asked for."""
    left = replace(outcome([]), returned=returned)
    challenge = replace(CHALLENGE, answers=answers)
    found = list(judge_answers(interview(SAME), left, challenge, 2000))
    assert [(f.code, f.severity, f.kind) for f in found] == [("S614", "warning", "rules")] * bool(said)  # fmt: skip
    assert all(said in finding.message for finding in found)


def test_one_image_of_few_may_be_floating_point() -> None:
    """Else one flip among thirty images, over 1 % of them, would be an error."""
    answers = {"first": FIRST, "again": FIRST, "small": changed(1)[:30]}
    found = judge_answers(interview(answers), outcome([]), CHALLENGE, 2000)
    assert [f.severity for f in found] == ["note"]


def test_the_cost_is_linear_and_the_compile_counted_once() -> None:
    """Else the first call's compile would be multiplied, or the loading forgotten."""
    asked = interview({"first": FIRST, "again": FIRST, "large": np.zeros(1000)})
    cost = forecast(asked, outcome([(3.0, 300), (1.0, 400), (5.0, 800)]), hidden=3000)
    assert cost is not None
    assert cost.measured == 1000
    # 2 s to start, 2 s to compile, 5 s for 1,000 images, 4 s / 800 images for 2,000 more.
    assert cost.seconds.likely == pytest.approx(2 + 2 + 5 + 2000 * 4 / 800)
    # 800 at 1,000 images, 400 / 800 for each further one, 100 held by other processes.
    assert cost.peak_bytes.likely == 800 + 2000 * 400 / 800 + 100
    assert cost.seconds.low == cost.seconds.likely == cost.seconds.high


def test_one_allocation_is_not_taken_for_growth() -> None:
    """Else 5 GB are foretold where 1 GB is needed, and a good zip is refused for it."""
    sizes = {"first": FIRST, "again": FIRST, "middle": np.zeros(300), "large": np.zeros(1000)}
    calls = [(3.0, 300), (1.0, 400), (1.5, 900), (5.0, 950)]
    cost = forecast(interview(sizes), outcome(calls), hidden=3000)
    assert cost is not None
    assert cost.peak_bytes.low == pytest.approx(950 + 2000 * 50 / 700)
    assert cost.peak_bytes.likely == cost.peak_bytes.low
    assert cost.peak_bytes.high == pytest.approx(950 + 2000 * 5)
    assert not list(judge_forecast(cost, Bounds(None, 1200)))
    assert [f.code for f in judge_forecast(cost, Bounds(None, 900))] == ["S707"]
    assert any("forecast" in line for line in unknown_limits(cost, Bounds(100, 1200)))


@pytest.mark.parametrize("names", [["first"], ["first", "again"], []])
def test_no_cost_without_two_sizes(names: list[str]) -> None:
    """Else a figure would be made up."""
    asked = interview(dict.fromkeys(names, FIRST))
    assert forecast(asked, outcome([(1.0, 1)] * len(names)), 3000) is None


COST = Forecast(3000, 1000, Range(700.0, 700.0, 700.0), Range(2e9, 2e9, 2e9))


@pytest.mark.parametrize(
    ("bounds", "codes", "unknown"),
    [
        (
            Bounds(),
            [("S706", "warning")],
            ["time limit (needs about 700 s", "memory limit (needs about 2.00 GB here)"],
        ),
        (Bounds(699, None), [("S706", "error")], ["memory limit"]),
        (Bounds(None, 1_999_999_999), [("S706", "warning"), ("S707", "error")], ["time limit"]),
        (Bounds(701, 2_000_000_001), [], []),
        (Bounds(1, 1), [("S706", "error"), ("S707", "error")], []),
    ],
)
def test_limits_that_are_known_and_unknown(
    bounds: Bounds, codes: list[tuple[str, str]], unknown: list[str]
) -> None:
    """Else a limit would be passed over in silence, or one that nobody set be held against it."""
    assert [(finding.code, finding.severity) for finding in judge_forecast(COST, bounds)] == codes
    lines = list(unknown_limits(COST, bounds))
    assert len(lines) == len(unknown)
    assert all(line.startswith(start) for line, start in zip(lines, unknown, strict=True))


def test_codabenchs_own_default_is_named_when_it_would_be_passed() -> None:
    """Else somebody without a known limit would not learn that 600 s is the usual one."""
    assert "600 s is Codabench's default" in next(unknown_limits(COST, Bounds()))
    quick = replace(COST, seconds=Range(9.0, 9.0, 9.0))
    assert not list(judge_forecast(quick, Bounds()))
    assert "default" not in next(unknown_limits(quick, Bounds()))


TRACES: list[tuple[Seen, str, list[tuple[str, str]]]] = [
    (Seen(), "fine\n", []),
    (Seen(threads=("worker",)), "", [("S710", "warning")]),
    (Seen(processes=("sleep 9",)), "", [("S710", "warning")]),
    (Seen(hosts=("example.org",)), "", [("S711", "warning")]),
    (Seen(moved_to="/"), "", [("S715", "warning")]),
    (Seen(metadata=True), "", [("S718", "error")]),
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


FAILED = Problem("init", "OSError", "[Errno 30] Read-only file system: 'x'")
WROTE = Seen(added=("cache.bin",))
WORKERS: list[tuple[Seen, Problem | None, bool, list[tuple[str, str]]]] = [
    (Seen(), None, False, []),
    (Seen(), None, True, []),
    (WROTE, None, False, [("S713", "note")]),
    (WROTE, None, True, [("S713", "note")]),
    (WROTE, FAILED, True, [("S713", "warning")]),
    (Seen(changed=("model.py",)), FAILED, True, [("S713", "warning")]),
    (Seen(), FAILED, True, [("S713", "warning")]),
    (
        Seen(),
        Problem("init", "FileNotFoundError", "No such file: '/app/output/w.npy'"),
        True,
        [("S717", "warning")],
    ),
]


@pytest.mark.parametrize(("seen", "problem", "asked", "wanted"), WORKERS)
def test_what_one_worker_alone_allows(
    seen: Seen, problem: Problem | None, asked: bool, wanted: list[tuple[str, str]]
) -> None:
    """Else writing beside model.py is an error where it is none, or fails unseen where it is one."""
    newer = replace(outcome([]), problem=problem) if asked else None
    found = list(judge_worker(outcome([], "", seen), newer))
    assert [(finding.code, finding.severity) for finding in found] == wanted
    assert all("2026-10" in finding.message for finding in found if finding.severity == "warning")


def test_foreign_names_cannot_paint_the_terminal() -> None:
    """Else a file name could rewrite our report."""
    seen = Seen(("a\x1b[2J",), ("b\nerror",), ("c\x1b]0;x\x07",), ("d\r",))
    left = outcome([], "", seen)
    for finding in (*judge_traces(left, ""), *judge_worker(left, None)):
        assert finding.message.isprintable()


def test_findings_carry_advice() -> None:
    """Else a user would read what is wrong and not what to do."""
    found: list[Finding] = [
        *judge_answers(interview({**SAME, "order": changed(9)}), outcome([]), CHALLENGE, 2000),
        *judge_forecast(COST, Bounds(1, 1)),
        *judge_traces(outcome([], "\x1b[2J", Seen(("t",), (), ("h",), ("f",), (), "/")), "/own"),
    ]
    assert len(found) == 7
    assert all(finding.advice.endswith(".") for finding in found)

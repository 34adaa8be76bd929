"""A report on a bundle as terminal, page and JSON show it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from codabench_rehearsal.challenge.bundle import Column
from corruptions.presets import resolve
from evaluator.bundles.choice import choices
from evaluator.bundles.expecting import Measured, Past, expected_of
from evaluator.bundles.report import BundleReport
from evaluator.bundles.result import (
    BundleCondition,
    BundleSource,
    Example,
    Expected,
    Interval,
)
from evaluator.report.tables import sorting_script
from evaluator.store.rows import LeaderboardScore, Submission

EVIL = "<script>alert(1)</script>\x1b[31m\u202e"
PICTURE = np.full((9, 9, 1), 100, np.uint8)


def condition(name: str, value: float | None, **more: Any) -> BundleCondition:
    """One row."""
    interval = None if value is None else Interval(value - 0.05, value + 0.05)
    lost = None if value is None or name == "clean" else 0.9 - value
    fields: dict[str, Any] = {
        "family": "" if name == "clean" else "weather",
        "severity": 0 if name == "clean" else 3,
        "status": "Failed" if value is None else "Finished",
        "message": "" if value is not None else "Child task failed or non-zero return code",
        "cause": "" if value is not None else f"ingestion ended with {EVIL}",
        "scores": {} if value is None else {"accuracy": value, EVIL: 0.25},
        "seconds": 1.5,
    }
    return BundleCondition(
        name, value=value, interval=interval, lost=lost, lost_interval=None, **{**fields, **more}
    )


def report(**more: Any) -> BundleReport:
    """Clean, the preset as a whole, fog and a crash."""
    source = BundleSource(
        submission=f"/a/{EVIL}.zip",
        sha256="0" * 64,
        bundle=EVIL,
        title=EVIL,
        phase="dev",
        tasks=1,
        worker="2026-10",
        column="accuracy",
        column_title=EVIL,
        sorting="desc",
        preset="heavy",
        description=EVIL,
        seed=0,
        fingerprint="f",
        environment="python 3",
        images=("test.npy (60 images)",),
    )
    rows = (
        condition("heavy", 0.6, family="mixed"),
        condition("fog:3", 0.7),
        condition("snow:4", None),
    )
    fields: dict[str, Any] = {
        "clean": condition("clean", 0.9),
        "again": 0.9,
        "scatter": 0.0,
        "conditions": rows,
        "not_asked": ("frost:1",),
        "rows": "Intervals: 95 % of resamples of 60 rows.",
        "notes": (EVIL,),
        "expected": Expected("range", 0.6, 0.65, 0.7, ("The range is that of 2 conditions.",)),
        "examples": (Example("fog:3", PICTURE, PICTURE),),
        "budget_seconds": 15.0,
        "spent_seconds": 20.0,
        "known": 2,
    }
    return BundleReport(**{"source": source, **fields, **more})


def test_the_terminal_says_it_in_order() -> None:
    """Else the first thing that somebody reads is not what the platform would say."""
    lines = report().lines()
    assert lines[0].endswith("Finished, accuracy 0.9000 (clean)")
    said = "\n".join(lines)
    assert "heavy as a whole" in said
    assert "Range over the conditions that were run: accuracy 0.600 to 0.700." in said
    assert "Failed under snow:4: Child task failed or non-zero return code (because" in said
    assert "Not run: frost:1." in said
    assert "corrupted: test.npy (60 images)" in said
    assert not any(sign in said for sign in ("\x1b", "\u202e"))
    made = replace(report().expected, kind="estimate")
    assert "Expected hidden accuracy: 0.650, between 0.600 and 0.700 (90 % sure)." in str(
        report(expected=made)
    )


def test_the_page_is_well_formed_and_escapes_what_is_foreign() -> None:
    """Else a bundle's title runs a script in the reader's browser."""
    page = report().to_page()
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert [one.text for one in root.iter("script")] == [sorting_script()]
    assert len(list(root.iter("img"))) == 2
    assert "\x1b" not in page
    drawings = [one for one in root.iter("svg") if one.get("role")]
    assert len(drawings) == 3  # the failed one has no figure
    assert not list(ET.fromstring(report()._repr_html_()).iter("script"))


def test_the_page_answers_in_ten_seconds() -> None:
    """Else a bundle's page has no verdict, no large figures, no way to its parts."""
    made = replace(report().source, command="local-eval a.zip", made="2026-11-29 17:13 UTC")
    whole = replace(report().conditions[0], lost_interval=Interval(0.2, 0.4))
    rows = (condition("fog:3", 0.7), whole, *report().conditions[2:])
    root = ET.fromstring(
        report(source=made, conditions=rows).to_page().removeprefix("<!DOCTYPE html>\n")
    )
    title = root.find("head/title")
    assert title is not None
    assert (title.text or "").endswith("zip 00000000 2026-11-29")
    card = next(one for one in root.iter("section") if one.get("class") == "card")
    text = " ".join("".join(card.itertext()).split())
    assert text.startswith(
        "accuracy 0.900 on clean images, 0.600 on corrupted ones, worst under fog:3 (0.700)."
    )
    for figure in ("Clean images0.90095 %: 0.850 to 0.950", "Corrupted, heavy0.600", "Worse by"):
        assert figure in text
    for fact in ("95 %: 0.200 to 0.400", made.made, made.command, "Failed under snow:4", "heavy"):
        assert fact in text
    links = {one.get("href") for one in root.findall(".//nav//a")}
    places = {f"#{one.get('id')}" for one in root.iter("section") if one.get("id")}
    assert links == places
    assert len(links) == 5
    folded = ["".join(one.itertext()) for one in root.findall(".//details/summary/h2")]
    assert folded == ["What the figures rest on", "How this was made"]
    names = [
        "".join(row[0].itertext()) for row in root.findall(".//section[@id='conditions']//tbody/tr")
    ]
    assert names == ["clean", "snow:4", "heavy as a whole", "fog:3"]


def test_the_page_leads_with_what_to_expect() -> None:
    """Else the figure that people look for stands below local ones, or a range passes for it."""
    found = replace(report().expected, kind="estimate")
    page = report(expected=found).to_page()
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    first, *_ = root.findall(".//p[@class='kicker']")[1:]
    assert first.text == "Expected hidden accuracy"
    assert "Expected hidden" not in report().to_page()
    failed = report(clean=condition("clean", None), conditions=(), examples=()).to_page()
    heading = ET.fromstring(failed.removeprefix("<!DOCTYPE html>\n")).find(".//h2")
    assert heading is not None
    assert "Failed: Child task failed" in (heading.text or "")


@pytest.mark.parametrize("value", [0.0, -3.5, 1e6, 0.9])
def test_any_column_can_be_drawn(value: float) -> None:
    """Else a regression's page ends with an error."""
    one = condition("clean", value)
    page = report(clean=one, conditions=(condition("fog:3", value),)).to_page()
    ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_the_json_has_it_all() -> None:
    """Else a script has to read the terminal."""
    found = json.loads(report().to_json())
    assert (found["schema"], found["kind"]) == (1, "bundle")
    assert found["clean"]["value"] == 0.9
    assert [row["name"] for row in found["conditions"]] == ["heavy", "fog:3", "snow:4"]
    assert found["conditions"][1]["interval"] == pytest.approx([0.65, 0.75])
    assert found["conditions"][2]["value"] is None
    assert found["expected"]["kind"] == "range"
    assert found["column"] == {
        "key": "accuracy",
        "title": found["challenge"]["title"],
        "sorting": "desc",
    }
    assert found["not_asked"] == ["frost:1"]


def test_nothing_has_no_minus() -> None:
    """Else an interval that begins at nothing looks like one that crosses it."""
    fog = replace(condition("fog:3", 0.7), lost_interval=Interval(-1e-9, 0.2))
    assert "│ 0.000 to 0.200 │" in str(report(conditions=(fog,)))


def test_only_a_failure_is_a_finding() -> None:
    """Else a script takes a low score for a broken submission, or the reverse."""
    fine = report(conditions=(condition("fog:3", 0.1),))
    assert (report().failed, fine.failed) == (True, False)
    assert report(clean=condition("clean", None), conditions=()).failed


def measured(values: list[float | None], rows: int | None = None) -> Measured:
    """Figures, the clean one first, then heavy as a whole and its single conditions."""
    damaged = zip(choices(resolve("heavy")), values[1:], strict=False)
    return Measured(values[0], tuple(damaged), rows)


ACCURACY = Column(0, "accuracy", "Accuracy")
MANY: list[float | None] = [0.9, 0.6, *[0.7, 0.5] * 5]


def test_an_estimate_needs_conditions_of_several_families() -> None:
    """Else a range of three figures passes for what to expect."""
    few = expected_of(measured([0.9, 0.6, 0.7, 0.5]), ACCURACY)
    assert (few.kind, few.low, few.high) == ("range", 0.5, 0.7)
    assert "2 single conditions of" in few.why[0], "heavy as a whole is none of the eight"
    assert "an estimate needs 8 conditions of 3 families" in few.why[0]
    many = expected_of(measured(MANY, 100), ACCURACY)
    assert many.kind == "estimate"
    assert many.low is not None
    assert many.median is not None
    assert many.high is not None
    assert many.low < 0.5 < many.median < 0.7 < many.high
    assert "mix of clean images and the 10 conditions that were run, of 100 rows" in many.why[0]


def test_past_scores_sharpen_it() -> None:
    """Else what the leaderboard said of other submissions is of no use for a bundle."""
    values = (0.8, *[0.6, 0.4] * 5)
    owner = Submission(1, "b" * 64, "b.zip", "", "", "")
    scores = [
        Past(LeaderboardScore(n, owner, "dev", 0.5 + n / 100, 2, "", None, "", ""), values)
        for n in range(3)
    ]
    plain = expected_of(measured(MANY, 100), ACCURACY)
    found = expected_of(measured(MANY, 100), ACCURACY, lambda _: scores)
    for one in (plain, found):
        assert one.low is not None
        assert one.high is not None
    assert (found.high or 0) - (found.low or 0) < 0.7 * ((plain.high or 0) - (plain.low or 0))
    assert "It rests on 3 past scores." in found.why


@pytest.mark.parametrize("values", [[0.9, 0.6, -0.1], [12.0, 9.0, 8.0], [0.9, None, None]])
def test_no_other_column_is_estimated(values: list[float | None]) -> None:
    """Else a loss, or a percentage, gets a probability that means nothing."""
    assert expected_of(measured(values), ACCURACY).kind == "none"


def test_a_failure_under_damage_stands_beside_what_to_expect() -> None:
    """Else the expected score hides that the platform may give none."""
    found = expected_of(measured([0.9, 0.6, None, 0.5]), ACCURACY)
    assert found.kind == "range"
    assert found.why[-1].startswith("It fails under ")

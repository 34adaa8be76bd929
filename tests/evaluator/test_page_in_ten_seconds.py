"""The page at first sight: verdict, contents and links, the worst first, and what is folded away."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from evaluator.answers import Row, curves, grid
from evaluator.metrics import Score
from evaluator.report.augmentation import advice_places
from evaluator.report.card import card
from evaluator.report.classes import classes
from evaluator.report.expected import headline
from evaluator.report.grid import curve_section, heat_maps
from evaluator.report.page import to_page
from evaluator.report.robustness import of_search
from evaluator.report.robustness_page import robustness
from evaluator.report.svg import SHARES, share_step
from evaluator.report.worst import worst_conditions
from tests.evaluator import pages
from tests.evaluator.test_page import parts, said, tree, uncalibrated


def test_the_first_card_answers_in_ten_seconds() -> None:
    """Else a reader would have to look for the verdict, for which zip, which data, when and how."""
    report = pages.small_report()
    source = replace(report.source, made="2026-11-29 17:13 UTC")
    text = said(str(card(replace(report, source=source))))
    assert report.estimate is not None
    assert text.startswith(headline(report.estimate, report.scores))
    clean, damaged = (part.accuracy.value for part in parts(report))
    assert f"Accuracy, clean{clean:.2f}" in text
    assert f"Accuracy, corrupted (heavy){damaged:.2f}" in text
    for fact in (source.made, source.sha256[:12], source.data, source.command, "80 images of"):
        assert fact in text
    assert "Findings: 1 error 1 warning 1 note" in text
    but = "1 error: the platform would fail this zip"
    assert but in text[: text.index("Accuracy, clean")], "before any figure that it makes worthless"
    sound = [one for one in report.findings if one.severity != "error"]
    assert but not in said(str(card(replace(report, findings=tuple(sound)))))


def test_no_line_begins_with_a_percent_sign() -> None:
    """Else "(90" ends a line of the verdict, and "% sure)" begins the next."""
    page = to_page(uncalibrated())
    told = [text for text in re.findall(r"<(?:p|h2)[^>]*>([^<]*)<", page) if "%" in text]
    assert any("90\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}sure" in text for text in told)
    assert [text for text in told if re.search(r"\d %", text)] == []


def test_title_and_print_say_which_zip() -> None:
    """Else ten tabs, bookmarks or printed files would all be called the same."""
    report = pages.small_report()
    named = replace(report, source=replace(report.source, made="2026-11-29 17:13 UTC"))
    title = tree(to_page(named)).find("head/title")
    assert title is not None
    short = report.source.sha256[:8]
    assert title.text == f"Dress rehearsal of submission.zip {short} 2026-11-29"


def test_every_link_leads_somewhere() -> None:
    """Else the contents, a finding or a weak family would lead nowhere."""
    root = tree(to_page(pages.small_report()))
    places = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(places) == len(set(places))
    links = [one.get("href", "") for one in root.iter("a")]
    assert {link.removeprefix("#") for link in links} <= set(places)
    contents = root.find(".//nav")
    assert contents is not None
    named = {one.get("href") for one in contents.iter("a")}
    assert named == {f"#{s.get('id')}" for s in root.iter("section") if s.get("class") != "card"}


def test_what_is_weak_leads_to_its_advice() -> None:
    """Else a reader would know what is wrong and not what to do."""
    report = pages.small_report()
    places = advice_places(report)
    assert len(places) > 2
    root = tree(to_page(report))
    for family, place in places.items():
        (advice,) = (one for one in root.iter("li") if f"#{one.get('id')}" == place)
        assert "".join(advice.itertext()).startswith(f"{family}: ")
        assert len([one for one in root.iter("a") if one.get("href") == place]) >= 2
    for kind in ("error", "warning", "note"):
        (finding,) = (one for one in root.iter("div") if one.get("id") == kind)
        assert f"{kind} S" in "".join(finding.itertext())


def test_what_says_nothing_yet_is_folded_away() -> None:
    """Else assumptions and an empty history would stand between the reader and the figures."""
    page = to_page(uncalibrated())
    folded = [
        "".join(heading.itertext())
        for one in tree(page).iter("details")
        for heading in one.findall("summary/h2")
    ]
    assert folded == [
        *("What the estimate rests on", "Predicted against actual"),
        *("How this was made", "Words"),
    ]
    assert "Local figures and the leaderboard" not in said(page), "a chart of one submission"


def test_six_curves_are_shown_and_the_others_folded() -> None:
    """Else twenty flat curves would hide those that fall."""
    report = pages.small_report()
    rows = curves(grid((report.library, report.sheet, report.sweep)))
    made = ET.fromstring(str(curve_section(report)))
    shown = [one.get("aria-label", "").partition(":")[0] for one in made.findall("div/svg")]
    assert shown == [row.name for row in rows[:6]]
    assert f"{len(rows) - 6} more curves" in "".join(made.itertext())
    assert len(list(made.iter("svg"))) == len(rows)


def test_the_map_shows_what_was_asked_the_worst_first() -> None:
    """Else empty fields would fill it, and a severity between two whole ones be missing."""
    levels = {1.0: Score(0.9, 0.8, 1, 20), 2.5: Score(0.7, 0.6, 0.8, 20)}
    bad = {5.0: Score(0.2, 0.1, 0.3, 20)}
    rows = [Row("fog", "weather", levels), Row("snow", "weather", bad), Row("hue", "color", levels)]
    maps = heat_maps([rows[2], *rows[:2]])
    assert list(maps) == ["weather", "color"]
    drawn = ET.fromstring(str(maps["weather"]))
    texts = ["".join(one.itertext()) for one in drawn.iter("text")]
    assert texts == ["1", "2.5", "5", "snow", ".20", "fog", ".90", ".70"]
    assert len(list(drawn.iter("rect"))) == 3


def test_bars_that_would_say_the_same_are_one_sentence() -> None:
    """Else twenty full bars would hide the few corruptions under which accuracy falls."""
    report = pages.small_report()
    assert report.search is not None
    every = report.search.found
    above = [one.name for one in every if one.where == "above"]
    below = [one for one in every if one.where != "above"]
    assert above
    assert below
    (found,) = (made for place, _, made in robustness(report) if place == "until")
    drawn = ET.fromstring(str(found))
    bars = [one for one in drawn.iter("rect") if one.get("class") == "bar"]
    assert len(bars) == len(below)
    sentence = f"above up to severity 5 under {len(above)} corruption: {above[0]}."
    assert sentence in " ".join("".join(drawn.itertext()).split())
    assert [row[0] for row in of_search(report.search).rows] == [one.name for one in below]
    only = replace(report.search, found=tuple(one for one in every if one.where == "above"))
    (sound,) = (
        made for place, _, made in robustness(replace(report, search=only)) if place == "until"
    )
    assert "under 1 corruption: elastic_transform" in str(sound)
    assert "<svg" not in str(sound)


def test_the_worst_conditions_stand_first_and_sort() -> None:
    """Else a reader would have to look through fifty conditions for those that cost most."""
    report = pages.small_report()
    assert report.scores is not None
    made = ET.fromstring(str(worst_conditions(report)))
    values = [float(row[1].get("data-value", "")) for row in made.findall(".//tbody/tr")]
    known = sorted(one.accuracy.value for one in report.scores.conditions)
    assert values == pytest.approx(known, abs=1e-5)
    assert [one.get("aria-sort") for one in made.iter("th") if one.get("aria-sort")] == [
        "ascending"
    ]


def test_one_share_has_one_colour_in_both_matrices() -> None:
    """Else .36 wrong and .27 right would look alike, and a dark field mean two things."""
    report = pages.small_report()
    made = str(classes(report)[1])
    fields = re.findall(r"answered as [^:]+: ([0-9.]+) .*?</title><rect [^>]*class=\"(\w+)\"", made)
    assert len(fields) == 2 * 8 * 8
    for share, colour in fields:
        low, high = (share_step(float(share) + off) for off in (-0.0006, 0.0006))  # it is rounded
        assert low <= int(colour.removeprefix("share")) <= high
    assert made.count("<li") == len(SHARES) + 1, "the legend"

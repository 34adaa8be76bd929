"""`--challenge 1234`: what a site says as a profile, alone and beside a bundle."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.setting import opened_setting
from codabench_rehearsal.challenge.site import wire as site_wire
from codabench_rehearsal.challenge.site.address import read_address
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.profile import SiteChallenge, fetch, known
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.bundles import Draft
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TODAY


def fetched(site: SiteStub) -> SiteChallenge:
    """The challenge, asked for now."""
    with Site(site.base) as asked:
        return fetch(asked, read_address(site.page))


def test_a_zip_is_held_against_what_the_site_says(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the limits of the built-in challenge are taken for those of another."""
    words = ["--check-only", "submission.zip", "--challenge", "1234", "--phase", "0"]
    assert main([*words, "--json", "-"]) == Exit.FINE
    said = capsys.readouterr()
    told = json.loads(said.out)["challenge"]
    assert told["title"] == "Tell cells apart"
    assert told["image"] == "codalab/codalab-legacy:py312"
    assert told["phase"] == {"index": 0, "name": "Development"}
    assert "nothing is run (--bundle BUNDLE: it is)" in said.err
    assert site.tokened == []


def test_a_bundle_beside_the_site_decides(site: SiteStub, here: Path) -> None:
    """Else the organiser's newer bundle is overruled by what the site still says."""
    draft = Draft()
    first, second = draft.yaml["phases"]
    first["execution_time_limit"] = 77
    for name in ("execution_time_limit", "max_submissions_per_day"):
        second.pop(name)
    draft.yaml.pop("docker_image")
    site.challenge["phases"][1]["max_submissions_per_day"] = 2
    site.challenge["docker_image"] = "the/sites:image"
    source = draft.as_zip(here / "bundle.zip")
    with opened_setting(source, "0", site=fetched(site)) as setting:
        one, two = setting.bundle.phases
        assert (one.seconds, one.per_day, one.end) == (77, 5, "2026-02-01 12:00:00")
        assert (two.seconds, two.per_day, two.start) == (600, 2, "2026-02-02 00:00:00")
        assert setting.bundle.image == "the/sites:image"
        assert setting.bundle.columns[0].key == "accuracy"


def test_a_bundle_that_names_its_image_keeps_it(site: SiteStub, here: Path) -> None:
    """Else a zip is looked at for another image than the bundle's."""
    site.challenge["docker_image"] = "the/sites:image"
    source = Draft().as_zip(here / "bundle.zip")
    with opened_setting(source, "0", site=fetched(site)) as setting:
        assert setting.bundle.image == "codalab/codalab-legacy:py312"


@pytest.mark.parametrize("words", [["--bundle", "bundle.zip"], ["--refresh"]])
def test_options_that_need_a_site(
    words: list[str], site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a bundle is named, and silently not used."""
    del site
    Draft().as_zip(here / "bundle.zip")
    assert main(["--check-only", "submission.zip", "--no-run", *words]) == Exit.USAGE
    assert "goes with --challenge 1234" in capsys.readouterr().err


def test_weights_are_not_packed_by_a_site(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it is not said what packs weights."""
    assert main(["weights.keras", "--challenge", "1234"]) == Exit.USAGE
    assert "expected --check-only ZIP" in capsys.readouterr().err
    assert site.calls == []


@pytest.mark.parametrize(
    ("hours", "refresh", "asks", "note"),
    [
        (1, False, 0, "60 minutes ago (--refresh asks anew)"),
        (23, False, 0, "23 hours ago"),
        (25, False, 1, ""),
        (1, True, 1, ""),
    ],
)
def test_the_cache_is_taken_while_it_is_fresh(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch, hours: int, refresh: bool, asks: int, note: str
) -> None:
    """Else every check asks the site, or old limits stay for ever."""
    first = fetched(site)
    monkeypatch.setattr(site_wire.Clock, "now", lambda _: TODAY + dt.timedelta(hours=hours))
    site.calls.clear()
    with Site(site.base) as asked:
        found, said = known(asked, read_address(site.page), refresh=refresh)
    assert len(site.calls) == asks
    assert note in said
    assert dataclasses.replace(found, fetched=first.fetched) == first


def test_a_damaged_cache_is_asked_anew(site: SiteStub, here: Path) -> None:
    """Else a killed run, or a hand in the cache, ends every later check."""
    fetched(site)
    [kept] = (here / "cache" / "sites").rglob("*.json")
    for text in (
        "",
        "[]",
        '{"fetched": 3}',
        '{"fetched": "2026-03-10", "challenge": {"phases": 7}}',
    ):
        kept.write_text(text, encoding="utf-8")
        with Site(site.base) as asked:
            assert known(asked, read_address(site.page))[0].title == "Tell cells apart"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        (None, 11),
        ("Final", 12),
        ("final", 12),
        ("1", 12),
        ("12", 12),
        ("0", 11),
        (" development ", 11),
    ],
)
def test_a_phase_by_name_or_number(site: SiteStub, name: str | None, number: int) -> None:
    """Else the zip goes into another phase than was meant."""
    assert fetched(site).phase(name, TODAY).number == number


def test_a_phase_is_never_guessed(site: SiteStub) -> None:
    """Else an upload is spent in the wrong one of two."""
    site.challenge["phases"][1]["start"] = "2026-03-02T00:00:00Z"
    with pytest.raises(SiteError, match=r"2 phases are open.*0 \(Development\), 1 \(Final\)"):
        fetched(site).phase(None, TODAY)
    with pytest.raises(SiteError, match="expected a phase of"):
        fetched(site).phase("Finale", TODAY)
    site.challenge["phases"] = [
        {**one, "end": "2026-03-03T00:00:00Z"} for one in site.challenge["phases"]
    ]
    with pytest.raises(SiteError, match="no phase is open today"):
        fetched(site).phase(None, TODAY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phases", None), ("phases", []), ("phases", "Development"), ("phases", [1, 2]),
        ("phases", [{}]), ("phases", [{"id": 1e400, "start": 5, "end": "soon", "tasks": "none"}]),
        ("leaderboards", [{"columns": 4}]), ("leaderboards", [{"primary_index": "x", "columns": [{"index": None}]}]),
        ("queue", "fast"), ("title", None), ("terms", 7), ("docker_image", None), ("docker_image", ["a"]),
    ],
)  # fmt: skip
def test_a_site_that_tells_nonsense(
    site: SiteStub, capsys: pytest.CaptureFixture[str], field: str, value: object
) -> None:
    """Else a newer site, or a broken one, ends in a fault of ours."""
    from codabench_rehearsal.commands.codabench_challenge import main as challenge

    site.challenge[field] = value
    site.fail("GET /api/competitions", "json", value=site.challenge)
    assert challenge(["show", "1234"]) in (Exit.FINE, Exit.USAGE)
    assert "fault of ours" not in capsys.readouterr().err

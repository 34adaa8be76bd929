"""`codabench-challenge make`: what is in the bundle, and what must not be."""

from __future__ import annotations

import datetime as dt
import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from codabench_rehearsal.challenge.checks.program import parsed
from codabench_rehearsal.challenge.checks.subject import check_bundle
from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.codabench_challenge import main
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.images import from_arrays, load, save, synthetic
from codabench_rehearsal.images.cleaning import NEAR, near_pairs
from codabench_rehearsal.rehearsal.making.pages import MOST_RECALLS
from tests.challenge.made_challenges import (
    NAMES,
    SEED,
    USUAL,
    WORDS,
    cells,
    contents,
    hidden,
    make,
    opened,
    profile,
    public,
    training,
)

PHASES = ("development", "final")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the usual options."""
    return make(tmp_path_factory.mktemp("make"), *USUAL, *WORDS)


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of one whose hidden images are as they came."""
    return contents(make(tmp_path_factory.mktemp("clean"), "--corrupt", "clean", *WORDS))


def test_nothing_is_wrong_with_it(bundle: Path) -> None:
    """Else the site refuses what we made, or participants run into it."""
    assert check_bundle(bundle) == ()


def test_show_says_what_a_submission_must_be(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else participants cannot read it out of the ingestion program either."""
    assert main(["show", str(bundle)]) == Exit.FINE
    said = capsys.readouterr().out
    for line in (
        "a zip with model.py that defines Model (ingestion.py:",
        "called as Model() (",
        "then called: predict(X)",
        "0 Development: 2027-01-01 00:00:00 to 2027-01-24 23:59:00; 600 s a program, 5 submissions",
        "1 Final: 2027-01-25 00:00:00 to 2027-02-01 00:00:00",
        "macro_f1 (Macro-F1): largest first",
        "recall_3 (Recall: monocyte",
    ):
        assert line in said


def test_programs_run_under_old_pythons(bundle: Path) -> None:
    """Else an image of the organiser's choice, py37 as the site's default, fails every submission."""
    named = [(n, data) for n, data in contents(bundle).items() if n.endswith(".py")]
    assert len(named) == 6
    for name, data in named:
        assert parsed(data.decode(), (3, 7)) is not None, name


def test_no_hidden_image_is_public(undamaged: dict[str, bytes]) -> None:
    """Else whoever reads the kit has the hidden images, with their labels."""
    files = [*public(undamaged).items()]
    assert {name for name, _ in files} >= {"logo.png", "starting_kit.zip/sample.npz/images.npy"}
    for phase in PHASES:
        images, _ = hidden(undamaged, phase)
        assert len(images) == 48
        for image in images:
            assert [name for name, data in files if image.tobytes() in data] == []


def test_the_logo_is_made_of_training_images(undamaged: dict[str, bytes]) -> None:
    """Else a hidden image is on the front page."""
    logo = Image.open(io.BytesIO(undamaged["logo.png"]))
    images, _ = training(undamaged)
    tiles = {Image.fromarray(image).resize((96, 96)).tobytes() for image in images}
    boxes = [(x, y, x + 96, y + 96) for x in (0, 96, 192) for y in (0, 96, 192)]
    edge = [box for box in boxes if box[:2] != (96, 96)]
    assert logo.size == (288, 288)
    # The tile in the middle reaches one pixel into those beside it.
    inner = [tuple(np.add(box, (1, 1, -1, -1))) for box in edge]
    cut = {Image.frombytes("RGB", (96, 96), t).crop((1, 1, 95, 95)).tobytes() for t in tiles}
    assert all(logo.crop(box).tobytes() in cut for box in inner)


def test_no_image_is_in_two_parts(undamaged: dict[str, bytes]) -> None:
    """Else training images are in the hidden set, and scores are too high."""
    sets = [training(undamaged)[0], *(hidden(undamaged, phase)[0] for phase in PHASES)]
    every = [image.tobytes() for images in sets for image in images]
    assert len(set(every)) == len(every) == 240


def test_the_damage_does_not_choose_the_images(bundle: Path, undamaged: dict[str, bytes]) -> None:
    """Else "no hidden image is public" was shown of another challenge."""
    files = contents(bundle)
    assert files["public_data.zip"] == undamaged["public_data.zip"]
    for phase in PHASES:
        (damaged, labels), (clean, same) = hidden(files, phase), hidden(undamaged, phase)
        np.testing.assert_array_equal(labels, same)
        assert (damaged != clean).any(axis=(1, 2, 3)).all()


def test_near_copies_are_never_hidden(tmp_path: Path) -> None:
    """Else a brighter copy in the training images tells a hidden image's label."""
    drawn = load(cells(tmp_path))
    copies, near = drawn.images[:6], np.minimum(drawn.images[6:16], 250) + np.uint8(3)
    images = np.concatenate([drawn.images, copies, near])
    labels = np.concatenate([drawn.labels, drawn.labels[:6], drawn.labels[6:16]])
    save(from_arrays(images, labels), tmp_path / "cells.npz")
    files = contents(make(tmp_path, "--corrupt", "clean", *WORDS))
    sets = [training(files)[0], *(hidden(files, phase)[0] for phase in PHASES)]
    assert sum(map(len, sets)) == 240 + 10
    side = np.repeat([0, 1, 2], [len(one) for one in sets])
    pairs = near_pairs(np.concatenate(sets), NEAR)
    assert pairs.total >= 10
    assert (side[pairs.first] == 0).all()
    assert (side[pairs.second] == 0).all()


def test_the_order_of_hidden_images_tells_no_label(undamaged: dict[str, bytes]) -> None:
    """Else labels can be read off the rows: images are drawn class by class, in turns."""
    for phase in PHASES:
        labels = hidden(undamaged, phase)[1]
        assert np.bincount(labels).tolist() == [12, 12, 12, 12]
        turns = [len(set(four)) == len(NAMES) for four in labels.reshape(-1, 4).tolist()]
        assert sum(turns) < len(turns) / 2  # a tenth by chance, all as they are drawn
        assert (np.diff(labels) == 0).mean() < 0.5  # nor one class after the other


def test_nothing_in_it_tells_the_seed_or_the_damage(bundle: Path) -> None:
    """Else the hidden sets can be drawn again by whoever has the data."""
    for name, data in contents(bundle).items():
        assert str(SEED).encode() not in data, name
        assert SEED.to_bytes(8, "little") not in data, name
        assert re.search(rb"gaussian_noise|jpeg_compression", data) is None, name


def test_the_same_seed_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    """Else an organiser who lost the bundle cannot make it again."""
    again = make(tmp_path, *USUAL, *WORDS)
    assert again.read_bytes() == bundle.read_bytes()
    other = contents(make(tmp_path, *USUAL, *WORDS[:-1], "5"))
    assert other["public_data.zip"] != contents(bundle)["public_data.zip"]


def test_a_secret_seed_is_told_once_and_repeats(tmp_path: Path) -> None:
    """Else nobody can make the bundle again, or everybody can."""
    use = ["--data", str(cells(tmp_path)), "--profile", str(profile(tmp_path)), *USUAL]
    lines = [in_a_child(tmp_path, *use) for _ in range(2)]
    found = [re.fullmatch(SECRET, line) for line in lines]
    (first, start, end), (second, *_) = [match.groups() for match in found if match]
    assert first != second
    assert min(int(first), int(second)) > 1 << 32  # one in four thousand millions by chance
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert start == f"{tomorrow} 00:00"
    assert end == f"{tomorrow + dt.timedelta(days=42)} 00:00"
    last = (tmp_path / "bundle.zip").read_bytes()
    words = ("--seed", second, "--start", start, "--end", end)
    assert make(tmp_path, *USUAL, *words).read_bytes() == last


SECRET = (
    r"secret, told once: --seed (\d+) --start '([^']+)' --end '([^']+)' with the same options "
    "makes the same bundle again"
)


def in_a_child(place: Path, *words: str) -> str:
    """Make a bundle as a user does, whose seeds are random; the line with the seed."""
    command = [sys.executable, "-m", "codabench_rehearsal", "codabench-challenge", "make"]
    done = subprocess.run(
        [*command, *words], cwd=place, capture_output=True, text=True, timeout=300, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("secret")]
    assert (done.stdout + done.stderr).count(line.split()[4]) == 1
    return line


@pytest.mark.parametrize(
    ("start", "end", "meet"),
    [
        ("2027-01-01", "2027-01-02", "2027-01-01 19:12:00"),
        ("2027-01-01 08:30", "2027-01-11 08:30", "2027-01-09 00:00:00"),
        ("1 February 2027", "2027-12-31 23:59", "2027-10-26 00:00:00"),
    ],
)
def test_phases_follow_each_other(tmp_path: Path, start: str, end: str, meet: str) -> None:
    """Else the site refuses phases that overlap, or nobody can submit to one."""
    words = (*WORDS[4:], "--start", start, "--end", end)
    made = make(tmp_path, *USUAL, *words)
    assert check_bundle(made) == ()
    first, second = opened(made, tmp_path).phases
    assert second.start == meet
    gap = dt.datetime.fromisoformat(second.start) - dt.datetime.fromisoformat(first.end)
    assert gap == dt.timedelta(minutes=1)


def test_the_licence_is_said_or_its_absence(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else participants pass on images that nobody allowed them to."""
    for page in ("data", "terms"):
        assert "CC BY 4.0 \N{EM DASH} A. Drawer".encode() in contents(bundle)[f"pages/{page}.md"]
    capsys.readouterr()
    files = contents(make(tmp_path, *USUAL[:2], *WORDS))
    assert "warning: the licence of the data is not given" in capsys.readouterr().err
    assert b"The licence of the data is not said" in files["pages/data.md"]


def test_sizes_add_up_to_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the organiser's quota is met by surprise."""
    made = make(tmp_path, *USUAL, *WORDS, "--hidden", "40", "--images", "100")
    said = capsys.readouterr().out
    assert re.search(r"hidden, development +[\d.]+ kB +40 images", said)
    assert re.search(r"hidden, final +[\d.]+ kB +40 images", said)
    assert re.search(r"public_data.zip +[\d.]+ kB +100 images", said)
    sizes = re.findall(r"^(?:  .{22}|\S+bundle\.zip:) +([\d.]+) kB", said, re.M)
    whole, *parts = map(float, sizes)
    assert len(parts) == 8
    assert whole * 1000 == pytest.approx(made.stat().st_size, rel=0.01)
    assert sum(parts) == pytest.approx(whole, rel=0.02)


VARIANTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "renamed": {"interface": 'module = "net"\nclass = "Net"\nmethod = "answer"'},
    "one image, with its folder": {"interface": 'arguments = ["path"]\nimages = "one"'},
    "scores": {"interface": 'answers = "probabilities"', "scoring": 'metric = "macro-F1"'},
    "scores of one image": {"interface": 'answers = "probabilities"\nimages = "one"'},
    "all that is known": {
        "interface": 'answers = "strict"',
        "server": 'tensorflow = "2.17.0"\nworking_folder = "submission"\npackages = ["scipy==1.13.1"]',
        "limits": "seconds = 300\nzip_bytes = 1000000",
        "hidden": 'believed = "heavy"\nconfidence = 0.5',
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_kits_profile_is_the_challenge(tmp_path: Path, name: str) -> None:
    """Else participants rehearse another challenge than the one they upload to."""
    given = load_challenge(str(profile(tmp_path, **VARIANTS[name])))
    made = make(tmp_path, *USUAL, *WORDS, given=tmp_path / "profile.toml")
    assert check_bundle(made) == ()
    kit = tmp_path / "kit.toml"
    kit.write_bytes(contents(made)["starting_kit.zip/profile.toml"])
    expected = replace(given, name="drawn-cells", hidden_images=48, believed=None)
    expected = replace(expected, seconds=given.seconds or 600)
    assert load_challenge(str(kit)) == expected


def test_the_leaderboard_goes_by_the_challenges_metric(tmp_path: Path) -> None:
    """Else the site ranks by another figure than the pages say."""
    given = profile(tmp_path, **VARIANTS["scores"])
    files = contents(make(tmp_path, *USUAL, *WORDS, given=given))
    (board,) = yaml.safe_load(files["competition.yaml"])["leaderboards"]
    assert board["columns"][board["primary_index"]]["key"] == "macro_f1"
    assert b"goes by **macro-F1**" in files["pages/evaluation.md"]


def test_many_classes_are_no_hundred_columns(tmp_path: Path) -> None:
    """Else the leaderboard cannot be read."""
    many = MOST_RECALLS + 10
    drawn = synthetic(many * 6, seed=3, size=32)
    save(from_arrays(drawn.images, np.arange(many * 6) % many), tmp_path / "cells.npz")
    given = tmp_path / "profile.toml"
    names = ", ".join(f'"{i}"' for i in range(many))
    text = (
        f'schema = 1\nname = "many"\n[images]\nshape = [32, 32, 3]\n[labels]\nnames = [{names}]\n'
    )
    given.write_text(text, encoding="utf-8")
    made = make(tmp_path, *USUAL, *WORDS, "--hidden", "80", given=given)
    assert check_bundle(made) == ()
    assert len(opened(made, tmp_path).columns) == 3 + MOST_RECALLS


def test_grey_images(tmp_path: Path) -> None:
    """Else a challenge of X-rays cannot be made."""
    drawn = synthetic(120, seed=1, size=32, classes=len(NAMES), balanced=True)
    save(from_arrays(drawn.images[..., :1], drawn.labels), tmp_path / "cells.npz")
    given = profile(tmp_path, images="shape = [32, 32, 1]")
    files = contents(make(tmp_path, *USUAL, *WORDS, given=given))
    assert hidden(files, "final")[0].shape == (24, 32, 32, 1)
    assert b"grey" in files["pages/overview.md"]


def exit_code(words: list[str]) -> int | str | None:
    """How a command ends: options that cannot be read end it by `SystemExit`."""
    try:
        return main(words)
    except SystemExit as end:
        return end.code


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "more than there are": (("--hidden", "120"), "for two hidden sets of 120"),
    "a share of a half": (("--hidden", "0.5"), "below 0.5"),
    "too few for every class": (("--hidden", "2"), "expected images of every class in the dev"),
    "too few to train on": (("--images", "3"), "expected images of every class in the training"),
    "an end before the start": (("--end", "2026-12-31"), "at least a day after the start"),
    "no date": (("--start", "soon"), "expected a date such as"),
    "a day or a month": (("--start", "02/03/2027"), "expected a date such as"),
    "a zone": (("--start", "2027-01-01 12:00+02:00"), "expected a date such as"),
    "a long image": (("--docker", "x" * 129), "at most 128 characters"),
    "no title": (("--title", " "), "expected one line of text"),
    "a title of two lines": (("--title", "a\nb"), "expected one line of text"),
    "an unknown preset": (("--corrupt", "haevy"), "Did you mean"),
    "an unknown corruption": (("--corrupt", "fogg:3"), "fog"),
    "another profile": (("--profile", "an2dl-2024"), "expected images of 96x96x3"),
    "no zip": (("--out", "bundle.npz"), "has the ending of an array file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Else an organiser finds out from the site, or reads a traceback."""
    monkeypatch.chdir(tmp_path)
    words, said = REFUSED[name]
    use = ["--data", str(cells(tmp_path)), "--profile", str(profile(tmp_path)), *USUAL, *WORDS]
    assert exit_code(["make", *use, *words]) == Exit.USAGE
    told = capsys.readouterr().err.splitlines()
    assert any(said in line for line in told)
    assert len([line for line in told if line.startswith("codabench-challenge")]) == 1
    assert not (tmp_path / "bundle.zip").exists()

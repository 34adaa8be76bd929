"""Endings, folders of images, training folders, pipes: what outputs may be, as typed."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import stat
import subprocess
import threading
from fnmatch import fnmatch
from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main as make_submission
from codabench_rehearsal.commands.train_recipe import main as train_recipe
from codabench_rehearsal.console import roles
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.roles import Writes
from tests.console.commands import (
    MAIN,
    PARSERS,
    STORED,
    Pair,
    line,
    state,
)
from tests.console.stage import BIN
from tests.submission.zips import GOOD, build_zip

ENDINGS: list[tuple[str, str]] = [  # a command, and the word for what its ending belongs to
    ("make-submission w.h5 --no-run --out new.keras", "a weights file"),
    ("make-submission w.h5 --no-run --out new.npz", "an array file"),
    ("make-submission w.h5 --no-run --out new.toml", "a TOML file"),
    ("make-submission w.h5 --no-run --json new.zip", "a zip"),
    ("local-eval --html new.npz", "an array file"),
    ("local-eval --html new.SQLITE", "a store"),
    ("local-eval --html new.json", "a JSON file"),
    ("local-eval --json new.html", "a page"),
    ("local-eval rank s.zip --json new.csv", "a table"),
    ("local-eval inspect cells.npz --json new.py", "a program"),
    ("local-eval history --csv new.xlsx", "a spreadsheet"),
    ("local-eval history --xlsx new.csv", "a table"),
    ("local-eval history --csv new.hdf5", "a weights file"),
]


@pytest.mark.parametrize(("typed", "what"), ENDINGS, ids=[typed for typed, _ in ENDINGS])
def test_an_ending_of_another_kind_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], typed: str, what: str
) -> None:
    """Else a slip (--html training_set.npz) costs a file that took days."""
    before = state(here)
    name, *words = typed.split()
    assert MAIN[name](words) == Exit.USAGE
    said = capsys.readouterr().err
    assert f" has the ending of {what}, but " in said
    assert "--force" in said
    assert len(said.splitlines()) == 1
    assert state(here) == before


ALLOWED = ("--csv", "--json"), ("x", "x.txt", "x.log", "x.v2", "report.2026-11-28", ".x", "no such")


@pytest.mark.parametrize("option", ALLOWED[0])
@pytest.mark.parametrize("name", ALLOWED[1])
def test_endings_of_no_kind_are_fine(here: Path, option: str, name: str) -> None:
    """Else names that say nothing about a kind need --force."""
    assert local_eval(["history", option, name]) == Exit.FINE
    assert (here / name).is_file()


@pytest.mark.parametrize("name", ["x.npz", "x.html", "X.KERAS"])
def test_force_writes_any_ending(here: Path, name: str) -> None:
    """Else the way out that the message names does not work."""
    assert local_eval(["history", "--json", name, "--force"]) == Exit.FINE
    assert (here / name).read_text().startswith("{")


STRICT = [
    ("local-eval show --out x.npz", ".png, .jpg, .webp"),
    ("local-eval inspect cells.npz --out x.csv", ".npz"),
    ("local-eval compare s.zip s.zip --plot x.txt", ".png, .svg"),
    ("train-recipe picture trained --data cells.npz --out x.jpg", ".png"),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("typed", "endings"), STRICT)
def test_formats_that_the_ending_chooses_are_told_before(
    capsys: pytest.CaptureFixture[str], typed: str, endings: str
) -> None:
    """Else a run ends after minutes with a format that nobody knows."""
    name, *words = typed.split()
    assert MAIN[name]([*words, "--force"]) == Exit.USAGE
    assert f"expected a name that ends in {endings}." in capsys.readouterr().err


@pytest.fixture
def images(here: Path) -> Path:
    """A folder of images, one folder a class, and another with parts."""
    for place in ("set/0", "set/1", "parts/train/0", "parts/val/0"):
        (here / place).mkdir(parents=True)
        (here / place / "a.png").write_bytes(b"an image")
        (here / place / "b.npz").write_bytes(b"no image")
    (here / "far").symlink_to("set/1")
    (here / "link.json").symlink_to("set/0/a.png")
    (here / "linked").mkdir()
    for name in "01":
        (here / f"linked/{name}").symlink_to(f"../set/{name}")
    return here


INTO = [  # an output, and whether it would spoil the data
    ("local-eval show --data set --out set/0/sheet.png", True),
    ("local-eval show --data set --out far/sheet.png", True),
    ("local-eval show --data parts --out parts/train/0/sheet.webp", True),
    ("local-eval inspect set --json set/0/a.png --force", True),
    ("local-eval inspect set --json link.json", True),
    ("local-eval inspect linked --json set/1/a.png --force", True),
    ("train-recipe baseline --data set --out set", True),
    ("train-recipe baseline --data set --out set/run", True),
    ("train-recipe baseline --data . --out runs/new", True),
    ("make-submission w.h5 --no-run --data set --out set/new/s.zip", True),
    ("local-eval show --data set --out set/sheet.png", False),
    ("local-eval show --data parts --out parts/train/sheet.png", False),
    ("local-eval inspect set --json set/0/found.json", False),
    ("local-eval inspect set --json setting.json", False),
    ("train-recipe baseline --data set --out set-run", False),
    ("make-submission w.h5 --no-run --data set --out set/s.zip", False),
]


@pytest.mark.parametrize(("typed", "spoils"), INTO, ids=[typed for typed, _ in INTO])
def test_nothing_is_put_among_the_images(
    images: Path, capsys: pytest.CaptureFixture[str], typed: str, spoils: bool
) -> None:
    """Else our own picture is an image, or our folder a class, of the next run."""
    before = state(images)
    name, *words = typed.split()
    options = PARSERS[name, words[0]] if (name, words[0]) in PARSERS else PARSERS[(name,)]
    given = options().parse_intermixed_args(words[1:] if (name, words[0]) in PARSERS else words)
    if not spoils:
        guard(given)
        if "make-submission" in typed or "local-eval" in typed:
            Path(words[-1]).write_bytes(b"of an earlier run")
        guard(given)
        return
    assert MAIN[name](words) == Exit.USAGE
    said = capsys.readouterr().err
    assert "choose a place outside" in said or "would overwrite the data" in said
    assert state(images) == before


FOLDERS = [  # the training folder, its input, and whether a training would write over it
    ("runs", "--weights runs/weights.keras", "weights.keras", True),
    ("runs", "--weights link.h5", "weights_2.keras", True),
    ("runs", "--challenge runs/recipe.toml", "recipe.toml", False),
    ("runs", "--data runs/cells.npz", "cells.npz", False),
    ("runs", "--weights runs/mine.keras", "mine.keras", False),
]


@pytest.mark.parametrize(("out", "given", "name", "spoils"), FOLDERS)
def test_a_training_folder_may_hold_what_it_does_not_write(
    here: Path, capsys: pytest.CaptureFixture[str], out: str, given: str, name: str, spoils: bool
) -> None:
    """Else the weights to begin with are gone, or data beside the results is refused."""
    (here / out).mkdir()
    (here / out / name).write_bytes(b"mine")
    (here / "link.h5").symlink_to(f"{out}/{name}")
    words = [*["baseline", "--data", "cells.npz"], "--out", out, *given.split()]
    if not spoils:
        guard(PARSERS[("train-recipe",)]().parse_intermixed_args(words))
        return
    assert train_recipe(words) == Exit.USAGE
    assert f"{out}/{name} would overwrite the weights" in capsys.readouterr().err


def test_what_a_training_writes_is_declared() -> None:
    """Else a new file of the training folder is not guarded."""
    from codabench_rehearsal.commands.recipe_train import FOLDER

    root = Path(importlib.import_module("codabench_rehearsal.recipes").__file__ or "").parent
    text = "".join(path.read_text() for path in root.glob("*.py"))
    names = set(re.findall(r'"([\w{}]+[.](?:json|csv|png|py|keras))"', text))
    names -= {"own_layer.py", "state.json"}  # a module of ours; inside checkpoint/
    assert {"weights.keras", "recipe.json", "history.png", "search.csv"} <= names
    for name in names | {"weights_3.keras", "checkpoint", "search"}:
        assert any(fnmatch(name.format(number=1), one) for one in FOLDER.folder), name


BESIDE = [  # what is read without being named, and the output that would spoil it
    ("make-submission trained --no-run --json trained/recipe.json", "recipe.json"),
    ("make-submission trained --no-run --json trained/split.json", "split.json"),
    ("make-submission trained --no-run --json trained/w.keras --force", "w.keras"),
    ("make-submission trained --no-run --json trained/extra.py --force", "extra.py"),
    ("make-submission trained --no-run --json new.split.json --out new.zip", "new.split.json"),
    ("make-submission trained --no-run --json new.recipe.json --out new.zip", "new.recipe.json"),
    ("local-eval s.zip --data cells.npz --json s.split.json", "s.split.json"),
    ("local-eval s.zip --data cells.npz --json s.recipe.json", "s.recipe.json"),
    ("local-eval rank s.zip --data cells.npz --json split.json", "split.json"),
    ("local-eval inspect x.npy --json y.npy --force", "y.npy"),
    ("local-eval --json training_set.npz --force", "training_set.npz"),
    ("local-eval --html submission.zip --force", "submission.zip"),
    ("local-eval rank s.zip --json training_set.npz --force", "training_set.npz"),
    ("local-eval record s.zip --score 0.5 --store s.zip", "s.zip"),
    ("local-eval import history.csv --store history.csv", "history.csv"),
]


@pytest.mark.parametrize(("typed", "kept"), BESIDE, ids=[typed for typed, _ in BESIDE])
def test_what_is_read_without_being_named_is_kept(
    here: Path, capsys: pytest.CaptureFixture[str], typed: str, kept: str
) -> None:
    """Else the split, the recipe or a default file is gone."""
    recipe = {
        "schema": 1,
        "weights": ["w.keras"],
        "include": ["extra.py"],
        "augmentation": ["flips"],
    }
    (here / "trained/recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    for name in ("trained/split.json", "trained/w.keras", "trained/extra.py", "s.split.json",
                 "s.recipe.json", "split.json", "x.npy", "y.npy", "training_set.npz", "submission.zip"):  # fmt: skip
        (here / name).write_bytes(b"mine")
    before = state(here)
    name, *words = typed.split()
    assert MAIN[name](words) == Exit.USAGE
    said = capsys.readouterr().err
    assert kept in said
    assert "would overwrite" in said or "name one file" in said
    assert state(here) == before


def test_checking_a_zip_called_submission_writes_nothing_over_it(here: Path) -> None:
    """Else `--check-only submission.zip` is refused for a default that it does not use."""
    build_zip(here / "submission.zip", GOOD)
    before = state(here)
    assert make_submission(["--check-only", "submission.zip", "--no-run"]) in (
        Exit.FINE,
        Exit.FINDINGS,
    )
    assert state(here) == before


def test_the_doors_for_python_keep_the_weights(here: Path) -> None:
    """Else `pack` called from a notebook turns the weights into the zip."""
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.console.files import FileError
    from submission.packager import pack
    from submission.training_folder import Packing

    before = state(here)
    with pytest.raises(FileError, match="would overwrite the weights"):
        pack(Packing(weights=(Path("w.h5"),)), load_challenge("an2dl-2024"), here / "w.h5")
    assert state(here) == before


SHOWN = [  # what is typed, where the shell leads standard output, and what is said ("": it runs)
    ("local-eval inspect cells.npz", "cells.npz", "goes into the data"),
    ("local-eval inspect cells.npz --json -", "cells.npz", "goes into the data"),
    ("make-submission --check-only s.zip --no-run", "s.zip", "goes into the zip"),
    ("local-eval history --csv new.csv", "new.csv", "--csv name one file"),
    ("local-eval history --json /dev/stdout", "new.json", ""),
    ("local-eval history --json new.json", "new.txt", ""),
]


@pytest.mark.parametrize(("typed", "into", "said"), SHOWN, ids=[typed for typed, *_ in SHOWN])
def test_standard_output_goes_into_nothing_that_is_read(
    here: Path, typed: str, into: str, said: str
) -> None:
    """Else `>> training_set.npz` writes a report into the data, and `--csv x > x` loses what was shown."""
    before = state(here).get(str(here / into), b"")
    name, *words = typed.split()
    with Path(into).open("ab") as file:
        done = subprocess.run(
            [str(BIN / name), *words], stdout=file, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == (Exit.USAGE if said else Exit.FINE), done.stderr
    assert said in done.stderr
    assert not said or Path(into).read_bytes() == before


STREAMS = [
    "local-eval history --csv {0}",
    "local-eval history --json {0}",
    "local-eval inspect cells.npz --json {0}",
    "make-submission --check-only s.zip --no-run --json {0}",
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("typed", STREAMS)
def test_pipes_and_devices_stay_what_they_are(typed: str) -> None:
    """Else a reader waits for ever, or root replaces a device by a file."""
    os.mkfifo("pipe")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(Path("pipe").read_text()))
    reader.start()
    name, *words = typed.format("pipe").split()
    assert MAIN[name](words) in (Exit.FINE, Exit.FINDINGS)
    reader.join(10)
    assert heard[0].strip()
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
    if os.geteuid() == 0:
        os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        assert MAIN[name]([word.replace("pipe", "null") for word in words]) in (0, 1)
        assert stat.S_ISCHR(Path("null").stat().st_mode)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("out", STORED, ids=str)
def test_no_socket_is_replaced(capsys: pytest.CaptureFixture[str], out: Pair) -> None:
    """Else a program loses its door to a report."""
    kind = out.out.type if isinstance(out.out.type, Writes) else roles.JSON
    name = f"door{(*kind.endings, '')[0]}"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(name)
    assert MAIN[out.words[0]](line(out, name, "")) == Exit.USAGE
    assert "received a socket" in capsys.readouterr().err
    assert stat.S_ISSOCK(Path(name).stat().st_mode)

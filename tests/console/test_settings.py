"""rehearsal.toml: a project's defaults, typed and guarded like what is typed, and told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codabench_rehearsal.commands.evaluate import parser as evaluation
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import new_parser as packing
from codabench_rehearsal.commands.rank import parser as ranking
from codabench_rehearsal.console import settings
from codabench_rehearsal.console.command import Exit
from codabench_rehearsal.console.roles import Writes
from codabench_rehearsal.console.settings import KEYS, in_full, read_options
from tests.console.commands import ACTIONS, PARSERS
from tests.console.test_help import ended, made

TEXT = """\
data = "sets/cells.npz"
challenge = "an2dl-2024"
corrupt = "mine.toml"
store = "kept/"
split = "none"
python = "envs/a"
held-out = true
images = 200
tolerance = 0.05
memory_limit = "8GB"
believe = ["heavy:0.6", "theirs.toml"]
"""
VALUES = {  # what the options are, with paths from a folder below
    "data": "{above}/sets/cells.npz",
    "challenge": "an2dl-2024",
    "corrupt": "{above}/mine.toml",
    "store": "{above}/kept",
    "split": "none",
    "python": "{above}/envs/a",
    "held_out": True,
    "images": 200,
    "tolerance": 0.05,
    "memory_limit": 8 * 10**9,
    "believe": ["heavy:0.6", "{above}/theirs.toml"],
}


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in a project's, to work in."""
    (tmp_path / "envs/a").mkdir(parents=True)
    (tmp_path / "deep/down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/down")
    return tmp_path / "deep/down"


def written(folder: Path, text: str, name: str = "rehearsal.toml") -> Path:
    """A file of defaults."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["rehearsal.toml", "pyproject.toml"])
def test_defaults_come_from_the_nearest_file(
    below: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Else the data and the store are typed on every line, or come from another project."""
    above = below.parent.parent
    head = "[project]\nname = 'x'\n[tool.codabench-rehearsal]\n" * (name == "pyproject.toml")
    written(above, head + TEXT, name)
    written(below, "[tool.ruff]\n", "pyproject.toml")  # says nothing of us
    options = vars(read_options(evaluation(), ["s.zip"]))
    for option, value in VALUES.items():
        expected = json.loads(json.dumps(value).replace("{above}", str(above)))
        assert options[option] == expected, option
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"local-eval: {above / name}" in said
    assert "gives --data, --challenge, --corrupt" in said
    written(below.parent, 'data = "other.npz"\n')
    options = vars(read_options(evaluation(), ["s.zip"]))
    assert (options["data"], options["images"]) == (f"{below.parent}/other.npz", 1000)


def test_what_is_typed_wins(below: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a default of last month decides, whatever is typed."""
    written(below, TEXT.replace("mine.toml", "heavy"))
    words = [
        "s.zip",
        "--data",
        "b.npz",
        "--images=5",
        "--believe",
        "light:0.2",
        "--corrupt",
        "fog:3",
    ]
    options = read_options(evaluation(), words)
    got = (options.data, options.images, options.believe, options.corrupt, options.held_out)
    assert got == ("b.npz", 5, ["light:0.2"], "fog:3", True)
    said = capsys.readouterr().err
    assert "--data" not in said
    assert "--held-out" in said
    for word in ("--no-config", "--no-conf"):
        assert read_options(evaluation(), [word]).data is None
    assert capsys.readouterr().err == ""


def test_a_required_option_may_stand_in_the_file(below: Path) -> None:
    """Else `train-recipe picture` asks for the data that the project names."""
    written(below, TEXT)
    options = read_options(made("train-recipe picture"), ["runs/a"])
    assert (options.data, options.corrupt, options.images) == ("sets/cells.npz", "clean", 8)


@pytest.mark.usefixtures("below")
def test_each_command_takes_what_it_has() -> None:
    """Else a key of one command breaks another, or damages what is trained on."""
    text = TEXT.replace("[", "").replace("]", "").replace('believe = "heavy:0.6", ', "believe = ")
    written(Path(), "\n".join(line for line in text.splitlines() if "believe" not in line))
    for words, new in PARSERS.items():
        parser = new()
        files = [one for one in parser._actions if not one.option_strings]
        needed = [one for one in parser._actions if one.option_strings and one.required]
        typed = [word for one in needed for word in (one.option_strings[0], "fog:3")]
        typed += ["a.zip" for one in files if one.nargs not in ("?", "*")]
        options = read_options(parser, typed)
        for name in ("seed", "part") if words[0] == "train-recipe" else ():
            assert name not in options.settled


WRONG = [  # what stands in the file, and what is said
    ("dta = 'a.npz'", "unknown key 'dta'; did you mean 'data'?"),
    ("json = 'a.json'", "unknown key 'json'; known: challenge, data"),
    ("images = 'many'", "images: expected a whole number, received 'many'"),
    ("images = -1", "images: expected a whole number, received '-1'"),
    ("held_out = 'yes'", "held_out: expected true or false, received 'yes'"),
    ("data = ['a', 'b']", "data: expected a text or a number, received ['a', 'b']"),
    ("data = true", "data: expected a text or a number, received True"),
    ("believe = 'heavy'", "believe: expected a list of texts, received 'heavy'"),
    ("device = 'tpu'", "device: expected one of cpu, gpu, received 'tpu'"),
    ("preset = 'light'\ncorrupt = 'heavy'", "preset: expected one of corrupt and preset"),
    ("data = ", "rehearsal.toml: expected TOML (Invalid value"),
    ("[data]\nx = 1", "data: expected a text or a number, received {'x': 1}"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[text for text, _ in WRONG])
def test_what_is_wrong_is_told(
    below: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """Else a key that is spelled wrong is passed over, and nobody knows what holds."""
    written(below, text)
    assert local_eval(["s.zip"]) == Exit.USAGE
    err = capsys.readouterr().err
    assert err.startswith("local-eval: rehearsal.toml: ")
    assert said in err
    assert len(err.splitlines()) == 1
    for words in ("local-eval --help", "local-eval --version", "make-submission --help-all"):
        assert ended(words, capsys)[::2] == (0, "")  # whatever the file says


def test_a_table_that_is_none(below: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a slip in pyproject.toml ends in a traceback."""
    written(below, "[tool]\ncodabench-rehearsal = 3\n", "pyproject.toml")
    assert local_eval(["s.zip"]) == Exit.USAGE
    assert "tool.codabench-rehearsal: expected a table, received 3" in capsys.readouterr().err


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_no_output_is_an_input_of_the_file(
    here: Path, capsys: pytest.CaptureFixture[str], force: list[str]
) -> None:
    """Else `--json` writes over the data that the project names."""
    written(here, 'data = "cells.npz"\nsplit = "sides.json"\n')
    before = {path: (here / path).read_bytes() for path in ("cells.npz", "sides.json")}
    for option, path in (("--html", "./cells.npz"), ("--json", "sides.json")):
        assert local_eval(["s.zip", option, path, *force]) == Exit.USAGE
        assert "would overwrite" in capsys.readouterr().err
    assert {path: (here / path).read_bytes() for path in before} == before


def test_no_output_is_the_store_of_the_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a table of scores replaces all that was kept."""
    written(here, 'store = "kept.sqlite"\n')
    (here / "kept.sqlite").write_bytes(b"answers")
    assert local_eval(["history", "--json", "kept.sqlite", "--force"]) == Exit.USAGE
    assert "name one file" in capsys.readouterr().err
    assert (here / "kept.sqlite").read_bytes() == b"answers"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_strangers_file_is_refused(below: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else who may write to /tmp chooses the Python that runs a zip there."""
    path = written(below, 'python = "evil"\n')
    os.chown(path, 12345, 12345)
    assert local_eval(["s.zip"]) == Exit.USAGE
    assert "belongs to another user" in capsys.readouterr().err
    os.chown(below, 12345, 12345)  # a project of somebody's, mounted into a container
    assert read_options(evaluation(), []).python == "evil"


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_an_option(key: str) -> None:
    """Else a key is known, and does nothing."""
    flag = f"--{settings._ALSO.get(key, key).replace('_', '-')}"
    found = [one for actions in ACTIONS.values() for one in actions if flag in one.option_strings]
    assert found
    assert not any(isinstance(one.type, Writes) and one.dest != "store" for one in found)


def test_a_report_says_its_whole_command(below: Path) -> None:
    """Else the command on the page gives other figures in another folder."""
    written(below, TEXT)
    words = ["s.zip", "--images=5"]
    options = read_options(evaluation(), words)
    again = in_full(options, words, evaluation())
    Path("rehearsal.toml").unlink()
    repeated = vars(read_options(evaluation(), again))
    assert {**repeated, "settled": ""} == {**vars(options), "settled": ""}


def test_defaults_that_say_nothing_here_are_no_mistake(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a project that names data cannot rehearse in a bundle, nor one with a worker without."""
    written(here, 'data = "cells.npz"\nhidden_images = 5\nworker = "2026-03"\nnetwork = true\n')
    cases = {  # what is typed, and the complaint behind which nothing of the file stands
        ("none.zip", "--challenge", "bundle.zip"): "bundle.zip: expected a bundle's zip or folder",
        ("none.zip",): "none.zip: no such file",
    }
    for words, complaint in cases.items():
        assert local_eval([*words]) == Exit.USAGE
        assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert local_eval(["none.zip", "--network"]) == Exit.USAGE
    assert local_eval(["none.zip", "--challenge", "bundle.zip", "--data", "b.npz"]) == Exit.USAGE
    assert capsys.readouterr().err.count("BUNDLE: ") == 1


def test_the_options_of_both_ways_agree(below: Path) -> None:
    """Else rank and make-submission read another file than local-eval."""
    written(below, 'data = "a.npz"\ntime_limit = 30\n')
    for parser, words in ((evaluation(), []), (ranking(), ["a.zip"]), (packing(), [])):
        options = read_options(parser, words)
        assert (options.data, options.time_limit) == ("a.npz", 30.0)

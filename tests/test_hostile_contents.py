"""Files made to break their reader, given to the commands that read them: one line, seconds, no fault of ours."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from codabench_rehearsal.commands import local_eval, make_submission
from codabench_rehearsal.console.errors import SubmissionError
from submission.h5 import ForeignError, opened_h5
from submission.shrink import shrink

MODEL = "import numpy as np\nclass Model:\n    def predict(self, X):\n        return np.zeros(len(X), int)\n"
PROFILE = 'schema = 1\nname = "x"\n[images]\nshape = [96, 96, 3]\n[labels]\nnames = [%s]\n'
DEEP, DIGITS = 100_000, "9" * 5000
BRACKETS, BRACES = "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP
ONE = '"schema":1,"weights":["w.weights.h5"]'
RECIPES: Mapping[str, str | bytes] = {
    "deep": BRACKETS,
    "deep objects": f'{{{ONE},"a":{BRACES}}}',
    "digits": f'{{{ONE},"resize":{DIGITS}}}',
    "large": f'{{{ONE},"resize":{"9" * 400}}}',
    "nan": '{"schema":NaN,"weights":["w.weights.h5"]}',
    "types": f'{{{ONE},"scale":[{{}}],"tta":[[]],"preprocess":{{"x":1}},"output":5,"ensemble":[]}}',
    "names": '{"schema":1,"weights":["a\\u0000b", "\\ud800"]}',
    "values": f'{{{ONE},"augmentation":[{"1," * 2_000_001}1]}}',
    "size": f'{{{ONE},"note":"{"x" * (5 << 20)}"}}',
    "no text": b"\xff\xfe\x00",
    "key": f'{{{ONE},"\\u001b[2J\\nmake-submission: ready":1}}',
}
SPLITS = {
    "deep": BRACKETS,
    "types": '{"schema":1,"train":[[1]],"validation":[{}]}',
    "digits": f'{{"schema":1,"seed":{DIGITS},"train":[],"validation":[]}}',
    "large": f'{{"schema":1,"fraction":{"9" * 400},"train":["{"0" * 32}"],"validation":[]}}',
}
PROFILES = {
    "20,000 names": PROFILE % ", ".join(f'"class {i}"' for i in range(20_000)),
    "one name": PROFILE % f'"{"x" * 1_000_000}", "b", "b"',
    "dots": ".".join(["a"] * 50_000) + " = 1",
    "deep": "a = " + "[" * DEEP,
    "digits": f"schema = {DIGITS}",
    "size": "# " + "x" * (5 << 20),
}
FAMILY = '[[family]]\nname="a"\ncells=['
PRESETS = {
    "cells": FAMILY + ", ".join(f'{{chain="fog:3",name="c{i}"}}' for i in range(2000)) + "]",
    "chain": f'{FAMILY}"{"+".join(["fog:3"] * 20_000)}"]',
    "digits": f"draws = {DIGITS}",
    "dots": ".".join(["a"] * 50_000) + " = 1",
}
HISTORIES: Mapping[str, str | bytes] = {
    "rows": "submission,score\n" + "a,0.5\n" * 20_000,
    "cell": "submission,score\n" + "x" * 200_000 + ",0.5",
    "lines": 'submission,score\n"' + "a\n" * 100_000 + '",0.5',
    "digits": f"submission,score,decimals,hidden_images\na,0.5,{DIGITS},\nb,0.{'1' * 5000},,{DIGITS}\nc,1e999,,",
    "columns": "submission,score" + ",x" * 60_000 + "\na,0.5" + ",1" * 60_000,
    "nul": b"submission,score\na\0b,0.5",
}
LAYERS = '{"class_name":"Sequential","module":"keras","config":{"layers":'
CONFIGS = {
    "deep": f"{LAYERS}{BRACKETS}}}}}",
    "600": f"{LAYERS}{'[' * 600}{']' * 600}}}}}",
    "nan": '{"class_name":NaN,"config":1e999}',
    "digits": f"{LAYERS}[{DIGITS}]}}}}",
    "types": '{"class_name":"Functional","module":"keras","config":{"name":5,"layers":[1,null,{"class_name":1,'
    '"config":null,"inbound_nodes":"z"}],"input_layers":[[]],"output_layers":[[]]}}',
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a training folder, a zip and images."""
    monkeypatch.chdir(tmp_path)
    Path("rf").mkdir()
    Path("rf/w.weights.h5").write_bytes(h5(lambda file: file.create_dataset("a", data=[1.0])))
    Path("m.py").write_text(MODEL, encoding="utf-8")
    with zipfile.ZipFile("ok.zip", "w") as file:
        file.writestr("model.py", MODEL)
    np.savez("d.npz", images=np.zeros((8, 96, 96, 3), np.uint8), labels=np.arange(8))
    return tmp_path


def h5(fill: Callable[[Any], object]) -> bytes:
    """An HDF5 file's bytes."""
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        fill(file)
    return held.getvalue()


def keras(config: str) -> bytes:
    """A `.keras` file's bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", '{"keras_version": "3.9.0"}')
        file.writestr("config.json", config)
        file.writestr("model.weights.h5", h5(lambda file: file.create_dataset("a", data=[1.0])))
    return held.getvalue()


def endured(
    main: Callable[[list[str]], int], words: str, capsys: pytest.CaptureFixture[str]
) -> int:
    """Run a command: in time, without much memory, with one line of error at most."""
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    code = main(words.split())
    spent = time.monotonic() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    said = capsys.readouterr().err.splitlines()
    assert code in (0, 1, 2), said
    assert spent < 8
    assert grown < 500_000  # kB
    if code == 2:
        assert len(said[-1]) < 5000
        assert "fault of ours" not in said[-1]
    return int(code)


def put(path: str, content: str | bytes) -> None:
    """Write a file."""
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a training folder from somewhere else ends in a fault of ours."""
    put("rf/recipe.json", RECIPES[name])
    words = "rf --model m.py --no-run --out o.zip"
    assert endured(make_submission.main, words, capsys) == 2


@pytest.mark.parametrize("name", SPLITS)
def test_a_split(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a split that was written by hand ends a rehearsal in a fault of ours."""
    put("s.json", SPLITS[name])
    words = "rank ok.zip --data d.npz --split s.json --images 8"
    if name != "large":
        assert endured(local_eval.main, words, capsys) == 2
    put("rf/recipe.json", f"{{{ONE}}}")
    put("rf/split.json", SPLITS[name])
    endured(make_submission.main, "rf --model m.py --no-run --out o.zip", capsys)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a profile with 20,000 classes takes the memory of the square of it."""
    put("c.toml", PROFILES[name])
    assert endured(local_eval.main, "inspect d.npz --challenge c.toml", capsys) == 2
    words = "--check-only ok.zip --no-run --challenge c.toml"
    assert endured(make_submission.main, words, capsys) == 2


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a preset of somebody's takes hours without a word."""
    put("p.toml", PRESETS[name])
    assert endured(local_eval.main, "show --corrupt p.toml", capsys) == 2


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a wrong CSV file is imported for an hour."""
    put("h.csv", HISTORIES[name])
    code = endured(local_eval.main, "import h.csv", capsys)
    assert code == {"digits": 1, "nul": 0, "columns": 0}.get(name, 2)


def test_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a bomb of XML is unpacked: spreadsheets are not opened at all."""
    with zipfile.ZipFile("h.xlsx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", "0" * (50 << 20))
    assert endured(local_eval.main, "import h.xlsx", capsys) == 2


@pytest.mark.parametrize("name", CONFIGS)
def test_a_saved_network(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a config of a hundred thousand brackets ends in a fault of ours."""
    put("k.keras", keras(CONFIGS[name]))
    for more in ("", " --shrink"):
        endured(make_submission.main, f"k.keras --no-run --out o.zip{more}", capsys)
    with zipfile.ZipFile("k.zip", "w") as file:
        file.writestr("model.py", MODEL)
        file.write("k.keras")
    endured(make_submission.main, "--check-only k.zip --no-run", capsys)


def _deep(file: Any) -> None:
    for _ in range(300):
        file = file.create_group("g")


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(5,), dtype="f8")
    layout[:] = h5py.VirtualSource("secret.h5", "a", shape=(5,))
    file.create_virtual_dataset("v", layout)


LEADING: Mapping[str, tuple[Callable[[Any], object], str]] = {
    "link": (lambda f: f.__setitem__("x", h5py.ExternalLink("secret.h5", "/a")), "another file"),
    "virtual": (_virtual, "another file"),
    "raw": (lambda f: f.create_dataset("r", (9,), "u1", external=[("secret.h5", 0, 9)]), "another file"),
    "deep": (_deep, "nested more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEADING)
def test_hdf5_that_leads_out_is_refused(here: Path, name: str) -> None:
    """Else a file of this machine ends in a zip that is uploaded, or its reader never ends."""
    fill, said = LEADING[name]
    (here / "secret.h5").write_bytes(h5(lambda file: file.create_dataset("a", data=np.arange(5.0))))
    data = h5(fill)
    with pytest.raises(ForeignError, match=said), opened_h5(io.BytesIO(data)):
        pass
    with pytest.raises(SubmissionError, match=said):
        shrink(data, float16=True)


def test_hdf5_that_is_honest_is_copied_whole() -> None:
    """Else a group under two names is copied for ever, or a network's weights are lost."""

    def fill(file: Any) -> None:
        file["layers/a/vars/0"] = np.arange(3.0, dtype="f4")
        file["layers/again"] = file["layers"]
        file["layers/b"] = h5py.SoftLink("/layers/c")
        file["layers/c"] = h5py.SoftLink("/layers/b")

    data, _ = shrink(h5(fill), float16=True)
    with h5py.File(io.BytesIO(data)) as made:
        assert made["layers/a/vars/0"].dtype == np.float16
        assert made["layers/again/a/vars/0"].shape == (3,)


def test_an_array_of_nothing_is_not_read() -> None:
    """Else four terabytes that take no byte end the machine."""
    data = h5(lambda file: file.create_dataset("big", (1 << 40,), "f4", chunks=(1 << 20,)))
    with pytest.raises(SubmissionError, match="of which nearly none is there"):
        shrink(data, float16=True)


def pictures(names: tuple[str, ...] = ("a", "b"), **first: bytes) -> None:
    """A folder of classes; further files beside those of the first."""
    for number, name in enumerate(names):
        Path("pics", name).mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(Path("pics", name, "0.png"))
    for name, content in first.items():
        Path("pics", names[0], f"{name}.png").write_bytes(content)


def test_a_picture_runs_no_program(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else PostScript that is called `.png` is run by Ghostscript, beside all walls."""
    gs = here / "gs"
    gs.write_text(f"#!/bin/sh\ntouch {here}/ran\n", encoding="utf-8")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", str(here), prepend=os.pathsep)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    pictures(x=script)
    assert endured(local_eval.main, "inspect pics", capsys) == 2
    assert not (here / "ran").exists()


def test_a_large_picture_is_not_unpacked(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a few kilobytes of PNG take gigabytes, one picture after another."""
    held = io.BytesIO()
    Image.new("L", (9000, 9000)).save(held, "PNG")
    pictures(x=held.getvalue())
    assert endured(local_eval.main, "inspect pics", capsys) == 2
    for name in ("a/0.png", "b/0.png"):
        Path("pics", name).write_bytes(held.getvalue())
    assert endured(local_eval.main, "inspect pics", capsys) == 2


def test_pictures_that_break_their_reader(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a damaged picture is a fault of ours, whatever Pillow's reader of its kind raises."""
    held = io.BytesIO()
    Image.new("RGBA", (8, 8)).save(held, "DDS")
    damaged = bytearray(held.getvalue())
    damaged[80:84] = b"\x18\0\0\0"
    pictures(x=bytes(damaged))
    assert endured(local_eval.main, "inspect pics", capsys) == 2


def test_folders_of_classes(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a number of thirty digits is a fault of ours, and a thousand folders fill the screen."""
    pictures((*map(str, range(3)), "9" * 30))
    assert endured(local_eval.main, "inspect pics", capsys) == 2
    shutil.rmtree("pics")
    pictures(tuple(f"class {number}" for number in range(500)))
    assert local_eval.main(["inspect", "pics"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1000


def test_labels_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a damaged array of names is a fault of ours."""
    np.savez(
        "x.npz",
        images=np.zeros((8, 96, 96, 3), np.uint8),
        labels=np.full(8, 0x7FFFFFFF, np.uint32).view("<U1"),
    )
    assert endured(local_eval.main, "inspect x.npz", capsys) == 2


CODES = {
    "imports": "".join(f"import m{i}\n" for i in range(6000)),
    "opens": "".join(f"open('/x/{i}')\n" for i in range(6000)),
    "undefined": "# coding: undefined\n",
    "punycode": f"# coding: punycode\n{'x' * 1_000_000}-{'b' * 2_000_000}",
}


@pytest.mark.parametrize("name", CODES)
def test_code_that_takes_long(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else checking a zip of a hundred kilobytes takes minutes."""
    with zipfile.ZipFile("c.zip", "w") as file:
        file.writestr("model.py", CODES[name] + ("" if name == "punycode" else MODEL))
    endured(make_submission.main, "--check-only c.zip --no-run", capsys)


def test_a_store_that_is_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    """Else a view that never ends, in the place of a table, hangs every command."""
    local_eval.main(["record", "ok.zip", "--score", "0.5", "--store", "s.sqlite"])
    with closing(sqlite3.connect("s.sqlite")) as db:
        db.execute("DROP TABLE predictions")
        db.execute(
            "CREATE VIEW predictions AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
            "SELECT n AS id, n AS submission, '' AS phase FROM r"
        )
        db.commit()
    for words in ("history", "record ok.zip --score 0.6"):
        assert endured(local_eval.main, f"{words} --store s.sqlite", capsys) == 2


def test_json_of_a_report_with_hostile_names_is_read_by_others() -> None:
    """Else `jq` stops at a file's name that is no UTF-8."""
    from codabench_rehearsal.console.words import as_json

    text = as_json({"files": {"\udcff\x1b": 1.5, "nan": float("nan")}})
    assert json.loads(text) == {"files": {r"\udcff\x1b": 1.5, "nan": None}}

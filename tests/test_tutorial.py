"""`docs/tutorial.ipynb` and its twin for the terminal: what a newcomer runs first, runs."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import codabench_rehearsal as rehearsal
from codabench_rehearsal.commands.local_eval import COMMANDS
from tests.jupyter import jupyter

DOCS = Path(__file__).parent.parent / "docs"
NOTEBOOK = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))
TWIN = (DOCS / "tutorial.md").read_text(encoding="utf-8")
CORES, MOST_SECONDS = 2, 360.0
SPLIT = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
ALLOWED = ("codabench_rehearsal", "keras", "numpy", "pathlib", "sklearn")
# What a cell is to a notebook: `!` starts a command, the last expression is shown.
RUN = """
import ast, json, subprocess, sys
space = {"__name__": "__main__"}
for source in json.loads(sys.stdin.read()):
    if source.startswith("!"):
        subprocess.run(source[1:], shell=True, check=True)
        continue
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), space)
    if last is not None:
        print(repr(eval(compile(ast.Expression(last.value), "cell", "eval"), space)))
"""


def sources(kind: str = "code") -> list[str]:
    """The cells' texts."""
    return ["".join(one["source"]) for one in NOTEBOOK["cells"] if one["cell_type"] == kind]


def blocks(language: str) -> list[str]:
    """The twin's blocks of code."""
    return [text for kind, text in SPLIT.findall(TWIN) if kind == language]


def programs() -> list[str]:
    """All Python of both."""
    return [*(one for one in sources() if not one.startswith("!")), *blocks("python")]


def commands() -> Iterator[list[str]]:
    """All command lines of both, as words."""
    lines = [one[1:] for one in sources() if one.startswith("!")]
    lines += [line for block in blocks("") for line in block.splitlines() if line.strip()]
    for line in lines:
        yield line.partition("  #")[0].split()


def test_the_notebook_is_valid_and_small() -> None:
    """Else Jupyter would refuse it, or the repository keep somebody's pictures."""
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert all(re.fullmatch(r"[\w-]{1,64}", one["id"]) for one in NOTEBOOK["cells"])
    assert len({one["id"] for one in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    code = [one for one in NOTEBOOK["cells"] if one["cell_type"] == "code"]
    assert all({"outputs", "execution_count", "metadata"} <= set(one) for one in code)
    assert len(json.dumps(NOTEBOOK)) < 100_000


def test_every_name_of_ours_exists() -> None:
    """Else the first thing that a newcomer tries ends in an AttributeError."""
    used = {
        node.attr
        for source in programs()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "rehearsal"
    }
    assert {"check", "local_eval", "keras_batches", "compare", "record", "rank"} <= used
    told = set(re.findall(r"(?<!\w)rehearsal\.(\w+)", "".join(sources("markdown")) + TWIN))
    assert used | told <= set(rehearsal.__all__)


def test_ours_is_the_only_import() -> None:
    """Else a reader would learn where our rooms are, which move."""
    for source in programs():
        for node in ast.walk(ast.parse(source)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(name.partition(".")[0] in ALLOWED for name in names), names


def test_every_command_and_option_exists() -> None:
    """Else the terminal's tutorial would end with exit code 2."""
    helps: dict[str, str] = {}
    for program, *words in commands():
        if program not in ("local-eval", "make-submission"):
            assert program in ("pip", "python"), program
            continue
        name = words[0] if words[0] in COMMANDS else ""
        called = " ".join(filter(None, (program, name)))
        if called not in helps:
            asked = [sys.executable, "-m", "codabench_rehearsal", *called.split(), "--help"]
            helps[called] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        for word in words:
            if word.startswith("--"):
                assert word in helps[called], (called, word)
    assert {"make-submission", "local-eval", "local-eval rank"} <= set(helps)


@pytest.mark.slow
def test_the_notebook_runs_in_six_minutes(tmp_path: Path) -> None:
    """Else a student would sit before an error, or before nothing, in the first lesson."""
    before = used_seconds()
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(sources()),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=3 * MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert used_seconds() - before < CORES * MOST_SECONDS
    said = " ".join(done.stdout.split())
    assert "robust.zip against clean.zip: better" in said
    assert "Submit this next: robust.zip" in said
    assert "clean.zip (" in said
    assert (tmp_path / "clean.html").stat().st_size > 100_000


@pytest.mark.slow
def test_the_notebook_runs_in_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it runs anywhere but where it is opened; what it stores there stays small."""
    monkeypatch.setenv("PATH", environment()["PATH"])
    cells = jupyter(tmp_path).executed(sources(), int(3 * MOST_SECONDS))
    outputs = [one for cell in cells for one in cell["outputs"]]
    assert not [one for one in outputs if one["output_type"] == "error"]
    progress = [text for one in outputs if (text := plain(one)).startswith("done")]
    assert len(progress) == sum("rehearsal." in one and "count=" in one for one in sources()) + 1
    assert len(json.dumps(cells)) < 3_000_000


def plain(output: dict[str, Any]) -> str:
    """An output's text."""
    return "".join(output.get("data", {}).get("text/plain", ""))


def used_seconds() -> float:
    """Of all processors by all children that have ended: whatever else the machine is doing."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def environment() -> dict[str, str]:
    """With our commands on the PATH, as after an installation."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}

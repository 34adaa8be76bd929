"""Short code that asks the checks for much: products, doublings and circles, in bounded time and memory."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from submission.checks.modules import Module
from submission.checks.paths import Paths
from tests.submission.zips import build_zip

SECONDS, MEGABYTES = 5.0, 400  # most of them take 0.1 s; machines under test are busy
HEAD = (
    "import os\nimport numpy as np\nfrom pathlib import Path\nclass Model:\n  def __init__(self):\n"
)
TAIL = "\n  def predict(self, X):\n    return np.zeros(len(X), dtype=int)\n"
LETTERS = [f"v{i}" for i in range(10)]
LOOPS = "".join(f"for {name} in {list('abcdefgh')!r}: pass\n" for name in LETTERS)
RANGES = "".join(f"for {name} in range(64): pass\n" for name in LETTERS)
SIXTY = f"L = {list(map(str, range(60)))!r}\n"


def chained(first: str, step: str, steps: int) -> str:
    """`a0 = first`, then so many lines in which `step` makes the next name of {0}; the last is opened."""
    lines = [f"a0 = {first}"]
    lines += [f"a{i + 1} = {step.replace('{0}', f'a{i}')}" for i in range(steps)]
    return "\n".join([*lines, f"np.load(a{steps})"])


TABLE = {  # what stands in __init__
    "an f-string of ten loops": LOOPS + "np.load(f'" + "".join(f"{{{v}}}" for v in LETTERS) + "')",
    "an f-string of ranges": RANGES + "np.load(f'" + "".join(f"{{{v}}}" for v in LETTERS) + "')",
    "a sum of ten loops": LOOPS + f"np.load({'+'.join(LETTERS)})",
    "a sum of 200": LOOPS + f"np.load({'+'.join(LETTERS * 20)})",
    "a path of ten loops": LOOPS + f"np.load(Path('a') / {'/'.join(LETTERS)})",
    "a join of lists": SIXTY + f"np.load(os.path.join({', '.join(['L'] * 12)}))",
    "renamings": SIXTY + "np.load(Path(L).with_name(L).with_suffix(L).with_stem(L))",
    "text doubled 12 times 60-fold": chained("'x'", "f'" + "{{0}}" * 60 + "'", 12),
    "text doubled 5 times 60-fold": chained("'" + "x" * 50 + "'", "f'" + "{{0}}" * 60 + "'", 5),
    "sums doubled": chained("'xxxxxxxx'", "{0} + {0}", 40),
    "lists of lists": chained("['x', 'y']", f"[{', '.join(['{0}'] * 40)}]", 11),
    "joins of joins": chained("'x'", f"os.path.join({', '.join(['{0}'] * 30)})", 11),
    "a circle": "a = f'{b}{b}{b}'\nb = f'{a}{a}{a}{a}'\nnp.load(a)",
    "a circle of lists": f"a = [{'b,' * 30}]\nb = [{'a,' * 30}]\nnp.load(os.path.join(a, b, *a))",
    "text times a number": "np.load('a' * 10**9)\nW = ['a'] * 10**9\nnp.load(W[0])\nx = 10**10**10",
    "a comprehension's product": (
        "np.load([f'{a}{b}{c}{d}' for a in range(64) for b in range(64) for c in range(64)"
        " for d in range(64)][0])"
    ),
    "a loop over a product": (
        "for p in [os.path.join(a, b, c, d) for a in L for b in L for c in L for d in L]: np.load(p)"
    ),
    "a range without end": "for i in range(10**18): np.load(f'w{i}.npy')",
    "a number of 12,000 digits": f"np.load(0x{'f' * 10000})\nfor i in range(0x{'f' * 10000}): np.load(f'{{i}}')",
    "many that share": "\n".join(f"np.load(a{i})" for i in range(200))
    + "\na0 = 'x'\n"
    + "\n".join(f"a{i + 1} = f'{{a{i}}}{{a{i}}}{{a{i}}}{{a{i}}}'" for i in range(200)),
    "many folders to go to": LOOPS
    + "\n".join(
        f"os.chdir(os.path.join(os.path.dirname(__file__), v{i % 10}))" for i in range(200)
    ),
    "parents of parents": f"np.load(Path(__file__){'.parent' * 900})\nnp.load(Path(__file__).parents[10**9])",
    "a path of a million signs": f"np.load('{'a/' * 500_000}')",
}
LOOK = """
import json, re, sys, time
from pathlib import Path
from submission.archive import Archive
from codabench_rehearsal.challenge.profile import load_challenge
from submission.checks.subject import examine
challenge = load_challenge()
for path in sys.argv[1:]:
    started = time.process_time()
    with Archive(path) as archive:
        codes = sorted({finding.code for finding in examine(archive, challenge)})
    # Not getrusage: after an exec it still counts what the parent had.
    status = Path("/proc/self/status")
    held = re.search(r"VmHWM:\\s*(\\d+)", status.read_text()) if status.exists() else None
    peak = int(held[1]) >> 10 if held else 0
    print(json.dumps([path, time.process_time() - started, peak, codes]), flush=True)
"""


def looked(folder: Path, table: dict[str, str]) -> Iterator[tuple[str, float, int, list[str]]]:
    """Check a zip for each row, all in one child that may take 2 GB and two minutes."""
    names = {}
    for number, (name, body) in enumerate(table.items()):
        source = HEAD + "".join(f"    {line}\n" for line in body.splitlines()) + TAIL
        names[str(build_zip(folder / f"{number}.zip", {"model.py": source}))] = name
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + LOOK, *names],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for line in done.stdout.splitlines():
        path, seconds, peak, codes = json.loads(line)
        yield names[path], seconds, peak, codes


def test_short_code_costs_little(tmp_path: Path) -> None:
    """Else 478 bytes of somebody's code take a minute and gigabytes, and the check is killed."""
    found = list(looked(tmp_path, TABLE))
    assert [name for name, *_ in found] == list(TABLE)
    slow = {name: seconds for name, seconds, *_ in found if seconds > SECONDS}
    large = {name: peak for name, _, peak, _ in found if peak > MEGABYTES}
    assert not slow
    assert not large


LONG = {  # what stands in the whole file, and files beside it
    "8,000 calls": {"model.py": "def f(a): return a\n" + "f(1)\n" * 8_000},
    "a million empty lines": {"model.py": "x = 1" + "\n" * 10**6},
    "a million blanks": {"model.py": "x = 1" + " " * 10**6},
    "a settings file of empty lines": {"model.py": "", "metadata": "\n" * 10**6},
}


@pytest.mark.parametrize("files", LONG.values(), ids=list(LONG))
def test_long_files_cost_what_their_length_says(files: dict[str, str], tmp_path: Path) -> None:
    """Else a generated file, or one of blank lines, takes the check minutes: twice as long, four times."""
    path = build_zip(tmp_path / "long.zip", files)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[1] < 2 * SECONDS


FEW = {  # what is still told: the files that the zip lacks
    "np.load(f'{v0}.npy')": 8,
    "np.load('w_' + v0 + '.npy')": 8,
    "np.load(os.path.join('w', v0, v1))": 64,
    "np.load(os.path.join('w', v0, v1, v2))": 0,  # 512: none is told
    "np.load(f'{v0}{v0}.npy')": 64,  # as if they were independent: no more than that
}


@pytest.mark.parametrize(("body", "count"), FEW.items())
def test_few_values_are_told_all_and_many_not_at_all(body: str, count: int) -> None:
    """Else a check would speak of the first 64 of many files, or of none at all."""
    module = Module("model.py", "model", "import os\n" + LOOPS + body)
    call = next(node for node in module.nodes if isinstance(node, ast.Call))
    assert len(Paths(module).of(call.args[0])) == count

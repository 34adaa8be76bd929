"""`python -m bench.site_walk`: from a challenge's address to the score, against the tests' stub.

A site on this machine, the real commands in processes of their own, three connections that break
during the first upload, and what each command says. Cells are drawn; two small models are made of
them. The site's score is what a model gets on 500 other drawn cells, damaged as the challenge's
hidden ones are believed to be, which no command here sees. The real site is never called.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from bench.demonstration_report import put_into
from codabench_rehearsal.images import save, synthetic
from corruptions.chain import corrupt_mixed
from corruptions.presets import resolve
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.test_site_login import at_terminal
from tests.challenge.site.world import PASSWORD, USER

CELLS, HIDDEN = 480, 500
PRESET = "an2dl-2024"
MOST_LINES, LAST = 14, 3  # of what a command says
ANSWERS = [("User name", f"{USER}\n"), ("Password", f"{PASSWORD}\n")]
# How the two models see an image; the second one does not mind brightness and contrast.
VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "first": "small / 255.0",
        "second": "(small - small.mean(1, keepdims=True)) / (small.std(1, keepdims=True) + 1.0)",
    }
)
MODEL = """\
from pathlib import Path

import numpy as np


def seen(X):
    small = X.reshape(len(X), 12, 8, 12, 8, 3).mean((2, 4)).reshape(len(X), -1)
    return {view}


class Model:
    def __init__(self):
        self.means = np.load(Path(__file__).parent / "means.npz")["means"]

    def predict(self, X):
        away = ((seen(X)[:, None] - self.means[None]) ** 2).sum(-1)
        return away.argmin(1)
"""


_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{3,}")


@dataclass(frozen=True)
class Walk:
    """A folder with all that a user has, and the site. environment: of the commands."""

    folder: Path
    site: SiteStub
    environment: dict[str, str]

    def typed(self, line: str, most: int = MOST_LINES) -> str:
        """What a command says, as in a pipe; its exit code where it is not 0. most: lines of it."""
        self.site.open_now()  # the stub's clock stands still
        words = shlex.split(line)
        command = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ended = f"(exit code {done.returncode})\n" if done.returncode else ""
        return self.told(line, done.stdout + ended, most)

    def at_terminal(self, line: str, answers: list[tuple[str, str]]) -> str:
        """The same at a terminal, with what is typed there."""
        words = [line.split()[0].replace("-", "_"), *line.split()[1:]]
        kept = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            _, shown = at_terminal(words, answers)
        finally:
            os.environ.clear()
            os.environ.update(kept)
        return self.told(line, shown.replace("\r\n", "\n"))

    def told(self, line: str, text: str, most: int = MOST_LINES) -> str:
        """A command with what it said, shortened, and without what differs from run to run."""
        host = self.site.base.removeprefix("http://")
        for found in (host, host.replace(":", "+")):  # as an address, and as a file's name
            text = text.replace(found, found[:10] + "8000")
        bins = f"{Path(sys.executable).parent}/"
        text = text.replace(f"{self.folder}/", "").replace(bins, ".venv/bin/")
        lines = [f"    {one.rstrip()}"[:160] for one in text.strip("\n").split("\n")]
        if len(lines) > most:
            left = len(lines) - most + 1
            lines = [*lines[: -LAST - left], f"    [{left} lines]", *lines[-LAST:]]
        return "\n".join([f"$ {line}", *lines, ""])


def main(argv: list[str] | None = None) -> int:
    """Walk, and print; into a page where one is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.site_walk", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--write", type=Path, help="docs/site.md: put the transcript there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, SiteStub() as site:
        parts = []
        for part in steps(begun(Path(folder), site)):
            print(part, flush=True)
            parts.append(part)
    if options.write:
        text = "\n".join(parts)
        put_into(options.write, f"```\n{text}```", "bench.site_walk")
    return 0


def steps(walk: Walk) -> Iterator[str]:
    """The way: look, log in, build, rehearse, upload, wait; then the next one."""
    yield walk.typed("codabench-challenge show 1234")
    yield walk.at_terminal("codabench-challenge login", ANSWERS)
    yield walk.typed(
        "make-submission --model first/model.py --include first/means.npz --out first.zip"
    )
    yield walk.typed("local-eval first.zip --data cells.npz --held-out --images 120")
    walk.site.score = score(walk.folder / "first")
    walk.site.fail("PUT storage", "half", 2)
    walk.site.fail(r"POST /api/submissions/$", "lost", 1)
    yield uploaded(walk, "first.zip", "--record-http calls.json")
    yield walk.typed("make-submission --check-only first.zip --no-run --upload 1234 --yes")
    yield walk.typed("local-eval history")
    yield walk.typed(
        "make-submission --model second/model.py --include second/means.npz --out second.zip"
    )
    yield walk.typed("local-eval second.zip --data cells.npz --held-out --images 120")
    walk.site.score = score(walk.folder / "second")
    yield uploaded(walk, "second.zip")
    yield walk.typed("local-eval history")


def uploaded(walk: Walk, zip_name: str, more: str = "") -> str:
    """An upload, and what the site saw of it."""
    walk.site.calls.clear()
    line = f"make-submission --check-only {zip_name} --no-run --upload 1234 --yes --wait {more}"
    said = walk.typed(line.strip(), most=60)
    changing = [one for one in walk.site.calls if not one.startswith("GET")]
    shown = [f"#   {_KEY.sub('KEY', one)}" for one in changing]
    made = sum(not one.parent for one in walk.site.submissions)
    return "\n".join([said + "# the site saw", *shown, f"# submissions in all: {made}", ""])


def score(folder: Path) -> float:
    """A model's share of right answers on the hidden cells."""
    made = synthetic(HIDDEN, seed=99)
    images = corrupt_mixed(made.images, resolve(PRESET), seed=99)
    model = runpy.run_path(str(folder / "model.py"))["Model"]()
    return float((model.predict(images) == made.labels).mean())


def begun(folder: Path, site: SiteStub) -> Walk:
    """The folder that a user has: cells, and two models made of others."""
    site.open_now()
    save(synthetic(CELLS, seed=1, balanced=True), folder / "cells.npz")
    training = synthetic(CELLS, seed=2, balanced=True)
    for name, view in VIEWS.items():
        place = folder / name
        place.mkdir()
        (place / "model.py").write_text(MODEL.format(view=view), encoding="utf-8")
        seen: Callable[[np.ndarray], np.ndarray] = runpy.run_path(str(place / "model.py"))["seen"]
        views = seen(training.images)
        means = [views[training.labels == label].mean(0) for label in range(8)]
        np.savez(place / "means.npz", means=np.array(means, np.float32))
    own = {
        "CODABENCH_URL": site.base,
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "CODABENCH_REHEARSAL_CACHE": str(folder / ".cache"),
        "LOCAL_EVAL_STORE": str(folder / ".local-eval" / "store.sqlite"),
    }
    left_out = ("CODABENCH_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if name.upper() not in left_out}
    return Walk(folder, site, {**kept, **own})


if __name__ == "__main__":
    sys.exit(main())

"""The stub against `codabench-client`, which somebody else wrote against the real site.

It lives in an environment of its own, which uv builds; it is no dependency of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import PASSWORD, USER

pytestmark = pytest.mark.slow
CLIENT = "codabench-client==0.1.1"
CALLS = Path(__file__).with_name("client_calls.py")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
Talk = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the client and what it needs, and nothing else; skips where none can be had."""
    folder = tmp_path_factory.mktemp("client") / "venv"
    made = str(folder / "bin" / "python")
    steps = (
        ["venv", "--python", sys.executable, str(folder)],
        ["pip", "install", "--python", made, CLIENT],
    )
    try:
        for words in steps:
            subprocess.run([find_uv_bin(), *words], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no {CLIENT}: {error.stderr[-300:]}")
    return made


@pytest.fixture
def talk(site: SiteStub, here: Path, python: str) -> Talk:
    """Runs a scenario of `client_calls.py` against the stub; what it says."""
    env = {name: value for name, value in os.environ.items() if name not in PROXIES}

    def ran(scenario: str) -> dict[str, Any]:
        files = (str(here / "submission.zip"), str(here / "got"))
        command = [python, "-I", str(CALLS), scenario, site.base, USER, PASSWORD, *files]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return ran


def test_it_shows_our_challenge(talk: Talk) -> None:
    """Else the stub answers what no real site does, and all our tests prove nothing."""
    assert talk("shows") == {"phase": 11, "metric": "accuracy", "used": 0, "listed": []}


def test_it_uploads_and_reads_the_score(talk: Talk, site: SiteStub, here: Path) -> None:
    """Else our upload follows calls that a real site does not have."""
    found = talk("uploads")
    assert found == {
        "status": "Finished", "latest": True, "scoring": True, "listed": ["submission.zip"],
        "metrics": {"Accuracy": 0.8731343284, "Macro F1": 0.4365671642},
        "logs": ["prediction_ingestion_stderr", "scoring_stderr", "scoring_stdout"],
    }  # fmt: skip
    assert next(iter(site.puts.values())) == (here / "submission.zip").read_bytes()


def test_it_is_refused_as_we_are(talk: Talk, site: SiteStub) -> None:
    """Else the stub is kinder to us than to others."""
    for _ in range(5):
        site.add("old.zip")
    found = talk("is_refused")
    assert "Reached maximum allowed submissions for today" in found["today"]
    assert "404" in found["number"]
    assert "login failed" in found["login"]


def test_it_logs_in_as_a_browser(talk: Talk) -> None:
    """Else sessions, and the cross-site check that goes with them, are only made up."""
    assert talk("is_a_browser") == {
        "same": True,
        "without": [403, "CSRF Failed: CSRF token missing."],
        "with": 200,
    }

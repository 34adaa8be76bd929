"""What GitHub and other people's repositories read: the action, the issue forms, the citation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.submission.zips import build_zip

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
CI_PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FIELDS = ("markdown", "input", "textarea", "dropdown", "checkboxes")
RIGHT = """
import numpy as np
class Model:
    def predict(self, X):
        return np.zeros(len(X), int)
"""


def steps() -> list[dict[str, Any]]:
    """The action's steps that are shell."""
    return [step for step in ACTION["runs"]["steps"] if "run" in step]


def as_github(
    step: dict[str, Any], folder: Path, given: dict[str, str], path: str
) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does, in somebody's checkout: inputs filled in, bash that stops."""
    inputs = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()} | given
    filled = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)
        for name, value in step.get("env", {}).items()
    }
    script = folder / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={
            **os.environ, **filled, "GITHUB_ACTION_PATH": str(ROOT), "PATH": path,
            "CODABENCH_REHEARSAL_CACHE": str(folder / "cache"),  # a runner comes without one
        },
    )  # fmt: skip


def test_the_action_is_one_that_github_takes() -> None:
    """Else `uses:` ends with "Can't find action.yml", or a step without a shell."""
    assert {"name", "description", "inputs", "runs"} <= set(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    assert all(step.get("shell") == "bash" for step in steps())
    assert not [step for step in steps() if "${{" in step["run"]]  # an input would be a command
    used = " ".join(str(step) for step in ACTION["runs"]["steps"])
    assert set(re.findall(r"inputs\.([\w-]+)", used)) == set(ACTION["inputs"])


def test_it_installs_what_it_came_with(tmp_path: Path) -> None:
    """Else a team's job checks with another version than it names."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (tmp_path / "bin" / "python").chmod(0o755)
    done = as_github(steps()[0], tmp_path, {}, f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert done.stdout.split() == ["-m", "pip", "install", "--quiet", str(ROOT)]
    assert (ROOT / "pyproject.toml").is_file()


JOBS: dict[str, tuple[dict[str, str], int, str]] = {
    "right": ({"options": "--no-run"}, 0, "looks right"),
    "no predict": ({"zip": "wrong.zip", "options": "--no-run"}, 1, "error"),
    "not there": ({"zip": "none.zip"}, 2, "no such file"),
    "several": ({"zip": "*.zip", "options": "--no-run"}, 1, "::group::wrong.zip"),
    "an unknown option": ({"options": "--no-rnu"}, 2, "did you mean"),
    "no command": (
        {"zip": "$(touch here);submission.zip", "options": "--no-run"},
        2,
        "no such file",
    ),
    "run": ({}, 0, "runs here"),
}


@pytest.mark.parametrize("job", JOBS)
def test_the_job_is_red_when_it_must_be(tmp_path: Path, job: str) -> None:
    """Else a zip that cannot load is pushed behind a green sign."""
    given, code, said = JOBS[job]
    build_zip(tmp_path / "submission.zip", {"model.py": RIGHT})
    build_zip(tmp_path / "wrong.zip", {"model.py": "class Model: pass"})
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = as_github(steps()[1], tmp_path, given, path)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert not (tmp_path / "here").exists()


def test_the_page_of_ci_shows_what_there_is() -> None:
    """Else a team copies a key that the action does not have."""
    action, lines = (
        yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", CI_PAGE, re.S)
    )
    (job,) = action["jobs"].values()
    assert set(job["steps"][-1]["with"]) <= set(ACTION["inputs"])
    assert set(re.findall(r"^\| `([\w-]+)` \| ", CI_PAGE, re.M)) - {"with"} == set(ACTION["inputs"])
    assert [list(step) for step in lines] == [["run"], ["run"]]
    name, option, _ = lines[1]["run"].split()
    assert name in PROJECT["scripts"]
    assert option == "--check-only"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_shows(path: Path) -> None:
    """Else GitHub leaves the form out, and reports come without a version."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["type"] in FIELDS and field["attributes"]["label"] for field in asked)
    assert len({field["id"] for field in asked}) == len(asked)
    assert any(field.get("validations", {}).get("required") for field in asked)
    text = path.read_text(encoding="utf-8")
    assert "`local-eval --version`" in text
    assert "--json" in text or path.stem == "wish"


def test_the_citation_is_of_this_version() -> None:
    """Else a paper cites a version that never was."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (told["title"], told["version"]) == (PROJECT["name"], PROJECT["version"])
    assert told["license"] == PROJECT["license"]
    assert {"cff-version", "message", "authors"} <= set(told)

"""A stand-in for uv: writes down how it was called, and fails or waits where the test wants it.

Beside it lie `calls`, a line a call, and `plan.json`: subcommand -> {"code": int, "say": str,
"seconds": float, "module": what the packages it installs do when imported}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def install(python: Path, requirement: str, code: str) -> None:
    """Put a package of one line where pip would."""
    name, _, version = requirement.partition("==")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    site = Path(found.stdout.strip())
    (site / name).mkdir()
    (site / name / "__init__.py").write_text(f"__version__ = {version!r}\n{code}\n")
    notes = site / f"{name}-{version}.dist-info"
    notes.mkdir()
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    listed = [f"{name}/__init__.py", f"{notes.name}/METADATA", f"{notes.name}/RECORD"]
    (notes / "RECORD").write_text("".join(f"{path},,\n" for path in listed))


def fetch(version: str) -> None:
    """Put a Python that calls itself this version where uv was told to."""
    folder = Path(os.environ["UV_PYTHON_INSTALL_DIR"]) / f"cpython-{version}.0-linux" / "bin"
    folder.mkdir(parents=True)
    line = f"""[ "$1" = --version ] && echo cpython {version}.0 || echo {version}.0"""
    (folder / f"python{version}").write_text(f"#!/bin/sh\n{line}\n")
    (folder / f"python{version}").chmod(0o755)


def seen() -> list[dict[str, str]]:
    """The tests' Pythons on PATH and where uv puts its own, as they say, the newest first."""
    own = Path(os.environ["UV_PYTHON_INSTALL_DIR"]).glob("*/bin")
    places = [*map(Path, os.environ["PATH"].split(os.pathsep)), *own]
    found = []
    for path in (path for place in places for path in sorted(place.glob("python3.9[78]"))):
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        kind, _, version = done.stdout.strip().partition(" ")
        if version and not done.returncode:
            found.append({"version": version, "path": str(path), "implementation": kind})
    return sorted(found, key=lambda one: [-int(part) for part in one["version"].split(".")])


def main() -> int:
    """What uv would do, in small; a question for Pythons is no call."""
    here, words = Path(__file__).parent, sys.argv[1:]
    if words[:2] == ["python", "list"]:
        print(json.dumps(seen()))
        return 0
    with (here / "calls").open("a") as calls:
        calls.write(" ".join(words) + "\n")
    plan = json.loads((here / "plan.json").read_text(encoding="utf-8")).get(words[0], {})
    if words[0] == "venv":
        venv = [words[words.index("--python") + 1], "-m", "venv", "--without-pip", words[-1]]
        subprocess.run(venv, check=True)
    time.sleep(plan.get("seconds", 0))
    print(plan.get("say", ""), file=sys.stderr, flush=True)
    if words[0] == "python" and not plan.get("code"):
        fetch(words[-1])
    if words[0] == "pip" and not plan.get("code"):
        for requirement in words[words.index("--") + 1 :]:
            install(Path(words[words.index("--python") + 1]), requirement, plan.get("module", ""))
        print("Resolved 1 package in 1ms\n + tinypin==1.0", file=sys.stderr)
    return int(plan.get("code", 0))


if __name__ == "__main__":
    sys.exit(main())

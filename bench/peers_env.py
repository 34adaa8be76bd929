"""Environments that hold the peers: `python -m bench.peers_env [peers] [kerascv]` makes them.

They lie outside the project's own environment, which need not agree with their versions:
in $BENCH_ENVS, or ~/.cache/codabench-rehearsal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from bench.crew import ROOT

NAMES = ("peers", "kerascv")


def folder(name: str) -> Path:
    """Where the environment of that name lies, made or not."""
    home = os.environ.get("BENCH_ENVS") or Path.home() / ".cache" / "codabench-rehearsal"
    return Path(home) / name


def python_of(name: str) -> str | None:
    """Its Python, or None if it was not made."""
    python = folder(name) / "bin" / "python"
    return str(python) if python.exists() else None


def make(name: str) -> None:
    """Make it and install what `NAME-requirements.txt` pins."""
    venv.create(folder(name), with_pip=True)
    pip = [str(folder(name) / "bin" / "python"), "-m", "pip", "install", "-q"]
    listed = ROOT / "bench" / f"{name}-requirements.txt"
    bare = ROOT / "bench" / f"{name}-bare-requirements.txt"
    subprocess.run([*pip, "-r", str(listed)], check=True)  # noqa: S603
    if bare.exists():  # pinned against what they ask for
        subprocess.run([*pip, "--no-deps", "-r", str(bare)], check=True)  # noqa: S603


def main(argv: list[str]) -> int:
    """Make the named environments, or both."""
    unknown = set(argv) - set(NAMES)
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    for name in argv or NAMES:
        make(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

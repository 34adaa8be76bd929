"""Programs that stand in for uv and docker on PATH."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"


def put_on_path(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]
) -> Path:
    """Make `programs/fake_NAME.py` the NAME of PATH, with a plan; returns the file of its calls."""
    folder.mkdir(exist_ok=True)
    script, source = folder / name, PROGRAMS / f"fake_{name}.py"
    script.write_text(f"#!{sys.executable} -I\n{source.read_text(encoding='utf-8')}")
    script.chmod(0o755)
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "calls").touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "calls"


def put_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]) -> Path:
    """Make `fake_uv.py` the uv that is installed with us; returns the file of its calls."""
    calls = put_on_path("uv", folder, monkeypatch, plan)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(folder / "uv"))
    return calls

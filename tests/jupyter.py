"""A real Jupyter, where one is installed: its own environment, our Python as its kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ABSENT = "no JupyterLab in $JUPYTER_PYTHON or here (a Python that has jupyterlab, of our version)"
_HAS = "import sys, sysconfig, jupyterlab, nbclient; print(*sys.version_info[:2], sysconfig.get_path('purelib'))"
_KERNEL = (
    "import sys; sys.path.append({site!r}); from ipykernel.kernelapp import launch_new_instance; "
    "launch_new_instance()"
)
_EXECUTE = """
import sys, nbformat, nbclient
place, seconds = sys.argv[1:]
notebook = nbformat.read(place, as_version=4)
nbformat.validate(notebook)
nbclient.NotebookClient(notebook, timeout=int(seconds), kernel_name="ours").execute()
nbformat.write(notebook, place)
"""


@dataclass(frozen=True)
class Jupyter:
    """python: of its environment. folder: where its settings, kernels and notebooks are."""

    python: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the user's own Jupyter is read or written."""
        own = {
            f"JUPYTER_{name}_DIR": str(self.folder / name) for name in ("CONFIG", "DATA", "RUNTIME")
        }
        return os.environ | own | {"HOME": str(self.folder), "JUPYTER_PATH": str(self.folder)}

    def executed(self, sources: list[str], seconds: int = 120) -> list[dict[str, Any]]:
        """The cells with their outputs, as a notebook stores them. The test fails with the cell's."""
        place = self.folder / "executed.ipynb"
        place.write_text(json.dumps(notebook_of(sources)), encoding="utf-8")
        words = [self.python, "-c", _EXECUTE, str(place), str(seconds)]
        done = subprocess.run(
            words,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return list(json.loads(place.read_text(encoding="utf-8"))["cells"])


def notebook_of(sources: list[str]) -> dict[str, Any]:
    """A notebook of code cells that nobody has run."""
    cells = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "outputs": [], "source": source}
        | {"execution_count": None}
        for i, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def jupyter(folder: Path) -> Jupyter:
    """Ready to run. The test is skipped where none is installed, or for another Python."""
    python = os.environ.get("JUPYTER_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", _HAS], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(ABSENT)
    *version, site = done.stdout.split(maxsplit=2)
    if [*map(int, version)] != [*sys.version_info[:2]]:
        pytest.skip(ABSENT)
    spec = folder / "kernels" / "ours"
    spec.mkdir(parents=True)
    command = [sys.executable, "-c", _KERNEL.format(site=site.strip()), "-f", "{connection_file}"]
    said = {"argv": command, "display_name": "ours", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(said), encoding="utf-8")
    return Jupyter(python, folder)

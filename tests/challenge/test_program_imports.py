"""Which packages a program cannot do without, by its source alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.challenge.bundle_files import opened_tree
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.program_source.packages import (
    distribution,
    installs,
    needed,
    reaches_out,
)
from tests.challenge.worker.bundles import Files, written


def read(place: Path, files: Files, command: str = "python main.py") -> Program:
    """A program of these files."""
    folder = written(place / "program", {**files, "metadata.yaml": f"command: {command}\n"})
    with opened_tree(folder) as tree:
        return Program("ingestion", "program", tree)


NEEDED: dict[str, tuple[str, set[str]]] = {
    "at the top": (
        "import odd.part as o, other\nfrom third.x import y\n",
        {"odd", "other", "third"},
    ),
    "in a with": ("with open('x'):\n    import odd\n", {"odd"}),
    "in the script's own part": ("if __name__ == '__main__':\n    import odd\n", {"odd"}),
    "in a function that is called": ("def f():\n    import odd\nf()\n", {"odd"}),
    "at two removes": (
        "def g():\n    import odd\ndef f():\n    g()\nif __name__ == '__main__':\n    f()\n",
        {"odd"},
    ),
    "in a method": (
        "class A:\n    def go(self):\n        import odd\nA().go()\n",
        {"odd"},
    ),
    "as a class is made": ("class A:\n    def __init__(self):\n        import odd\nA()\n", {"odd"}),
    "in a file that is imported": ("import helper\n", {"inner"}),
    "where another error is caught": ("try:\n    import odd\nexcept OSError:\n    pass\n", {"odd"}),
    "caught": ("try:\n    import odd\nexcept ImportError:\n    odd = None\n", set()),
    "caught with others": (
        "try:\n    import odd\nexcept (OSError, ImportError):\n    pass\n",
        set(),
    ),
    "caught by all": ("try:\n    import odd\nexcept:\n    import other\n", set()),
    "behind an if": ("import sys\nif sys.platform == 'win32':\n    import odd\n", {"sys"}),
    "for types": ("import typing\nif typing.TYPE_CHECKING:\n    import odd\n", {"typing"}),
    "in a function that nothing calls": ("def f():\n    import odd\n", set()),
    "its own": ("import helper, pack.deep\nfrom . import sibling\n", {"inner"}),
    "the submission's": (
        "import sys\nsys.path.append('/app/ingested_program')\nfrom model import Model\n",
        {"sys"},
    ),
    "what lies by the submission": (
        "import sys\nsys.path.append('/app/input_data')\nfrom model import Model\nimport data\n",
        {"sys"},
    ),
}
BESIDE = {"helper.py": "import inner\n", "pack/deep.py": "", "unused.py": "import unused_too\n"}


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_loaded_is_needed(tmp_path: Path, name: str) -> None:
    """Else a package is missed that ends the run, or one asked for that nothing loads."""
    code, expected = NEEDED[name]
    assert set(needed(read(tmp_path, {"main.py": code, **BESIDE}))) == expected


def test_the_place_is_told_and_more_can_be_known(tmp_path: Path) -> None:
    """Else nobody finds the line, or a module among the data is called missing."""
    program = read(tmp_path, {"main.py": "\nimport odd\nimport known\n"})
    assert needed(program, ("known",)) == {"odd": "main.py:2"}


INSTALLS = [
    ("import subprocess\nsubprocess.run(['pip', 'install', 'x'])\n", "pip install"),
    ("import sys\nwords = [sys.executable, '-m', 'pip', 'install', 'x']\n", "pip install"),
    ("import os\nos.system(f'pip3 install {name}')\n", "pip3 install"),
    ("# pip install x\n", ""),
    ("'''Run pip install x first.'''\n", ""),
    ("raise SystemExit('do pip install x')\n", ""),
]


@pytest.mark.parametrize(("code", "said"), INSTALLS)
def test_an_install_is_told_from_talk_of_one(tmp_path: Path, code: str, said: str) -> None:
    """Else a docstring asks for a network, or an install fails without a warning."""
    assert installs(read(tmp_path, {"main.py": code})) == said


def test_installs_of_scripts_and_commands(tmp_path: Path) -> None:
    """Else what a shell script or the command itself installs is missed."""
    script = {"run.sh": "# pip install a\npip install b\n"}
    assert installs(read(tmp_path / "a", script, "bash run.sh")) == "pip install"
    assert installs(read(tmp_path / "b", {}, "sh -c 'pip install x'")) == "pip install"
    assert not installs(read(tmp_path / "c", {"run.sh": "# pip install a\n"}, "bash run.sh"))


def test_packages_for_the_network_and_names_of_pip(tmp_path: Path) -> None:
    """Else a download fails without a warning, or pip is asked for a package of another name."""
    assert reaches_out(read(tmp_path / "a", {"main.py": "import requests\n"})) == "requests"
    assert not reaches_out(read(tmp_path / "b", {"main.py": "import urllib.parse\n"}))
    assert [distribution(one) for one in ("sklearn", "cv2", "PIL", "yaml", "odd_one")] == [
        *("scikit-learn", "opencv-python-headless", "pillow", "pyyaml", "odd-one"),
    ]

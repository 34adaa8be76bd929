"""The same limits, walls and endings for a plain user, who may do less and is held by other means."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.children import linux_only

pytestmark = [
    linux_only,
    pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as a plain user then"),
]
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that everybody may use."""
    with tempfile.TemporaryDirectory(prefix="nobody-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def as_nobody(folder: Path, *words: str) -> str:
    """Run Python as nobody; returns what it printed."""
    places = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
    outermost = [str(place) for place in places if not places & set(place.parents)]
    command = [sys.executable, str(HERE / "programs" / "as_nobody.py"), *outermost, "--"]
    done = subprocess.run(
        [*command, sys.executable, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"nobody cannot be let in here: {done.stdout}")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


FAST = "namespaces and not killed and not threads and not comes_through"


OLDER, NEWER = ("limits", "walls", "endings", "platforms_places"), ("unseen", "calls")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (OLDER, FAST),
        pytest.param(OLDER, f"not ({FAST})", marks=pytest.mark.slow),
        pytest.param(NEWER, "not keras and not numba", marks=pytest.mark.slow),
    ],
)
def test_all_of_it_holds_for_nobody(open_folder: Path, names: tuple[str, ...], chosen: str) -> None:
    """Else the walls stand for root alone, whom few users are."""
    files = [str(HERE / f"test_{name}.py") for name in names]
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(open_folder / "tests")]
    said = as_nobody(open_folder, "-m", "pytest", *options, "-k", chosen, *files)
    assert " passed" in said
    assert "failed" not in said


REPORT = """
from pathlib import Path
from tests.sandbox.children import child
held = child(Path("."), "pass", memory_bytes=1 << 30, processes=9).limits
print(held["processes"], "|", held["memory"], "|", held["network"])
"""


def test_the_report_names_a_plain_users_means(open_folder: Path) -> None:
    """Else the report claims control groups that only root can make."""
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); os.chdir({str(open_folder)!r}){REPORT}"
    )
    processes, memory, network = as_nobody(open_folder, "-c", code).strip().split(" | ")
    assert "counted every 50 ms" in processes
    assert "watched every 50 ms" in memory
    assert network

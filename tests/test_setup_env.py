"""What `make` says where the environment cannot be made: one clear line each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "tools" / "setup_env.py"


def pretend(change: str, call: str) -> subprocess.CompletedProcess[str]:
    """Run a part of the script in a Python that was changed first."""
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import setup_env\n{change}\nsetup_env.{call}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


NO_NETWORK = (
    "import os; os.environ.update(PIP_INDEX_URL='http://127.0.0.1:9/', PIP_EXTRA_INDEX_URL='', "
    "PIP_FIND_LINKS='', PIP_NO_CACHE_DIR='1', PIP_CONFIG_FILE='/dev/null')"
)
CASES = [
    ("sys.version_info = (3, 9, 1)", "check_python()", "Python 3.11, 3.12 or 3.13 is needed"),
    ("sys.version_info = (3, 14, 0)", "check_python()", "this is 3.14"),
    ("sys.modules['ensurepip'] = None", "check_python()", "apt install python3."),
    (
        NO_NETWORK,
        "pip(sys.executable, 'download', '--no-deps', '-d', '/nonexistent', 'no-such-thing-9')",
        "is there a network?",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "call", "said"), CASES)
def test_one_clear_line(change: str, call: str, said: str) -> None:
    """Else a newcomer's first minute ends in a page of pip's words."""
    done = pretend(change, call)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_second_time_does_nothing() -> None:
    """Else every `make` would wait for pip."""
    change = (
        "import pathlib, tempfile; place = pathlib.Path(tempfile.mkdtemp()); (place / '.venv').mkdir()\n"
        "[(place / n).write_text(n) for n in ('requirements.lock', 'pyproject.toml')]\n"
        "setup_env.ROOT = str(place); (place / '.venv' / 'stamp').write_text(setup_env.stamp_text())\n"
        "setup_env.pip = lambda *_: sys.exit('pip was called')"
    )
    assert pretend(change, "main()").returncode == 0


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-docs.lock"])
def test_the_lock_has_a_hash_for_everything(lock: str) -> None:
    """Else a download could be swapped on the way."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(pins) > 30
    assert all("==" in line and line.endswith("\\") for line in pins)

"""Kernels that lack something: each step down is taken, said, and the job still runs."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox.job import JobResult
from tests.sandbox.children import child, linux_only

pytestmark = linux_only
ROOT = Path(__file__).parents[2]
# A launcher for which the kernel refuses something.
LAUNCHER = """
import errno, os, sys
sys.path.append({root!r})
from codabench_rehearsal.sandbox.programs import jail, kernel
mount, call, fork_into, prctl = kernel.mount, kernel.call, kernel.fork_into, kernel.prctl

def refuse(name):
    raise OSError(errno.EPERM, name + " refused")

{refusal}
jail.main(sys.argv[1])
"""
NO_OVERLAY = """
def refusing(source, target, kind="", *more, **options):
    return refuse(kind) if kind == "overlay" else mount(source, target, kind, *more, **options)
kernel.mount = refusing
"""
NO_FRESH_PROC = NO_OVERLAY.replace('"overlay"', '"proc"')
NO_MOUNTS = """
kernel.mount = lambda *_, **__: refuse("mount")
"""
NO_NAMESPACES = """
kernel.fork_into = lambda _: refuse("clone")
"""
NO_USER_NAMESPACES = """
kernel.fork_into = lambda flags: refuse("clone") if flags & kernel.NEW_USER else fork_into(flags)
"""
OLD_KERNEL = """
def refusing(number, *values):
    return refuse("system call") if number >= 424 else call(number, *values)
kernel.call = refusing
"""
NO_FILTER = (
    NO_NAMESPACES
    + """
def refusing(option, *values):
    return refuse("seccomp") if option == kernel.PR_SECCOMP else prctl(option, *values)
kernel.prctl = refusing
"""
)
WORK = """
import os
from pathlib import Path
Path("model.py").write_text("changed")
Path("model.py").unlink()
print(os.listdir("."), os.path.exists("/proc/self/status"), flush=True)
try:
    Path({given!r}).write_text("changed")
    print("written")
except OSError:
    print("kept")
"""


def run_with(place: Path, monkeypatch: pytest.MonkeyPatch, refusal: str) -> JobResult:
    """Run a job that changes its own copy and tries to change its input."""
    for name in ("sub", "in"):
        (place / name).mkdir()
    for name in ("sub/model.py", "in/block"):
        (place / name).write_text("original", encoding="utf-8")
    launcher = place / "launcher.py"
    launcher.write_text(LAUNCHER.format(root=str(ROOT), refusal=refusal), encoding="utf-8")
    monkeypatch.setattr("codabench_rehearsal.sandbox.run.LAUNCHER", launcher)
    result = child(place, textwrap.dedent(WORK).format(given=str(place / "in" / "block")))
    assert (place / "sub" / "model.py").read_text(encoding="utf-8") == "original"
    return result


STEPS = [
    (NO_OVERLAY, "submission", "its own copy", "kept"),
    (NO_FRESH_PROC, "files", "a root of its own", "kept"),
    (NO_MOUNTS, "files", "Landlock", "kept"),
    (NO_NAMESPACES, "network", "seccomp", "kept"),
    (NO_USER_NAMESPACES, "files", "a root of its own" if os.geteuid() == 0 else "Landlock", "kept"),
    (OLD_KERNEL, "files", "a root of its own", "kept"),
    (NO_NAMESPACES + OLD_KERNEL, "files", "not held (system call refused)", "written"),
    (NO_FILTER, "network", "not held (seccomp refused)", "kept"),
]
NAMES = [
    *("overlay", "fresh-proc", "mounts", "namespaces"),
    *("user-namespaces", "new-calls", "landlock", "seccomp"),
]


@pytest.mark.parametrize(("refusal", "limit", "held", "given"), STEPS, ids=NAMES)
def test_what_is_refused_is_done_without(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: str,
    limit: str,
    held: str,
    given: str,
) -> None:
    """Else the tool fails in Colab, in a container or on an older Linux, or claims what does not hold."""
    result = run_with(tmp_path, monkeypatch, refusal)
    assert result.log == f"[] True\n{given}\n", result
    assert held in result.limits[limit]


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Else a wrong --python ends in a traceback of ours."""
    from dataclasses import replace

    from codabench_rehearsal.sandbox.run import run
    from tests.sandbox.children import job

    result = run(replace(job(tmp_path, ""), command=("/no/such/python", "x")))
    assert result.exit_code == 127
    assert result.log.startswith("/no/such/python could not be started")

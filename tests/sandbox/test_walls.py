"""What foreign code can reach: the network, the user's files, our memory, its own submission."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from codabench_rehearsal.sandbox.job import JobResult
from codabench_rehearsal.sandbox.places import interpreter_places
from tests.sandbox.children import LEVELS, at_level, child, linux_only

pytestmark = linux_only
WALLED = LEVELS[:2]
UNSHARE = shutil.which("unshare")
PLACES = interpreter_places(sys.executable)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each level of isolation."""
    at_level(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture(params=WALLED)
def walled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each level that hides files."""
    at_level(request.param, monkeypatch, walled=True)
    return str(request.param)


def said(result: JobResult) -> object:
    """What the child printed as JSON."""
    assert result.exit_code == 0, result
    return json.loads(result.log)


CONNECT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
    print("connected")
except OSError as error:
    print("refused", error)
"""


def test_there_is_no_network(tmp_path: Path, level: str) -> None:
    """Else a submission works here by a download that the server refuses, or sends data away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        result = child(tmp_path, CONNECT, port)
        asked_for = child(tmp_path, CONNECT, port, network=True)
    assert result.log.startswith("refused" if level != "none" else "connected")
    assert ("not held" in result.limits["network"]) == (level == "none")
    assert asked_for.log.startswith("connected")
    assert asked_for.limits["network"] == "allowed"


def test_processes_may_still_talk_to_each_other(tmp_path: Path, walled: str) -> None:
    """Else multiprocessing, which works on the platform, would fail here."""
    code = """
    import socket
    a, b = socket.socketpair()
    a.send(b"hello")
    print(b.recv(5).decode())
    """
    assert child(tmp_path, code).log == "hello\n", walled


LOOK = """
import json, os, sys
seen = {}
for path in sys.argv[1:]:
    try:
        seen[path] = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(9).decode("latin-1")
    except OSError:
        seen[path] = None
print(json.dumps(seen))
"""


def test_the_users_files_are_not_there(tmp_path: Path, walled: str) -> None:
    """Else a submission could read the labels, and the user's keys."""
    (tmp_path / "labels.npy").write_text("labels", encoding="utf-8")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "block").write_text("images", encoding="utf-8")
    hidden = [tmp_path / "labels.npy", Path.home(), Path.cwd() / "evaluator", "/etc/shadow"]
    shown = [tmp_path / "in" / "block"]
    seen = said(child(tmp_path, LOOK, *map(str, [*hidden, *shown])))
    expected = {**{str(path): None for path in hidden}, str(shown[0]): "images"}
    assert isinstance(seen, dict)
    # The interpreter may lie in the home folder: then that way alone is there.
    seen = {
        path: None if path == str(Path.home()) and leads_on(found) else found
        for path, found in seen.items()
    }
    assert seen == expected, walled


def leads_on(found: object) -> bool:
    """Whether a listing of the home folder shows nothing but the way to an interpreter."""
    return isinstance(found, list) and len(found) == 1 and found[0] in sys.base_prefix


def test_our_processes_cannot_be_read(tmp_path: Path, walled: str) -> None:
    """Else the labels could be taken out of our memory."""
    ours = f"/proc/{os.getpid()}"
    paths = [f"{ours}/{name}" for name in ("environ", "mem", "cwd", "fd/1", "root")]
    assert said(child(tmp_path, LOOK, *paths)) == dict.fromkeys(paths), walled


def test_no_open_file_is_handed_down(tmp_path: Path, level: str) -> None:
    """Else a pipe of ours could be written, or read, by foreign code."""
    code = "import os, json; print(json.dumps([os.readlink(f'/proc/self/fd/{n}') for n in range(9) if os.path.lexists(f'/proc/self/fd/{n}')]))"
    found = said(child(tmp_path, code))
    assert isinstance(found, list)
    kinds = [name.split(":")[0] for name in found]
    assert kinds == ["/dev/null", "pipe", "pipe"], level


CHANGE = """
import os, sys
from pathlib import Path
sub, given, out = (Path(word) for word in sys.argv[1:4])
Path("new").write_text("here")  # the working folder is sub
Path("model.py").unlink()
Path("weights").write_text("changed")
(out / "answer").write_text("1")
try:
    (given / "block").write_text("changed")
    print("written")
except OSError:
    print("refused")
"""


def test_a_submission_changes_only_its_own_copy(tmp_path: Path, level: str) -> None:
    """Else one run would change the next, or the user's files."""
    for name in ("in", "sub", "out"):
        (tmp_path / name).mkdir()
    for name in ("sub/model.py", "sub/weights", "in/block"):
        (tmp_path / name).write_text("original", encoding="utf-8")
    result = child(tmp_path, CHANGE, "$sub", "$in", "$out")
    assert result.exit_code == 0, result
    assert sorted(path.name for path in (tmp_path / "sub").iterdir()) == ["model.py", "weights"]
    assert (tmp_path / "sub" / "weights").read_text(encoding="utf-8") == "original"
    assert (tmp_path / "out" / "answer").exists()
    assert result.log == ("written\n" if level == "none" else "refused\n")
    assert "its own copy" in result.limits["submission"]


def test_our_rooms_cannot_be_imported(tmp_path: Path, walled: str) -> None:
    """Else a submission that imports this tool runs here and fails on the platform."""
    code = """
    import importlib, site, sys
    site.main()
    for name in ("codabench_rehearsal.sandbox.job", "codabench_rehearsal.commands.local_eval", "codabench_rehearsal.images.dataset"):
        try:
            importlib.import_module(name)
            print(name)
        except ImportError:
            pass
    """
    assert child(tmp_path, code).log == "", walled


def test_rooms_in_a_shared_folder_of_packages_are_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the same happens where this tool was installed by pip."""
    site = tmp_path / "site-packages"
    for room in ("cells", "numpy"):
        (site / room).mkdir(parents=True)
        (site / room / "x.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(
        "codabench_rehearsal.sandbox.isolation.our_rooms", lambda: (str(site / "cells"),)
    )
    monkeypatch.setattr(
        "codabench_rehearsal.sandbox.isolation.interpreter_places", lambda _: (*PLACES, str(site))
    )
    seen = said(child(tmp_path, LOOK, str(site / "cells"), str(site / "numpy")))
    assert seen == {str(site / "cells"): [], str(site / "numpy"): ["x.py"]}


def test_no_privilege_is_left(tmp_path: Path, level: str) -> None:
    """Else root in the child could undo the walls."""
    code = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    effective, bounding, none_new = child(tmp_path, code).log.split()
    assert int(effective, 16) == (int(bounding, 16) if os.geteuid() == 0 else 0)
    assert none_new == "1"
    reading_others_files = 0b110 if level != "namespaces" else 0
    assert os.geteuid() != 0 or int(bounding, 16) == reading_others_files, level


def test_no_namespace_is_made_inside(tmp_path: Path, walled: str) -> None:
    """Else foreign code in one more user namespace could mount over what it must not change."""
    code = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    for name, values in (("unshare", (0x10020000,)), ("mount", (b"none", b"/usr", b"tmpfs", 0, b""))):
        print(getattr(libc, name)(*values), os.strerror(ctypes.get_errno()))
    """
    assert child(tmp_path, code).log == "-1 Operation not permitted\n" * 2, walled


def test_a_lower_level_is_taken_where_a_higher_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing runs in a container that refuses namespaces."""
    at_level("namespaces", monkeypatch)
    log, limits = refused_here(tmp_path)
    assert log == "fine\n"
    assert "seccomp" in limits["network"]
    assert "refused" in limits["namespaces"]


def refused_here(place: Path) -> tuple[str, dict[str, str]]:
    """Run a child inside a user namespace that allows no further ones."""
    code = f"""
import json, sys
from pathlib import Path
Path("/proc/sys/user/max_user_namespaces").write_text("0")
Path("/proc/sys/user/max_mnt_namespaces").write_text("0")
from tests.sandbox.children import child
result = child(Path({str(place)!r}), "print('fine')")
print(json.dumps([result.log, dict(result.limits)]))
"""
    if not UNSHARE:
        pytest.skip("there is no unshare to try it with")
    words = [UNSHARE, "-Ur", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"no user namespace to try it in: {done.stderr[-200:]}")
    log, limits = json.loads(done.stdout)
    return log, limits

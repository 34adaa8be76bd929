"""Sites that are slow, or endless: the command ends, and nothing is lost or sent twice."""

from __future__ import annotations

import random
import socket
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from codabench_rehearsal.challenge.site import wire as site_wire
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.watch import Watch
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.commands.make_submission import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.conftest import MODEL
from tests.challenge.site.stub import SiteStub

YES = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes"]
WAIT = [*YES, "--wait"]
FAR = "https://codabench.example.org"


def test_a_list_in_pages_is_read_to_its_end(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a submission on the second page is taken for one that never arrived, and sent again."""
    site.fail("POST /api/submissions/$", "lost")
    first = {"count": 2, "next": f"{site.base}/api/submissions/?page=2&phase=11", "results": []}
    real, listed = site.fault, "GET /api/submissions/"

    def paged(call: str) -> Any:
        found = real(call)
        if found is None and call == listed and site.count(listed) % 2 == 1:
            site.fail(f"{listed}$", "json", value=first)
            return real(call)
        return found

    site.add("older.zip")
    site.fault = paged  # type: ignore[method-assign]
    assert main(YES) == Exit.FINE
    assert "submission 501:" in capsys.readouterr().out
    assert site.count("POST /api/submissions/$") == 1


def test_a_list_without_end_is_not_believed(site: SiteStub) -> None:
    """Else a hostile list holds the command for ever, or is taken for the whole."""
    endless = {"next": "x", "results": []}
    site.fail("GET /api/submissions/$", "json", times=9999, value=endless)
    assert main(YES) == Exit.USAGE
    assert site.count("POST /api/submissions/$") == 0


def test_a_drip_ends_the_fetching(
    site: SiteStub,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else a site that sends a byte a second holds the command, and a course's terminal, all day."""
    monkeypatch.setattr(site_wire, "REPLY_SECONDS", 1.0)
    site.fail("GET storage .*/scoring_stderr", "drip", 9)
    begun = time.monotonic()
    assert main(WAIT) == Exit.FINE
    assert time.monotonic() - begun < 10
    said = capsys.readouterr().out
    assert "0.8731343284 recorded" in said
    assert "scoring_stderr.txt is not fetched: 127.0.0.1" in said
    assert "it is too slow, its answer does not end" in said
    assert "the files after it are not asked for" in said
    kept = {one.name for one in (here / "submission.submission-500").iterdir()}
    assert kept == {"submission.json", "scoring_stdout.txt"}
    site.faults.clear()
    assert main(WAIT) == Exit.FINE
    assert (here / "submission.submission-500" / "detailed_results.html").is_file()
    capsys.readouterr()


@pytest.mark.parametrize(("count", "passed"), [(60, False), (5, True)])
def test_what_moves_is_waited_for(count: int, *, passed: bool) -> None:
    """Else a large log over a slow line is cut off though it comes, or a drip is waited for."""
    with Watch(0.3, 200.0) as watch:
        for _ in range(10):
            time.sleep(0.1)
            watch.moved(count)
    assert watch.passed is passed


@pytest.mark.parametrize("start", [b"\x16\x03\x03\x40\x00", b"HTTP/1.1 100 Continue\r\n"])
def test_a_door_that_opens_drop_by_drop(
    here: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Else whoever stands before a site holds a command for ever, before a word of HTTP."""
    del here, waits
    monkeypatch.setattr(site_wire, "REPLY_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with suppress(OSError), server.accept()[0] as one:
                one.sendall(start)
                for _ in range(100):
                    one.sendall(b"a")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        scheme = "https" if start[:1] == b"\x16" else "http"
        begun = time.monotonic()
        with (
            Site(f"{scheme}://127.0.0.1:{server.getsockname()[1]}") as asked,
            pytest.raises(SiteError, match="it is too slow") as caught,
        ):
            asked.send("POST", "/api/submissions/", {}, safe=False)
        assert time.monotonic() - begun < 4
        thread.join()
    assert caught.value.in_doubt == (scheme == "http")  # no TLS: nothing was sent


def test_a_storage_that_sips(
    site: SiteStub,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else a storage that takes a byte a second holds the upload for ever."""
    with zipfile.ZipFile(here / "submission.zip", "w") as file:
        file.writestr("model.py", MODEL)
        file.writestr("weights.npy", random.Random(1).randbytes(16_000_000))
    monkeypatch.setattr(site_wire, "REPLY_SECONDS", 1.0)
    monkeypatch.setattr(site_wire, "SLOWEST", 1e8)
    site.fail("PUT storage", "sip")
    assert main(YES) == Exit.USAGE
    assert "it is too slow" in capsys.readouterr().err

"""A Codabench site on this machine, as far as ../shared/facts and its source (March 2026) tell it.

A real HTTP server with a storage of its own on another port: tokens, sessions with CSRF, datasets
with addresses that may be written once signed, submissions whose status moves with every question,
quotas, phases, scores rounded on the leaderboard and whole elsewhere. `fail` makes it misbehave.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any, Self

from tests.challenge.site.api import Api
from tests.challenge.site.handlers import Fault, Handler, Storage
from tests.challenge.site.world import TODAY, USER, WAY, Submission, challenge


@dataclass
class SiteStub:
    """The site. Use as a context manager; `base` is its address, `page` its challenge's.

    puts: bodies that storage kept, by path. calls: "METHOD path" of everything, in turn. leaked:
    the Authorization headers that storage was shown. tokened: calls with a token. quota: bytes.
    offset: of its clock. gives_sessions: it answers each token with the cookie of a session.
    """

    page_number: int = 1234
    quota: float = 15e9
    used_space: float = 1e9
    participant: str = "approved"
    hide_output: bool = False
    gives_sessions: bool = False
    ends: str = "Finished"
    details: str = ""
    score: float = 0.87313432835
    ends_of_tasks: list[tuple[str, float]] = field(default_factory=list)
    offset: dt.timedelta = dt.timedelta()
    challenge: dict[str, Any] = field(default_factory=challenge)
    puts: dict[str, bytes] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    tokened: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.lock = threading.RLock()
        made = [_server(self, kind) for kind in (Api, Storage)]
        self.servers = [server for server, _ in made]
        self.threads = [thread for _, thread in made]
        self.base, self.storage = (f"http://127.0.0.1:{s.server_address[1]}" for s in self.servers)
        self.page = f"{self.base}/competitions/{self.page_number}/"
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    def fail(self, call: str, how: str, times: int = 1, value: Any = None) -> None:
        """Let the next `times` calls that match the pattern "METHOD path" go wrong."""
        self.faults.append(Fault(call, how, times, value))

    def open_now(self) -> None:
        """Today is today, for commands in processes of their own."""
        self.offset = dt.datetime.now(dt.UTC) - TODAY
        first, second = self.challenge["phases"]
        first["end"], second["start"] = None, "2999-01-01T00:00:00Z"

    def now(self) -> dt.datetime:
        """The site's time."""
        return TODAY + self.offset

    def count(self, call: str) -> int:
        """How many calls matched."""
        return sum(bool(re.match(call, one)) for one in self.calls)

    def await_call(self, call: str, seconds: float = 40.0) -> None:
        """Wait until a call has matched, or the time is up: what the test asserts then fails."""
        end = time.monotonic() + seconds
        while self.count(call) < 1 and time.monotonic() < end:
            time.sleep(0.02)

    def fault(self, call: str) -> Fault | None:
        """What goes wrong with this call, if anything."""
        with self.lock:
            for one in self.faults:
                if one.times and re.match(one.call, call):
                    one.times -= 1
                    return one
        return None

    def add(self, filename: str, owner: str = USER, **more: Any) -> Submission:
        """A submission that somebody made by the site's page; it has ended."""
        made = Submission(
            100 + len(self.submissions), owner, 11, "", filename, more.pop("created", self.now())
        )
        made.at = len(WAY)
        for name, value in more.items():
            setattr(made, name, value)
        self.submissions.append(made)
        return made

    def counted(self, owner: str, phase: int) -> list[Submission]:
        """Those that count against the limits: all but the failed ones."""
        return [
            s
            for s in self.submissions
            if (s.owner, s.phase) == (owner, phase) and s.status != "Failed" and not s.parent
        ]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, address: Any) -> None:
        """A client that leaves early is no error; all else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, address)


def _server(stub: SiteStub, kind: type[Handler]) -> tuple[ThreadingHTTPServer, threading.Thread]:
    bound = type(kind.__name__, (kind,), {"stub": stub})
    server = _Server(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    return server, thread

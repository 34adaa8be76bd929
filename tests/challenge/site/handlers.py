"""How the site's stub talks HTTP: reads, answers, and fails on request; and its storage."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.challenge.site.stub import SiteStub

PAGE = b"<!DOCTYPE html><html>Sign in to the airport</html>"


@dataclass
class Fault:
    """What goes wrong with the next calls that match. how: a word of `Handler.broken`."""

    call: str
    how: str
    times: int = 1
    value: Any = None


class Handler(BaseHTTPRequestHandler):
    """What both servers share: reading, answering, and failing on request."""

    stub: SiteStub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    timeout = 20

    def log_message(self, *_: object) -> None:
        """Nothing: tests read what our commands print."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The site's own time."""
        del timestamp
        return self.stub.now().strftime("%a, %d %b %Y %H:%M:%S GMT")

    def do_GET(self) -> None:
        """One call."""
        self.handled()

    def do_POST(self) -> None:
        """One call."""
        self.handled()

    def do_PUT(self) -> None:
        """One call."""
        self.handled()

    def handled(self) -> None:
        """Find the fault if there is one, do what is asked, answer."""
        self.parts = urlsplit(self.path)
        call = f"{self.command} {self.where()}"
        fault = self.stub.fault(call)
        self.fault = fault
        if fault and fault.how == "close":  # before anything is read
            self.stub.calls.append(f"{call} (closed)")
            self.drop()
            return
        if fault and fault.how == "half":  # in the middle of the body
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            self.stub.calls.append(f"{call} (half)")
            self.drop()
            return
        if fault and fault.how == "wait":
            time.sleep(fault.value)
        size = int(self.headers.get("Content-Length", 0))
        if fault and fault.how == "sip":
            self._sip()
        self.body = self.rfile.read(size)
        if len(self.body) < size:  # the other side left: nothing is kept of it
            self.stub.calls.append(f"{call} (left)")
            self.drop()
            return
        self.stub.calls.append(call)
        if fault and fault.how not in ("lost", "wait"):
            self.broken(fault)
            return
        with self.stub.lock:
            self.answer_to(self.command, self.parts.path)

    def where(self) -> str:
        """The path, as faults and counts name it."""
        return self.parts.path

    def answer_to(self, method: str, path: str) -> None:
        """Do what is asked."""
        raise NotImplementedError

    def reply(self, status: int, document: Any = None, **headers: str) -> None:
        """Answer, unless the answer is to be lost."""
        if self.fault and self.fault.how == "lost":
            self.drop()
            return
        content = b"" if document is None else json.dumps(document).encode()
        if self.stub.gives_sessions and self.headers.get("Authorization"):
            self.stub.sessions["s1"] = "alice.surname"
            headers["Set_Cookie"] = "sessionid=s1; Path=/"
        self.raw(status, content, "application/json", **headers)

    def raw(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        """Answer with these bytes."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def drop(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
        self.rfile.close()
        self.wfile = _Nowhere()  # type: ignore[assignment]

    def broken(self, fault: Fault) -> None:
        """Answer as no honest site would, or with a fault of its own."""
        how: dict[str, Callable[[Any], None]] = {
            "status": self._status,
            "html": lambda status: self.raw(status or 200, PAGE, "text/html"),
            "json": lambda value: self.reply(200, value),
            "text": lambda value: self.raw(200, value, "application/json"),
            "redirect": lambda where: self.raw(302, b"", "text/html", Location=where),
            "cut": lambda _: self._cut(),
            "huge": lambda _: self._huge(),
            "drip": lambda _: self._drip(),
            "head": lambda _: self._head(),
            "packed": self._packed,
            "echo": lambda _: self.reply(500, {"detail": f"cannot: {dict(self.headers)}"}),
        }
        how[fault.how](fault.value)

    def _status(self, value: Any) -> None:
        plain: tuple[int, Any, dict[str, str]] = (value, {"detail": "no"}, {})
        status, document, headers = value if isinstance(value, tuple) else plain
        self.reply(status, document, **headers)

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b'{"id": 1')
        self.wfile.flush()
        self.drop()

    def _drip(self) -> None:
        """A little now and then, for ever."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        self.close_connection = True

    def _sip(self) -> None:
        """Take a byte of the body now and then."""
        with suppress(OSError):
            for _ in range(100):
                self.rfile.read1(1)
                time.sleep(0.05)

    def _head(self) -> None:
        """A header that does not end, a little now and then."""
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            for _ in range(100):
                self.wfile.write(b"a")
                time.sleep(0.05)
        self.close_connection = True

    def _packed(self, value: tuple[str, bytes]) -> None:
        """An answer that is packed, in these ways, although nobody asked for it."""
        self.raw(200, value[1], "application/json", Content_Encoding=value[0])

    def _huge(self) -> None:
        """As much as the other side takes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with suppress(OSError):
            for _ in range(200):
                self.wfile.write(chunk)
        self.close_connection = True


class _Nowhere:
    closed = False

    def flush(self) -> None:
        """Nothing."""

    def write(self, data: bytes) -> int:
        """Nowhere."""
        return len(data)

    def close(self) -> None:
        """Nothing."""


class Storage(Handler):
    """Where files lie: whoever has a signed address may write or read it, for nobody else."""

    def where(self) -> str:
        """Storage's paths begin with the word."""
        return f"storage {self.parts.path}"

    def answer_to(self, method: str, path: str) -> None:
        """Keep a file, or give it."""
        if told := self.headers.get("Authorization"):
            self.stub.leaked.append(told)
        signed = parse_qs(self.parts.query).get("X-Signature", [""])[0]
        if signed != f"{method.lower()}-{path}":
            self.reply(403, {"Code": "SignatureDoesNotMatch"})
        elif method == "PUT":
            if self.headers.get("Content-Type") != "application/zip":  # it is part of the signature
                self.reply(403, {"Code": "SignatureDoesNotMatch"})
                return
            self.stub.puts[path] = self.body
            self.stub.tries[path] = self.stub.tries.get(path, 0) + 1
            self.reply(200)
        elif path in self.stub.puts:
            self.raw(200, self.stub.puts[path], "application/zip")
        else:
            self.reply(404, {"Code": "NoSuchKey"})

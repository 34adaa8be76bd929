"""An eye on one request: what takes longer than its bytes explain is ended, wherever it stands.

The limits of the libraries are for one read or write each. A site that sends a byte a second, of a
header or of a file, keeps them all and would hold a command for ever; so the connection itself is
shut, out of a thread, once the whole has taken `seconds` and as long again as its bytes may need.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

_OPENED = "connection.connect_tcp.complete"  # events of httpcore, which httpx hands on
_SENDING = "http11.send_request_headers.started"
_LOOKS = 0.25  # seconds between looks, at most


class Watch:
    """A watch on one request; a context manager around it.

    seconds: for the whole, and for connecting. slowest: bytes a second that what is moved needs at
    least, in either direction. passed: whether it was ended. has_sent: whether any of the request
    may have left.
    """

    def __init__(self, seconds: float, slowest: float) -> None:
        self._seconds, self._slowest = seconds, slowest
        self._began, self._moved = time.monotonic(), 0
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.passed = self.has_sent = False

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def hear(self, event: str, told: dict[str, Any]) -> None:
        """Hear of what the library does: httpx's `trace`."""
        if event == _OPENED:  # a double: TLS takes the first one's descriptor away
            self._sockets.append(told["return_value"].get_extra_info("socket").dup())
        elif event == _SENDING:
            self.has_sent = True

    def moved(self, count: int) -> None:
        """So many bytes more have come."""
        self._moved += count

    def counted(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Bytes on their way out, counted when the next ones are asked for."""
        for part in parts:
            yield part
            self.moved(len(part))

    @property
    def seconds_left(self) -> float:
        """Until it is ended, if nothing moves any more."""
        allowed = self._seconds + self._moved / self._slowest
        return allowed - (time.monotonic() - self._began)

    def _look(self) -> None:
        while not self._done.wait(min(max(self.seconds_left, 0.01), _LOOKS)):
            if self.seconds_left <= 0:
                self.passed = True
                for one in self._sockets:
                    with suppress(OSError):  # it is closed already
                        one.shutdown(socket.SHUT_RDWR)

"""What a child prints, read as it comes: head and tail are kept, a flood is stopped."""

from __future__ import annotations

import os
import threading
from typing import IO

HEAD = 64 * 1024
TAIL = 192 * 1024


class Log:
    """Reads a pipe in a thread.

    limit: bytes after which it reads no more, so that the child waits; as many again from each
    `renew` on.
    """

    def __init__(self, pipe: IO[bytes], limit: int | None = None) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._seen = self._counted_from = 0
        self._over = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    @property
    def flooded(self) -> bool:
        """Whether more than the limit was printed."""
        return self._over.is_set()

    def renew(self) -> None:
        """Count from here on; what was a flood before stays one."""
        self._counted_from = self._seen

    def end(self) -> None:
        """The child is dead: let go of the pipe."""
        self._ended.set()

    def text(self) -> str:
        """What was kept; waits shortly for the pipe's end (a stray process may hold it open)."""
        self._thread.join(timeout=1.0)
        cut = f"\n[... {self._dropped} bytes cut ...]\n".encode() if self._dropped else b""
        return (bytes(self._head) + cut + bytes(self._tail)).decode("utf-8", "replace")

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                self._keep(chunk)
                self._seen += len(chunk)
                if self._limit is not None and self._seen - self._counted_from > self._limit:
                    self._over.set()
                    self._ended.wait()  # a full pipe holds the child back meanwhile
                    return

    def _keep(self, chunk: bytes) -> None:
        room = max(HEAD - len(self._head), 0)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * TAIL:
            self._dropped += len(self._tail) - TAIL
            del self._tail[:-TAIL]

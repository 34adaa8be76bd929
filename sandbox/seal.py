"""How an answer proves that it came through the ingestion program: by a name nobody can guess.

The key lies in the output folder when the child starts; the ingestion program reads and removes it
before it imports the submission. From then on it is in no file, folder, argument or environment.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

SEAL_FILE = "seal"


class Seal:
    """The key of one session. Each file's name follows from it alone, so one name tells no other."""

    def __init__(self, output: Path) -> None:
        self._key = secrets.token_bytes(32)
        path = output / SEAL_FILE
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(self._key.hex())

    def name(self, what: str) -> str:
        """The file name, without suffix, under which the child may leave `what`."""
        mark = hmac.new(self._key, what.encode(), hashlib.sha256).hexdigest()[:32]
        return f"{what}-{mark}"

"""Record what each corruption makes of a fixed picture, and its revision: `python tools/golden.py`.

Refuses to record new bytes under an old revision: raise the operator's `revision=` first.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from corruptions.registry import Corruption, all_operators, run

GOLDEN = Path(__file__).parent.parent / "tests" / "corruptions" / "golden.json"
LIBRARIES = ("numpy", "scipy", "numba", "pillow", "opencv-python-headless")


def environment() -> dict[str, str]:
    """What the bytes may depend on beside the operator."""
    return {"machine": platform.machine(), **{name: version(name) for name in LIBRARIES}}


def digest(operator: Corruption) -> str:
    """A hash of the operator's output at all severities on two fixed pictures."""
    rows, columns = np.mgrid[:64, :80]
    wave = 127 + 90 * np.sin(rows / 5)[..., None] * np.cos(columns[..., None] / (4, 7, 11))
    images = np.stack([wave, 255 - wave / 2]).astype(np.uint8)
    found = hashlib.blake2b(digest_size=8)
    for params in operator.severities:
        found.update(run(operator, params, images, seed=7, ids=[3, 10**12]).tobytes())
    return found.hexdigest()


def record() -> dict[str, Any]:
    """Everything registered: table/name -> revision and hash."""
    return {
        f"{op.table}/{op.name}": {"revision": op.revision, "hash": digest(op)}
        for op in all_operators()
    }


def main() -> int:
    """Write the file, unless bytes changed under an old revision on the same libraries."""
    found = record()
    if GOLDEN.exists():
        old = json.loads(GOLDEN.read_text(encoding="utf-8"))
        same = old["environment"] == environment()
        for name, entry in old["operators"].items():
            new = found.get(name, entry)
            if same and new != entry and new["revision"] == entry["revision"]:
                print(
                    f"{name}: other bytes under revision {entry['revision']}: raise its revision="
                )
                return 1
    document = {"environment": environment(), "operators": found}
    GOLDEN.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} operators recorded in {GOLDEN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

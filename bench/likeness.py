"""Does a peer compute what we do? Measured on pictures, not taken from names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.contender import Images
from bench.race import Runner

NEAR = 2  # levels
SHARE = 0.99  # of values that must be that near
TOLERANCE = 0.05  # of the mean change and of its spread, for operators with draws


@dataclass(frozen=True)
class Likeness:
    """`text` for people; `same`: near enough to count as the same operator."""

    same: bool
    text: str

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"same": self.same, "text": self.text}


def of_pictures(theirs: Images, ours: Images) -> Likeness:
    """For operators without draws: value by value."""
    apart = np.abs(theirs.astype(np.int16) - ours)
    near = float((apart <= NEAR).mean())
    text = f"{near:.1%} within {NEAR} levels, largest {apart.max()}"
    return Likeness(near >= SHARE, text)


def of_changes(theirs: Images, ours: Images, clean: Images) -> Likeness:
    """For operators with draws: mean absolute change, and standard deviation of the change."""
    pairs = [
        (measure(theirs, clean), measure(ours, clean)) for measure in (_mean_change, _sd_of_change)
    ]
    (mean, our_mean), (sd, our_sd) = pairs
    text = f"mean change {mean:.1f} against {our_mean:.1f}, sd {sd:.1f} against {our_sd:.1f}"
    return Likeness(all(abs(a / b - 1) <= TOLERANCE for a, b in pairs), text)


def _change(images: Images, clean: Images) -> Any:
    return images.astype(np.float32) - clean


def _mean_change(images: Images, clean: Images) -> float:
    return float(np.abs(_change(images, clean)).mean())


def _sd_of_change(images: Images, clean: Images) -> float:
    return float(_change(images, clean).std())


def compare(peer: Runner, ours: Runner, clean: Images, folder: Path) -> Likeness:
    """Have both work on the same images and look at the results. Raises `SideError`."""
    found: list[Images] = []
    for name, runner in (("theirs", peer), ("ours", ours)):
        path = folder / f"{name}.npy"
        runner.worker.ask("save", key=runner.key, count=len(clean), path=str(path))
        found.append(np.load(path, allow_pickle=False))
    theirs, mine = found
    if theirs.shape != mine.shape:
        return Likeness(same=False, text=f"shape {theirs.shape}")
    if peer.info["draws"]:
        return of_changes(theirs, mine, clean)
    return of_pictures(theirs, mine)

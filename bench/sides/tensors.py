"""Images as PyTorch tensors, for torchvision and kornia: batches, and one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.contender import BATCHES, Contender, Images, each


def batches(size: int, *, floats: bool) -> Callable[[Images], list[Any]]:
    """A list of `(size, 3, h, w)` tensors, uint8, or float32 in 0..1."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    def prepare(images: Images) -> list[Any]:
        planes = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        whole = planes.float() / 255 if floats else planes
        return list(torch.split(whole, size))

    return prepare


def joined(results: list[Any]) -> Images:
    """Back to uint8 `(n, h, w, 3)`."""
    import torch

    whole = torch.cat([r if r.ndim == 4 else r[None] for r in results])
    if whole.dtype != torch.uint8:
        whole = (whole.clamp(0, 1) * 255).round().to(torch.uint8)
    back: Images = np.ascontiguousarray(whole.numpy().transpose(0, 2, 3, 1))
    return back


def in_batches(
    task: str,
    label: str,
    change: Callable[[Any], Any],
    *,
    floats: bool,
    same: bool,
    draws: bool,
    note: str = "",
) -> list[Contender]:
    """For operators whose batch form still treats images apart: one image a call, and batches."""
    return [
        Contender(
            task,
            f"{label}, {size} a call",
            each(change),
            prepare=batches(size, floats=floats),
            finish=joined,
            same=same,
            draws=draws,
            note=note,
        )
        for size in (1, *BATCHES)
    ]

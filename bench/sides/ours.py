"""Our side: `corruptions.corrupt` on the whole batch, and the two policies."""

from __future__ import annotations

import functools

from bench.contender import Contender, Images, as_is


def _corrupt(name: str, severity: int, images: Images) -> Images:
    from corruptions import corrupt

    return corrupt(images, name, severity)


def contenders() -> list[Contender]:
    """The 19 at five severities, `rand_augment`, `aug_mix`."""
    import cv2

    from corruptions import aug_mix, rand_augment
    from corruptions.registry import all_operators

    cv2.setNumThreads(1)
    nineteen = [op.name for op in all_operators() if op.table == "imagecorruptions"]
    conditions = [
        Contender(
            f"{name}/{severity}",
            "ours",
            functools.partial(_corrupt, name, severity),
            finish=as_is,
            whole=True,
        )
        for name in nineteen
        for severity in range(1, 6)
    ]
    policies = [
        Contender("rand_augment", "ours", rand_augment, finish=as_is, whole=True),
        Contender("aug_mix", "ours", aug_mix, finish=as_is, whole=True),
    ]
    return conditions + policies

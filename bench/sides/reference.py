"""The reference: `imagecorruptions.corrupt` (imagecorruptions-imaug), image by image."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from bench.contender import Contender, each


def _corrupt(name: str, severity: int, image: Any) -> Any:
    from imagecorruptions import corrupt

    return corrupt(image, severity=severity, corruption_name=name)


def contenders() -> list[Contender]:
    """All of its corruptions at five severities, called as its README does."""
    import cv2
    from imagecorruptions import get_corruption_names

    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")  # spatter divides 0 by 0
    np.seterr(invalid="ignore")
    return [
        Contender(
            f"{name}/{severity}",
            "imagecorruptions",
            each(functools.partial(_corrupt, name, severity)),
        )
        for name in get_corruption_names("all")
        for severity in range(1, 6)
    ]

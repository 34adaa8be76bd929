"""OpenCV, imported in one place, with advice where a server lacks its system libraries."""

from __future__ import annotations

from codabench_rehearsal.console.errors import CorruptionError

try:
    import cv2
except ImportError as error:  # the full opencv-python wants libGL and X libraries
    raise CorruptionError(
        f"OpenCV does not load here: {error}. The headless build has the same functions and needs "
        "no system libraries: pip uninstall opencv-python; pip install opencv-python-headless"
    ) from error

__all__ = ["cv2"]

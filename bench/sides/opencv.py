"""Single OpenCV calls, as one would write them by hand, image by image."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contender import Contender, each


def contenders() -> list[Contender]:
    """Gaussian blur, JPEG and contrast."""
    import cv2

    cv2.setNumThreads(1)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 15]

    def blur(image: Any) -> Any:
        return cv2.GaussianBlur(image, (25, 25), 3, borderType=cv2.BORDER_REPLICATE)

    def through_jpeg(image: Any) -> Any:
        # Colours left in their order would be another picture: the halves of chroma differ.
        encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1]
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)

    def contrast(image: Any) -> Any:
        means = np.array(cv2.mean(image)[:3])
        levels = np.arange(256)[:, None] * 0.2 + 0.8 * means
        return cv2.LUT(image, levels.astype(np.uint8)[None])

    taps = cv2.getGaussianKernel(25, 3)

    def separable(image: Any) -> Any:
        return cv2.sepFilter2D(image, cv2.CV_8U, taps, taps, borderType=cv2.BORDER_REPLICATE)

    return [
        Contender("gaussian_blur", "OpenCV sepFilter2D", each(separable), same=True, note="8 bits"),
        Contender("gaussian_blur", "OpenCV GaussianBlur", each(blur), same=True, note="8 bits"),
        Contender("jpeg_compression", "OpenCV imencode", each(through_jpeg), same=True),
        Contender("contrast", "OpenCV mean and LUT", each(contrast), same=True),
    ]

"""albumentations: image by image (its `images=` gives one draw to all of them).

Transforms are called directly, without `Compose`, whose checks of targets cost time.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from bench.contender import Contender, Images, as_is, each, stacked


def _transform(transform: Any, image: Any) -> Any:
    return transform(image=image)["image"]


def _blue_first(images: Images) -> Images:
    return np.ascontiguousarray(images[..., ::-1])


def _red_first(results: Any) -> Images:
    return stacked(results)[..., ::-1]


def _transforms() -> dict[str, tuple[Any, bool, bool, str]]:
    """task: transform at severity 3, meant to be the same operator, random, why."""
    import albumentations as A  # type: ignore[import-not-found, unused-ignore]  # noqa: N812
    import cv2

    box = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_NEAREST}
    reflected = cv2.BORDER_REFLECT
    return {
        "gaussian_noise": (A.GaussNoise(std_range=(0.18, 0.18), p=1), True, True, "same sd"),
        "shot_noise": (A.ShotNoise(scale_range=(0.3, 0.3), p=1), False, True, "in linear light"),
        "impulse_noise": (
            A.SaltAndPepper(amount=(0.09, 0.09), salt_vs_pepper=(0.5, 0.5), p=1),
            *(False, True, "strikes pixels, not values"),
        ),
        "speckle_noise": (
            A.MultiplicativeNoise((0.4, 1.6), per_channel=True, elementwise=True, p=1),
            *(False, True, "uniform factors, not normal ones"),
        ),
        "defocus_blur": (
            A.Defocus(radius=(6, 6), alias_blur=(0.5, 0.5), p=1),
            *(True, False, "same disk, in 8 bits"),
        ),
        "glass_blur": (
            A.GlassBlur(sigma=1, max_delta=2, iterations=3, mode="fast", p=1),
            *(True, True, "scatters all pixels at once, one after another in the original"),
        ),
        "motion_blur": (A.MotionBlur(blur_limit=(31, 31), p=1), False, True, "even line kernel"),
        "zoom_blur": (
            A.ZoomBlur(max_factor=(1.21, 1.21), step_factor=(0.02, 0.02), p=1),
            *(True, False, "same factors, zoomed about the middle"),
        ),
        "gaussian_blur": (
            A.GaussianBlur(blur_limit=0, sigma_limit=(3, 3), p=1),
            *(True, False, "same sigma, in 8 bits"),
        ),
        "snow": (A.RandomSnow(p=1), False, True, "whitens; no flakes"),
        "fog": (A.RandomFog(p=1), False, True, "grey disks"),
        "spatter": (
            A.Spatter(
                mean=(0.65, 0.65),
                std=(0.3, 0.3),
                gauss_sigma=(2, 2),
                cutout_threshold=(0.68, 0.68),
                intensity=(0.5, 0.5),
                mode="rain",
                p=1,
            ),
            *(True, True, "same steps"),
        ),
        "brightness": (
            A.HueSaturationValue((0, 0), (0, 0), (76.5, 76.5), p=1),
            *(True, False, "same term on V, HSV in 8 bits"),
        ),
        "contrast": (
            A.RandomBrightnessContrast((0, 0), (-0.8, -0.8), p=1),
            *(False, False, "towards one fixed level"),
        ),
        "saturate": (
            A.ColorJitter((1, 1), (1, 1), (2, 2), (0, 0), p=1),
            *(False, False, "away from grey, not in HSV"),
        ),
        "elastic_transform": (
            A.ElasticTransform(
                alpha=10.6, sigma=1, noise_distribution="uniform", border_mode=reflected, p=1
            ),
            *(True, True, "same noise; sigma 1, its least, for 0.96"),
        ),
        "pixelate": (
            A.Downscale(scale_range=(0.4, 0.4), interpolation_pair=box, p=1),
            *(True, False, "OpenCV's area average"),
        ),
        "jpeg_compression": (
            A.ImageCompression(quality_range=(15, 15), p=1),
            *(True, False, "given blue first, as its OpenCV expects"),
        ),
    }


def contenders() -> list[Contender]:
    """Its nearest transform for each corruption at severity 3."""
    import cv2

    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    return [
        Contender(
            task,
            f"albumentations {type(transform).__name__}",
            each(functools.partial(_transform, transform)),
            prepare=_blue_first if task == "jpeg_compression" else as_is,
            finish=_red_first if task == "jpeg_compression" else stacked,
            same=same,
            draws=draws,
            note=note,
        )
        for task, (transform, same, draws, note) in _transforms().items()
    ]

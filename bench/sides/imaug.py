"""imaug (imgaug kept alive; the import name is still imgaug): image by image within its own call.

`augment_images` on a list draws parameters for each image. Its `imgcorruptlike` calls
imagecorruptions and is the reference, not a peer.
"""

from __future__ import annotations

import warnings
from typing import Any

from bench.contender import Contender, Images


def _as_list(images: Images) -> list[Any]:
    return list(images)


def _augmenters() -> dict[str, tuple[Any, bool, bool, str]]:
    """task: augmenter at severity 3, meant to be the same operator, random, why."""
    import imgaug.augmenters as iaa  # type: ignore[import-not-found, unused-ignore]
    import imgaug.parameters as iap  # type: ignore[import-not-found, unused-ignore]

    factors = iap.Normal(1, 0.35)
    extremes = iap.Choice([0, 255])
    return {
        "gaussian_noise": (
            iaa.AdditiveGaussianNoise(scale=0.18 * 255, per_channel=True),
            *(True, True, "same sd, whole levels"),
        ),
        "shot_noise": (
            iaa.AdditivePoissonNoise(lam=12, per_channel=True),
            *(False, True, "adds noise that is free of the image"),
        ),
        "impulse_noise": (
            iaa.ReplaceElementwise(0.09, extremes, per_channel=True),
            *(True, True, "same share"),
        ),
        "speckle_noise": (
            iaa.MultiplyElementwise(factors, per_channel=True),
            *(True, True, "same factors"),
        ),
        "gaussian_blur": (iaa.GaussianBlur(sigma=3), True, False, "same sigma, in 8 bits"),
        "motion_blur": (iaa.MotionBlur(k=31), False, True, "even line kernel"),
        "elastic_transform": (
            iaa.ElasticTransformation(alpha=10.2, sigma=0.96, order=1, mode="reflect"),
            *(True, True, "same noise and sigma"),
        ),
        "snow": (iaa.Snowflakes(), False, True, "another drawing of flakes"),
        "fog": (iaa.Fog(), False, True, "clouds of another noise"),
        "jpeg_compression": (
            iaa.JpegCompression(compression=87),
            True,
            False,
            "quality 15, through PIL",
        ),
        "saturate": (iaa.MultiplySaturation(2.0), True, False, "same factor on S, HSV in 8 bits"),
        "brightness": (
            iaa.WithColorspace("HSV", children=iaa.WithChannels(2, iaa.Add(76))),
            *(True, False, "same term on V, HSV in 8 bits"),
        ),
        "rand_augment": (iaa.RandAugment(n=3), False, True, "3 operations, its own magnitudes"),
    }


def contenders() -> list[Contender]:
    """Its nearest augmenter for each corruption at severity 3, and RandAugment."""
    import cv2

    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    return [
        Contender(
            task,
            f"imaug {augmenter.name.removeprefix('Unnamed')}",
            augmenter.augment_images,
            prepare=_as_list,
            same=same,
            draws=draws,
            note=note,
        )
        for task, (augmenter, same, draws, note) in _augmenters().items()
    ]

"""kornia: batches of float tensors where images are still treated apart, else one at a time."""

from __future__ import annotations

import warnings
from typing import Any

from bench.contender import Contender, each
from bench.sides.tensors import batches, in_batches, joined


def _brighter(kornia: Any, batch: Any) -> Any:
    hue, saturation, value = kornia.color.rgb_to_hsv(batch).unbind(1)
    import torch  # type: ignore[import-not-found, unused-ignore]

    raised = torch.stack([hue, saturation, (value + 0.3).clamp(max=1)], 1)
    return kornia.color.hsv_to_rgb(raised)


def _elastic(kornia: Any, batch: Any) -> Any:
    import torch

    noise = torch.rand(len(batch), 2, *batch.shape[2:]) * 2 - 1
    reach = 10.2 / (batch.shape[3] / 2)  # pixels to the sampler's -1..1
    return kornia.geometry.transform.elastic_transform2d(
        batch, noise, (7, 7), (0.96, 0.96), (reach, reach), padding_mode="reflection"
    )


def contenders() -> list[Contender]:
    """Its functions for noise, blurs, colours and elastic, and RandAugment."""
    import kornia  # type: ignore[import-not-found, unused-ignore]
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.simplefilter("ignore")
    noise = kornia.augmentation.RandomGaussianNoise(mean=0.0, std=0.18, p=1.0)
    policy = kornia.augmentation.auto.RandAugment(n=3, m=10)
    return [
        *in_batches(
            *("gaussian_noise", "kornia RandomGaussianNoise", noise),
            floats=True,
            same=True,
            draws=True,
            note="same sd; every value has its own draw",
        ),
        *in_batches(
            "gaussian_blur",
            "kornia gaussian_blur2d",
            lambda b: kornia.filters.gaussian_blur2d(b, (25, 25), (3.0, 3.0), "replicate"),
            floats=True,
            same=True,
            draws=False,
            note="same sigma, 25 taps",
        ),
        *in_batches(
            "saturate",
            "kornia adjust_saturation",
            lambda b: kornia.enhance.adjust_saturation(b, 2.0),
            floats=True,
            same=True,
            draws=False,
            note="same factor on S",
        ),
        *in_batches(
            "brightness",
            "kornia HSV",
            lambda b: _brighter(kornia, b),
            floats=True,
            same=True,
            draws=False,
            note="same term on V, from its colour functions",
        ),
        *in_batches(
            "elastic_transform",
            "kornia elastic_transform2d",
            lambda b: _elastic(kornia, b),
            floats=True,
            same=True,
            draws=True,
            note="same noise and sigma",
        ),
        Contender(
            "rand_augment",
            "kornia RandAugment",
            each(policy),
            prepare=batches(1, floats=True),
            finish=joined,
            draws=True,
            note="3 operations, m 10 of 30",
        ),
    ]

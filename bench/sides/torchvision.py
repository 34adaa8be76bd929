"""torchvision v2.

Its compiled operators (detection boxes, image files) come in no build for PyTorch without a GPU
here. The transforms are written in PyTorch and do not call them, so only their registration is
left out; nothing timed is replaced. `F.jpeg` does need them and is not offered.
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
from typing import Any

import numpy as np

from bench.contender import Contender, Images, each
from bench.sides.tensors import in_batches


def _import() -> Any:
    import torch  # type: ignore[import-not-found, unused-ignore]

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.simplefilter("ignore")
    name = "torchvision._meta_registrations"
    try:
        torch.ops.torchvision.nms  # noqa: B018  fails where the compiled operators are missing
    except (AttributeError, RuntimeError):
        sys.modules[name] = types.ModuleType(name)
    from torchvision.transforms import v2  # type: ignore[import-not-found, unused-ignore]

    return v2


def _pictures(images: Images) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(image) for image in images]


def _tensors(images: Images) -> list[Any]:
    import torch

    return [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))) for image in images]


def _from_tensors(results: list[Any]) -> Images:
    return np.stack([np.asarray(result).transpose(1, 2, 0) for result in results])


def _policies(v2: Any) -> list[Contender]:
    """Image by image (a batch would share its draws), on PIL pictures and on tensors."""
    found: list[Contender] = []
    for task, policy in (
        ("rand_augment", v2.RandAugment(num_ops=3)),
        ("aug_mix", v2.AugMix()),
    ):
        add = functools.partial(Contender, task, call=each(policy), draws=True)
        note = "3 operations, magnitude 9 of 31" if task == "rand_augment" else "its defaults"
        found.append(add(label="torchvision v2, PIL", prepare=_pictures, note=note))
        found.append(
            add(label="torchvision v2, tensor", prepare=_tensors, finish=_from_tensors, note=note)
        )
    return found


def contenders() -> list[Contender]:
    """Gaussian noise and blur in batches, elastic and the policies image by image."""
    v2 = _import()
    functional = v2.functional
    elastic = v2.ElasticTransform(alpha=20.4, sigma=0.96)
    return [
        *in_batches(
            "gaussian_noise",
            "torchvision v2",
            lambda batch: functional.gaussian_noise(batch, 0.0, 0.18),
            floats=False,
            same=True,
            draws=True,
            note="same sd; every value has its own draw",
        ),
        *in_batches(
            "gaussian_blur",
            "torchvision v2",
            lambda batch: functional.gaussian_blur(batch, [25, 25], [3.0, 3.0]),
            floats=False,
            same=True,
            draws=False,
            note="same sigma, 25 taps, reflected",
        ),
        Contender(
            "elastic_transform",
            "torchvision v2",
            each(elastic),
            prepare=_tensors,
            finish=_from_tensors,
            same=True,
            draws=True,
            note="same noise and sigma; black beyond the edge",
        ),
        *_policies(v2),
    ]

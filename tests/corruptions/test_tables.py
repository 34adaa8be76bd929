"""Severity tables: what each holds, its numbers, and its variants against plain re-computations."""

from __future__ import annotations

import operator as op
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.ndimage import zoom
from skimage.color import hsv2rgb, rgb2hsv

from codabench_rehearsal.images import synthetic
from corruptions import CorruptionError
from corruptions import variants as tiny
from corruptions.registry import ALIASES, Images, all_operators, corrupt, get, names, run, tables
from corruptions.streams import streams
from tests.corruptions.drawn_pictures import drawn
from tests.corruptions.reference_draws import NAMES

CELLS = synthetic(12, seed=3).images
PICTURES = drawn(64, 64)

CONTENTS = {
    "imagecorruptions": set(NAMES),
    "tiny": set(NAMES),
    "pcam": {
        "defocus_blur", "motion_blur", "zoom_blur", "pixelate", "jpeg_compression", "brightness",
        "saturate", "hue", "marking", "bubble",
    },
    "medmnist-blood": {
        "pixelate", "jpeg_compression", "defocus_blur", "motion_blur", "brightness_up",
        "brightness_down", "contrast_up", "contrast_down", "saturate", "stain_deposit", "bubble",
    },
}  # fmt: skip


def own(table: str) -> set[str]:
    """What a table registers itself."""
    return {found.name for found in all_operators() if found.table == table}


@pytest.mark.parametrize("table", CONTENTS)
def test_a_table_holds_exactly_its_corruptions(table: str) -> None:
    """Else a sweep over a published table would miss a row or add one."""
    assert own(table) == CONTENTS[table]
    assert set(names(table)) == CONTENTS[table] | own("own")


def test_all_tables_are_listed() -> None:
    """Else a user could not find out what to ask for."""
    assert tables()[0] == "imagecorruptions"
    assert set(tables()) == {*CONTENTS, *ALIASES, "own"}


@pytest.mark.parametrize("table", [*CONTENTS, *ALIASES])
def test_a_name_keeps_its_family(table: str) -> None:
    """Else reports of two tables would file one corruption under two headings."""
    families: dict[str, str] = {found.name: found.family for found in all_operators()}
    assert {name: get(name, table).family for name in names(table)}.items() <= families.items()


# The facts' numbers (shared/facts/corruption_parameters.md), not the code's.
NUMBERS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("tiny", "gaussian_noise"): (0.04, 0.08, 0.12, 0.15, 0.18),
    ("tiny", "shot_noise"): (250, 100, 50, 30, 15),
    ("tiny", "impulse_noise"): (0.01, 0.02, 0.05, 0.08, 0.14),
    ("tiny", "defocus_blur"): ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    ("tiny", "glass_blur"): ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    ("tiny", "motion_blur"): ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    ("tiny", "fog"): ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    ("tiny", "saturate"): ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    ("tiny", "frost"): ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    ("tiny", "elastic_transform"): (
        (0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02),
    ),
    ("tiny", "pixelate"): (0.9, 0.8, 0.7, 0.6, 0.5),
    ("tiny", "jpeg_compression"): (65, 58, 50, 40, 25),
    ("pcam", "defocus_blur"): ((3, 0.05), (4, 0.3), (5, 0.3), (6, 0.3), (7, 0.3)),
    ("pcam", "motion_blur"): ((5, 1), (5, 2), (5, 3), (5, 4), (6, 5)),
    ("pcam", "brightness"): (0.05, 0.1, 0.15, 0.2, 0.25),
    ("pcam", "hue"): (0.02, 0.04, 0.06, 0.08, 0.1),
    ("pcam", "bubble"): (0.1, 0.3, 0.5, 0.7, 0.9),
    ("medmnist-blood", "jpeg_compression"): (50, 30, 15, 10, 7),
    ("medmnist-blood", "defocus_blur"): ((2, 0.01), (3, 0.1), (4, 0.1), (5, 0.1), (6, 0.1)),
    ("medmnist-blood", "motion_blur"): ((3, 3), (5, 5), (10, 5), (10, 7), (10, 9)),
    ("medmnist-blood", "brightness_up"): (1.1, 1.2, 1.3, 1.35, 1.4),
    ("medmnist-blood", "contrast_up"): (1.1, 1.15, 1.2, 1.25, 1.3),
    ("medmnist-blood", "stain_deposit"): ((1, 24), (2, 24), (3, 24), (3, 24), (3, 32)),
    ("medmnist-blood", "bubble"): ((5, 10), (7, 10), (10, 10), (12, 12), (15, 12)),
}  # fmt: skip


@pytest.mark.parametrize(("table", "name"), NUMBERS)
def test_numbers_are_the_published_ones(table: str, name: str) -> None:
    """Else results under a table's name would not be that table's."""
    assert get(name, table).severities == NUMBERS[table, name]


@pytest.mark.parametrize(
    ("table", "factors"), [("tiny", (7, 12, 16, 21, 26)), ("pcam", (12, 16, 11, 13, 11))]
)
def test_zooms_have_the_published_number_of_layers(table: str, factors: tuple[int, ...]) -> None:
    """np.arange's rounding lets some stops in. Else zoom blur would be weaker or stronger than the table's."""
    assert tuple(len(level) for level in get("zoom_blur", table).severities) == factors


# Known not to grow, here as in the sources: 0.1 as glass blur's first sigma blurs nothing; elastic
# trades its affine part for displacement; saturate fades first; frost turns the image down.
UNSTEADY = {"glass_blur", "elastic_transform", "saturate", "frost"}
STEADY = [
    (found.table, found.name)
    for found in all_operators()
    if found.table in ("tiny", "pcam", "medmnist-blood")
    and (found.table != "tiny" or found.name not in UNSTEADY)
]


@pytest.mark.parametrize(("table", "name"), STEADY)
def test_severity_grows(table: str, name: str) -> None:
    """Else severity 5 would be easier than severity 1."""
    before = CELLS.astype(int)
    changes = [
        np.abs(corrupt(CELLS, name, severity, table=table) - before).mean()
        for severity in range(1, 6)
    ]
    grows = op.le if name == "stain_deposit" else op.lt  # its severities 3 and 4 are the same
    assert all(map(grows, changes, changes[1:])), changes


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("fog", "pcam", ["'pcam' has no 'fog'", "imagecorruptions, tiny, cells-96"]),
        ("stain_deposit", "cells-96", ["'cells-96' has no", "it: medmnist-blood."]),
        ("hue", "imagecorruptions", ["pcam, cells-96"]),
        ("fog", "pcm", ["Unknown severity table 'pcm'", "Did you mean 'pcam'?"]),
        ("fog", "xyzzy", ["Unknown severity table", "Known: imagecorruptions"]),
        ("markng", "pcam", ["Unknown corruption", "Did you mean marking"]),
    ],
)
def test_what_a_table_lacks_is_said(name: str, table: str, words: list[str]) -> None:
    """Else a user would not learn which table to take."""
    with pytest.raises(CorruptionError) as caught:
        corrupt(CELLS, name, 3, table=table)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_reference_has_its_own_table_only() -> None:
    """Else its numbers would be taken for another table's."""
    with pytest.raises(CorruptionError, match="own table only"):
        corrupt(CELLS, "fog", 3, table="tiny", engine="reference")


def test_cells_96_prefers_pcam() -> None:
    """Else presets would use numbers made for 64 pixels where there are some for 96."""
    homes = {name: get(name, "cells-96").table for name in names("cells-96")}
    assert {name for name, home in homes.items() if home == "pcam"} == CONTENTS["pcam"]
    assert {name for name, home in homes.items() if home == "tiny"} == (
        CONTENTS["tiny"] - CONTENTS["pcam"]
    )
    same = corrupt(CELLS, "motion_blur", 2, seed=4, table="pcam")
    assert np.array_equal(corrupt(CELLS, "motion_blur", 2, seed=4, table="cells-96"), same)


@pytest.mark.parametrize("table", ["tiny", "pcam", "medmnist-blood"])
def test_pixelate_is_box_both_ways(table: str) -> None:
    """Else it would be imagecorruptions' pixelate under another name."""
    for severity, scale in enumerate(get("pixelate", table).severities, start=1):
        small = (int(64 * scale),) * 2
        shrunk = [Image.fromarray(p).resize(small, Image.Resampling.BOX) for p in PICTURES]
        expected = [np.asarray(p.resize((64, 64), Image.Resampling.BOX)) for p in shrunk]
        assert np.array_equal(corrupt(PICTURES, "pixelate", severity, table=table), expected)


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness_up", ImageEnhance.Brightness),
        ("brightness_down", ImageEnhance.Brightness),
        ("contrast_up", ImageEnhance.Contrast),
        ("contrast_down", ImageEnhance.Contrast),
    ],
)
def test_enhancing_is_pillows(name: str, enhancer: Any) -> None:
    """Else it would not be MedMNIST-C's operator."""
    for severity, factor in enumerate(get(name, "medmnist-blood").severities, start=1):
        expected = [np.asarray(enhancer(Image.fromarray(p)).enhance(factor)) for p in PICTURES]
        assert np.array_equal(corrupt(PICTURES, name, severity, table="medmnist-blood"), expected)


@pytest.mark.parametrize("table", ["tiny", "pcam"])
def test_zooms_are_centred(table: str) -> None:
    """Else the layers would drift, as imagecorruptions' do."""
    factors = get("zoom_blur", table).severities[3]
    for picture, ours in zip(PICTURES, corrupt(PICTURES, "zoom_blur", 4, table=table), strict=True):
        layers = [centred(picture.astype(float), factor) for factor in factors]
        mean = (picture + np.sum(layers, axis=0)) / (len(layers) + 1)
        assert np.abs(ours - np.clip(mean, 0, 255)).max() < 1.01
        assert (ours != np.floor(mean + 1e-3)).mean() < 1e-3


def centred(picture: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """A picture zoomed in, trimmed on all sides."""
    kept = int(np.ceil(64 / factor))
    first = (64 - kept) // 2
    inner = picture[first : first + kept, first : first + kept]
    zoomed: NDArray[np.float64] = zoom(inner, (factor, factor, 1), order=1)
    spare = (len(zoomed) - 64) // 2
    return zoomed[spare : spare + 64, spare : spare + 64]


@pytest.mark.parametrize("table", ["tiny", "pcam", "medmnist-blood"])
def test_motion_blur_is_a_one_sided_line(table: str) -> None:
    """Else it would not be ImageMagick's."""
    found = get("motion_blur", table)
    for params in found.severities:
        drawn_values = found.draw(streams(1, "motion_blur", np.arange(5)), (64, 64), params)
        ours = found.apply(PICTURES, params, drawn_values)
        for picture, angle, result in zip(PICTURES, drawn_values["angle"], ours, strict=True):
            exact = cv2.filter2D(
                picture.astype(float), -1, line(params, angle), borderType=cv2.BORDER_REPLICATE
            )
            assert np.abs(result - exact).max() < 0.5 + 1e-3  # rounded, not truncated


def line(params: tuple[int, float], angle: float) -> NDArray[np.float64]:
    """A kernel with half a Gaussian along a line from its centre."""
    radius, sigma = params
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    kernel = np.zeros((4 * radius + 1, 4 * radius + 1))
    turn = np.deg2rad(angle)
    rows = np.ceil(steps * np.sin(turn) - 0.5).astype(int) + 2 * radius
    columns = np.ceil(steps * np.cos(turn) - 0.5).astype(int) + 2 * radius
    np.add.at(kernel, (rows, columns), weights / weights.sum())
    return kernel


@pytest.mark.parametrize(
    ("table", "name", "channel"),
    [("pcam", "saturate", 1), ("medmnist-blood", "saturate", 1), ("pcam", "hue", 0)],
)
def test_hue_and_saturation_are_added_to(table: str, name: str, channel: int) -> None:
    """Else it would be ImageNet-C's saturate, which multiplies, or a wrong turn of the hue."""
    params = get(name, table).severities[2]
    amount = params if name == "hue" else params[1]
    assert name == "hue" or params[0] == 1
    hsv = rgb2hsv(PICTURES / 255)
    hsv[..., channel] += amount
    hsv[..., channel] = hsv[..., channel] % 1 if name == "hue" else np.clip(hsv[..., 1], 0, 1)
    exact = hsv2rgb(hsv) * 255
    ours = corrupt(PICTURES, name, 3, table=table)
    assert np.abs(ours - exact).max() < 1.01
    assert ((ours > exact + 2e-3) | (ours < exact - 1 - 2e-3)).mean() < 1e-3


def test_elastic_without_noise_changes_nothing() -> None:
    """Else the affine part or the sampling would be off by a fraction of a pixel."""
    still = {"corner": np.zeros((5, 3, 2)), "across": np.zeros((5, 64, 64))}
    still["down"] = still["across"]
    for params in get("elastic_transform", "tiny").severities:
        assert np.array_equal(tiny.elastic_transform(PICTURES, params, still), PICTURES)


def test_elastic_moves_corners_as_far_as_said() -> None:
    """Else the affine part would be of another strength."""
    y, x = np.mgrid[:64, :64]
    slope: Images = np.repeat((x * 2 + y)[None, ..., None], 3, axis=3).astype(np.uint8)
    moves = np.zeros((1, 3, 2))
    moves[..., 0] = 1  # all corners by the full reach to the right
    moved = tiny.elastic_transform(slope, (0, 0, 5 / 64), {"corner": moves})
    assert np.abs(moved[0, :, 10:, 0].astype(int) - slope[0, :, 5:-5, 0]).max() <= 1


def test_snow_without_flakes_only_pales() -> None:
    """Else colours would be changed otherwise than in ImageNet-C."""
    params = get("snow", "tiny").severities[2]
    none = {"flake": np.full((5, 64, 64), -9, np.float32), "angle": np.full(5, -90.0)}
    grey = cv2.cvtColor((PICTURES / 255).astype(np.float32).reshape(-1, 64, 3), cv2.COLOR_RGB2GRAY)
    value = PICTURES / 255
    pale = np.maximum(value, grey.reshape(5, 64, 64, 1) * 1.5 + 0.5)
    exact = np.minimum(params[6] * value + (1 - params[6]) * pale, 1) * 255
    assert np.abs(tiny.snow(PICTURES, params, none) - exact).max() < 1.01


def test_frost_photographs_are_small() -> None:
    """Else the crystals would be as coarse as the default table's."""
    found = get("frost", "tiny")
    black = np.zeros((40, 64, 64, 3), np.uint8)
    fine = run(found, (1, 1), black, 0)
    coarse = run(get("frost"), (1, 1), black, 0)
    assert roughness(fine) > 1.5 * roughness(coarse)
    assert found.draw(streams(0, "frost", np.arange(99)), (64, 64), None)["photo"].max() == 4


def roughness(images: Images) -> float:
    """Mean difference between neighbours, in units of the spread."""
    return float(np.abs(np.diff(images.astype(float), axis=2)).mean() / images.std())


def test_deposits_keep_their_distance() -> None:
    """Else blots would be cut by the edge, which the source avoids."""
    white = np.full((30, 96, 96, 3), 255, np.uint8)
    for severity in (1, 5):
        dark = corrupt(white, "stain_deposit", severity, table="medmnist-blood").min(axis=3) < 250
        assert dark.any(axis=(1, 2)).all()
        assert not dark[:, :10].any()
        assert not dark[:, :, -10:].any()


def test_bubbles_are_as_opaque_as_said() -> None:
    """Else they would hide more or less of the cell than MedMNIST-C's."""
    black = np.zeros((20, 96, 96, 3), np.uint8)
    found = corrupt(black, "bubble", 3, table="medmnist-blood")
    assert set(np.unique(found)) == {0, 100, 130}

"""Presets as data, what a user may write in one, and how hard they are."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

import corruptions
from corruptions import CorruptionError, corrupt_condition, presets
from corruptions.chain import condition_revision, contact_sheet, validate
from corruptions.presets import NAMES, Condition, Preset, Step, resolve
from corruptions.registry import Images, get

DOCS = Path(__file__).parents[2] / "docs/presets.md"
EVERY = pytest.mark.parametrize("name", NAMES)
FAMILIES = {
    "noise", "blur", "weather", "digital", "overlay", "geometry", "color", "randaugment", "augmix",
    "composite",
}  # fmt: skip


def cells(count: int = 6, side: int = 96) -> Images:
    """Dark discs on pale ground, with some texture."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] - side / 2
    inside = (x**2 + y**2 < (side / 4) ** 2)[None, ..., None]
    grain = rng.normal(0, 6, (count, side // 4, side // 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return np.clip(np.where(inside, (90, 50, 140), (240, 215, 200)) + grain, 0, 255).astype(
        np.uint8
    )


def shares(preset: Preset) -> Counter[str]:
    """The weight of each family."""
    total: Counter[str] = Counter()
    for condition in preset.conditions:
        total[condition.family] += condition.weight  # type: ignore[assignment]  # a Counter of floats
    return total


@EVERY
def test_weights_sum_to_one_and_names_are_known(name: str) -> None:
    """A benchmark of a shipped preset would stop with an unknown name, or be skewed."""
    preset = resolve(name)
    validate(preset)
    assert sum(condition.weight for condition in preset.conditions) == pytest.approx(1)
    assert preset.draws == (8 if name.startswith("estimate-") else 4)
    assert len(preset.description) > 80


@EVERY
def test_shipped_presets_use_the_table_for_cells(name: str) -> None:
    """Severities would be those of 224-pixel images: a step or two too hard for 96."""
    assert {condition.table for condition in resolve(name).conditions} == {"cells-96"}


@EVERY
def test_families_are_the_registrys(name: str) -> None:
    """A report by family would file a corruption under the wrong heading."""
    for condition in resolve(name).conditions:
        if len(condition.steps) == 1:
            assert condition.family == get(condition.steps[0].corruption, condition.table).family


@pytest.mark.parametrize("name", ["light", "medium", "heavy"])
def test_families_weigh_the_same(name: str) -> None:
    """One family with many corruptions would decide the figure."""
    weights = shares(resolve(name)).values()
    assert max(weights) == pytest.approx(min(weights))


def test_families_grow_from_light_to_heavy() -> None:
    """A harder preset would leave out damage that an easier one has."""
    light, medium, heavy = (set(resolve(name).families) for name in ("light", "medium", "heavy"))
    assert light < medium < heavy
    assert heavy == FAMILIES


@pytest.mark.parametrize(
    ("name", "least", "most"), [("light", 1, 2), ("medium", 2, 3), ("heavy", 3, 5)]
)
def test_severities_stay_in_range(name: str, least: int, most: int) -> None:
    """The name "light" would hold heavy damage, or the reverse."""
    severities = {
        step.severity for condition in resolve(name).conditions for step in condition.steps
    }
    assert least == min(severities)
    assert max(severities) == most


def test_heavy_is_broad() -> None:
    """The dress rehearsal would miss the damage of the day."""
    heavy = resolve("heavy").conditions
    used = {step.corruption for condition in heavy for step in condition.steps}
    assert len(heavy) >= 20
    assert sum(len(condition.steps) > 1 for condition in heavy) >= 4
    assert {"blend_convex", "blend_multiplicative", "strip", "bars", "grid", "cutout"} <= used


def test_an2dl_puts_the_strip_before_randaugment() -> None:
    """The strip would not be reflected and sheared into bars, as the hidden set's is."""
    for condition in resolve("an2dl-2024").conditions:
        assert condition.steps[0] == Step("corner_strip", 3)
        assert condition.steps[-1].corruption == "rand_augment"


def test_presets_get_harder() -> None:
    """Light, medium and heavy would not mean what they say."""
    images = cells()
    light, medium, heavy = (_similarity(images, resolve(n)) for n in ("light", "medium", "heavy"))
    assert light > medium + 0.05
    assert medium > heavy + 0.05


def _similarity(images: Images, preset: Preset) -> float:
    """Mean structural similarity to the clean images over a preset."""
    total = 0.0
    for condition in preset.conditions:
        pairs = zip(images, corrupt_condition(images, condition), strict=True)
        scores = [structural_similarity(*pair, channel_axis=2) for pair in pairs]
        total += condition.weight * float(np.mean(scores))
    return total


@pytest.mark.parametrize(
    ("spec", "condition"),
    [
        ("fog:3", Condition("fog:3", "single", (Step("fog", 3),), 1.0)),
        (
            "fog:3+jpeg_compression:2",
            Condition(
                "fog:3+jpeg_compression:2",
                "composite",
                (Step("fog", 3), Step("jpeg_compression", 2)),
                1.0,
            ),
        ),
        ("clean", Condition("clean", "single", (), 1.0)),
    ],
)
def test_single_corruptions_and_chains_resolve(spec: str, condition: Condition) -> None:
    """`--corrupt fog:3` would not work."""
    preset = resolve(spec)
    assert (preset.conditions, preset.draws, preset.name) == ((condition,), 1, spec)
    validate(preset)


def write(folder: Path, text: str) -> str:
    """A preset file."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


FULL = """
description = "what our scanner does"
draws = 2
pictures = "photos"

[[family]]
name = "blur"
weight = 3
conditions = ["motion_blur:2", { chain = "defocus_blur:1", weight = 2, name = "out of focus" }]

[[family]]
name = "overlay"
conditions = [{ chain = "blend_convex:2", pictures = "other" }, "clean"]
"""


def test_users_file_is_read(tmp_path: Path) -> None:
    """A user's own preset would weigh its conditions wrongly or look for pictures elsewhere."""
    preset = resolve(write(tmp_path, FULL))
    assert (preset.name, preset.draws, preset.description) == ("mine", 2, "what our scanner does")
    assert [condition.name for condition in preset.conditions] == [
        "motion_blur:2", "out of focus", "blend_convex:2", "clean",
    ]  # fmt: skip
    assert [condition.weight for condition in preset.conditions] == pytest.approx(
        [0.25, 0.5, 0.125, 0.125]
    )
    assert [Path(condition.pictures).name for condition in preset.conditions] == ["photos"] * 2 + [
        "other",
        "photos",
    ]
    assert Path(preset.conditions[2].pictures).parent == tmp_path
    assert preset.conditions[3].severity == 0


def test_the_former_key_is_read(tmp_path: Path) -> None:
    """A preset file written for the version before would no longer work."""
    former = resolve(write(tmp_path, FULL.replace("conditions =", "cells =")))
    assert former == resolve(write(tmp_path, FULL))
    assert corruptions.corrupt_cell is corrupt_condition


@pytest.mark.skipif(not DOCS.exists(), reason="needs the source tree")
def test_the_example_in_the_docs_works(tmp_path: Path) -> None:
    """Users copy it first."""
    example = DOCS.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    conditions = resolve(write(tmp_path, example)).conditions
    assert [
        condition.weight for condition in conditions if condition.name == "out of focus"
    ] == pytest.approx([1 / 3])


FAMILY = '[[family]]\nname = "a"\nconditions = '


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("draws = ", ["is not TOML"]),
        ("", ["family", "a list with at least one entry", "nothing"]),
        ("family = 3", ["family", "a list", "3"]),
        ("family = [3]", ["family[1]", "a table", "3"]),
        (f'draws = 0\n{FAMILY}["fog:1"]', ["draws", "1 or more", "0"]),
        (f'draws = true\n{FAMILY}["fog:1"]', ["draws", "whole number", "True"]),
        (f'drawz = 4\n{FAMILY}["fog:1"]', ["drawz", "Did you mean 'draws'?"]),
        (f'table = 3\n{FAMILY}["fog:1"]', ["table", "text", "3"]),
        ("[[family]]\nconditions = ['fog:1']", ["family[1].name", "text", "nothing"]),
        (FAMILY + "[]", ["family[1].conditions", "at least one entry", "[]"]),
        (FAMILY + "[3]", ["family[1].conditions[1]", "a table", "3"]),
        (FAMILY + '["fog"]', ["family[1].conditions[1].chain", "name:severity", "'fog'"]),
        (FAMILY + '["fog:6"]', ["conditions[1]", "from 1 to 5", "'fog:6'"]),
        (FAMILY + '["fog:1+"]', ["conditions[1]", "''"]),
        (FAMILY + '["fog:1", {weight = 2}]', ["conditions[2].chain", "text", "nothing"]),
        (FAMILY + '[{chain = "fog:1", weight = -1}]', ["conditions[1].weight", "above 0", "-1"]),
        (
            FAMILY + '[{chain = "fog:1", wait = 1}]',
            ["conditions[1].wait", "Did you mean 'weight'?"],
        ),
        (FAMILY + '[{chain = "fog:1", pictures = "p"}]', ["pictures", "blend_convex", "'p'"]),
        (FAMILY + '["fog:1", "fog:1"]', ["different names", "'fog:1'"]),
        (FAMILY + '["fog:1"]\ncells = ["fog:2"]', ["family[1].cells", "not both", "'fog:2'"]),
        (FAMILY.replace("conditions", "cells") + "[3]", ["family[1].cells[1]", "a table", "3"]),
    ],
)
def test_faults_in_a_file_are_named(text: str, words: list[str], tmp_path: Path) -> None:
    """Users would search their file for a fault that we know."""
    path = write(tmp_path, text)
    with pytest.raises(CorruptionError) as caught:
        resolve(path)
    missing = [word for word in [path, *words] if word not in str(caught.value)]
    assert not missing, str(caught.value)


def test_too_many_conditions_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of a million conditions would be reckoned for hours before their number is told."""
    monkeypatch.setattr(presets, "_weighted", lambda _: pytest.fail("reckoned"))
    path = write(tmp_path, FAMILY + str(["clean"] * (presets.MOST_CONDITIONS + 1)))
    with pytest.raises(CorruptionError, match="at most 1,000 conditions, received 1,001"):
        resolve(path)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("hevy", ["hevy", "Did you mean 'heavy'?", "fog:3"]),
        ("fog", ["fog", "fog:3"]),
        ("fog:9", ["--corrupt", "from 1 to 5"]),
        ("nowhere.toml", ["nowhere.toml", "cannot be read"]),
    ],
)
def test_unknown_specs_are_explained(spec: str, words: list[str]) -> None:
    """A typing error on the command line would end in a traceback."""
    with pytest.raises(CorruptionError) as caught:
        resolve(spec)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FAMILY + '["fogg:1"]', ["mine", "fogg:1", "Did you mean fog"]),
        (f'table = "imagenett"\n{FAMILY}["fog:1"]', ["severity table", "imagenett"]),
    ],
)
def test_validate_names_the_condition(text: str, words: list[str], tmp_path: Path) -> None:
    """A wrong name would show only when the benchmark reaches that condition."""
    preset = resolve(write(tmp_path, text))
    with pytest.raises(CorruptionError) as caught:
        validate(preset)
    assert all(word in str(caught.value) for word in words)


def test_resolving_loads_no_numpy() -> None:
    """`--help`, which lists the presets, would take seconds."""
    code = (
        "import sys; from corruptions import presets; presets.resolve('heavy'); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_revisions_tell_conditions_apart() -> None:
    """Stored answers of one condition would be taken for another's."""
    conditions = resolve("heavy").conditions
    assert len({condition_revision(condition) for condition in conditions}) == len(conditions)


def test_contact_sheet_shows_clean_and_corrupted_rows() -> None:
    """The picture that users judge a preset by would be mislabelled or cut off."""
    images, preset = cells(3, 40), resolve("an2dl-2024")
    sheet = np.asarray(contact_sheet(images, preset, seed=2, columns=2))
    assert sheet.shape == ((len(preset.conditions) + 1) * 42, 230 + 2 * 42, 3)
    np.testing.assert_array_equal(sheet[:40, 230:270], images[0])
    shown = corrupt_condition(images[:2], preset.conditions[0], seed=2)
    np.testing.assert_array_equal(sheet[42:82, 272:312], shown[1])


def test_contact_sheet_needs_images() -> None:
    """An empty file would end in a traceback."""
    with pytest.raises(CorruptionError, match="at least one image"):
        contact_sheet(cells(0), resolve("light"))

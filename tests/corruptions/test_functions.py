"""Corruptions of the user's own, as `--corrupt package.module:function`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.images import synthetic
from corruptions import CorruptionError
from corruptions.chain import condition_revision, corrupt_condition
from corruptions.named import named, parse
from corruptions.presets import Preset, resolve
from corruptions.registry import Images
from evaluator.store.rows import read_condition

IMAGES = synthetic(5, 2).images
BLOB = """
import numpy as np
calls = []
def blob(images, severity, rng):
    images = images.copy()
    for image in images:
        row, column = rng.integers(0, 80, 2)
        image[row : row + int(4 * severity), column : column + 8] = 20
    return images
"""
FAULTS = {
    "float": ("return images / 2", "expected uint8 .* received float64"),
    "grey": ("return images[..., 0]", r"received uint8 \(1, 96, 96\)"),
    "nothing": ("pass", "received NoneType"),
    "in place": ("images[:] = 0\n    return images.copy()", "changes its input"),
    "other draws": (
        "return images ^ np.random.randint(0, 2, images.shape).astype(np.uint8)",
        "gives other pixels",
    ),
    "remembers": ("calls.append(1)\n    return images ^ np.uint8(len(calls) % 7)", "other pixels"),
    "raises": ("return images[9]", r"fails at severity 3: IndexError.*\(mine0raises.py, line 4\)"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, name: str, source: str = BLOB) -> str:
    """A module of the user's; each test has another name, for this process has read the others."""
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return f"{name}:blob"


def applied(preset: Preset, images: Images = IMAGES, ids: tuple[int, ...] | None = None) -> Images:
    """The preset's first condition on images."""
    return corrupt_condition(images, preset.conditions[0], 7, ids)


def test_a_function_damages_each_image_by_its_own_draws(here: Path) -> None:
    """An answer would hang on which images came before."""
    preset = named(f"{written(here, 'mine0')}:3")
    whole = applied(preset)
    assert not np.array_equal(whole, IMAGES)
    parts = [applied(preset, IMAGES[i : i + 1], (i,)) for i in (4, 0, 2)]
    assert np.array_equal(np.concatenate(parts), whole[[4, 0, 2]])
    dark = [np.argwhere((image == 20).all(axis=2)).min(axis=0).tolist() for image in whole]
    assert len({tuple(place) for place in dark}) > 1


def test_chains_and_severities_between(here: Path) -> None:
    """`--corrupt mine:blob:2.5+fog:1` would not be a chain like others."""
    name = written(here, "mine1")
    preset = named(f"{name}:2.5+fog:1")
    assert [step.severity for step in preset.conditions[0].steps] == [2.5, 1]
    text = condition_revision(preset.conditions[0])
    found = read_condition(text)
    assert found is not None
    assert found.steps == preset.conditions[0].steps
    assert [c.name for c in named(name).conditions] == [f"{name}:{n}" for n in range(1, 6)]


def test_another_source_is_another_condition(here: Path) -> None:
    """Answers to what the function did yesterday would pass for today's."""
    name = written(here, "mine2")
    first = named(f"{name}:3")
    known, pixels = condition_revision(first.conditions[0]), applied(first)
    written(here, "mine2", BLOB.replace("= 20", "= 210"))
    second = named(f"{name}:3")
    assert condition_revision(second.conditions[0]) != known
    assert not np.array_equal(applied(second), pixels)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_function_does_wrong_is_told(fault: str, here: Path) -> None:
    """A user would see figures that no rerun gives, or a traceback through our code."""
    body, message = FAULTS[fault]
    name = f"mine0{fault.replace(' ', '')}"
    source = f"import numpy as np\ncalls = []\ndef blob(images, severity, rng):\n    {body}\n"
    preset = named(f"{written(here, name, source)}:3")
    with pytest.raises(CorruptionError, match=message):
        applied(preset)


@pytest.mark.parametrize(
    ("spec", "source", "message"),
    [
        ("nowhere4:blob:3", "", "no module nowhere4.*fog:3"),
        ("mine4:other:3", BLOB, "other is not there in mine4. Expected function"),
        ("mine4:calls:3", BLOB, "calls is no function"),
        ("mine5:blob:3", "import nothing_like_this", "does not import: ModuleNotFoundError"),
        ("mine6:blob:3", "raise SystemExit(3)", "does not import: SystemExit"),
        ("mine7:blob:3", "def blob(:", "does not import: SyntaxError"),
        ("mine4:blob:7", BLOB, "from 1 to 5"),
        ("fog,nothing", "", "'nothing' among them"),
    ],
)
def test_what_cannot_be_imported_is_told(spec: str, source: str, message: str, here: Path) -> None:
    """A slip in the name would end in a traceback."""
    written(here, spec.partition(":")[0], source) if source else None
    with pytest.raises(CorruptionError, match=message):
        named(spec)


def test_nothing_is_imported_that_the_user_did_not_name(here: Path) -> None:
    """A preset, a profile or a stored answer of somebody else's would run code here."""
    witness = here / "witness"
    name = written(here, "mine8", f"open({str(witness)!r}, 'w').close()\n{BLOB}")
    preset = '[[family]]\nname = "a"\nconditions = ["mine8:blob:3"]\n'
    (here / "p.toml").write_text(preset, encoding="utf-8")
    with pytest.raises(CorruptionError, match="a file may not name code"):
        named("p.toml")
    assert read_condition(f"own/{name}:3.0@7") is None
    with pytest.raises(CorruptionError, match="only where --corrupt names it"):
        condition_revision(resolve(f"{name}:3").conditions[0])
    assert parse(name).conditions[2].name == f"{name}:3"
    assert not witness.exists()
    named(f"{name}:3")
    assert witness.exists()


def test_bare_names_are_all_five_severities() -> None:
    """`--corrupt fog,contrast --until 0.9` would not know which curves are meant."""
    preset = named("fog,contrast")
    assert [c.name for c in preset.conditions[::5]] == ["fog:1", "contrast:1"]
    assert sum(c.weight for c in preset.conditions) == pytest.approx(1)
    assert {c.family for c in preset.conditions} == {"weather", "digital"}
    for spec in ("heavy", "fog:3", "clean"):
        assert parse(spec) == resolve(spec)


def test_show_draws_a_function(here: Path) -> None:
    """Users could not look at what they wrote before it is measured."""
    name = written(here, "mine9")
    words = [sys.executable, "-m", "codabench_rehearsal.commands.local_eval", "show"]
    done = subprocess.run(
        [*words, "--corrupt", name, "--images", "2", "--out", "sheet.png"],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": _ROOT, "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "5 conditions on 2 images" in done.stdout
    assert (here / "sheet.png").stat().st_size > 10_000


_ROOT = str(Path(__file__).parents[2])

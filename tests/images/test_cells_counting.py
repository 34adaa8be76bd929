"""Counts by class, and labels from afar: nothing odd is passed over, nothing made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.images import Dataset, save
from codabench_rehearsal.images.counting import count_classes

EIGHT = tuple("abcdefgh")


def labelled(labels: list[int]) -> Dataset:
    """A tiny image a label, all different."""
    count = len(labels)
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return Dataset(images, np.array(labels, np.int64), np.arange(count))


# labels, names -> strays, missing, whether counted from 1
ODD: dict[str, tuple[list[int], tuple[str, ...], tuple[list[int], list[int], bool]]] = {
    "eight classes": ([*range(8)] * 3, (), ([], [], False)),
    "eight known classes": ([*range(8)] * 3, EIGHT, ([], [], False)),
    "a stray 255": ([*range(8), 255], (), ([255], [], False)),
    "many of 255": ([*range(8), *[255] * 20], (), ([255], [], False)),
    "a known stray": ([*range(8), 8], EIGHT, ([8], [], False)),
    "a stray 99": ([0, 1, 2, 99], (), ([99], [], False)),
    "two strays": ([*range(8), 254, 255], (), ([254, 255], [], False)),
    "a mask's 0 and 255": ([0, 0, 255], (), ([255], [], False)),
    "from 1": ([*range(1, 9)], (), ([], [], True)),
    "from 1, known": ([*range(1, 9)], EIGHT, ([], [], True)),
    "from 1 with a stray": ([*range(1, 9), 255], (), ([255], [], True)),
    "from 1 with a stray, known": ([*range(1, 9), 255], EIGHT, ([255], [], True)),
    "from 1 with a gap, known": ([1, 2, 3, 5, 6, 7, 8], EIGHT, ([], [4], True)),
    "0 missing, known": ([*range(1, 8)], EIGHT, ([], [0], False)),
    "a few of many": ([1, 6, 7, 6], (), ([], [0, 2, 3, 4, 5], False)),
    "one class alone": ([1, 1, 1], (), ([], [0], False)),
    "a gap": ([0, 1, 2, 4], (), ([], [3], False)),
    "the last one missing": ([0, 1, 2, 3, 4, 5, 6], EIGHT, ([], [7], False)),
    "gaps, no strays": ([0, 5], (), ([], [1, 2, 3, 4], False)),
    "a few hundred classes": ([*range(300)], (), ([], [], False)),
    "nothing of the challenge's": ([200, 201], EIGHT, ([200, 201], [*range(8)], False)),
}


@pytest.mark.parametrize(("labels", "names", "found"), ODD.values(), ids=ODD)
def test_what_labels_look_like(
    labels: list[int], names: tuple[str, ...], found: tuple[list[int], list[int], bool]
) -> None:
    """A mark for unlabelled images is trained on as a class, or a good file is called odd."""
    counts = count_classes(labelled(labels), names)
    assert (list(counts.strays), list(counts.missing), counts.from_one) == found
    assert counts.wrong == bool(found[0] or found[2])
    assert sum(counts.images.values()) == len(labels)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=30), st.sampled_from([(), EIGHT]))
def test_any_labels_are_counted(labels: list[int], names: tuple[str, ...]) -> None:
    """Labels that are no class numbers at all take the memory of the machine."""
    counts = count_classes(labelled(labels), names)
    real = set(labels) - set(counts.strays)
    assert not real & set(counts.missing)
    assert set(counts.images) == set(labels)
    assert len(counts.lines()) <= 38  # 30 classes, and a few lines on what is odd
    json.dumps(counts.to_json())


def test_what_a_user_is_told() -> None:
    """The number of images, the name of a class, or what to do is left out."""
    said = "\n".join(count_classes(labelled([0, 0, 1, 3, 9]), tuple("abcd")).lines())
    assert "class 0 (a)       2" in said
    assert "label 9 stands alone (1 image)" in said
    assert "leave these images out" in said
    assert "never occurs: class 2 (c)" in said
    assert "subtract 1" not in said
    from_one = "\n".join(count_classes(labelled([1, 2, 3])).lines())
    assert "subtract 1 from every label" in from_one
    assert "255 is how" in "\n".join(count_classes(labelled([0, 1, 255, 255])).lines())
    gap = "\n".join(count_classes(labelled([1, 2, 4])).lines())
    assert "never occurs: class 0, class 3 (counted from 1? then subtract 1)" in gap
    many = count_classes(labelled([*range(100)])).lines()
    assert many[-1] == "  and 60 more classes, 1 to 1 each"


def test_inspect_counts_and_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else only the end of a training would tell that 255 was no class."""
    monkeypatch.chdir(tmp_path)
    save(labelled([*range(8), 255, 255]), "stray.npz")
    assert main(["inspect", "stray.npz", "--json", "found.json"]) == 1
    said = capsys.readouterr().out
    assert "class 7         1" in said
    assert "label 255 stands alone (2 images)" in said
    classes = json.loads(Path("found.json").read_text(encoding="utf-8"))["classes"]
    assert classes["images"]["255"] == 2
    assert (classes["strays"], classes["missing"], classes["from_one"]) == ([255], [], False)
    save(labelled([0, 1, 2, 4, 5, 6, 7]), "fine.npz")
    assert main(["inspect", "fine.npz", "--challenge", "an2dl-2024"]) == 0
    assert "never occurs: class 3 (" in capsys.readouterr().out
    assert main(["inspect", "stray.npz", "--challenge", "an2dl-2024"]) == 1
    assert "class 255" in capsys.readouterr().out

"""Packed zips answer as the same networks do when asked straight in Keras."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pytest

from codabench_rehearsal.challenge.profile import load_challenge
from codabench_rehearsal.commands.packing_arguments import add_packing, packing
from submission.archive import Archive
from submission.packager import pack
from submission.training_folder import Packing
from tests.submission.server import server_python

T = TypeVar("T")
PROGRAM = str(Path(__file__).parent / "programs" / "packed_networks.py")
CHALLENGE = replace(load_challenge(), shape=(12, 12, 3))
FEEDS = (
    ("0..255", None), ("0..1", None), ("-1..1", None),
    ("0..255", "caffe"), ("0..255", "torch"), ("0..255", "tf"),
)  # fmt: skip
TTAS = ("none", "flips", "rot90", "d4")
# members, how they are joined, their weights
JOINED = (
    ("a", "mean", None), ("b", "mean", None), ("abc", "mean", None), ("abc", "vote", None),
    ("abc", "mean", (5, 1, 1)), ("abc", "vote", (1, 3, 1)),
)  # fmt: skip
STORED = tuple(itertools.product((False, True), repeat=2))  # --shrink, --float16


@dataclass(frozen=True)
class Case:
    """One way to pack; feeds, resize and tta go round the networks."""

    members: str
    ensemble: str = "mean"
    weights: tuple[int, ...] | None = None
    feeds: tuple[tuple[str, str | None], ...] = (FEEDS[1],)
    resize: tuple[int | None, ...] = (None,)
    tta: tuple[str, ...] = ("none",)
    shrink: bool = False
    float16: bool = False
    suffix: str = ".keras"

    def packing(self, folder: Path) -> Packing:
        """As `make-submission` would be told."""
        if self.suffix == ".weights.h5":
            return Packing(
                (folder / "a.weights.h5",), model=folder / "own.py", shrink=True, float16=True
            )
        scales, modes = zip(*self.round(self.feeds), strict=True)
        return Packing(
            weights=tuple(folder / self.file(name) for name in self.members),
            scale=scales,
            preprocess=modes,
            resize=self.round(self.resize),
            tta=self.round(self.tta),
            ensemble=self.ensemble,
            member_weights=self.weights,
            include=(folder / "layers.py",) if "b" in self.members else (),
            shrink=self.shrink,
            float16=self.float16,
            batch_size=7,
        )

    def document(self) -> dict[str, object]:
        """As the program reads it."""
        settings = zip(
            self.members, self.round(self.feeds), self.round(self.resize), self.round(self.tta),
            strict=True,
        )  # fmt: skip
        members = [
            {"name": name, "scale": scale, "preprocess": mode, "resize": side, "tta": tta}
            | {"float16": self.float16}
            for name, (scale, mode), side, tta in settings
        ]
        return {"members": members, "ensemble": self.ensemble, "weights": self.weights}

    def round(self, values: tuple[T, ...]) -> tuple[T, ...]:
        """One value for each network, from the first again after the last."""
        return tuple(itertools.islice(itertools.cycle(values), len(self.members)))

    def file(self, name: str) -> str:
        """A network's file; b's own layer is not for the old format."""
        return f"{name}.keras" if name == "b" else f"{name}{self.suffix}"


# Every value of every setting, and members that differ in all of them.
SLICE = [
    Case("a", feeds=(FEEDS[0],)),
    Case("b", feeds=(FEEDS[3],), tta=("d4",), shrink=True, float16=True),
    Case("abc", "vote", feeds=(FEEDS[4],), resize=(20,), shrink=True),
    Case("abc", "mean", (5, 1, 1), feeds=(FEEDS[5],), tta=("rot90",), float16=True, suffix=".h5"),
    Case("a", feeds=(FEEDS[0],), float16=True, suffix=".weights.h5"),
    Case("abc", "vote", (1, 3, 1), FEEDS[1:4], (None, 9, 16), TTAS[:3], suffix=".h5", shrink=True),
]
FULL = (
    [
        Case(members, ensemble, weights, (feed,), (side,), (tta,))
        for members, ensemble, weights in JOINED
        for feed in FEEDS
        for side in (None, 17)
        for tta in TTAS
    ]
    + [
        Case(
            members,
            ensemble,
            weights,
            FEEDS[2:5],
            (None, 15, 15),
            TTAS[1:],
            shrink,
            float16,
            suffix,
        )
        for members, ensemble, weights in JOINED
        for shrink, float16 in STORED
        for suffix in (".keras", ".h5")
    ]
    + SLICE
)


def call(python: str, *words: str) -> None:
    """Run the program; it must succeed."""
    subprocess.run([python, PROGRAM, *words], check=True, capture_output=True)


def compare(
    folder: Path,
    cases: Sequence[Case],
    python: str,
    packings: Mapping[Case, Packing] = MappingProxyType({}),
) -> dict[Case, list[int]]:
    """Pack every case and ask it under `python`; the labels, which are those computed here."""
    named = {f"{number:03d}": case for number, case in enumerate(cases)}
    document = {name: case.document() for name, case in named.items()}
    (folder / "cases.json").write_text(json.dumps(document), encoding="utf-8")
    call(sys.executable, "answer", str(folder))
    for name, case in named.items():
        wanted = packings.get(case) or case.packing(folder)
        packed = pack(wanted, CHALLENGE, folder / "s.zip")
        assert packed.zip_path is not None, packed.findings
        with Archive(folder / "s.zip") as archive:
            archive.extract(folder / "zips" / name)
    call(python, "run", str(folder / "zips"))
    expected = np.load(folder / "expected.npz")
    for name, case in named.items():
        here = folder / "zips" / name
        assert not (here / "error.txt").exists(), (here / "error.txt").read_text()
        assert np.load(here / "labels.npy").tolist() == expected[name].tolist(), asdict(case)
    return {case: expected[name].tolist() for name, case in named.items()}


def blind_spots(labels: Mapping[Case, list[int]]) -> set[frozenset[Any]]:
    """Pairs of values of one setting that never made a difference where all else was the same."""
    never: set[frozenset[Any]] = set()
    for setting in ("ensemble", "weights", "feeds", "resize", "tta"):
        families: dict[Case, dict[Any, list[int]]] = defaultdict(dict)
        blank: dict[str, Any] = {setting: ()}
        for case, found in labels.items():
            families[replace(case, **blank)][getattr(case, setting)] = found
        seen: dict[frozenset[Any], bool] = defaultdict(bool)
        for family in families.values():
            for one, other in itertools.combinations(family, 2):
                seen[frozenset((one, other))] |= family[one] != family[other]
        never |= {pair for pair, differs in seen.items() if not differs}
    return never


TWINS = {frozenset(((FEEDS[2],), (FEEDS[5],)))}  # "-1..1" and "tf" are the same


FOLDERS = Case("abc", "vote", (2, 1, 1), FEEDS[1:4], (None, 9, 16), TTAS[:3])


@pytest.mark.slow
@pytest.mark.keras
def test_a_slice_and_training_folders_with_todays_keras(tmp_path: Path) -> None:
    """Else what is packed answers otherwise than the networks that were trained."""
    call(sys.executable, "save", str(tmp_path))
    words = ["--ensemble", "vote", "--member-weights", "2", "1", "1", "--shrink"]
    joined = by_command([*(str(train(FOLDERS, i, tmp_path)) for i in range(3)), *words])
    assert len(joined.splits) > 1
    labels = compare(tmp_path, [*SLICE, FOLDERS], sys.executable, {FOLDERS: joined})
    different = {tuple(found) for found in labels.values()}
    assert len(different) == len(SLICE)  # one is there twice, in two formats


def by_command(words: Sequence[str]) -> Packing:
    """What the command makes of these words."""
    parser = argparse.ArgumentParser()
    add_packing(parser)
    return packing(parser.parse_args(words))


def train(case: Case, index: int, place: Path) -> Path:
    """A training folder with one of a case's networks, as a user would write it by hand."""
    name = case.members[index]
    folder = place / f"run-{name}"
    folder.mkdir()
    shutil.copyfile(place / case.file(name), folder / "weights.keras")
    shutil.copyfile(place / "layers.py", folder / "layers.py")
    scale, mode = case.feeds[index]
    recipe = {
        "schema": 1, "weights": ["weights.keras"], "resize": case.resize[index],
        "tta": case.tta[index], "include": ["layers.py"],
        **({"preprocess": "ResNet50"} if mode else {"scale": scale}),
    }  # fmt: skip
    (folder / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    split = {"schema": 1, "train": [], "validation": []}
    (folder / "split.json").write_text(json.dumps(split), encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.keras
def test_every_combination_with_todays_keras(tmp_path: Path) -> None:
    """Else some combination of settings answers otherwise than the networks that were trained."""
    call(sys.executable, "save", str(tmp_path))
    assert blind_spots(compare(tmp_path, FULL, sys.executable)) == TWINS


@pytest.mark.slow
def test_every_combination_on_the_server(tmp_path: Path) -> None:
    """Else a combination that works at home fails or answers otherwise on the platform."""
    call(sys.executable, "save", str(tmp_path))
    compare(tmp_path, FULL, server_python())

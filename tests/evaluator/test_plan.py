"""What is asked, in which order: rounds, the library's conditions, each question once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codabench_rehearsal.images import split, synthetic
from corruptions.chain import table_names
from corruptions.presets import LIBRARY, resolve
from corruptions.registry import get
from evaluator.dealing import condition_order
from evaluator.options import Choice, Options
from evaluator.plan import DRAWS, Plan, Round, described, make_plan, plan_on

CONDITIONS = synthetic(40, seed=3)


def planned(**options: object) -> Plan:
    """A plan on all drawn cells."""
    return plan_on(Choice(CONDITIONS, "all", ()), replace(Options(), **options))  # type: ignore[arg-type]  # checked by mypy at Options


def chain(steps: tuple[object, ...]) -> str:
    """A condition's steps as text."""
    return "+".join(f"{step.corruption}:{step.severity}" for step in steps)  # type: ignore[attr-defined]  # presets.Step


def chains(name: str) -> set[str]:
    """Of a preset."""
    return {chain(condition.steps) for condition in resolve(name).conditions}


@pytest.mark.parametrize(("name", "levels"), [("estimate-v1", (1, 3, 5)), ("estimate-v2", (3,))])
def test_the_library_is_what_its_name_promises(name: str, levels: tuple[int, ...]) -> None:
    """Else past and new submissions would be estimated from different conditions."""
    wanted = chains("heavy") | chains("an2dl-2024")
    wanted |= {f"{one}:{level}" for one in table_names() for level in levels}
    others = chains(name) - wanted
    assert wanted <= chains(name)
    assert all("+" in one for one in others)
    assert len(chains(name)) == len(resolve(name).conditions) == 99
    assert resolve(LIBRARY).name == LIBRARY == "estimate-v2"


def test_most_chains_are_across_families() -> None:
    """Else the library would not hold what hidden sets do: several kinds of damage at once."""
    found = [c for c in resolve(LIBRARY).conditions if len(c.steps) > 1]
    across = [c for c in found if len({get(s.corruption, c.table).family for s in c.steps}) > 1]
    assert len(found) >= 30
    assert len(across) / len(found) > 0.9


@pytest.mark.parametrize("conditions", [8, 19, 95, 99, 100])
@pytest.mark.parametrize("draws", [1, 8, 19])
def test_conditions_are_dealt_evenly_and_nested(conditions: int, draws: int) -> None:
    """Else some conditions would rest on a handful of images, and their accuracy on luck."""
    if draws > conditions:
        return
    order = condition_order(200, conditions, draws, seed=1)
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(conditions), (200, 1)))
    cycle = -(-conditions // draws)
    for images in (cycle, 2 * cycle):
        if images <= 200:
            counts = np.bincount(order[:images, :draws].ravel(), minlength=conditions)
            assert counts.min() >= images // cycle
            assert counts.max() <= 2 * (images // cycle)
    assert np.array_equal(condition_order(50, conditions, draws, seed=1), order[:50])
    assert not np.array_equal(condition_order(200, conditions, draws, seed=2), order)


def test_images_of_one_class_do_not_meet_the_same_conditions() -> None:
    """Else a condition's accuracy would be that of one class: images come class by class in turn."""
    order = condition_order(8 * 130, 99, DRAWS, seed=0)
    labels = np.arange(8 * 130) % 8
    counts = np.zeros((99, 8))
    for label in range(8):
        counts[:, label] = np.bincount(order[labels == label, :DRAWS].ravel(), minlength=99)
    assert (counts > 0).mean() > 0.99
    expected = counts.mean()
    assert ((counts - expected) ** 2 / expected).sum() < 99 * 8 * 1.3


@pytest.mark.parametrize("images", [5, 128, 129, 1000])
def test_rounds_grow(images: int) -> None:
    """Else a later round would ask less than an earlier one, and its figures would be of fewer images."""
    data = synthetic(8, seed=0)
    many = data.subset(np.zeros(0, np.int64))
    ids = np.arange(images)
    many = type(data)(np.zeros((images, 32, 32, 3), np.uint8), ids % 8, ids)
    rounds = plan_on(Choice(many, "all", ()), Options(corrupt="fog:3")).rounds(Options())
    sizes = [(part.images, part.draws) for part in rounds]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == (min(images, 128), DRAWS)
    assert sizes[-1] == (images, len(resolve(LIBRARY).conditions))


def test_without_an_estimate_there_is_one_round() -> None:
    """Else the platform's one call of predict would be several here, for nothing."""
    assert planned(estimate=False).rounds(Options(estimate=False)) == [Round(40, 0)]
    full = replace(Options(), full=True)
    assert planned(full=True).rounds(full) == [Round(40, len(resolve(LIBRARY).conditions))]


@pytest.mark.parametrize("corrupt", ["clean", "fog:3", "heavy", "an2dl-2024", LIBRARY])
def test_every_question_is_asked_once(corrupt: str) -> None:
    """Else time would go into answers that are known."""
    plan = planned(corrupt=corrupt, sweep=True)
    asked = plan.wanted(Round(40, DRAWS))
    pairs = set(zip(asked.rows.tolist(), asked.conditions.tolist(), strict=True))
    assert len(pairs) == len(asked)
    for name, subset in plan.subsets.items():
        part = plan.questions(name, Round(40, DRAWS))
        places = subset.places[part.conditions]
        assert set(zip(part.rows.tolist(), places.tolist(), strict=True)) <= pairs
        conditions = plan.benchmark(name).conditions
        for condition, place in zip(conditions, subset.places, strict=True):
            assert chain(condition.steps) == chain(plan.conditions[place].steps)


def test_rounds_are_nested() -> None:
    """Else a later round would not build on the answers of the one before."""
    plan = planned()
    seen: set[tuple[int, int]] = set()
    for part in (Round(10, 8), Round(40, 8), Round(40, 16), Round(40, 99)):
        asked = plan.wanted(part)
        pairs = set(zip(asked.rows.tolist(), asked.conditions.tolist(), strict=True))
        assert seen < pairs
        seen = pairs


def test_the_shuffle_is_seeded_and_whole() -> None:
    """Else blocks would differ from run to run, or hold one kind of damage each."""
    plan = planned()
    asked = plan.wanted(Round(40, 8))
    first, second = asked.shuffled(7), asked.shuffled(7)
    assert np.array_equal(first.rows, second.rows)
    width = len(plan.conditions)
    assert sorted(first.rows * width + first.conditions) == sorted(
        asked.rows * width + asked.conditions
    )
    assert not np.array_equal(first.rows, asked.rows)


def test_a_prefix_holds_its_images_alone() -> None:
    """Else intervals would resample images that nobody asked about."""
    plan = planned()
    first = plan.benchmark("shown", 7)
    assert len(first.data) == len(first.dealt) == 7
    assert np.array_equal(first.data.ids, plan.data.ids[:7])


def test_the_estimate_knows_the_clean_condition_and_the_chains() -> None:
    """Else clean images would count as damage, and chains as single corruptions."""
    conditions = described(planned().benchmark("library").conditions)
    assert conditions[0].clean
    assert sum(condition.clean for condition in conditions) == 1
    assert {c.name for c in conditions if c.composite} == {
        c.name
        for c in resolve(LIBRARY).conditions
        if len(c.steps) > 1 or c.family in ("randaugment", "augmix")
    }


def test_the_plan_of_a_zip_follows_its_split(tmp_path: Path) -> None:
    """Else a model would be asked about the images it has learnt."""
    sides = split(CONDITIONS, seed=0)
    sides.save(tmp_path / "split.json")
    plan = make_plan(tmp_path / "submission.zip", CONDITIONS, Options())
    assert set(plan.data.ids) <= set(sides.validation.ids)


def test_what_is_believed_is_asked_of_every_image_first() -> None:
    """Else the figure that a newcomer sees first would rest on a dozen images a condition."""
    plan, usual = planned(believe="an2dl-2024:0.6"), planned()
    names = [c.name for c in plan.benchmark("library").conditions]
    dealt, before = plan.subsets["library"].dealt, usual.subsets["library"].dealt
    assert np.array_equal(np.sort(dealt, axis=1), np.sort(before, axis=1))
    for row in dealt:
        assert {names[place] for place in row[:3]} == {
            "corner_strip:3+rand_augment:3",
            "corner_strip:3+rand_augment:4",
            "corner_strip:3+aug_mix:3+rand_augment:3",
        }
    rest = [list(row[3:]) for row in dealt]
    assert rest == [[c for c in old if c not in row[:3]] for row, old in zip(dealt, before)]  # noqa: B905  as many
    wide = planned(believe="heavy:0.6").subsets["library"].dealt
    heavy = {c.name for c in resolve("heavy").conditions}
    first = [names[place] for row in wide for place in row[:4]]
    assert set(first) <= heavy
    assert len(set(first)) > 30

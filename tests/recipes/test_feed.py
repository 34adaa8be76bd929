"""What an epoch holds, that threads change no byte, and that they end."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codabench_rehearsal.images import Dataset, synthetic
from codabench_rehearsal.recipes import feed as feeding
from codabench_rehearsal.recipes.feed import AHEAD, Feed, fixed
from codabench_rehearsal.recipes.system import RecipeError, System, changed, load_system
from submission.model_page import MODES

CELLS = synthetic(100, seed=2)
UNEVEN = CELLS.subset(
    np.concatenate([np.flatnonzero(CELLS.labels == k)[: (20 if k < 2 else 3)] for k in range(8)])
)
BASE = load_system("baseline")
HEAVY = ("flips", "rand_augment", "overlay_convex", "cut_mix")


def system(**values: Any) -> System:
    """The baseline in batches of 16, without augmentation, with other values."""
    return changed(BASE, {"batch": 16, "copies": ((),), **values})


def collect(feed: Feed, number: int = 0) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """An epoch in one piece."""
    batches = list(feed.epoch(number))
    return np.concatenate([one for one, _ in batches]), np.concatenate([one for _, one in batches])


def epoch(
    data: Dataset = CELLS, number: int = 0, seed: int = 0, threads: int | None = None, **values: Any
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """An epoch of a feed of its own, in one piece."""
    with Feed(data, system(**values), 8, seed, threads=threads) as feed:
        return collect(feed, number)


def prints(images: NDArray[Any]) -> list[str]:
    """A hash of each image."""
    return [hashlib.sha1(image.tobytes()).hexdigest() for image in images]


def threads_alive() -> list[str]:
    """The names of the feed's threads."""
    return [one.name for one in threading.enumerate() if one.name.startswith("feed")]


@pytest.mark.parametrize("copies", [1, 3])
def test_an_epoch_holds_every_image_once_a_copy(copies: int) -> None:
    """Some images would never be learnt from, others twice."""
    images, targets = epoch(copies=((),) * copies)
    assert sorted(prints(images)) == sorted(prints(CELLS.images) * copies)
    labels = dict(zip(prints(CELLS.images), CELLS.labels, strict=True))
    assert [labels[one] for one in prints(images)] == targets.argmax(axis=1).tolist()
    assert targets.shape == (100 * copies, 8)
    assert (targets.sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("batch", "copies", "steps"), [(16, 1, 7), (50, 1, 2), (16, 2, 13), (128, 1, 1)]
)
def test_steps_are_the_batches(batch: int, copies: int, steps: int) -> None:
    """The rate would fall too early, and the time left would be wrong."""
    with Feed(CELLS, system(batch=batch, copies=((),) * copies), 8, 0) as feed:
        assert feed.steps == steps
        assert [len(images) for images, _ in feed.epoch(0)][:-1] == [batch] * (steps - 1)


def test_types() -> None:
    """A network would be fed four times the bytes, or labels that its loss does not take."""
    images, targets = epoch()
    assert images.dtype == np.uint8
    assert targets.dtype == np.float32


@pytest.mark.parametrize("values", [{"number": 1}, {"seed": 1}])
def test_orders_and_draws_change(values: dict[str, Any]) -> None:
    """Every epoch would show the same images in the same order."""
    chain = ((), ("flips",))
    first, _ = epoch(copies=chain)
    second, _ = epoch(copies=chain, **values)
    assert prints(first) != prints(second)
    assert set(prints(first)) != set(prints(second))


@pytest.mark.parametrize("seed", [0, -3, 2**70])
def test_threads_change_no_byte(seed: int) -> None:
    """A training could not be repeated on another machine."""
    values: dict[str, Any] = {"copies": (HEAVY, ("aug_mix",)), "balance": ("rotations",)}
    one = epoch(UNEVEN, 2, seed, 1, **values)
    four = epoch(UNEVEN, 2, seed, 4, **values)
    np.testing.assert_array_equal(one[0], four[0])
    np.testing.assert_array_equal(one[1], four[1])


def test_an_epoch_does_not_depend_on_those_before() -> None:
    """A resumed training would go on with other images."""
    with Feed(CELLS, system(copies=(HEAVY,)), 8, 0) as feed:
        collect(feed, 0)
        next(feed.epoch(1))
        images, targets = collect(feed, 2)
    again = epoch(number=2, copies=(HEAVY,))
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(targets, again[1])


def test_balance_fills_up_every_class() -> None:
    """Small classes would be answered too seldom."""
    counts = np.bincount(UNEVEN.labels, minlength=8)
    assert len(set(counts)) > 1
    images, targets = epoch(UNEVEN, balance=("flips",), copies=((), ()))
    assert (targets.sum(axis=0) == 2 * counts.max()).all()
    assert len(images) == 2 * 8 * counts.max()


def test_balance_changes_only_what_it_adds() -> None:
    """Images would be lost that no copy shows as they are, or large classes would be changed."""
    images, targets = epoch(UNEVEN, balance=("rand_augment",))
    found = prints(images)
    known = set(prints(UNEVEN.images))
    assert known <= set(found)
    largest = np.bincount(UNEVEN.labels).argmax()
    added = np.array([one not in known for one in found])
    assert not added[targets.argmax(axis=1) == largest].any()
    assert added.sum() > 0.6 * (len(images) - len(UNEVEN))


def test_balance_draws_evenly() -> None:
    """One image of a small class would be shown ten times, another one never."""
    labels = np.repeat([0, 1], [47, 10])
    data = Dataset(CELLS.images[:57], labels, CELLS.ids[:57])
    images, _ = epoch(data, balance=("flips",), copies=(("a3",),))
    with Feed(data, system(balance=("flips",)), 8, 0) as feed:
        plan = feed.plan(0)
    drawn = np.bincount(plan.rows, minlength=57)
    assert len(images) == 94
    assert set(drawn[:47]) == {1}
    assert set(drawn[47:]) == {4, 5}


def test_balance_draws_anew_in_every_epoch_and_copy() -> None:
    """The same few images would be doubled for ever."""
    labels = np.repeat([0, 1], [50, 47])
    data = Dataset(CELLS.images[:97], labels, CELLS.ids[:97])
    with Feed(data, system(balance=("flips",), copies=((), ())), 8, 0) as feed:
        plans = [feed.plan(number) for number in range(2)]
    added = {
        tuple(sorted(plan.rows[plan.filled & (plan.copies == copy)]))
        for plan in plans
        for copy in range(2)
    }
    assert len(added) == 4


def test_copies_do_not_mix() -> None:
    """CutMix of the third copy would paste pieces of augmented images, and into plain ones."""
    images, targets = epoch(copies=((), ("cut_mix",)), batch=100)
    plain = [one for one in prints(images) if one in set(prints(CELLS.images))]
    assert len(set(plain)) == 100
    assert (targets.max(axis=1) < 1).sum() > 50


@pytest.mark.parametrize(("backbone", "mode"), [("ResNet50", "caffe"), ("Xception", "tf")])
def test_backbones_get_what_they_want(backbone: str, mode: str) -> None:
    """Weights from ImageNet would see colours that they never saw: one answer for every image."""
    values: dict[str, Any] = {"model_options": {"backbone": backbone}}
    plain, _ = epoch()
    images, _ = epoch(**values)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, MODES[mode].apply(plain))
    whole, _ = fixed(CELLS, system(**values), 8, 0, ())
    np.testing.assert_array_equal(whole, MODES[mode].apply(CELLS.images))


def test_backbones_that_rescale_get_bytes() -> None:
    """Four times the bytes would go to the GPU for nothing."""
    assert epoch(model_options={"backbone": "ConvNeXtTiny"})[0].dtype == np.uint8


def test_given_pictures_are_used() -> None:
    """What was recovered from the outliers would not be blended in."""
    black = Dataset(np.zeros((40, 96, 96, 3), np.uint8), CELLS.labels[:40], CELLS.ids[:40])
    red = np.zeros((1, 96, 96, 3), np.uint8)
    red[..., 0] = 255
    values = system(copies=(("overlay_convex",),))
    with Feed(black, values, 8, 0, pictures=red) as feed:
        images, _ = collect(feed)
    whole, _ = fixed(black, values, 8, 0, ("overlay_convex",), pictures=red)
    for found in (images, whole):
        reddish = (found[..., 0] > 20).all(axis=(1, 2)) & (found[..., 1:] == 0).all(axis=(1, 2, 3))
        assert 8 < reddish.sum() < 32


def test_an_error_in_a_thread_is_raised() -> None:
    """A training would wait for ever for a batch that never comes."""
    with (
        Feed(CELLS, system(copies=(("nonsense",),)), 8, 0) as feed,
        pytest.raises(RecipeError, match="No augmentation 'nonsense'"),
    ):
        next(feed.epoch(0))
    assert not threads_alive()


def test_no_thread_stays() -> None:
    """Threads would pile up, epoch by epoch and fold by fold."""
    with Feed(CELLS, system(), 8, 0, threads=3) as feed:
        next(feed.epoch(0))
        assert threads_alive()
        list(feed.epoch(1))
        assert not threads_alive()
        next(feed.epoch(2))
    assert not threads_alive()


def test_a_dropped_epoch_ends_its_threads() -> None:
    """A loop that breaks off would leave them behind."""
    feed = Feed(CELLS, system(), 8, 0, threads=2)
    for _ in feed.epoch(0):
        break
    feed.close()
    assert not threads_alive()


def test_only_a_few_batches_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole epoch would pile up in memory while the network works."""
    done: list[int] = []

    def count(_chain: Any, images: Any, targets: Any, *_: Any) -> Any:
        done.append(1)
        return images, targets

    monkeypatch.setattr(feeding, "augmented", count)
    with Feed(CELLS, system(batch=2, copies=(("flips",),)), 8, 0, threads=2) as feed:
        running = feed.epoch(0)
        next(running)
        time.sleep(0.3)
        assert 1 < len(done) <= 2 + AHEAD + 1


@pytest.mark.parametrize(("work", "least"), [(0.0, 0.3), (0.1, 0.05)])
def test_waiting_is_measured(work: float, least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would know whether faster augmentation could make the training faster."""

    def slow(_chain: Any, images: Any, targets: Any, *_: Any) -> Any:
        time.sleep(0.05)
        return images, targets

    monkeypatch.setattr(feeding, "augmented", slow)
    with Feed(CELLS, system(copies=(("flips",),)), 8, 0, threads=1) as feed:
        started = time.perf_counter()
        for _ in feed.epoch(0):
            time.sleep(work)
        whole = time.perf_counter() - started
    assert least <= feed.waited <= whole - 7 * work  # there are seven batches


def test_a_killed_consumer_does_not_hang() -> None:
    """Ctrl-C would leave a process that never ends."""
    code = (
        "from codabench_rehearsal.images import synthetic\n"
        "from codabench_rehearsal.recipes.feed import Feed\n"
        "from codabench_rehearsal.recipes.system import load_system\n"
        "running = Feed(synthetic(64, seed=1), load_system('baseline'), 8, 0).epoch(0)\n"
        "next(running)\n"
        "raise KeyboardInterrupt\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr


def test_fixed_keeps_the_order_and_repeats() -> None:
    """Validation figures would belong to other images, or change from epoch to epoch."""
    images, targets = fixed(CELLS, system(), 8, 0, ())
    np.testing.assert_array_equal(images, CELLS.images)
    np.testing.assert_array_equal(targets.argmax(axis=1), CELLS.labels)
    assert images.flags.writeable
    hurt = [fixed(CELLS, system(), 8, seed, HEAVY)[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(hurt[0], hurt[1])
    assert (hurt[0] != hurt[2]).any()


def test_fixed_takes_an_empty_set() -> None:
    """A side without images would end in a message of NumPy's."""
    images, targets = fixed(CELLS.subset([]), system(), 8, 0, HEAVY)
    assert images.shape == (0, 96, 96, 3)
    assert targets.shape == (0, 8)

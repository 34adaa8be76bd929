"""`python -m bench.demonstration_overhead --data FILE`: what the Keras callback costs an epoch.

The baseline recipe's own network, batches, optimizer and validation, with `BenchmarkCallback` at
its defaults on the validation side. Compared are the seconds in the callback and those of the rest
of the same epoch, the medians of all epochs but the first, which compiles.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from codabench_rehearsal.images import clean, load, split
from codabench_rehearsal.recipes.feed import Feed, one_hot
from codabench_rehearsal.recipes.models import network
from codabench_rehearsal.recipes.system import load_system
from evaluator.callback import BenchmarkCallback

GOAL = 0.15


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """The recipe's own feed, for `model.fit`, whose callbacks are what is timed."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed, self._number = feed, 0
        self._epoch = feed.epoch(0)

    def __len__(self) -> int:
        return self._feed.steps

    def __getitem__(self, index: int) -> Any:
        batch = next(self._epoch, None)
        if batch is None:  # Keras has looked at some batches before the epoch began
            self._epoch = self._feed.epoch(self._number)
            batch = next(self._epoch)
        return batch

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._number += 1
        self._epoch = self._feed.epoch(self._number)


class Timed(BenchmarkCallback):
    """The callback with a watch: seconds in it, and of each whole epoch."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.inside: list[float] = []
        self.whole: list[float] = []
        self.making = 0.0
        self._began = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Time the making of the images, once a training."""
        began = time.perf_counter()
        super().on_train_begin(logs)
        self.making = time.perf_counter() - began

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's own
        """Start the watch."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validation is over by now: what is left of the epoch is this."""
        began = time.perf_counter()
        super().on_epoch_end(epoch, logs)
        now = time.perf_counter()
        self.inside.append(now - began)
        self.whole.append(now - self._began)


@dataclass(frozen=True)
class Cost:
    """Seconds: of making the images, once; in the callback; and of an epoch without it."""

    images: int
    making: float
    inside: float
    rest: float

    @property
    def share(self) -> float:
        """Of an epoch without the callback."""
        return self.inside / self.rest


def measure(data: Path, epochs: int, batch: int | None = None) -> Cost:
    """Train the baseline for some epochs, with its own batch size if none is given."""
    system = load_system("baseline")
    system = replace(system, batch=batch or system.batch)
    cleaned, _ = clean(load(data))
    sides = split(cleaned, system.validation, 0)
    keras.utils.set_random_seed(0)
    shape = sides.train.images.shape[1:]
    classes = int(cleaned.labels.max()) + 1
    model = network(system, shape, classes)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    watch = Timed(sides.validation.images, sides.validation.labels)
    held = (sides.validation.images, one_hot(sides.validation.labels, classes))
    with Feed(sides.train, system, classes, 0) as feed:
        model.fit(Batches(feed), epochs=epochs, validation_data=held, callbacks=[watch], verbose=0)
    inside = statistics.median(watch.inside[1:])
    rest = statistics.median(
        whole - own for whole, own in zip(watch.whole[1:], watch.inside[1:], strict=True)
    )
    return Cost(watch.count or 0, watch.making, inside, rest)


def main(argv: list[str] | None = None) -> int:
    """0 if the goal is met, 1 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.demonstration_overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4, help="2 or more; the first is not counted")
    parser.add_argument("--batch", type=int, help="of the training; default: the recipe's")
    options = parser.parse_args(argv)
    cost = measure(options.data, max(2, options.epochs), options.batch)
    print(
        f"{cost.images} damaged images, made once in {cost.making:.2f} s (the model's first batch "
        f"included); an epoch without the callback {cost.rest:.2f} s, the callback "
        f"{cost.inside:.2f} s: {cost.share:.1%} (goal: below {GOAL:.0%})"
    )
    return 0 if cost.share < GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())

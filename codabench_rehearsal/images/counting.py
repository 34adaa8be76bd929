"""How many images each class has, and what labels look like from afar: strays, gaps, from 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from codabench_rehearsal.console.words import counted, few, shown
from codabench_rehearsal.images.dataset import Dataset
from codabench_rehearsal.images.labels import UNLABELLED

FAR = 8  # a label that is further above all others is no class
MOST_STRAYS_SHOWN = 3
MOST_STRAYS = 2  # different labels far above the others; more of them are a numbering of their own
SHOWN = 40  # classes; more are summed up
MOST_MISSING = 1000


@dataclass(frozen=True)
class ClassCounts:
    """What the labels of a data set say.

    images: label -> how many images carry it, ascending. strays: labels that stand alone far above
    the others (or beyond the classes that are known): a mark for "no label", most often. missing:
    classes that never occur, from 0 up to the last one, at most 1,000. from_one: whether no image
    is of class 0 and the classes seem to be counted from 1. names: of the classes, where known.
    """

    images: Mapping[int, int]
    strays: tuple[int, ...]
    missing: tuple[int, ...]
    from_one: bool
    names: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether something has to be mended before training; a class may well be missing."""
        return bool(self.strays) or self.from_one

    def to_json(self) -> dict[str, Any]:
        """Return the counts as plain data that `json.dump` takes."""
        return {
            "images": {str(label): count for label, count in self.images.items()},
            "strays": list(self.strays),
            "missing": list(self.missing),
            "from_one": self.from_one,
        }

    def lines(self) -> tuple[str, ...]:
        """Return the counts for people: a line a class, then what is odd and what to do."""
        shown = list(self.images.items())[:SHOWN]
        width = max(len(self._name(label)) for label, _ in shown)
        table = [f"  {self._name(label):<{width}}  {count:>6,}" for label, count in shown]
        if len(self.images) > SHOWN:
            rest = list(self.images.values())[SHOWN:]
            table.append(f"  and {len(rest):,} more classes, {min(rest):,} to {max(rest):,} each")
        return ("images by class:", *table, *self._odd())

    def _odd(self) -> Iterable[str]:
        for label in self.strays[:MOST_STRAYS_SHOWN]:
            meaning = "perhaps a mark for images without a label, or a mistake"
            if label == UNLABELLED:
                meaning = "255 is how images without a label are often marked"
            yield (
                f"label {label} stands alone ({counted(self.images[label], 'image')}): "
                f"{meaning}; leave these images out, or give them their class"
            )
        if len(self.strays) > MOST_STRAYS_SHOWN:
            more = [str(label) for label in self.strays[MOST_STRAYS_SHOWN:]]
            yield f"so do {len(more):,} more labels: {few(more, 10)}"
        if self.from_one:
            yield (
                "no image has label 0: if the classes were counted from 1, subtract 1 from every "
                "label (the platform counts from 0); if class 0 is only missing, leave them"
            )
        if self.missing:
            perhaps_from_one = not self.names and self.missing[0] == 0 and 1 in self.images
            hint = " (counted from 1? then subtract 1)" if perhaps_from_one else ""
            yield f"never occurs: {few([self._name(label) for label in self.missing], 10)}{hint}"

    def _name(self, label: int) -> str:
        known = label < len(self.names)
        return f"class {label} ({shown(self.names[label])})" if known else f"class {label}"


def count_classes(dataset: Dataset, names: Sequence[str] = ()) -> ClassCounts:
    """Count the images of each class, and look for labels that cannot be meant.

    names: of all classes, where they are known; then labels from `len(names)` on are strays, except
    the last of classes counted from 1.
    """
    labels, counts = np.unique(dataset.labels, return_counts=True)
    images = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    strays = _strays(list(images), len(names))
    real = [label for label in images if label not in strays]
    # From 1 up to the number of classes; where that is unknown, without a gap.
    whole = len(names) in images if names else 1 < len(real) == max(real)
    from_one = real[:1] == [1] and whole
    if from_one and names:
        strays.remove(len(names))
        real.append(len(names))
    last = max(len(names) + from_one, max(real) + 1) if real else len(names)
    there, first = set(real), int(from_one)
    missing = tuple(islice((one for one in range(first, last) if one not in there), MOST_MISSING))
    return ClassCounts(images, tuple(strays), missing, from_one, () if from_one else tuple(names))


def _strays(labels: Sequence[int], classes: int) -> list[int]:
    """Labels, ascending, beyond the known classes; else one or two far above all others."""
    if classes:
        return [label for label in labels if label >= classes]
    for alone in range(1, min(MOST_STRAYS, len(labels) - 1) + 1):
        below, above = labels[-alone - 1], labels[-alone]
        if above - below > max(FAR, len(labels) - alone):
            return list(labels[-alone:])
    return []

"""Which arrays of a file are images and which their labels, of which part: by name, in any case.

A name is a role (images, x, data ... or labels, y, target ...), with a part before or after it
where the file has several: x_train, testLabels, val_images. Where names leave a choice, shapes and
what usually goes together decide; where those do too, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.words import few, shown

PARTS = ("train", "val", "test")
TO_TRAIN = ("train",)
TO_REHEARSE = ("val", "test")

# Images with the labels that usually go with them.
_PARTNERS = {
    "image": ("label",),
    "img": ("label",),
    "picture": ("label",),
    "x": ("y",),
    "data": ("label", "target", "y"),
    "input": ("target", "label"),
    "feature": ("label", "target"),
    "arr0": ("arr1",),
}
_LABELS = ("label", "target", "y", "arr1")
_SPELT = {
    "train": "training|train|tr",
    "val": "validation|valid|val|dev|eval",
    "test": "testing|test|te",
}
_PART = "|".join(_SPELT.values())
_NAME = re.compile(
    rf"(?P<before>{_PART})?(?:set)?(?P<role>{'|'.join((*_PARTNERS, *_LABELS))})s?"
    rf"(?P<after>{_PART})?(?:set)?"
)
_UNNAMED = re.compile(r"arr_\d+")  # numpy.savez(path, a, b)
_PAIR = 2

Part = str | None


class Header(NamedTuple):
    """What a file says of an array before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


class Chosen(NamedTuple):
    """The keys of images and labels; part: which this is, if any; others: there too."""

    images: str
    labels: str
    part: Part
    others: tuple[str, ...]


class _Found(NamedTuple):
    """The keys of one part by role, in the file's order."""

    images: dict[str, str]
    labels: dict[str, str]


def choose_keys(
    names: Iterable[str],
    header: Callable[[str], Header | None],
    source: str,
    part: Part,
    prefer: Sequence[str],
) -> Chosen:
    """Choose the keys of `part`, or of the first part in `prefer` that the file has.

    header: what the file says of an array; asked only where names leave a choice. Raises DataError,
    naming `source`, where there is none, or more than one choice.
    """
    names = list(names)
    found = _sorted(names)
    whole = [name for name, keys in found.items() if keys.images and keys.labels]
    if not whole or sum(bool(_UNNAMED.fullmatch(name)) for name in names) > _PAIR:
        raise DataError(_no_pair(source, names, found, part))
    if None in whole and "train" not in whole and len(whole) > 1:  # x, y, x_test, y_test
        found["train"] = found.pop(None)
        whole = ["train" if name is None else name for name in whole]
    chosen = pick_part(whole, part, prefer, source, names)
    images, labels = _pair(found[chosen], header, source)
    others = tuple(name for name in PARTS if name in whole and name != chosen)
    return Chosen(images, labels, chosen, others if chosen else ())


def pick_part(
    whole: Sequence[Part], part: Part, prefer: Sequence[str], source: str, names: Iterable[str]
) -> Part:
    """The part asked for, else the first preferred one that there is, else the only one.

    whole: the parts that there are; None stands for data without parts. Raises DataError.
    """
    if part is not None and part not in whole:
        raise DataError(_no_part(source, part, [name for name in whole if name], names))
    if part is not None:
        return part
    preferred = [name for name in prefer if name in whole]
    if preferred or None in whole or len(whole) == 1:
        return next(iter(preferred), None if None in whole else whole[0])
    said = "|".join(name for name in PARTS if name in whole)
    raise DataError(f"{source}: expected one part, received several; say which: --part {said}")


def part_of(name: str) -> Part:
    """The part that a name stands for alone ("Train", "validation"), or None."""
    plain = _plain(name)
    return next((part for part in PARTS if re.fullmatch(_SPELT[part], plain)), None)


def part_note(what: str, count: int, part: Part, others: Sequence[str]) -> tuple[str, ...]:
    """Which part was read, and what else there is; nothing of data without parts."""
    if part is None:
        return ()
    more = f"; --part {'|'.join(others)} for others" if others else ""
    return (f"Only {what}, {count:,} images{more}.",)


def role_and_part(name: str) -> tuple[str, Part] | None:
    """What a key stands for: ("x", "train") for X_train; None for a name with no meaning here."""
    match = _NAME.fullmatch(_plain(name))
    if match is None or (match["before"] and match["after"]):
        return None
    return match["role"], part_of(match["before"] or match["after"] or "")


def are_labels(role: str) -> bool:
    """Whether a role is that of labels, not of images."""
    return role in _LABELS


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _sorted(names: Iterable[str]) -> dict[Part, _Found]:
    found: dict[Part, _Found] = {}
    for name in names:
        if (meaning := role_and_part(name)) is None:
            continue
        role, part = meaning
        keys = found.setdefault(part, _Found({}, {}))
        (keys.labels if are_labels(role) else keys.images)[name] = role
    return found


def _pair(found: _Found, header: Callable[[str], Header | None], source: str) -> tuple[str, str]:
    images, labels = list(found.images), list(found.labels)
    if len(images) > 1 or len(labels) > 1:
        heads = {name: header(name) for name in (*images, *labels)}
        images = [name for name in images if _may_be_images(heads[name])] or images
        counts = {head.shape[0] for name in images if (head := heads[name]) and head.shape}
        labels = [name for name in labels if _may_be_labels(heads[name], counts)] or labels
    if len(images) == len(labels) == 1:
        swapped = found.images[images[0]] == "arr0" and _are_swapped(images, labels, header)
        return (labels[0], images[0]) if swapped else (images[0], labels[0])
    together = [
        (image, label)
        for image in images
        for label in labels
        if found.labels[label] in _PARTNERS[found.images[image]]
    ]
    if len(together) == 1:
        return together[0]
    raise DataError(
        f"{source}: expected images and labels once, received {few((*images, *labels))}; "
        "save the pair that you mean alone, with numpy.savez(path, images=..., labels=...)"
    )


def _are_swapped(
    images: Sequence[str], labels: Sequence[str], header: Callable[[str], Header | None]
) -> bool:
    """Whether numpy.savez(path, labels, images) left only an order, the other way round."""
    first, second = header(images[0]), header(labels[0])
    return first is not None and not _may_be_images(first) and _may_be_images(second)


def _may_be_images(head: Header | None) -> bool:
    return head is None or len(head.shape) in (3, 4)


def _may_be_labels(head: Header | None, counts: set[int]) -> bool:
    return head is None or (bool(head.shape) and head.shape[0] in counts)


def _no_pair(source: str, names: Sequence[str], found: dict[Part, _Found], part: Part) -> str:
    received = few(sorted(names)) or "none"
    if sum(bool(_UNNAMED.fullmatch(name)) for name in names) > 1:
        return (
            f"{source}: expected two arrays without a name, images and then labels, received "
            f"{received}; save with numpy.savez(path, images=..., labels=...)"
        )
    alone = [key for keys in found.values() for key in (*keys.images, *keys.labels)]
    wanted = "images and labels (or x and y, x_train and y_train ...)"
    if part is not None:
        wanted = f"{part}_images and {part}_labels (or x_{part} and y_{part})"
    advice = "save with numpy.savez(path, images=..., labels=...)"
    if alone:
        advice = f"{shown(alone[0])} has no partner; {advice}"
    return f"{source}: expected the keys {wanted}, received {received}; {advice}"


def _no_part(source: str, part: str, parts: Sequence[str], names: Iterable[str]) -> str:
    there = "|".join(name for name in PARTS if name in parts)
    advice = f"it has --part {there}" if parts else f"it has no parts: leave out {part!r}"
    return (
        f"{source}: expected the part {part!r} ({part}_images and {part}_labels, or x_{part} and "
        f"y_{part}), received {few(sorted(names))}; {advice}"
    )

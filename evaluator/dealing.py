"""Under which conditions an image is asked, those first, and the secret order of all questions."""

from __future__ import annotations

import hashlib
import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

BELIEVED = 4  # conditions of beliefs that every image is asked under before any other
_PORTION = 1 << 16  # questions hashed at a time


class Stream(IntEnum):
    """What a random generator is for, beside the seed: no two uses may share their draws."""

    DEAL = 1
    RESAMPLE = 3
    ORDER = 4
    ASK = 5
    FLIP = 6
    HALVE = 7
    SLICE = 8


def deal(count: int, weights: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.int64]:
    """Give each of `count` images `draws` different conditions, int64 `(count, draws)`.

    Each condition's share follows its weight in every prefix, as far as different conditions allow:
    those furthest behind their share come first, ties and near-ties broken by a seeded draw.
    """
    rng = np.random.default_rng((seed, Stream.DEAL))
    share = weights / weights.sum()
    given = np.zeros(len(weights))
    dealt = np.empty((count, draws), np.int64)
    for image in range(count):
        behind = share * draws * (image + 1) - given + rng.random(len(weights))
        dealt[image] = np.argsort(-behind, kind="stable")[:draws]
        given[dealt[image]] += 1
    return dealt


def condition_order(count: int, conditions: int, draws: int, seed: int) -> NDArray[np.int64]:
    """For every image all conditions, int64 `(count, conditions)`, those to ask first in front.

    Counted from 0, balanced and nested: in a row of `conditions / draws` images, from the first one
    on, each condition comes once among the first `draws`, and as often as others among any further.
    """
    cycle = math.ceil(conditions / draws)
    order = np.empty((count, conditions), np.int64)
    for first in range(0, count, cycle):
        shuffled = np.random.default_rng((seed, Stream.ORDER, first)).permutation(conditions)
        for place in range(min(cycle, count - first)):
            order[first + place] = np.roll(shuffled, -draws * place)
    return order


def believed_first(
    order: NDArray[np.int64], weights: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """The same orders, each with up to `BELIEVED` conditions in front that are dealt by weight.

    order: int64 `(count, conditions)`. weights: `(conditions,)`; where all are 0, nothing changes.
    """
    believed = np.flatnonzero(weights)
    draws = min(BELIEVED, len(believed))
    if not draws:
        return order
    first = believed[deal(len(order), weights[believed], draws, seed)]
    place = np.argsort(order, axis=1)
    np.put_along_axis(place, first, np.arange(draws) - draws, axis=1)
    return np.argsort(place, axis=1)


def secret_order(
    count: int, secret: int, *what: NDArray[np.signedinteger] | bytes
) -> NDArray[np.int64]:
    """A permutation of 0..count-1, int64 `(count,)`, that a secret and what is asked determine."""
    whole = hashlib.sha256()
    for part in what:
        if isinstance(part, bytes):
            whole.update(part)
            continue
        for first in range(0, len(part), _PORTION):  # as eight bytes each, a portion at a time
            whole.update(part[first : first + _PORTION].astype(np.int64).tobytes())
    rng = np.random.default_rng((secret, Stream.ASK, int.from_bytes(whole.digest()[:16])))
    return rng.permutation(count)

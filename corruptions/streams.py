"""Counter-based random numbers: every image has a stream of its own.

A stream is a 64-bit key. Its i-th number is a mix of (key, i) and of nothing else, so what an
image draws does not depend on the batch it came in, on its place there, or on the process.
Kernels and SciPy are loaded by the first draw.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Streams:
    """One random stream an image; each method draws the next numbers of all of them.

    `keys` is uint64 `(n,)`. All results have n as their first axis. Row i depends on `keys[i]` and
    on how much was drawn before, never on the other rows.
    """

    keys: NDArray[np.uint64]
    _used: int = field(default=0)

    def __len__(self) -> int:
        return len(self.keys)

    def bits(self, *shape: int) -> NDArray[np.uint64]:
        """Uniform 64-bit integers, shape `(n, *shape)`."""
        from corruptions.kernels.random import fill_bits

        drawn = np.empty((len(self), math.prod(shape)), np.uint64)
        fill_bits(self.keys, self._advance(drawn.shape[1]), drawn)
        return drawn.reshape(len(self), *shape)

    def bits32(self, *shape: int) -> NDArray[np.uint32]:
        """Uniform 32-bit integers, shape `(n, *shape)`: two out of each 64-bit number."""
        count = math.prod(shape)
        halves = self.bits((count + 1) // 2).view(np.uint32)
        return np.ascontiguousarray(halves[:, :count]).reshape(len(self), *shape)

    def uniform32(self, *shape: int) -> NDArray[np.float32]:
        """Uniform float32 in the open interval (0, 1), shape `(n, *shape)`, 23 random bits."""
        from corruptions.kernels.random import to_unit

        bits = self.bits32(*shape)
        unit = bits.view(np.float32)
        to_unit(bits.reshape(-1), unit.reshape(-1))
        return unit

    def normal32(self, *shape: int) -> NDArray[np.float32]:
        """Standard normal float32, shape `(n, *shape)`: for whole images of noise."""
        from corruptions.kernels.random import fill_normal

        count = math.prod(shape)
        pairs = (count + 1) // 2
        drawn = np.empty((len(self), 2 * pairs), np.float32)
        fill_normal(self.keys, self._advance(pairs), drawn)
        return np.ascontiguousarray(drawn[:, :count]).reshape(len(self), *shape)

    def uniform(
        self, low: float = 0.0, high: float = 1.0, shape: Sequence[int] = ()
    ) -> NDArray[np.float64]:
        """Uniform float64 in the open interval (low, high), shape `(n, *shape)`, 52 random bits."""
        unit = ((self.bits(*shape) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return low + (high - low) * unit

    def normal(self, shape: Sequence[int] = ()) -> NDArray[np.float64]:
        """Standard normal float64 by the inverse distribution function, shape `(n, *shape)`."""
        from scipy.special import ndtri

        drawn: NDArray[np.float64] = ndtri(self.uniform(shape=shape))
        return drawn

    def integers(self, low: int, high: int, shape: Sequence[int] = ()) -> NDArray[np.int64]:
        """Integers in low..high-1, shape `(n, *shape)`; the bias of small ones is below 2**-20."""
        return low + np.floor(self.uniform(shape=shape) * (high - low)).astype(np.int64)

    def signs(self, shape: Sequence[int] = ()) -> NDArray[np.float64]:
        """-1 or 1, shape `(n, *shape)`."""
        return np.where(self.uniform(shape=shape) < 0.5, -1.0, 1.0)

    def _advance(self, count: int) -> int:
        """Take `count` numbers of every stream; the place of the first of them."""
        first = self._used + 1
        self._used += count
        return first


def streams(seed: int, operator: str, ids: NDArray[np.int64], step: int = 0) -> Streams:
    """Streams for one operator: keys from (seed, operator, image id, step in the chain)."""
    from corruptions.kernels.random import mix_keys

    label = f"{seed}/{operator}/{step}".encode()
    base = np.uint64(int.from_bytes(hashlib.blake2b(label, digest_size=8).digest(), "little"))
    keys = np.empty(len(ids), np.uint64)
    mix_keys(base, ids.astype(np.uint64), keys)
    return Streams(keys)

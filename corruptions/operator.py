"""What a corruption is: two functions, one that draws and one that applies, and its severities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from corruptions.between import Apart, parameters_between, plain, said_of, same_kind
from corruptions.streams import Streams
from corruptions.validation import Images

Draws = Mapping[str, NDArray[Any]]
Params = Any  # one severity's parameters: a number or a tuple, as the operator documents
Draw = Callable[[Streams, tuple[int, int], Params], Draws]
Apply = Callable[[Images, Params, Draws], Images]
Values = NDArray[Any]  # one value an image, or a row of them
Operation = Callable[[Images, Values], Images]


def as_written(row: Params) -> Params:
    """For tables whose rows are the parameters themselves."""
    return row


def no_draws(_streams: Streams, _size: tuple[int, int], _params: Params) -> Draws:
    """For operators without randomness."""
    return {}


@dataclass(frozen=True)
class Corruption:
    """One operator of one severity table.

    `draw(streams, (h, w), params)` returns named arrays with the image axis first;
    `apply(images, params, draws)` takes and returns uint8 `(n, h, w, 3)`, its input left alone.
    rows: the severities as the table has them, of which `read` makes parameters; `apart`: whether
    two neighbours do different things, so that nothing lies between them.
    """

    name: str
    family: str
    table: str
    severities: tuple[Params, Params, Params, Params, Params]
    draw: Draw
    apply: Apply
    source: str
    revision: int
    chunk_pixels: int
    rows: tuple[Params, ...] = ()
    read: Callable[[Params], Params] = as_written
    apart: Apart = same_kind

    def at(self, severity: float) -> Params:
        """The parameters of a severity, 1..5; `corruptions.between` says what lies between rows."""
        severity = plain(severity)
        if isinstance(severity, int):
            return self.severities[severity - 1]
        return self.read(parameters_between(self.rows, severity, self.apply, self.apart))

    def said_between(self) -> str:
        """Where nothing lies between two severities, or little, for people."""
        return said_of(self.rows, self.apply, self.apart)

    def is_gap(self, low: float, high: float) -> bool:
        """Whether two neighbouring whole severities do different things."""
        apart = self.apart(self.rows[int(low) - 1], self.rows[int(high) - 1])
        return high - low == 1 and float(low).is_integer() and apart

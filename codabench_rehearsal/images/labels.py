"""Labels of any shape and type to class numbers, one an image: converted with a note, or refused.

Refused is what would have to be guessed. The advice is chosen by what the values are: taking the
largest of a row is right for one-hot rows and probabilities alone, and silently wrong elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.console.errors import DataError
from codabench_rehearsal.console.words import few, one_line
from codabench_rehearsal.images.arrays import Array, Notes

MOST_NAMES = 20  # that a message lists
UNLABELLED = 255  # how a byte says "none" where labels are written with -1 or as masks
DIGITS = 18  # of a number that surely fits into int64
_LARGEST = 2.0**63  # floats from here on are no int64


def as_labels(
    array: Array,
    count: int,
    source: str,
    classes: int | Sequence[str] | None = None,
    *,
    strays: bool = False,
) -> tuple[NDArray[np.int64], Notes]:
    """Return labels int64 (count,), and notes on what was converted.

    array: class numbers as integers, whole floats, booleans or digits, shape (count,), with further
    axes of length 1 wherever they are, or one-hot (count, k). classes: how many there are, or their
    names in order: then labels may be names too. strays: let labels beyond the classes pass. Raises
    DataError, naming `source`, unless they are class numbers from 0 to below that number.
    """
    array, shape_notes = _without_axes(array, count, source)
    if array.dtype.hasobject:
        array = _plain(array, source)
    column, row_notes = (array, ()) if array.ndim == 1 else _as_column(array, source)
    if column.dtype.kind in "SU":
        labels, dtype_notes = _from_texts(column, source, classes)
    else:
        labels, dtype_notes = _as_integers(column, source)
    most = classes if isinstance(classes, int | None) else len(classes)
    _check_range(labels, source, None if strays else most)
    return labels, (*shape_notes, *row_notes, *dtype_notes)


def numbers_of(texts: Iterable[str], classes: int | Sequence[str] | None) -> dict[str, int]:
    """The numbers of those texts that name a class, whatever their case, spaces and hyphens."""
    if classes is None or isinstance(classes, int):
        return {}
    exact = {name: number for number, name in enumerate(classes)}
    folded = {_folded(name): number for name, number in exact.items()}
    if len(folded) < len(exact):  # names that differ by their case alone
        return {text: exact[text] for text in texts if text in exact}
    texts = list(texts)
    plain = {text: folded[_folded(text)] for text in texts if _folded(text) in folded}
    # As `3_monocyte`: people number their folders, seldom as the challenge does.
    named = {text: folded[key] for text in texts if (key := _unnumbered(text)) in folded}
    return named if not plain and len(named) == len(texts) else plain


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in " _-")


def _unnumbered(name: str) -> str:
    return _folded(name).lstrip("0123456789.()")


def _without_axes(array: Array, count: int, source: str) -> tuple[Array, Notes]:
    """Drop axes of length 1 beside that of the images; (n, 1) is the challenge's own: no note."""
    if array.shape == (count,):
        return array, ()
    if array.ndim > 1 and array.size == count and count in array.shape:
        said = f"Labels of shape {array.shape} read as ({count},)."
        return array.reshape(count), () if array.shape == (count, 1) else (said,)
    if array.ndim == 0 or len(array) != count:
        raise DataError(
            f"{source}: expected one label an image, received {count} images and labels of "
            f"shape {array.shape}; pair the labels with the images they were made for"
        )
    lengths = [length for length in array.shape[1:] if length != 1]
    return array.reshape(count, *lengths), ()


def _plain(array: Array, source: str) -> Array:
    """Python objects in memory (a file of them is never read): numbers or texts where all are."""
    values = array.ravel().tolist()
    kinds = {type(value) for value in values}
    if kinds <= {int, bool} or kinds <= {int, float} or kinds == {str}:
        return np.array(values).reshape(array.shape)
    row = next(i for i, value in enumerate(values) if not isinstance(value, int | float))
    raise DataError(
        f"{source}: expected class numbers, received Python objects such as {_short(values[row])} "
        f"in row {row // max(1, array.size // len(array))}; save whole numbers from 0"
    )


def _as_column(rows: Array, source: str) -> tuple[Array, Notes]:
    """Class numbers of one-hot rows; all else with several values an image is refused."""
    if rows.ndim == 2 and rows.dtype.kind in "biuf":
        _check_numbers(rows, source)
        if _is_binary(rows) and (rows.sum(axis=1) == 1).all():
            said = f"Labels converted from one-hot rows of {rows.shape[1]} to class numbers."
            return rows.argmax(axis=1), (said,)
    raise DataError(
        f"{source}: expected labels of shape (n,), (n, 1) or one-hot (n, k), received "
        f"{rows.shape}, not one-hot; {_row_advice(rows)}"
    )


def _row_advice(rows: Array) -> str:
    if rows.ndim > 2:
        return "that looks like a mask for each image: one class number an image is needed"
    if rows.dtype.kind not in "biuf":
        return "keep the one column that holds the class numbers"
    sums = rows.sum(axis=1)
    if _is_binary(rows):
        return _multi_label(sums)
    if rows.min() >= 0 and np.allclose(sums, 1, atol=1e-3):
        tied = (rows == rows.max(axis=1, keepdims=True)).sum(axis=1) > 1
        if not tied.any():
            return "they are probabilities: if the largest is the class, labels.argmax(axis=1)"
        row = int(tied.argmax())
        return f"they are probabilities, but row {row} has no largest one: save class numbers"
    return f"{rows.shape[1]} values an image: keep the one column that holds the class numbers"


def _multi_label(sums: Array) -> str:
    row = int(sums.argmax())
    if sums[row] > 1:
        return (
            f"they are multi-label (row {row} has {int(sums[row])} ones), which is out of scope: "
            "here an image has one class"
        )
    empty = sums == 0
    return (
        f"row {int(empty.argmax())} has no 1 ({empty.sum():,} of {len(sums):,} rows have none): "
        "leave these images out, or give them a class of their own"
    )


def _is_binary(rows: Array) -> bool:
    return bool(((rows == 0) | (rows == 1)).all())


def _as_integers(column: Array, source: str) -> tuple[NDArray[np.int64], Notes]:
    kind = column.dtype.kind
    if kind in "iu":
        if column.size and column.max() > np.iinfo(np.int64).max:
            raise DataError(f"{source}: expected class numbers, received up to {column.max()}")
        return column.astype(np.int64), ()
    if kind == "b":
        return column.astype(np.int64), ("Labels converted from bool: 0 = False, 1 = True.",)
    if kind == "f":
        _check_numbers(column, source)
        wrong = (column != np.rint(column)) | (abs(column.astype(np.float64)) >= _LARGEST)
        if not wrong.any():
            said = f"Labels converted from {column.dtype} to integers."
            return column.astype(np.int64), (said,)
    else:
        wrong = np.ones(len(column), bool)
    row = int(np.asarray(wrong).argmax())
    raise DataError(
        f"{source}: expected labels as whole numbers from 0, received {column.dtype} such as "
        f"{_short(column[row])} in row {row}; save the class numbers"
    )


def _from_texts(
    column: Array, source: str, classes: int | Sequence[str] | None
) -> tuple[NDArray[np.int64], Notes]:
    """Digits, or names of the classes where these are known."""
    texts = np.char.strip(_decoded(column, source))
    digits = np.char.isdecimal(texts) & (np.char.str_len(texts) <= DIGITS)
    exactly = not isinstance(classes, int | None) and np.isin(texts, list(classes)).all()
    if digits.all() and not exactly:
        return texts.astype(np.int64), (f"Labels converted from {column.dtype} to integers.",)
    different = np.unique(texts).tolist()
    known = numbers_of(different, classes)
    if len(known) == len(different):
        labels = np.array([known[text] for text in texts.tolist()], np.int64)
        return labels, ("Labels converted from the names of classes to their numbers.",)
    unknown = ~(np.isin(texts, list(known)) if known else digits)
    row = int(unknown.argmax())
    names = classes if classes is not None and not isinstance(classes, int) else ()
    wanted = f"as whole numbers from 0 or as names ({few(names, MOST_NAMES)})" if names else ""
    raise DataError(
        f"{source}: expected labels {wanted or 'as whole numbers from 0'}, received "
        f"{column.dtype} such as {_short(texts[row])} in row {row}; save the class numbers "
        "that the challenge gives to these names"
    )


def _decoded(column: Array, source: str) -> Array:
    """Texts of bytes, in UTF-8; a damaged file may hold signs that Python cannot."""
    with suppress(UnicodeDecodeError):
        if column.dtype.kind == "S":
            return np.char.decode(column, "utf-8")
        native = column.astype(column.dtype.newbyteorder("="))
        if (np.frombuffer(native.tobytes(), np.uint32) <= sys.maxunicode).all():
            return column
    raise DataError(
        f"{source}: expected labels as whole numbers from 0, received {column.dtype} that is no "
        "text; save the class numbers"
    )


def _check_numbers(values: Array, source: str) -> None:
    """Refuse NaN and infinity, by their first row."""
    wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    value = next(v for v in np.atleast_1d(values[row]).ravel() if not np.isfinite(v))
    name = "NaN" if np.isnan(value) else "infinity"
    more = f" and {wrong.sum() - 1:,} more" if wrong.sum() > 1 else ""
    raise DataError(
        f"{source}: expected labels as whole numbers from 0, received {name} in row "
        f"{row}{more}; give these images their label, or leave them out"
    )


def _check_range(labels: NDArray[np.int64], source: str, classes: int | None) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        row = int(labels.argmin())
        raise DataError(
            f"{source}: expected labels from 0 up, received {low} in row {row}; "
            "drop such rows or number the classes from 0"
        )
    if classes is not None and high >= classes:
        raise DataError(
            f"{source}: expected labels 0..{classes - 1} ({classes} classes), received {high} "
            f"in row {int(labels.argmax())}; {_range_advice(labels, classes)}"
        )


def _range_advice(labels: NDArray[np.int64], classes: int) -> str:
    low, high = int(labels.min()), int(labels.max())
    above = labels >= classes
    if low == 1 and high == classes:
        return "they seem to count from 1: subtract 1"
    if (labels[above] == high).all() and high in (UNLABELLED, 99, 999, 9999):
        return (
            f"{above.sum():,} of {len(labels):,} have it, a mark for no label perhaps: "
            "leave these out"
        )
    return "check the classes"


def _short(value: object) -> str:
    return one_line(value, 40)

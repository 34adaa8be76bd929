"""One file of a zip: put in, the same bytes every time, packed as well as pays."""

from __future__ import annotations

import zipfile
import zlib

EPOCH = (1980, 1, 1, 0, 0, 0)
LEVELS = (1, 6, 9)
PAYS = 0.03  # of a file's bytes: less is not worth the server's time to unpack
NEAR_BEST = 0.005  # a lower level is as good within this share of the bytes
_SAMPLES, _SAMPLE = 64, 64 << 10


def put(file: zipfile.ZipFile, name: str, data: bytes, level: int | None = None) -> None:
    """Write one file dated 1980: nothing of this machine or hour gets in. level: None stores it.

    Deflated bytes are the same wherever zlib is the same.
    """
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3  # Unix, whatever this runs on
    info.compress_type = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    file.writestr(info, data, compresslevel=level)


def best_level(data: bytes) -> int | None:
    """The lowest zlib level that is about the best for this file; None: store it.

    Stored where deflating saves 3 % or less. Files up to 4 MiB are judged by all of their bytes,
    larger ones by 4 MiB spread evenly over them.
    """
    sample = _sample(data)
    if not sample:
        return None
    sizes = {level: len(zlib.compress(sample, level)) / len(sample) for level in LEVELS}
    best = min(sizes.values())
    if best >= 1 - PAYS:
        return None
    return next(level for level in LEVELS if sizes[level] <= best + NEAR_BEST)


def _sample(data: bytes) -> bytes:
    if len(data) <= _SAMPLES * _SAMPLE:
        return data
    step = (len(data) - _SAMPLE) // (_SAMPLES - 1)
    return b"".join(data[start : start + _SAMPLE] for start in range(0, len(data), step))

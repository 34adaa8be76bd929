"""A copy of a bundle's input data in which the chosen images are damaged.

Everything else is byte for byte what it was. The copy is ours alone: nothing in it is linked to a
file of the user's, so whatever a program does to it stays there. Images are numbered over all sets
of a folder, in the order of their names, so damage depends on the image and nothing else.
"""

from __future__ import annotations

import io
import shutil
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codabench_rehearsal.challenge.worker.files import carry
from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import counted, shown
from corruptions.chain import corrupt_condition
from corruptions.presets import Condition
from evaluator.bundles.image_sets import DAMAGE, ImageSet, Seen, read_array
from evaluator.bundles.pixels import Array, Layout
from evaluator.dealing import deal

if TYPE_CHECKING:
    from PIL.Image import Image

Images = NDArray[np.uint8]
PORTION = 8 << 20  # bytes of pixels damaged at a time
MODES = ("L", "RGB", "RGBA")  # of pictures; others would have to become something else
_FORMATS = ("PNG", "JPEG")
MOST_PIXELS = 89_000_000  # of one picture; Pillow warns of bombs beyond


@dataclass(frozen=True)
class Damage:
    """What happens to the images: one condition to all, or several dealt by their weights."""

    conditions: tuple[Condition, ...]
    seed: int = 0

    def chosen(self, total: int) -> NDArray[np.int64]:
        """Which condition each image gets, int64 `(total,)`."""
        if len(self.conditions) == 1:
            return np.zeros(total, np.int64)
        weights = np.array([one.weight for one in self.conditions])
        return deal(total, weights, 1, self.seed)[:, 0]

    def applied(self, images: Images, ids: NDArray[np.int64], chosen: NDArray[np.int64]) -> Images:
        """Images uint8 `(n, h, w, 1 or 3)`, damaged; ids and chosen int64 `(n,)`."""
        changed = np.empty_like(images)
        for place in np.unique(chosen):
            rows = np.flatnonzero(chosen == place)
            condition = self.conditions[place]
            changed[rows] = corrupt_condition(images[rows], condition, self.seed, ids[rows])
        return changed


class InputCopy:
    """A copy of one folder of input data, below `place`, for one condition after the other."""

    def __init__(self, source: Path, chosen: Sequence[ImageSet], place: Path) -> None:
        self.folder = place
        self._source, self._sets = source, chosen
        self._total = sum(one.count for one in chosen)
        for failed in carry(source, place):
            raise EvaluationError(f"The input data cannot be copied: {shown(failed)}.")

    def damage(self, damage: Damage) -> None:
        """Write the chosen images as a condition leaves them."""
        chosen = damage.chosen(self._total)
        ids = np.arange(self._total, dtype=np.int64)
        members: dict[str, dict[str, Array]] = {}
        first = 0
        for one in self._sets:
            part = slice(first, first + one.count)
            first += one.count
            if one.layout is None:
                self._write_pictures(one, damage, ids[part], chosen[part])
                continue
            array = damaged_array(
                read_array(self._source, one), one.layout, damage, ids[part], chosen[part]
            )
            if one.member:
                members.setdefault(one.files[0], {})[one.member] = array
            else:
                with (self.folder / one.files[0]).open("wb") as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        for name, arrays in members.items():
            _write_members(self._source / name, self.folder / name, arrays)

    def _write_pictures(
        self,
        images: ImageSet,
        damage: Damage,
        ids: NDArray[np.int64],
        chosen: NDArray[np.int64],
    ) -> None:
        for place, name in enumerate(images.files):
            one = slice(place, place + 1)
            picture = read_picture(self._source / name)
            if picture is not None:
                pixels = damage.applied(pixels_of(picture)[None], ids[one], chosen[one])[0]
                (self.folder / name).write_bytes(_encoded(picture, pixels))


def damaged_array(
    array: Array,
    layout: Layout,
    damage: Damage,
    ids: NDArray[np.int64],
    chosen: NDArray[np.int64],
) -> Array:
    """An array with all its images damaged: same shape, dtype, range and order in memory."""
    out = np.empty_like(array, subok=False)
    size = layout.height * layout.width * layout.channels
    rows = max(1, PORTION // size)
    for at in range(0, len(array), rows):
        part = slice(at, at + rows)
        images = damage.applied(layout.images(array[part]), ids[part], chosen[part])
        out[part] = layout.array(images)
    return out


def read_picture(path: Path) -> Image | None:
    """A picture that can be damaged and written again; None for others, which stay as they are."""
    from PIL import Image

    bomb = Image.DecompressionBombWarning
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="error", category=bomb):
            picture = Image.open(file, formats=_FORMATS)
            if not _is_plain(picture):
                return None
            picture.load()
    except (*DAMAGE, Image.DecompressionBombError, bomb):
        return None
    return picture


def _is_plain(picture: Image) -> bool:
    is_small = picture.width * picture.height <= MOST_PIXELS
    is_single = getattr(picture, "n_frames", 1) == 1
    return picture.mode in MODES and picture.format in _FORMATS and is_small and is_single


def able(folder: Path, seen: Seen) -> Seen:
    """What was found, without pictures that cannot be damaged; a sentence says so."""
    chosen, remarks = list[ImageSet](), list(seen.remarks)
    for one in seen.chosen:
        files = one.files
        if one.layout is None:
            files = tuple(name for name in files if read_picture(folder / name) is not None)
        if left := [name for name in one.files if name not in set(files)]:
            remarks.append(
                f"{counted(len(left), 'picture')} of {shown(one.name)}, {shown(left[0])} the "
                "first, stay as they are: expected 8-bit grey or RGB pictures, PNG or JPEG."
            )
        chosen += [replace(one, files=files)] if files else []
    return replace(seen, chosen=tuple(chosen), remarks=tuple(remarks))


def pixels_of(picture: Image) -> Images:
    """A picture's pixels, uint8 `(h, w, 1 or 3)`, without transparency."""
    pixels = np.asarray(picture, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]


def first_images(folder: Path, images: ImageSet, most: int) -> list[tuple[int, Images]]:
    """Up to `most` images of a set, uint8 `(h, w, c)`, with their numbers in it."""
    if images.layout is not None:
        rows = images.layout.images(np.asarray(read_array(folder, images)[:most]))
        return list(enumerate(rows))
    read = [(at, read_picture(folder / name)) for at, name in enumerate(images.files[:most])]
    return [(at, pixels_of(picture)) for at, picture in read if picture is not None]


def _encoded(picture: Image, pixels: Images) -> bytes:
    """Pixels in the format and mode of the picture that they were, transparency kept."""
    from PIL import Image

    whole: Any = pixels[..., 0] if picture.mode == "L" else pixels
    if picture.mode == "RGBA":
        whole = np.concatenate([pixels, np.asarray(picture)[..., 3:]], axis=-1)
    out = io.BytesIO()
    made = Image.fromarray(np.ascontiguousarray(whole))
    kept = {name: picture.info[name] for name in ("icc_profile", "exif") if name in picture.info}
    if picture.format == "JPEG":  # so fine that the damage is the condition's, not the format's
        made.save(out, "JPEG", quality=100, subsampling=0, **kept)
    else:
        made.save(out, "PNG", compress_level=1, **kept)
    return out.getvalue()


def _write_members(source: Path, target: Path, arrays: dict[str, Array]) -> None:
    """Write an .npz anew with some members changed; the others keep their bytes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            kept = zipfile.ZipInfo(info.filename, info.date_time)
            kept.compress_type, kept.external_attr = info.compress_type, info.external_attr
            with new.open(kept, "w", force_zip64=info.file_size >= 1 << 30) as out:
                if info.filename in arrays:
                    array = arrays[info.filename]
                    np.lib.format.write_array(out, array, allow_pickle=False)
                else:
                    with old.open(info) as member:
                        shutil.copyfileobj(member, out)

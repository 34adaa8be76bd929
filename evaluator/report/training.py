"""Training and damage: what a submission was trained on already.

Where the training used a benchmark's damages its figures flatter. Nothing of the training folder
reaches the zip, so it is read beside it: `<stem>.recipe.json` or `recipe.json`, whose
`augmentation` lists names (docs/training_folder.md). Whoever has no such file says it by hand
(`--trained-on`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.reading import first_file, read_json
from codabench_rehearsal.console.words import percent
from corruptions.presets import NAMES, Preset, resolve

_NO_LETTER = re.compile(r"[^a-z0-9]")


def shared_training(
    zip_path: Path, preset: Preset, given: Iterable[str] | None = None
) -> tuple[str, ...]:
    """The preset's operators that the training used: those named, then what they apply.

    given: what the user says of the training (operators, chains, families of the preset, or other
    presets); None: what the recipe beside the zip says, which may name augmentations that no
    benchmark has. RandAugment and AugMix count with all that they apply. Raises `EvaluationError`
    for a given name that is unknown and for a recipe that cannot be read.
    """
    names = recorded(zip_path) if given is None else tuple(given)
    if not names:
        return ()
    used = {_plain(operator) for name in names for operator in _meant(name, preset)}
    if given is not None:
        _check_known(names, preset)
    own = [name for name in _operators(preset) if _plain(name) in used]
    applied = _applied_by(used)
    return (*own, *(n for n in _operators(preset) if _plain(n) in applied and n not in own))


def recorded(zip_path: Path) -> tuple[str, ...]:
    """The augmentations that the recipe beside the zip names; () without one.

    Raises `EvaluationError` for a file that cannot be read.
    """
    beside = (zip_path.with_name(f"{zip_path.stem}.recipe.json"), zip_path.with_name("recipe.json"))
    path = first_file(beside, EvaluationError)
    if path is None:
        return ()
    try:
        recipe = read_json(path, wrong=EvaluationError)
    except EvaluationError:
        raise
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{path} cannot be read ({error}): correct it, or move it away from the zip."
        ) from None
    names = recipe.get("augmentation", []) if isinstance(recipe, dict) else []
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def shared_weight(names: Collection[str], preset: Preset) -> float:
    """The share of the preset, 0..1, in conditions that apply one of these operators."""
    return sum(c.weight for c in preset.conditions if set(names) & {s.corruption for s in c.steps})


def warning(zip_name: str, names: Sequence[str], preset: Preset) -> str:
    """What to think of the figures of a submission that was trained on the benchmark's damages."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    share = percent(shared_weight(names, preset))
    return (
        f"{zip_name} was trained with {', '.join(names[:6])}{more}, and {share} of "
        f"{preset.name!r} is the same: its accuracy under other corruptions may be lower."
    )


def read_given(texts: Sequence[str], zips: Sequence[Path]) -> dict[Path, tuple[str, ...]]:
    """What `--trained-on` says, by zip: "fog,rand_augment" for all, "a.zip=fog" for one.

    Raises `EvaluationError` for a zip that is not compared.
    """
    found: dict[Path, tuple[str, ...]] = {}
    for text in texts:
        which, equals, names = text.rpartition("=")
        meant = [path for path in zips if not equals or which in (path.name, path.stem, str(path))]
        if not meant:
            known = ", ".join(str(path) for path in zips)
            raise EvaluationError(f"--trained-on {text}: expected one of {known} before the =.")
        listed = tuple(name.strip() for name in names.split(",") if name.strip())
        found |= {path: (*found.get(path, ()), *listed) for path in meant}
    return found


def _operators(preset: Preset) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(step.corruption for c in preset.conditions for step in c.steps))


def _meant(name: str, preset: Preset) -> Iterable[str]:
    """The operators behind a name: of a preset, a family or condition of this one, or a chain.

    An operator's name is that operator alone, though a family of the preset be called like it:
    what else the family does was not said.
    """
    if name in NAMES:
        return _operators(resolve(name))
    plain = _plain(name)
    if plain in map(_plain, _operators(preset)):
        return [name]
    meant = (c for c in preset.conditions if plain in (_plain(c.family), _plain(c.name)))
    return [*(step.corruption for c in meant for step in c.steps), *_chain(name)]


def _chain(name: str) -> list[str]:
    return [part.partition(":")[0].strip() for part in name.split("+")]


def _applied_by(used: Collection[str]) -> set[str]:
    """What RandAugment and AugMix apply, if they are among these."""
    pools = {"randaugment": "RAND_AUGMENT_MOVES", "augmix": "AUG_MIX_MOVES"}
    if not pools.keys() & set(used):
        return set()
    from corruptions import moves

    named = {"contrast": "adjust_contrast", "brightness": "adjust_brightness"}
    return {
        _plain(named.get(name, name))
        for policy, pool in pools.items()
        if policy in used
        for name in getattr(moves, pool)
    }


def _check_known(names: Iterable[str], preset: Preset) -> None:
    from corruptions.registry import names as registered

    known = {*registered(), *_operators(preset), *NAMES, *preset.families}
    known |= {condition.name for condition in preset.conditions}
    plain = {_plain(name) for name in known}
    for name in names:
        if _plain(name) in plain or all(_plain(part) in plain for part in _chain(name)):
            continue
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise EvaluationError(
            f"--trained-on: expected corruptions such as fog or rand_augment, families of "
            f"{preset.name!r} or presets, received {name!r}.{hint}"
        )


def _plain(name: str) -> str:
    """RandAugment, rand_augment and randaugment alike."""
    return _NO_LETTER.sub("", name.casefold())

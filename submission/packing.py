"""What a packing must not ask for, and what it takes for granted where nobody said."""

from __future__ import annotations

from collections.abc import Iterator

from codabench_rehearsal.challenge.profile import Challenge
from codabench_rehearsal.console.errors import SubmissionError
from submission.findings import Finding, found
from submission.keras_files import LOADABLE
from submission.keras_tables import is_newer, targets
from submission.model_page import MODES
from submission.network_config import holds_arrays_alone, outputs_of, read_config, scales_itself
from submission.training_folder import OUTPUTS, SCALES, Packing

FIRST_WITH_KERAS_3 = "2.16.0"
BATCH, FULL_SIDE = 64, 224  # images at a time, up to this side; fewer of larger ones
_ENDINGS = ", ".join(LOADABLE)
_WHOLE = "model.save('model.keras'), or give --model FILE.py that"


def refuse_impossible(packing: Packing, challenge: Challenge) -> None:
    """Raise `SubmissionError` for what could not work on the server, in one sentence."""
    if packing.float16 and not any(path.suffix in LOADABLE for path in packing.weights):
        raise SubmissionError(f"--float16 works on {_ENDINGS} files; there is none.")
    if packing.model is None:
        _refuse_unloadable(packing)
        _refuse_shapes(packing, challenge)
        _refuse_counts(packing)
        _refuse_outputs(packing, challenge)


def _refuse_unloadable(packing: Packing) -> None:
    """Our model.py loads whole models only."""
    if not packing.weights:
        raise SubmissionError("there are no weights to pack: give them, or --model FILE.py.")
    for path in packing.weights:
        if path.name.endswith(".weights.h5") or holds_arrays_alone(path):
            raise SubmissionError(
                f"{path} holds weights without the layers they belong to: save the whole model "
                f"with {_WHOLE} builds it."
            )
        if path.suffix.lower() in LOADABLE and path.suffix not in LOADABLE:
            raise SubmissionError(f"{path}: rename it to end in {path.suffix.lower()}.")
        if path.suffix not in LOADABLE:
            raise SubmissionError(
                f"{path}: our model.py loads {_ENDINGS} files. Save the model with {_WHOLE} loads "
                "this one."
            )


def _refuse_shapes(packing: Packing, challenge: Challenge) -> None:
    """What does not go with the shape of the challenge's images."""
    height, width, channels = challenge.shape
    colours = {name for name, mode in MODES.items() if len({*mode.mean}) > 1}
    for name in packing.each(packing.preprocess):
        if name in colours and channels != 3:
            raise SubmissionError(
                f"preprocessing {name!r} is for images of three colours, and those of "
                f"{challenge.name} have {channels}: give --scale instead."
            )
    for tta, side in zip(packing.each(packing.tta), packing.each(packing.resize), strict=True):
        if tta in ("rot90", "d4") and height != width and side is None:
            raise SubmissionError(
                f"--tta {tta} turns images on their side, which {height}x{width} ones do not fit: "
                "take --tta flips, or --resize N."
            )


def _refuse_counts(packing: Packing) -> None:
    """Every setting has one value, or one for each network."""
    count = len(packing.weights)
    for name in ("scale", "preprocess", "resize", "tta", "output", "member_weights"):
        value = getattr(packing, name)
        if isinstance(value, tuple) and len(value) != count:
            raise SubmissionError(f"{name} has {len(value)} values for {count} networks.")
    scales, modes = packing.each(packing.scale), packing.each(packing.preprocess)
    if any(m and s != SCALES[0] for s, m in zip(scales, modes, strict=True)):
        raise SubmissionError(f"scale has to be {SCALES[0]} with preprocess, which scales itself.")


def _refuse_outputs(packing: Packing, challenge: Challenge) -> None:
    """Of several outputs it has to be clear which one is meant, where the files tell."""
    for path, output in zip(packing.weights, packing.each(packing.output), strict=True):
        config = read_config(path)
        found = outputs_of(config) if config else {}
        told, columns = ", ".join(found), list(found.values())
        chosen = output not in OUTPUTS
        one_fits = None in columns or columns.count(challenge.classes) == 1
        if not chosen and len(found) > 1 and not one_fits:
            raise SubmissionError(
                f"{path} has the outputs {told}, and not one alone of {challenge.classes} columns: "
                "say which with --output NAME."
            )
        known = output in found or (output.isdecimal() and int(output) < len(found))
        if chosen and found and not known and len(packing.weights) == 1:
            raise SubmissionError(
                f"--output {output}: {path} has the outputs {told}; expected one of them, or one "
                f"of {', '.join(OUTPUTS)}."
            )


def server_keras(challenge: Challenge) -> str:
    """The server's Keras, "" where unknown. TensorFlow up to 2.15 brings one of its own number."""
    tensorflow = challenge.tensorflow
    brings = tensorflow and is_newer(FIRST_WITH_KERAS_3, tensorflow)
    return challenge.keras or (tensorflow if brings else "")


def batch_size(packing: Packing) -> int:
    """Images at a time: as given, else 64, and fewer where `resize` makes them large."""
    sides = [side for side in packing.each(packing.resize) if side is not None]
    largest = max([FULL_SIDE, *sides])
    return packing.batch_size or max(1, BATCH * FULL_SIDE**2 // largest**2)


def asks_for_scale(packing: Packing) -> bool:
    """Whether nobody said what values the weights take, nor do they scale 0..255 themselves."""
    if packing.scale_given or packing.model is not None:
        return False
    return not all(scales_itself(path) for path in packing.weights)


def assumptions(packing: Packing, challenge: Challenge) -> Iterator[Finding]:
    """What packing took for granted, because nobody said."""
    if asks_for_scale(packing):
        message = "--scale was not given: the weights are fed 0..255, as the platform sends it"
        yield found("S501", message)
    keras_files = [path.name for path in packing.weights if path.suffix in LOADABLE]
    if keras_files and challenge.keras and challenge.keras not in targets():
        keras = f"Keras {challenge.keras}"
        message = (
            f"no table says what {keras} reads: whether {keras_files[0]} loads there is not known"
        )
        advice = f"Save it with {keras}; tables exist for {', '.join(targets())}."
        yield found("S502", message, advice=advice)
    if packing.no_split:
        names = ", ".join(map(str, packing.no_split))
        message = (
            f"no split is put beside the zip: {names} has none, so it may be trained on any image"
        )
        yield found("S503", message)

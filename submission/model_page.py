"""Writes the `model.py` that ships, from `template/model.py`.

The settings are constants at the top of the one file that ships, not a second file beside it:
a participant sees at one glance what will happen, can change it, and nothing can go missing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from codabench_rehearsal.console.errors import SubmissionError

TEMPLATE = resources.files("submission") / "template" / "model.py"
ONE_SETTING = re.compile(r"^(?P<name>[A-Z_]+) = (?P<value>.+?)(?P<note>  # .*)$", re.MULTILINE)
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Mode:
    """What a Keras application does to an image before its network sees it.

    `(values / divisor - mean) / deviation`, one channel each; reverse: blue comes first. From the
    documented behaviour of `keras.applications.*.preprocess_input`, the same in Keras 3.4 to 3.15.
    """

    divisor: float = 1.0
    mean: Triple = (0.0, 0.0, 0.0)
    deviation: Triple = (1.0, 1.0, 1.0)
    reverse: bool = False

    def apply(self, images: Any) -> Any:
        """Return float32 (n, h, w, 3) of an array (n, h, w, 3) in 0..255; steps as Keras has."""
        values = images.astype("float32")
        values = (values[..., ::-1] if self.reverse else values) / self.divisor
        for channel in range(3):
            values[..., channel] -= self.mean[channel]
            values[..., channel] /= self.deviation[channel]
        return values


# Three ways exist; applications that hold their own rescaling take 0..255 as it comes.
MODES: Mapping[str, Mode] = {
    "none": Mode(),
    "caffe": Mode(mean=(103.939, 116.779, 123.68), reverse=True),
    "torch": Mode(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tf": Mode(127.5, (1.0, 1.0, 1.0)),
}
# The modules and classes of keras.applications, written without - and _.
APPLICATIONS: Mapping[str, tuple[str, ...]] = {
    mode: tuple(names.split())
    for mode, names in {
        "caffe": "resnet resnet50 resnet101 resnet152 vgg16 vgg19",
        "torch": "densenet densenet121 densenet169 densenet201",
        "tf": "inceptionresnetv2 inceptionv3 mobilenet mobilenetv2 nasnet resnetv2 xception "
        "nasnetlarge nasnetmobile resnet50v2 resnet101v2 resnet152v2",
        "none": "convnext efficientnet efficientnetv2 mobilenetv3 convnexttiny convnextsmall "
        "convnextbase convnextlarge convnextxlarge efficientnetb0 efficientnetb1 efficientnetb2 "
        "efficientnetb3 efficientnetb4 efficientnetb5 efficientnetb6 efficientnetb7 "
        "efficientnetv2b0 efficientnetv2b1 efficientnetv2b2 efficientnetv2b3 efficientnetv2s "
        "efficientnetv2m efficientnetv2l mobilenetv3large mobilenetv3small",
    }.items()
}
MODE_OF: Mapping[str, str] = {
    **{name: mode for mode, names in APPLICATIONS.items() for name in names},
    **{mode: mode for mode in MODES},
    "identity": "none",
}


def model_page(settings: Mapping[str, object]) -> str:
    """Return the source of a `model.py` with these settings, others as in the template.

    Names as in the template, `WEIGHTS` for one; raises SubmissionError for a name it does not have.
    """
    return filled(TEMPLATE.read_text(encoding="utf-8"), settings)


def filled(page: str, settings: Mapping[str, object]) -> str:
    """Return a Python page with these settings, others as they stand there.

    Settings are lines such as `SCALE = 1  # what it is`. Raises SubmissionError for a name that the
    page does not have.
    """
    known = {match["name"] for match in ONE_SETTING.finditer(page)}
    if unknown := sorted(set(settings) - known):
        raise SubmissionError(
            f"model.py has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}."
        )
    return ONE_SETTING.sub(lambda match: _line(match, settings), page)


def mode_of(name: str) -> str:
    """Return the mode of an application, or of a mode's own name.

    `ResNet50`, `resnet-50` and `resnet_50` are the same. Raises `SubmissionError` for others.
    """
    plain = re.sub(r"[-_ ]", "", name.lower())
    if plain in MODE_OF:
        return MODE_OF[plain]
    near = difflib.get_close_matches(plain, MODE_OF, n=3)
    usual = f"expected a Keras application such as resnet50, or one of {', '.join(MODES)}."
    hint = f"did you mean {', '.join(near)}?" if near else usual
    raise SubmissionError(f"no preprocessing is called {name!r}: {hint}")


def _line(match: re.Match[str], settings: Mapping[str, object]) -> str:
    """One setting with its new value."""
    name = match["name"]
    if name not in settings:
        return match[0]
    value = settings[name]
    if value is not None and not isinstance(value, str | int | float | list | tuple):
        raise SubmissionError(
            f"{name} is set to {value!r}: use text, numbers, lists of them or None."
        )
    return f"{name} = {_literal(value)}{match['note']}"


def _literal(value: object) -> str:
    """The value as source, text in double quotes."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)

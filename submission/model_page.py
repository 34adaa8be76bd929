"""Writes the `model.py` that ships, from `template/model.py`.

The settings are constants at the top of the one file that ships, not a second file beside it:
a participant sees at one glance what will happen, can change it, and nothing can go missing.
"""

import re
from collections.abc import Mapping
from importlib import resources

from codabench_rehearsal.console.errors import SubmissionError

TEMPLATE = resources.files("submission") / "template" / "model.py"
ONE_SETTING = re.compile(r"^(?P<name>[A-Z_]+) = (?P<value>.+?)(?P<note>  # .*)$", re.MULTILINE)
LITERALS = (str, int, float, list, type(None))


def model_page(settings: Mapping[str, object]) -> str:
    """Return the source of a `model.py` with these settings, others as in the template.

    Names as in the template, `WEIGHTS` for one; raises SubmissionError for a name it does not have.
    """
    page = TEMPLATE.read_text(encoding="utf-8")
    known = {match["name"] for match in ONE_SETTING.finditer(page)}
    if unknown := sorted(set(settings) - known):
        raise SubmissionError(
            f"model.py has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}."
        )
    return ONE_SETTING.sub(lambda match: _line(match, settings), page)


def _line(match: re.Match[str], settings: Mapping[str, object]) -> str:
    """Return the line of one setting with its new value."""
    name = match["name"]
    if name not in settings:
        return match[0]
    value = settings[name]
    if not isinstance(value, LITERALS):
        raise SubmissionError(
            f"{name} is set to {value!r}: use text, numbers, lists of them or None."
        )
    return f"{name} = {_literal(value)}{match['note']}"


def _literal(value: object) -> str:
    """Return the value as source, text in double quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)

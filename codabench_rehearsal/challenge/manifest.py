"""`competition.yaml` as the site reads it: YAML 1.1 by PyYAML's safe loader, traps included.

An unquoted 2026-01-31 is a date, `yes` and `off` are truth values, 010 is eight, and of two equal
keys the last one counts. Source: Codabench's unpacker (March 2026), `yaml.safe_load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codabench_rehearsal.challenge.bundle_files import LARGEST_TEXT, Tree
from codabench_rehearsal.challenge.old_format import converted, is_old
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import one_line, shown

NAME = "competition.yaml"
NAMES = (NAME, "competition.yml")
MOST_NODES = 200_000  # of a YAML text, what its aliases stand for counted again each time
DEEPEST = 100
_WORDS = {  # of YAML's own errors
    "'\\t' that cannot start": "a tab, where YAML takes blanks alone",
    "mapping values are not allowed": "a colon in a text without quotes, or a wrong indent",
    "could not find expected ':'": "a key without a colon, or a wrong indent",
}


@dataclass(frozen=True, eq=False)
class Manifest:
    """competition.yaml. values: its top keys. tree: the bundle's files, as names in it count.

    name: where it was found. twice: keys that are written more than once, with their lines. old:
    what stands there, where that is CodaLab's old format; `values` are then its conversion.
    """

    values: Mapping[str, Any]
    tree: Tree
    name: str
    twice: Sequence[str] = ()
    old: Mapping[str, Any] | None = None


def read_manifest(tree: Tree) -> Manifest:
    """Find and read competition.yaml: at the root, or alone in one folder.

    Raises `SubmissionError` where there is none, or where it is no YAML, or no table.
    """
    name = find_manifest(tree.sizes)
    if not name:
        raise SubmissionError(
            f"{shown(tree.label)}: expected {NAME} at the root of the bundle, found none. "
            "Zip the files themselves, not a folder around them."
        )
    values, twice = read_yaml(tree.read(name), name)
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise SubmissionError(f"{name}: expected keys with values, received {kind}.")
    home = tree.below(name.rpartition("/")[0])
    given = {str(key): value for key, value in values.items()}
    old = is_old(given)
    return Manifest(converted(given) if old else given, home, name, twice, given if old else None)


def find_manifest(names: Iterable[str]) -> str:
    """Where competition.yaml is: at the root, else in the only folder that has one; "" for none."""
    among = [name for name in names if name.rpartition("/")[2] in NAMES]
    for wanted in NAMES:
        if wanted in among:
            return wanted
    nested = [name for name in among if name.count("/") == 1]
    return nested[0] if len(nested) == 1 else ""


def read_yaml(data: bytes, name: str) -> tuple[Any, Sequence[str]]:
    """What a YAML text holds, and the keys in it that stand twice ("title (line 3)").

    Raises `SubmissionError` for what is not UTF-8, no YAML, too deep or too large.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
            seen: set[Any] = set()
            for key, _ in node.value:
                word = getattr(key, "value", None)
                if isinstance(word, str) and word in seen and word != "<<":
                    twice.append(f"{shown(word)} (line {key.start_mark.line + 1})")
                seen.add(word if isinstance(word, str) else id(key))
            return super().construct_mapping(node, deep)

    twice: list[str] = []
    try:
        text = data.decode("utf-8-sig")
        _check_size(yaml, text)
        return yaml.load(text, Loader), tuple(twice)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{name}: not a text in UTF-8 ({error.reason}).") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise SubmissionError(f"{name}: not valid YAML: {_why(error, data)}.") from None


def _why(error: Exception, data: bytes) -> str:
    """What YAML says, and the line that it speaks of."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or not problem:
        return one_line(" ".join(str(error).split()), 300)
    lines = data.decode("utf-8-sig", "replace").splitlines()
    line = shown(lines[mark.line].strip()) if mark.line < len(lines) else ""
    words = next((ours for theirs, ours in _WORDS.items() if theirs in problem), problem)
    return f"line {mark.line + 1}: {one_line(words, 200)}" + (f" ({line})" if line else "")


def _check_size(yaml: Any, text: str) -> None:
    """Raise `ValueError` for a text that stands for far more than it says, or is too deep."""
    if len(text) > LARGEST_TEXT:
        raise ValueError("it is too large")
    open_counts: list[tuple[str | None, int]] = [(None, 0)]
    known: dict[str, int] = {}
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        size = known.get(event.anchor, 1) if isinstance(event, yaml.AliasEvent) else 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_counts.append((event.anchor, 1))
            size = 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_counts.pop()
            if anchor:
                known[anchor] = size
        above, count = open_counts[-1]
        open_counts[-1] = (above, count + size)
        if count + size > MOST_NODES or len(open_counts) > DEEPEST:
            raise ValueError("it is nested too deeply, or stands for too much")

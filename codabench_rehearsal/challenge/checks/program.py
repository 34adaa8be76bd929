"""A bundle's program as the worker starts it: its metadata, its command, its Python files."""

from __future__ import annotations

import ast
import io
import re
import shlex
import tokenize
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from codabench_rehearsal.challenge.bundle_files import Tree, plain_name
from codabench_rehearsal.challenge.manifest import read_yaml
from codabench_rehearsal.console.errors import SubmissionError

METADATA = ("metadata.yaml", "metadata")  # in the worker's order
HOME = "/app/program/"  # the working folder
LARGEST_MODULE = 1 << 20
MOST_MODULES = 200
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
# Words of old bundles, in the worker's order, which replaces each wherever it stands.
LEGACY = (
    *("$input", "$output", "$program", "$ingestion_program", "$hidden", "$shared"),
    *("$submission_program", "$tmp", "$predictions"),
)


class Program:
    """kind: "ingestion" or "scoring". name: as competition.yaml names it. tree: its files."""

    def __init__(self, kind: str, name: str, tree: Tree) -> None:
        self.kind, self.name, self.tree = kind, plain_name(name) or name, tree

    @cached_property
    def metadata_file(self) -> str:
        """The metadata that the worker reads, "" where there is none at the root."""
        return next((name for name in METADATA if self.tree.kind(name) == "file"), "")

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """Its keys; none where it is no table."""
        return self._read_metadata()[0]

    @cached_property
    def metadata_problem(self) -> str:
        """Why its metadata cannot be read; "" where they can."""
        return self._read_metadata()[1]

    def _read_metadata(self) -> tuple[Mapping[str, Any], str]:
        if not self.metadata_file:
            return {}, ""
        try:
            values, _ = read_yaml(self.tree.read(self.metadata_file), self.metadata_file)
        except SubmissionError as error:
            return {}, str(error)
        return (values, "") if isinstance(values, dict) else ({}, "it holds no keys with values")

    @cached_property
    def command(self) -> str:
        """The command, legacy words and all; "" where there is none."""
        value = self.metadata.get("command")
        return value if isinstance(value, str) else ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The command as the worker splits it; by blanks where its quotes do not match."""
        try:
            return tuple(shlex.split(self.command))
        except ValueError:
            return tuple(self.command.split())

    @cached_property
    def replaced(self) -> tuple[str, ...]:
        """The command's words with the legacy ones replaced."""
        places = {
            "$input": "/app/input_data" if self.kind == "ingestion" else "/app/input",
            "$hidden": "/app/input/ref",
            "$shared": "/app/shared",
            "$submission_program": "/app/ingested_program",
            "$predictions": "/app/output" if self.kind == "ingestion" else "/app/input/res",
        }
        places |= dict.fromkeys(("$program", "$ingestion_program"), "/app/program")
        places |= dict.fromkeys(("$output", "$tmp"), "/app/output")
        found = []
        for word in self.words:
            for one in LEGACY:
                word = word.replace(one, places[one])  # noqa: PLW2901 - one after the other
            found.append(word)
        return tuple(found)

    @cached_property
    def script(self) -> str:
        """The file that the command starts, by its name in the program; "" where that is open."""
        files = [word for word in self.replaced if re.search(r"\.(py|R|r|sh|jl|pl)$", word)]
        if not files or files[0].startswith("-"):
            return ""
        name = files[0].replace("//", "/").removeprefix(HOME)
        return "" if name.startswith("/") else plain_name(name)

    @cached_property
    def modules(self) -> Mapping[str, ast.Module | None]:
        """Its Python files by their names; None for what does not parse."""
        names = [name for name in sorted(self.tree.sizes) if name.endswith(".py")]
        return {name: self._parsed(name) for name in names[:MOST_MODULES]}

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """The source of its programs, in whatever language."""
        names = [
            n for n in sorted(self.tree.sizes) if n.endswith((".py", ".R", ".r", ".sh", ".jl"))
        ]
        return {name: self._text(name) for name in names[:MOST_MODULES]}

    @cached_property
    def source(self) -> str:
        """All of that."""
        return "\n".join(self.texts.values())

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Its Python files that the script leads to by imports, the script first; else all."""
        if self.script not in self.modules:
            return tuple(self.modules)
        found: dict[str, None] = {}
        waiting = [self.script]
        while waiting:
            name = waiting.pop(0)
            if name not in found:
                found[name] = None
                tree = self.modules[name]
                waiting += self._imported(tree, name.rpartition("/")[0]) if tree else []
        return tuple(found)

    def _imported(self, tree: ast.Module, home: str) -> list[str]:
        names: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                names += [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)]
        paths = [name.replace(".", "/") for name in names if name]
        starts = ("", f"{home}/") if home else ("",)
        ends = (".py", "/__init__.py")
        every = (f"{start}{path}{end}" for path in paths for start in starts for end in ends)
        return [name for name in every if name in self.modules]

    def _text(self, name: str) -> str:
        try:
            data = self.tree.read(name, LARGEST_MODULE)
        except SubmissionError:
            return ""
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            return data.decode(encoding, "replace")
        except (SyntaxError, LookupError, UnicodeError):
            return data.decode("utf-8", "replace")

    def _parsed(self, name: str) -> ast.Module | None:
        return parsed(self._text(name))


def parsed(text: str, version: tuple[int, int] | None = None) -> ast.Module | None:
    """A syntax tree by Python's grammar of that version; None for what does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's texts
            return ast.parse(text.lstrip("\ufeff"), feature_version=version)
    except UNPARSABLE:
        return None

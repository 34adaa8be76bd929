"""Checks of the scoring program: does it write the scores that the leaderboard waits for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codabench_rehearsal.challenge.bundle import is_true
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.checks.subject import Said, Subject, check
from codabench_rehearsal.console.words import few, shown

_SCORES = ("scores.json", "scores.txt")
_LOOKS = re.compile(r"exists\(|is_file\(|isfile\(|\btry\b|listdir\(|glob\(|iterdir\(|file\.exists")
_FIELD = re.compile(r"%[sdr]|%\.\d+f|\{[^{}]*\}")
_WRITES = ("w", "w+", "wb", "a")


def _scoring(subject: Subject) -> list[Program]:
    return [one for one in subject.programs if one.kind == "scoring" and one.texts]


@check("B190", "warning")
def no_scores_file(subject: Subject) -> Iterator[str]:
    """Write scores.json into /app/output: the site says "Could not find scores file" else."""
    for program in _scoring(subject):
        if not any(name in program.source for name in _SCORES) and "scores" not in program.source:
            yield f"{program.name} names neither scores.json nor scores.txt"
        elif not any(name in program.source for name in _SCORES):
            near = sorted(set(re.findall(r"[\w-]*score\w*\.\w{3,4}\b", program.source)))[:3]
            wrong = [n for n in near if n.endswith((".json", ".txt", ".csv", ".yaml"))]
            if wrong:
                yield f"{program.name} writes {few(wrong)}, and neither scores.json nor scores.txt"
        elif where := _beside_itself(program):
            yield f"{program.name}: {where} into /app/program, its working folder"


def _beside_itself(program: Program) -> str:
    """Where scores are opened by their bare name, and nothing leads to another folder."""
    if re.search(r"chdir|\bcd ", program.source):
        return ""
    every = [(f, n) for f in program.used if (t := program.modules[f]) for n in ast.walk(t)]
    texts = [(f, n) for f, n in every if (_constant(n) or "").endswith(_SCORES)]
    bare = [
        f"{file} line {node.lineno} writes {_constant(node.args[0])}"
        for file, node in every
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open"
        if node.args and _constant(node.args[0]) in _SCORES
    ]
    return bare[0] if bare and len(bare) == len(texts) else ""


@check("B191", "warning")
def columns_that_nobody_writes(subject: Subject) -> Iterator[str]:
    """Let the scoring program write that very key: the column stays empty, and keys that are no
    column are dropped.
    """
    programs = _scoring(subject)
    if not programs or any(not program.modules for program in programs):
        return
    # Ingestion's too: scoring may pass on what it finds there, as the time that was needed.
    texts = [text for program in subject.programs for text in _templates(program)]
    for place, column in subject.columns:
        key = str(column.get("key"))
        if column.get("key") is None or column.get("computation"):
            continue
        if not any(re.fullmatch(text, key) for text in texts):
            yield f"{place}: no program names the key {shown(key)}"


def _templates(program: Program) -> Iterator[str]:
    """Patterns of the keys that a program may write: its texts, filled in or joined anyhow."""
    for tree in program.modules.values():
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.JoinedStr):
                parts = (_constant(part) for part in node.values)
                yield "".join(".+" if part is None else re.escape(part) for part in parts)
            elif (text := _constant(node)) is not None and text.strip():
                yield ".+".join(re.escape(part) for part in _FIELD.split(text))
                yield from _joined(text)
            elif isinstance(node, ast.keyword) and node.arg:
                yield re.escape(node.arg)  # dict(score=...)
    yield from (re.escape(word) for word in re.findall(r"([\w.-]+)\s*:", _printed(program)))


def _joined(text: str) -> Iterator[str]:
    """A text that is joined with another: "set" + name, name + "_score"."""
    if len(text) >= 4 and re.fullmatch(r"[\w-]+", text):
        if text.startswith(("_", "-")):
            yield f".+{re.escape(text)}"
        if text.endswith(("_", "-")):
            yield f"{re.escape(text)}.+"


def _constant(node: ast.AST) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def _printed(program: Program) -> str:
    """The texts of "key: value" lines, as scores.txt has them."""
    values = (_constant(n) for t in program.modules.values() if t for n in ast.walk(t))
    return "\n".join(value for value in values if value and len(value) < 200)


@check("B192", "note")
def scoring_that_trusts_ingestion(subject: Subject) -> Iterator[str]:
    """Look whether the predictions are there, and say what is missing: when ingestion fails,
    scoring runs all the same, and its own error is what participants read.
    """
    if not any(program.kind == "ingestion" for program in subject.programs):
        return
    for program in _scoring(subject):
        if not _LOOKS.search(program.source) and "ingestionExitCode" not in program.source:
            yield f"{program.name} opens predictions without looking whether there are any"


@check("B193", "warning")
def metadata_that_is_written(subject: Subject) -> Iterator[str]:
    """Write under another name: the worker keeps its own there, and fails the submission where it
    finds one.
    """
    for program in subject.programs:
        for name in program.used:
            tree = program.modules[name]
            for node in ast.walk(tree) if tree else ():
                if isinstance(node, ast.Call) and _writes_metadata(node):
                    yield f"{program.name}: {name} line {node.lineno} writes a file named metadata"


def _writes_metadata(call: ast.Call) -> bool:
    opens = getattr(call.func, "id", getattr(call.func, "attr", "")) == "open"
    modes = [value for one in call.args[1:2] if (value := _constant(one))]
    names = [text for one in call.args[:1] for n in ast.walk(one) if (text := _constant(n))]
    return (
        opens
        and bool(set(modes) & set(_WRITES))
        and any(text == "metadata" or text.endswith("/metadata") for text in names)
    )


@check("B194", "warning")
def detailed_results(subject: Subject) -> Iterator[str | Said]:
    """Write detailed_results.html into /app/output, or leave enable_detailed_results out."""
    programs = _scoring(subject)
    wanted = is_true(subject.top.get("enable_detailed_results"))
    written = any(".html" in program.source for program in programs)
    if programs and wanted and not written and all(program.modules for program in programs):
        yield "enable_detailed_results is on, and no scoring program names a page"
    if not wanted and any("detailed_results.html" in program.source for program in programs):
        advice = "Say enable_detailed_results: true, or participants do not see the page."
        yield Said(
            "a scoring program writes detailed_results.html, which is not shown", None, advice
        )

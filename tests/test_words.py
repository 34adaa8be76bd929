"""One thing, one word: what our commands print keeps to `docs/glossary.md`."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from evaluator.report.page import WORDS

ROOT = Path(__file__).parent.parent
ROOMS = ("codabench_rehearsal", "corruptions", "evaluator", "submission")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
# Words that must not stand in a printed sentence, and what to say instead. (A method in the store is
# called "drawn mixtures 1", and a function `mixture`.)
BANNED = {
    r"\bdamag(e|es|ing)\b": "corruption, corrupted (a file may be damaged)",
    r"\bdamaged (image|one|run|cop|accurac|less|against)|(on|and|than|against) damaged\b": "corrupted",
    r"\bbase images?\b": "image",
    r"\bmixtures?\b(?! 1 on|:|\()": "mix",
    r"\bdrawn images\b": "made-up images",
    r"\basked about\b|\bnot asked (again|under|further|yet)\b|\basks (more|all)\b|\basked (anew|alone|at)\b"
    r"|\bwas asked here\b|^Not asked": "run on, run again",
    r"\bflatters?\b": "too high",
    r"\blearnt\b": "trained on",
    r"\blog[ -]odds\b|\buncalibrated\b|\bodds\b": "a share in %",
    r"\bforetold\b": "forecast",
    r"\bmend(ed|s)?\b": "fix, correct",
    r"\bhangs? on\b": "depends on",
    r"\bheld against\b": "compared with",
    r"\bmatch(es)? the shift\b|\bour cells\b|\bcells of the library\b": "condition",
    r"\d? ?% between\b": "between ... (90 % sure)",
}
ANY = re.compile("|".join(BANNED))


def slips(source: str) -> Iterator[str]:
    """Line, word and better one of each sentence in a file's code; docstrings and comments may."""
    if not ANY.search(source):
        return
    tree = ast.parse(source)
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in whole for part in node.values}
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                text = "".join(str(getattr(one, "value", "{}")) for one in values)
            case ast.Constant(value=str(text)) if not {id(node)} & (parts | silent):
                pass
            case _:
                continue
        yield from (f"{node.lineno}: {slip}" for slip in _in_a_sentence(text))


def _in_a_sentence(text: str) -> Iterator[str]:
    for pattern, better in BANNED.items() if " " in text else ():
        if hit := re.search(pattern, text):
            yield f"{hit[0]!r} in {text[:90]!r}; say: {better}"


def _texts(value: object) -> Iterator[str]:
    """All texts of a TOML document."""
    match value:
        case str():
            yield value
        case list() | dict():
            for one in value.values() if isinstance(value, dict) else value:
                yield from _texts(one)


def test_printed_sentences_keep_to_the_glossary() -> None:
    """Else one thing has two names, and a reader looks for the difference."""
    assert len(list(slips('tell(f"{a} on {b} base images"), tell("it may " "flatter")'))) == 2
    assert not list(slips('"""Base images are what flatters."""\nmend(1)'))
    files = [one for room in ROOMS for one in sorted((ROOT / room).rglob("*.py"))]
    names = {one.relative_to(ROOT).as_posix(): one for one in files}
    assert len(names) > 300
    found = [
        f"{name}:{slip}"
        for name, path in names.items()
        for slip in slips(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_texts_in_data_files_keep_to_the_glossary() -> None:
    """Else a preset's description or the page's code says what the sentences around it do not."""
    files = [one for room in ROOMS for one in sorted((ROOT / room).rglob("*.toml"))]
    read = {one.name: list(_texts(tomllib.loads(one.read_text("utf-8")))) for one in files}
    assert sum(map(len, read.values())) > 300
    found = [
        f"{n}: {slip}" for n, texts in read.items() for t in texts for slip in _in_a_sentence(t)
    ]
    assert not found, "\n".join(found)
    assert list(_in_a_sentence("a mixture of damages"))


def test_the_glossary_has_each_word_once() -> None:
    """Else a word stands for two things, or one that our outputs use is not explained."""
    words = re.findall(r"^\| \*\*(.+?)\*\*", GLOSSARY, re.M)
    assert len(words) == len(set(words))
    needed = (
        "image", "corruption", "severity", "condition", "family", "preset", "validation", "split",
        "clean accuracy", "benchmark", "gap", "hidden set", "estimate", "belief", "past score",
        "store", "phase", "task", "ingestion program", "scoring program", "finding", "dry run",
    )  # fmt: skip
    assert set(needed) <= set(words)


def test_the_words_of_the_page_are_the_glossarys() -> None:
    """Else who was sent the page alone would learn other meanings than the documentation's."""
    rows = dict(re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \|$", GLOSSARY, re.M))
    assert len(WORDS) > 10
    for word, said in WORDS.items():
        row = re.sub(r" \((\[|`local-eval|`--)[^|]*?\)+", "", rows[word])
        assert said == re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`]", r"\1", row), word

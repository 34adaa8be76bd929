"""Checks of what lies beside competition.yaml: pages, logo, programs, data, and what leaks."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from codabench_rehearsal.challenge.bundle_files import LARGEST_TEXT, Tree, plain_name
from codabench_rehearsal.challenge.checks.paths import PLACES
from codabench_rehearsal.challenge.checks.subject import Named, Said, Subject, check
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import few, shown

_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")  # RIFF: WebP
_POINTER = b"version https://git-lfs"
_SMALLEST = 64  # bytes: two files below are alike by chance
_MOST_HASHED = 256 << 20
_MOUNT = re.compile(r"[:=](/app/[A-Za-z0-9_/]+)")
_STORED = re.compile(r"\.(md|txt|py|sh|ipynb|ya?ml|toml|cfg)$|(^|/)(Dockerfile|Makefile)$", re.I)


@check("B120", "error")
def pages_and_terms(subject: Subject) -> Iterator[str]:
    """Put the file there, with some text in UTF-8: the site refuses a page that is missing or
    empty.
    """
    named = [(f"{place}.file", page.get("file")) for place, page in subject.tables("pages")]
    for place, name in [("terms", subject.top.get("terms")), *named]:
        if not isinstance(name, str):
            continue
        kind = subject.tree.kind(name)
        if kind != "file":
            what = "a folder" if kind else "missing"
            yield f"{place}: {shown(name)} is {what}{_near(subject, name)}"
        elif not subject.tree.sizes[plain_name(name)]:
            yield f"{place}: {shown(name)} is empty"
        elif not _is_text(subject, name):
            yield f"{place}: {shown(name)} is not text in UTF-8"


def _is_text(subject: Subject, name: str) -> bool:
    try:
        subject.tree.read(name).decode("utf-8")
    except (UnicodeDecodeError, SubmissionError):
        return False
    return True


@check("B121", "warning")
def no_pages(subject: Subject) -> Iterator[str]:
    """Add a page that says what to submit: participants see no other text."""
    if subject.top.get("pages") == []:
        yield "there are no pages"


@check("B122", "error")
def logo(subject: Subject) -> Iterator[str]:
    """Give a PNG, JPEG, GIF or WebP file beside competition.yaml: the site takes no other."""
    name = subject.top.get("image")
    if not isinstance(name, str):
        return
    kind = subject.tree.kind(name)
    if kind != "file":
        yield f"image: {shown(name)} is {'a folder' if kind else 'missing'}{_near(subject, name)}"
        return
    start = _start(subject.tree, name)
    if not start.startswith(_PICTURES):
        held = "a Git LFS pointer" if start.startswith(_POINTER) else "no picture of these kinds"
        yield f"image: {shown(name)} is {held}"


@check("B123", "error")
def missing_files(subject: Subject) -> Iterator[Said]:
    """Put it into the bundle: the site says "Cannot find dataset" and refuses all of it."""
    for named in subject.named:
        if isinstance(named.value, str) and not subject.tree.kind(named.value):
            if _is_key(named.value):
                message = f"{named.place} names a data set of the site by its key"
                yield Said(message, "note", "It is not in the bundle: nothing of it is checked.")
            else:
                where = _near(subject, named.value)
                yield Said(f"{named.place}: {shown(named.value)} is not in the bundle{where}")
        elif named.value is None:
            yield Said(f"{named.place} is empty", advice="Leave the key out, or name a file.")


def _is_key(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _near(subject: Subject, name: str) -> str:
    """What may have been meant: another case, a zip for a folder, a folder for a zip."""
    plain, tree = plain_name(name), subject.tree
    if plain == "/":
        return ": the name leads out of the bundle"
    every = [*tree.sizes, *tree.folders]
    folded = [one for one in every if one.lower() == plain.lower()]
    other = [one for one in (plain.removesuffix(".zip"), f"{plain}.zip") if tree.kind(one)]
    last = PurePosixPath(plain).name
    deeper = [one for one in sorted(every) if PurePosixPath(one).name == last]
    found = folded or [one for one in other if one != plain] or deeper
    return f"; there is {few(found[:3])}" if found else ""


@check("B124", "error")
def neither_folder_nor_zip(subject: Subject) -> Iterator[Said]:
    """Give a folder or a zip: the site takes the file as it is, and then every submission ends with
    "Bad or empty zip file".
    """
    for named in subject.named:
        value = named.value
        if not isinstance(value, str) or subject.tree.kind(value) != "file":
            continue
        if named.key in ("starting_kit", "public_data"):
            continue  # handed out as it is
        if subject.inside(value) is None:
            start = _start(subject.tree, value)
            is_pointer = start.startswith(_POINTER)
            held = "a Git LFS pointer and not the data" if is_pointer else "no readable zip"
            yield Said(f"{named.place}: {shown(value)} is {held}")


@check("B125", "warning")
def nothing_in_it(subject: Subject) -> Iterator[str]:
    """Put the files there; Git keeps no empty folders, and leaves out what .gitignore names."""
    for named in subject.named:
        tree = subject.inside(named.value)
        if tree is not None and not tree.sizes:
            yield f"{named.place}: {shown(named.value)} is empty"


@check("B126", "warning")
def pointers_in_data(subject: Subject) -> Iterator[str]:
    """Fetch the data before you zip it: git lfs pull."""
    seen: set[str] = set()
    for named in subject.named:
        tree = subject.inside(named.value)
        if tree is None or str(named.value) in seen:
            continue
        seen.add(str(named.value))
        small = [name for name, size in tree.sizes.items() if 40 < size < 400][:200]
        found = [name for name in small if _start(tree, name).startswith(_POINTER)]
        if found:
            yield f"{named.place}: Git LFS pointers in the place of data: {few(found, 4)}"


@check("B127", "warning")
def reference_data_in_the_open(subject: Subject) -> Iterator[Said]:
    """Take it out: whoever has the reference data has the answers. Input data are read by every
    submission, the kit and the public data by everybody.
    """
    answers = [one for one in subject.named if one.key == "reference_data"]
    public = ("input_data", "public_data", "starting_kit")
    seen: set[tuple[str, str]] = set()
    for held in (one for one in subject.named if one.key in public):
        for answer in answers:
            pair = (str(answer.value), str(held.value))
            if pair not in seen and (leak := _leak(subject, answer, held)):
                seen.add(pair)
                is_note = held.key == "input_data" and not leak.whole
                message = f"{held.place} holds what {answer.place} holds: {few(leak.names, 4)}"
                yield Said(message, "note" if is_note else None)


class _Leak(NamedTuple):
    """Files of reference data that are elsewhere too, by their names there; whole: all of them."""

    names: list[str]
    whole: bool


def _leak(subject: Subject, answer: Named, held: Named) -> _Leak | None:
    secret, public = subject.inside(answer.value), subject.inside(held.value)
    if secret is None or public is None:
        return None
    sizes = {size for size in secret.sizes.values() if size >= _SMALLEST}
    alike = [name for name, size in public.sizes.items() if size in sizes]
    if sum(public.sizes[name] for name in alike) > _MOST_HASHED or not alike:
        return None
    shared_sizes = {public.sizes[name] for name in alike}
    same = [name for name, size in secret.sizes.items() if size in shared_sizes]
    if sum(secret.sizes[name] for name in same) > _MOST_HASHED:
        return None
    hashes = {_hash(secret, name): name for name in same}
    found = {n: h for n in alike if (h := _hash(public, n)) in hashes and h and not _is_code(n)}
    answers = [n for n, size in secret.sizes.items() if size >= _SMALLEST and not _is_code(n)]
    whole = len(set(found.values())) >= len(answers)
    return _Leak(sorted(found), whole) if found else None


def _is_code(name: str) -> bool:
    return name.endswith((".py", ".md", ".html", ".yaml", "metadata", ".gitkeep"))


def _hash(tree: Tree, name: str) -> str:
    try:
        with tree.opened(name) as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
    except (OSError, ValueError, RuntimeError, EOFError):
        return ""
    return digest.hexdigest()


@check("B128", "warning")
def kits_with_other_folders(subject: Subject) -> Iterator[str]:
    """Mount what the worker mounts (/app/program, /app/ingested_program, /app/input_data,
    /app/output, /app/input): else it runs at home and fails on the site.
    """
    kits = [(one.place, subject.inside(one.value)) for one in subject.named]
    wanted = [(p, tree) for p, tree in kits if "starting_kit" in p and tree is not None]
    loose = [
        name for name in subject.tree.sizes if "run_docker" in name or "docker-compose" in name
    ]
    found: dict[str, set[str]] = {}
    for place, tree in wanted:
        for name in sorted(tree.sizes)[:500]:
            if _STORED.search(name):
                found.setdefault(f"{place}: {name}", set()).update(_mounts(tree, name))
    for name in sorted(loose):
        found.setdefault(name, set()).update(_mounts(subject.tree, name))
    for where, mounts in found.items():
        if strange := sorted(mounts):
            yield f"{where} mounts {few(strange, 4)}, which the worker does not have"


def _mounts(tree: Tree, name: str) -> set[str]:
    """Folders below /app that a text mounts, and that the worker has not."""
    try:
        text = tree.read(name, LARGEST_TEXT).decode("utf-8", "replace")
    except SubmissionError:
        return set()
    found = (mount.rstrip("/") for mount in _MOUNT.findall(text))
    return {one for one in found if not any(f"{one}/".startswith(f"{p}/") for p in PLACES)}


@check("B129", "warning")
def tasks_without_a_phase(subject: Subject) -> Iterator[str]:
    """List it in a phase's tasks, or leave it out: nobody can submit to it."""
    used = [one for _, phase in subject.tables("phases") for one in _listed(phase.get("tasks"))]
    for place, task in subject.tables("tasks"):
        if "index" in task and task["index"] not in used:
            yield f"no phase has {place} (index {shown(task['index'])})"


@check("B130", "error")
def indexes_of_tasks(subject: Subject) -> Iterator[str]:
    """Give every task an index of its own: phases and solutions name tasks by it."""
    seen: list[object] = []
    for place, task in subject.tables("tasks"):
        if task.get("index") in seen and "index" in task:
            yield f"{place} has the index {shown(task['index'])} of another task"
        seen.append(task.get("index"))
    if subject.top.get("tasks") == []:
        yield "there are no tasks"


@check("B131", "warning")
def tasks_that_score_nothing(subject: Subject) -> Iterator[str | Said]:
    """Name reference_data: the scoring program finds no /app/input/ref without."""
    for place, task in subject.tables("tasks"):
        if "key" in task:
            yield _by_key(place, task["key"])
        elif "reference_data" not in task:
            yield Said(f"{place} has no reference_data", "note")
        if task.get("ingestion_only_during_scoring") is True and "ingestion_program" not in task:
            advice = "Name the ingestion_program, or leave ingestion_only_during_scoring out."
            yield Said(f"{place} runs ingestion during scoring, and has none", advice=advice)


def _by_key(place: str, key: object) -> Said:
    if not isinstance(key, str) or not _is_key(key):
        advice = "Leave key out: it takes a task of the site in the place of this one."
        return Said(f"{place}.key: {shown(repr(key))} is no key of the site", "error", advice)
    return Said(f"{place} is a task of the site, by its key", "note", "It is not checked here.")


@check("B132", "error")
def solutions(subject: Subject) -> Iterator[str]:
    """Name tasks that there are, each by its index."""
    known = [task.get("index") for _, task in subject.tables("tasks")]
    for place, solution in subject.tables("solutions"):
        for index in _listed(solution.get("tasks")):
            if index not in known:
                yield f"{place}: there is no task with index {shown(index)}"


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _start(tree: Tree, name: str) -> bytes:
    try:
        with tree.opened(plain_name(name)) as file:
            return file.read(64)
    except (OSError, ValueError, RuntimeError, EOFError):
        return b""

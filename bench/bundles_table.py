"""The table of docs/challenges_tried.md: what came of each public bundle, as plain Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.bundles_known import EXPLAINED

MOST_SCORES = 3  # of a bundle's columns that are shown
_HEAD = """\
Of the {listed} public Codabench bundles on this project's list that take code, each was read,
checked, and run under the worker without Docker: first phase, newer worker (2026-10), with its
own sample submission, or with a few lines that define no more than its ingestion program asks for.
Data that a repository lacks were drawn at random to the shapes that its programs read: such a score
says that the programs ran, nothing else. They ran with today's packages, not in the bundles' images
(two with pandas 1.4, which they are written for). Nothing of theirs is kept here: facts, names and
links alone. Made by `python -m bench.bundles --bundles FOLDER --out FOLDER --write`.

- **{reached} of {able}** whose programs are Python and whose data are there or can be drawn reach a
  status for the right reason: {finished} Finished, {failed} fail as they would on the platform (the
  table says why). {lacking} lack something that no laptop has, by name.
- {same}
- **Cost**: {jobs} jobs took {median:.2f} s (median) and {most:.2f} s (most) beyond their programs
  as the sandbox ran them; its own start and end are {start:.2f} s more (a job that does nothing,
  beside the bare Python). Two cores, busy with other work.
- `codabench-challenge check` says "error" of {errors}: {files} for files alone that the repository
  does not hold as the site needs them, {rules} for other rules of the site's. We found none among
  them that the site would take.

| bundle | verdict | scores or reason | submission | data | seconds |
| --- | --- | --- | --- | --- | --- |
"""
_FILES = ("B120", "B123", "B124")  # codes of files that are not there, or no zip


@dataclass
class Tried:
    """What came of one bundle. overheads: seconds of each job beyond its longest program.

    words: the platform's. why: last words of programs that did not end well. older: the verdict
    of the older worker, where the newer one's is Failed. dropped: scores that are no column.
    """

    name: str
    title: str
    verdict: str = ""
    words: str = ""
    why: str = ""
    older: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    dropped: Sequence[str] = ()
    seconds: float = 0.0
    overheads: Sequence[float] = ()
    submission: str = ""
    data: str = ""
    lacks: str = ""
    notes: Sequence[str] = ()
    errors: Sequence[str] = ()

    @property
    def is_right(self) -> bool:
        """Whether its status is the platform's, for the same reason."""
        return self.verdict == "Finished" or self.name in EXPLAINED


def document(tried: Sequence[Tried], start: float, same: str) -> str:
    """The whole page. start: seconds that the sandbox adds. same: of the references."""
    able = [one for one in tried if not one.lacks]
    costs = [seconds for one in able for seconds in one.overheads]
    wrong = [one for one in tried if one.errors]
    rules = [one for one in wrong if any(e[:4] not in _FILES for e in one.errors)]
    head = _HEAD.format(
        listed=len(tried),
        able=len(able),
        reached=sum(one.is_right for one in able),
        finished=sum(one.verdict == "Finished" for one in able),
        failed=sum(one.is_right and one.verdict != "Finished" for one in able),
        lacking=len(tried) - len(able),
        jobs=len(costs),
        median=statistics.median(costs) if costs else 0,
        most=max(costs, default=0),
        start=start,
        same=same,
        errors=len(wrong),
        files=len(wrong) - len(rules),
        rules=len(rules),
    )
    return head + "".join(_row(one) for one in sorted(tried, key=lambda one: one.name.lower()))


def _row(one: Tried) -> str:
    verdict = one.verdict if not one.lacks else "not run"
    if one.older and one.older != one.verdict:
        verdict += f" ({one.older} under the worker of 2026-03)"
    seconds = f"{one.seconds:.1f}" if one.seconds else ""
    cells = (_link(one), verdict, "; ".join(_said(one)), _sent(one), one.data, seconds)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def _link(one: Tried) -> str:
    owner, name, *inside = one.name.split("/")
    title = one.title.strip(' "').replace("[", "(").replace("]", ")")
    where = f" ({'/'.join(inside)})" if inside else ""
    return f"[{title}](https://github.com/{owner}/{name}){where}"


def _said(one: Tried) -> Iterator[str]:
    if one.lacks:
        yield f"missing: {one.lacks}"
        return
    if one.verdict == "Finished":
        shown = list(one.scores.items())[:MOST_SCORES]
        yield ", ".join(f"{key} {value:.4g}" for key, value in shown) or "no score on the board"
        if not one.scores and one.dropped:
            yield f"written, and no column: {', '.join(one.dropped[:MOST_SCORES])}"
        return
    if one.verdict == "Failed":
        yield f"“{one.words}”"
    yield EXPLAINED.get(one.name) or one.why or one.words


def _sent(one: Tried) -> str:
    if not one.submission:
        return ""
    return "a few lines of ours" if one.submission == "ours" else "its own"

"""The study's tables and its bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rich.table import Table as RichTable

from bench.demonstration_report import table
from bench.estimation_extras import PASTS as FEW
from bench.estimation_extras import Stopped, Sums
from bench.estimation_pairs import NEEDED, Coverage
from bench.estimation_rivals import TUNED
from bench.estimation_study import ORACLE, OURS, PASTS, SAMPLING, SEED, Study, Summary
from bench.goals import Verdict, at_least, at_most
from bench.report import console
from evaluator.metrics import wilson

INSIDE = "cifar in-library"
JUDGED = 6  # past scores at which the floor is told
LEAST_COVERED, MOST_COVERED = 86.0, 97.0  # %
SHOWN = (0, 1, 2, 3, 6, 12)
TOLD = (3, 6)  # past scores in the table of other circumstances
BARS: Mapping[str, Mapping[int, float]] = MappingProxyType(  # points of mean absolute error
    {
        "cifar disjoint": {3: 1.9, 6: 1.5},
        "composed": {1: 4.4, 3: 3.6},
        "composed disjoint": {6: 3.7},
    }
)
FEWEST_DRAWN = 50.0  # below, the oracle's own figure is noise


def _drawn(title: str, first: str, columns: Iterable[object]) -> RichTable:
    table = RichTable(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(str(column), justify="right")
    return table


def show_study(study: Study) -> None:
    """Error, coverage and width of every method at every K."""
    error = _drawn(f"{study.scenario}: mean absolute error, points, by past scores", "", PASTS)
    other = _drawn(f"{study.scenario}: coverage of the 90 % interval / width in points", "", PASTS)
    for name, row in study.table.items():
        best = [_is_best(study, name, past) for past in PASTS]
        shown = [_error(study, name, past) for past in PASTS]
        error.add_row(name, *(f"[bold]{s}" if b else s for s, b in zip(shown, best, strict=True)))
        other.add_row(name, *(f"{100 * s.coverage:.0f}/{s.width:.1f}" for s in row.values()))
    console().print(error)
    console().print(
        f"Standard error of ours at K = {JUDGED}: {study.table[OURS][JUDGED].error_sd:.2f}"
    )
    console().print(other)


def _error(study: Study, name: str, past: int) -> str:
    weak = name == ORACLE and study.drawn[past] < FEWEST_DRAWN
    return f"{study.table[name][past].error:.2f}" + ("?" if weak else "")


def _is_best(study: Study, name: str, past: int) -> bool:
    """Among what can be had: ours and the rivals."""
    real = [OURS, *(rival for rival in TUNED if rival in study.table)]
    return name in real and study.table[name][past].error == min(
        study.table[rival][past].error for rival in real
    )


def show_sums(title: str, rows: dict[str, Sums]) -> None:
    """Our estimate in other circumstances: error, coverage and width."""
    table = _drawn(title, "", (f"K = {past}" for past in FEW))
    for name, row in rows.items():
        table.add_row(name, *(_brief(row[past]) for past in FEW))
    console().print(table)


def show_stopped(found: dict[str, Stopped]) -> None:
    """Whether stopping early costs coverage."""
    rows: dict[str, Sums] = {}
    for name, one in found.items():
        rows |= _by_rule(name, one)
    show_sums("Stopping rule: error, coverage / width", rows)
    table = _drawn("Images a condition when it stops (trials that never do)", "", FEW)
    for name, one in found.items():
        shown = (f"{one.images[past]:.0f} ({one.unfinished[past]:.0%})" for past in FEW)
        table.add_row(name, *shown)
    console().print(table)


def _by_rule(name: str, one: Stopped) -> dict[str, Sums]:
    return {f"{name}, stopped": one.stopped, f"{name}, all images": one.full}


def _brief(found: Summary) -> str:
    return f"{found.error:.2f}, {100 * found.coverage:.0f} / {found.width:.1f}"


def show_pairs(found: Sequence[Coverage], studies: Sequence[Study]) -> None:
    """Whether published pairs may serve as a prior."""
    own = max(study.table[OURS][0].width for study in studies) / 100
    headings = ("pairs", "teams", "covered", "covered, by team", "width, points", "may ship")
    table = _drawn("A prior from published pairs, leave one team out", "local figure", headings)
    for one in found:
        counts = (str(one.pairs), str(one.teams))
        covered = (f"{one.covered:.0%}", f"{one.by_team:.0%}", f"{100 * one.width:.0f}")
        table.add_row(one.figure, *counts, *covered, "yes" if one.may_ship(own) else "no")
    console().print(table)
    console().print(
        f"A prior must cover {NEEDED:.0%}, counted either way, and be narrower than our widest "
        f"interval without past scores, {100 * own:.0f} points."
    )


def verdicts(studies: Sequence[Study]) -> list[Verdict]:
    """Every bar of the protocol."""
    found = []
    for study in studies:
        row = study.table[OURS]
        for past, bar in BARS.get(study.scenario, {}).items():
            found.append(at_most(f"{study.scenario}: error at K = {past}", row[past].error, bar))
        for past in PASTS[1:]:
            low, high = covered(row[past])
            what = f"{study.scenario}: coverage at K = {past}, %"
            found.append(at_least(f"{what}, upper end of its interval", high, LEAST_COVERED))
            found.append(at_most(f"{what}, lower end of its interval", low, MOST_COVERED))
            one = study.behind[past]
            what = f"{study.scenario}: behind {one.rival} at K = {past}, standard errors"
            found.append(at_most(what, one.sigmas, 2.0))
    return found


def covered(found: Summary) -> tuple[float, float]:
    """The coverage's 95 % interval, in %."""
    score = wilson(found.coverage * found.trials, found.trials)
    return 100 * score.low, 100 * score.high


def markdown(studies: Sequence[Study]) -> str:
    """The tables for docs/estimate_study.md: error and coverage, a table a scenario."""
    trials = max(study.table[OURS][JUDGED].trials for study in studies)
    parts = [f"{trials} trials a scenario, seed {SEED}."]
    for study in studies:
        names = [OURS, *(name for name in TUNED if name in study.table), ORACLE, SAMPLING]
        rows = [[_named(name), *(_cell(study, name, past) for past in SHOWN)] for name in names]
        head = ["", "K = 0", *(str(past) for past in SHOWN[1:])]
        parts += [f"{study.scenario}:", table(head, rows)]
    return "\n\n".join(parts)


def circumstances(changed: Mapping[str, Mapping[str, Sums]]) -> str:
    """The table of other circumstances for docs/estimate_study.md: one row each."""
    head = ["", *(f"{name}, K = {past}" for name in changed for past in TOLD)]
    names = next(iter(changed.values()))
    rows = [
        [name, *(_brief(rows[name][past]) for rows in changed.values() for past in TOLD)]
        for name in names
    ]
    return table(head, rows)


def stops(found: Mapping[str, Stopped]) -> str:
    """The table of the stopping rule for the same page: stopped, all images, how many it took."""
    rows = []
    for name, one in found.items():
        for label, sums in _by_rule(name, one).items():
            rows.append([label, *(_brief(sums[past]) for past in FEW)])
        images = (f"{one.images[past]:.0f}" for past in FEW)
        rows.append(["images a condition when it stops", *images])
    return table(["", *(f"K = {past}" for past in FEW)], rows)


def _named(name: str) -> str:
    if name == OURS:
        return f"**{name}**"
    return {ORACLE: "*oracle*", SAMPLING: "*mixture known*"}.get(name, name)


def _cell(study: Study, name: str, past: int) -> str:
    share = "" if name == SAMPLING else f" ({100 * study.table[name][past].coverage:.0f})"
    return _error(study, name, past) + share


def floor_note(studies: Sequence[Study]) -> str:
    """What an oracle reaches where the in-library bar is judged."""
    inside = next((study for study in studies if study.scenario == INSIDE), None)
    if inside is None:
        return "CIFAR-10-C's matrix is not there: its scenarios were not run."
    floor = inside.table[ORACLE][JUDGED]
    ours = inside.table[OURS][JUDGED]
    return (
        f"In-library at K = {JUDGED}: ours {ours.error:.2f}, the oracle {floor.error:.2f} "
        f"(standard error {floor.error_sd:.2f}). The oracle knows all that any method knows here, "
        "and the law of the mixtures."
    )

"""A board out of a store alone: no submission is run, no zip and no image needs to be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codabench_rehearsal.console.errors import EvaluationError
from codabench_rehearsal.console.words import shown
from corruptions.presets import resolve
from evaluator.board.compared import ASK, SHORT, Compared, compared, unanswered
from evaluator.board.names import ORDER_OF, Teams, letters
from evaluator.board.result import Board, BoardSource, RecordedScore, Row
from evaluator.store.measured import FindingLine, Measured
from evaluator.store.rows import HistoryRow, Prediction, Submission
from evaluator.store.store import Store


@dataclass(frozen=True)
class BoardOptions:
    """What a board shows.

    preset: of the benchmark. phase: of the scores. only: SHA-256 of the submissions to show, None
    for all. data: the start of a data file's fingerprint; "": the one that most have answered on.
    seed: None for that one too. reports: folders that are looked into for a submission's report.
    """

    preset: str = "heavy"
    phase: str = "dev"
    only: Collection[str] | None = None
    data: str = ""
    seed: int | None = None
    teams: Teams | None = None
    anonymous: bool = False
    reports: tuple[Path, ...] = ()
    command: str = ""


def board(store: Store, options: BoardOptions) -> Board:
    """Gather it. Raises `EvaluationError` for a store without submissions, `CorruptionError`."""
    known = [
        one
        for one in store.submissions()
        if options.only is None or (one.sha256 and one.sha256 in options.only)
    ]
    if not known:
        raise EvaluationError(f"The store knows no submission yet: {ASK} on each of them first.")
    preset = resolve(options.preset)
    source = BoardSource(preset.name, "", "", 0, 0, 0, options.phase, options.command)
    found = compared(store, known, preset, source, options.data, options.seed)
    rows = _with_figures(_plain_rows(store, known, options), known, found)
    order = sorted(range(len(rows)), key=lambda at: _order(rows[at]))
    places = [found.place[known[at].id] for at in order if known[at].id in found.place]
    families = found.figures.families if found.figures else ()
    made = Board(
        found.source,
        families,
        tuple(rows[at] for at in order),
        found.pairs(places),
        found.notes,
        options.teams is not None,
        options.anonymous,
    )
    if options.anonymous:
        return _hidden(made, known, order, store)
    return replace(made, notes=(*made.notes, *_of_teams(options, known)))


def _of_teams(options: BoardOptions, known: Sequence[Submission]) -> list[str]:
    return options.teams.notes(known) if options.teams else []


def _plain_rows(store: Store, known: Sequence[Submission], options: BoardOptions) -> list[Row]:
    """What the store knows of each without its answers."""
    measured = store.measured()
    scores, expected = _recorded(store.history(), options.phase)
    names = Counter(one.name for one in known)
    return [
        Row(
            _named(one, alone=names[one.name] == 1),
            one.sha256,
            shown(options.teams.of(one)) if options.teams else "",
            one.first_seen,
            expected=expected.get(one.id),
            score=scores.get(one.id),
            measured=_told(measured.get(one.id), anonymous=options.anonymous),
            report="" if options.anonymous else _report(one, options.reports),
        )
        for one in known
    ]


def _recorded(
    history: Sequence[HistoryRow], phase: str
) -> tuple[dict[int, RecordedScore], dict[int, Prediction]]:
    """By the submission's number: its latest score of the phase, and what was expected before."""
    scores: dict[int, RecordedScore] = {}
    expected: dict[int, Prediction] = {}
    for row in history:
        own, score = row.submission.id, row.score
        if score is not None and score.phase == phase:
            day = score.date or score.recorded[:10]
            scores[own] = RecordedScore(score.value, str(score), day, score.mine)
        if row.prediction is not None and row.prediction.phase == phase:
            expected[own] = row.prediction
    return scores, expected


def _named(one: Submission, *, alone: bool) -> str:
    return shown(one.name) if alone else f"{shown(one.name)} ({one.sha256[:SHORT] or 'by name'})"


def _told(found: Measured | None, *, anonymous: bool) -> Measured | None:
    """Messages may name files: where nobody is to know, codes alone are told."""
    if found is None:
        return None
    lines = tuple(
        FindingLine(shown(one.code), one.severity, "" if anonymous else shown(one.message))
        for one in found.findings
    )
    return replace(found, findings=lines)


def _report(one: Submission, folders: Sequence[Path]) -> str:
    """The submission's page where one of its name is: beside the zip, or in a folder given."""
    name = f"{Path(one.name).stem}.html"
    beside = (Path(one.path).parent,) if one.path else ()
    places = (folder / name for folder in (*folders, *beside))
    return next((str(place) for place in places if place.is_file()), "")


def _with_figures(rows: Sequence[Row], known: Sequence[Submission], found: Compared) -> list[Row]:
    figures, ranks, made = found.figures, found.ranks, []
    for row, one in zip(rows, known, strict=True):
        place = found.place.get(one.id)
        if place is None or figures is None or ranks is None:
            made.append(replace(row, why=found.why.get(one.id, unanswered(one))))
            continue
        made.append(
            replace(
                row,
                rank=(int(ranks.low[place]), int(ranks.high[place])),
                clean=figures.clean[place],
                benchmark=figures.benchmark[place],
                families=tuple(map(float, figures.by_family[place])),
            )
        )
    return made


def _order(row: Row) -> tuple[float, float, str]:
    """The ranked ones by their benchmark, then the others by their score."""
    score = row.score.value if row.score else -1.0
    return (2.0 if row.benchmark is None else -row.benchmark.value, -score, row.name)


def _hidden(made: Board, known: Sequence[Submission], order: Sequence[int], store: Store) -> Board:
    """Letters in the place of names; the secret behind them stays in the store."""
    secret = store.order(ORDER_OF, 0)
    keys = [known[at].sha256 or known[at].name for at in order]
    of_zip = letters(secret, keys)
    of_team = letters(secret, (f"team {row.team}" for row in made.rows if row.team))
    rows = tuple(
        replace(
            row,
            name=of_zip[key],
            sha256="",
            team=f"team {of_team[f'team {row.team}']}" if row.team else "",
            seen=row.seen[:10],
        )
        for row, key in zip(made.rows, keys, strict=True)
    )
    return replace(made, rows=rows, source=replace(made.source, command=""))

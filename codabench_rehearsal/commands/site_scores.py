"""A site's scores into the store: of one upload, or of all that the account ever submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.site.own import site_name
from codabench_rehearsal.challenge.site.results import Outcome
from codabench_rehearsal.commands.known import contents, opened
from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.words import counted, quoted, shown
from evaluator.report.history import SHORT, compared, label

if TYPE_CHECKING:
    from codabench_rehearsal.challenge.site.profile import SiteChallenge
    from codabench_rehearsal.challenge.site.uploads import Upload
    from evaluator.store.store import LeaderboardScore, Store, Submission

_MOST_COLUMNS = 50
DEFAULT_PHASE = "dev"  # where the site gives its phase no name


@dataclass(frozen=True)
class Scored:
    """A submission of the account's that has a score. phase: as the store spells it."""

    outcome: Outcome
    phase: str
    text: str
    columns: Mapping[str, str]

    @property
    def day(self) -> str:
        """When it was submitted, in UTC."""
        return self.outcome.created.date().isoformat() if self.outcome.created else ""


def keep_score(done: Upload, outcome: Outcome, challenge: SiteChallenge) -> Iterator[str]:
    """Record the score of an upload; what there is to say, the estimate made before among it."""
    from codabench_rehearsal.commands.record import record

    score = scored(outcome, done.phase_name.strip() or DEFAULT_PHASE, challenge)
    if isinstance(score, str):
        yield f"   not recorded: {score}"
        return
    with opened(Path(done.store)) as store:
        whole = _is_there(done)
        store.add_submission(done.sha256, done.name, done.zip if whole else "")
    kept = record(
        done.zip if whole else done.sha256,
        score.text,
        phase=score.phase,
        date=score.day,
        note=note_of(challenge, outcome),
        columns=score.columns,
        store=done.store,
    )
    yield from (f"   {line}" for line in (*kept.lines, *kept.doubts))


def scored(outcome: Outcome, phase: str, challenge: SiteChallenge) -> Scored | str:
    """The score as the store can hold it; else why it cannot, in words."""
    text = outcome.score(challenge.main)
    column = next((one for one in challenge.columns if one.key == challenge.main), None)
    if not text:
        return _no_score(outcome, challenge)
    if column is not None and column.sorting == "asc":
        return f"of {shown(column.key)} the smallest is best; history holds shares of 1"
    if not 0 <= Decimal(text) <= 1:
        return (
            f"the site shows {text}, history holds scores from 0 to 1: if it is a percentage, "
            "local-eval record with its % sign"
        )
    others = [(key, figure) for key, figure in outcome.scores if key != challenge.main]
    once = Counter(key for key, _ in others)  # of several tasks each has its own
    named = {key[:60]: figure for key, figure in others[:_MOST_COLUMNS] if key and once[key] == 1}
    return Scored(outcome, phase, text, named if len(outcome.scores) > 1 else {})


def _no_score(outcome: Outcome, challenge: SiteChallenge) -> str:
    figures = [figure for key, figure in outcome.scores if key == challenge.main]
    if not figures:
        return "the site shows no score in the column that ranks"
    return (
        f"each of {len(figures)} tasks has a score of its own ({', '.join(figures)}), and the site "
        "shows none of all together: record the one that you go by (local-eval record)"
    )


def note_of(challenge: SiteChallenge, outcome: Outcome) -> str:
    """What tells later that a score is this submission's."""
    return f"{challenge.address.host} submission {outcome.number}"


def _is_there(done: Upload) -> bool:
    """Whether the zip is still the one that was uploaded."""
    with suppress(UserError):  # something else lies there by now
        return Path(done.zip).is_file() and contents(done.zip) == done.sha256
    return False


@dataclass(frozen=True)
class Synced:
    """What a synchronisation did. new: scores recorded. known: before. asked: lines of a table."""

    new: tuple[LeaderboardScore, ...]
    known: int
    asked: tuple[str, ...]


def sync(
    store: Store,
    challenge: SiteChallenge,
    found: Sequence[Scored],
    uploads: Mapping[int, Upload],
) -> Synced:
    """Record the scores whose zip is certain; ask about the others. uploads: by their number."""
    before = {score.id for score in store.scores()}
    by_note = {score.note for score in store.scores()}
    several = Counter(site_name(one.outcome.filename) for one in found)
    known, asked = 0, []
    for one in found:
        note = note_of(challenge, one.outcome)
        if note in by_note:
            known += 1
            continue
        own = _zip_of(store, one, uploads)
        unsure = several[site_name(one.outcome.filename)] > 1
        if one.outcome.number not in uploads and (len(own) != 1 or unsure):
            asked.append(_question(one, own))
        elif twin := _rounded(store, own[0], one):
            asked.append(_instead(one, own[0], twin))
        else:
            known += not _kept(store, own[0], one, note)
    new = tuple(score for score in store.scores() if score.id not in before)
    return Synced(new, known, tuple(asked))


def _zip_of(store: Store, one: Scored, uploads: Mapping[int, Upload]) -> list[Submission]:
    """The zips that a submission may be: by what we uploaded, else by name and date."""
    if upload := uploads.get(one.outcome.number):
        return [store.add_submission(upload.sha256, upload.name)]
    wanted = site_name(one.outcome.filename)
    alike = [s for s in store.submissions() if s.sha256 and site_name(s.name) == wanted]
    return [s for s in alike if not one.day or s.first_seen[:10] <= one.day]


def _rounded(store: Store, own: Submission, one: Scored) -> LeaderboardScore | None:
    """The same score as it was typed, with fewer decimals."""
    value = Decimal(one.text)
    for score in store.scores(one.phase):
        near = abs(Decimal(str(score.value)) - value) <= Decimal(1).scaleb(-score.decimals) / 2
        if score.submission.id == own.id and near and score.decimals < _decimals(one.text):
            return score
    return None


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _kept(store: Store, own: Submission, one: Scored, note: str) -> bool:
    from evaluator.store.leaderboard import checked_columns
    from evaluator.store.scores import read_score

    value, decimals = read_score(one.text)
    columns = checked_columns(one.columns)
    return store.record_score(
        own, value, decimals, one.phase, date=one.day, note=note, columns=columns
    )


def _question(one: Scored, own: Sequence[Submission]) -> str:
    """A line of the table: what the site has, and what to type for each zip that it may be."""
    words = _told(one)
    if not own:
        name = quoted(one.outcome.filename)
        return f"{words}: no zip of that name here: {_command(name, one)} --name-only"
    ways = " or ".join(_command(zip_.sha256[:SHORT], one) for zip_ in own[:4])
    return f"{words}: may be {counted(len(own), 'zip')} here: {ways}"


def _instead(one: Scored, own: Submission, typed: LeaderboardScore) -> str:
    sha = own.sha256[:SHORT]
    forget = f"local-eval forget {sha} --score {typed} --phase {quoted(one.phase)}"
    return f"{_told(one)}: kept as {typed}; with all decimals: {forget}, then {_command(sha, one)}"


def _told(one: Scored) -> str:
    outcome = one.outcome
    return f"  {outcome.number}  {shown(outcome.filename)}  {one.day}  {one.phase}  {one.text}"


def _command(word: str, one: Scored) -> str:
    day = f" --date {one.day}" if one.day else ""
    return f"local-eval record {word} --score {one.text} --phase {quoted(one.phase)}{day}"


def lines(done: Synced, store: Store) -> Iterator[str]:
    """What was done, and the table of what is to be decided."""
    yield (
        f"Scores recorded: {len(done.new)}; known already: {done.known}; to be decided by you: "
        f"{len(done.asked)}."
    )
    new = {score.id for score in done.new}
    for row in store.history():
        if row.score and row.score.id in new:
            yield f"  {label(row.submission)}: {row.score}, phase {shown(row.score.phase)}"
            if row.prediction:
                yield f"    {compared(row.prediction, row)}"
    if done.asked:
        yield "Which zip these are is not certain (submission, file, day, phase, score):"
        yield from done.asked

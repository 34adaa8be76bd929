"""A site's challenge as a bundle, and beside one.

As a bundle it lacks the programs, which hardly any site shows; beside a bundle it fills in what
that leaves open, and the bundle decides where both speak.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from codabench_rehearsal.challenge.bundle import Bundle, Phase, Task, in_order
from codabench_rehearsal.challenge.bundle_files import opened_tree
from codabench_rehearsal.challenge.manifest import read_manifest
from codabench_rehearsal.challenge.site.profile import SiteChallenge, SitePhase

_OF_BUNDLE = "the site does not show it"


def as_bundle(challenge: SiteChallenge) -> Bundle:
    """As a bundle whose programs and data are not there."""
    named = dict(task for phase in challenge.phases for task in phase.tasks)
    indexes = {number: index for index, number in enumerate(named)}
    missing = dict.fromkeys(("scoring_program", "ingestion_program"), _OF_BUNDLE)
    tasks = tuple(
        Task(index, named[number], None, missing=missing) for number, index in indexes.items()
    )
    return Bundle(
        source=challenge.address.page,
        folder=Path(),
        title=challenge.title,
        image=challenge.image,
        phases=tuple(
            _as_phase(one, [indexes[n] for n, _ in one.tasks]) for one in challenge.phases
        ),
        tasks=tasks,
        columns=challenge.columns,
        detailed_results=challenge.detailed_results,
    )


def filled(bundle: Bundle, source: Path, challenge: SiteChallenge) -> Bundle:
    """The bundle, with what it leaves open as the site says it. source: its zip or folder."""
    with opened_tree(source) as tree:
        said = read_manifest(tree).values
    theirs = {phase.index: phase for phase in challenge.phases}
    phases = tuple(
        _filled(phase, spoken, theirs.get(phase.index))
        for phase, spoken in zip(bundle.phases, in_order(said.get("phases")), strict=True)
    )
    return replace(
        bundle,
        phases=phases,
        image=bundle.image if said.get("docker_image") else challenge.image,
        columns=bundle.columns or challenge.columns,
    )


def _filled(phase: Phase, spoken: Mapping[str, Any], theirs: SitePhase | None) -> Phase:
    if theirs is None:
        return phase
    site = _as_phase(theirs, phase.tasks)
    keys = {
        "start": "start",
        "end": "end",
        "execution_time_limit": "seconds",
        "max_submissions_per_day": "per_day",
        "max_submissions": "in_all",
    }
    return replace(
        phase, **{name: getattr(site, name) for key, name in keys.items() if key not in spoken}
    )


def _as_phase(phase: SitePhase, tasks: Any) -> Phase:
    return Phase(
        index=phase.index,
        name=phase.name,
        tasks=tuple(tasks),
        start=_text(phase.start),
        end=_text(phase.end),
        seconds=phase.seconds,
        per_day=phase.per_day,
        in_all=phase.in_all,
    )


def _text(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
